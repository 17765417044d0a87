package server

import (
	"context"
	"time"
)

const (
	drainLook  = 20 * time.Millisecond  // how often Drain looks who is done
	drainQuiet = 100 * time.Millisecond // a client that has just sent something may be in the middle of a packet
)

// Drain ends the server without breaking off work:
//
//  1. accepting stops, and logins that are under way are refused;
//  2. a client that is not busy and has not just sent something is told to go: its
//     connection takes no more commands. One that has come already is still read, run and
//     answered; then the handler reads io.EOF;
//  3. those that are busy, with a statement or an open transaction, are looked at again
//     until they are done, or ctx ends;
//  4. what is left is closed hard, as by Close, and ctx's error given;
//  5. all goroutines have ended.
func (s *Server) Drain(ctx context.Context) error {
	s.stop()
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for {
		open := s.clients.close()
		if len(open) == 0 {
			s.wg.Wait()
			s.cancel()
			return nil
		}
		for sock, c := range open {
			if done(c) {
				_ = sock.CloseRead() // an error means that it is closed already
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			s.closeAll()
			s.wg.Wait()
			return ctx.Err()
		}
	}
}

// done says that a connection can be told to go, once.
func done(c *Client) bool {
	if c == nil {
		return true
	}
	if c.leaving.Load() {
		return false
	}
	if s := c.Session(); s != nil && s.Busy() {
		return false
	}
	if info, err := tcpInfoOf(c.sock); err == nil && info.quiet < drainQuiet {
		return false
	}
	c.leaving.Store(true)
	return true
}

// Close closes everything at once and waits for all goroutines.
func (s *Server) Close() error {
	s.closeAll()
	s.wg.Wait()
	return nil
}

// closeAll is Close without the wait.
func (s *Server) closeAll() {
	s.stop()
	s.cancel()
	for sock := range s.clients.close() {
		_ = sock.Close() // also below TLS: there is no time for a goodbye
	}
}
