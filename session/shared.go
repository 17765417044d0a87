package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backend"
	"sluice/server"
	"sluice/wire"
)

// shared is what other goroutines may look at and touch.
type shared struct {
	busy atomic.Bool // a statement runs or a transaction is open

	// mu is held while a Kill reaches for the connections, so that none of them can have
	// gone to another client when the KILL QUERY arrives.
	mu      sync.Mutex
	running bool
	kill    killState
	conns   []*backend.Conn // of the running statement

	infoMu sync.Mutex
	info   server.SessionInfo
	text   []byte // of the running statement, shortened; reused
	shards []string
}

// killState is how far a running statement was asked to stop.
type killState uint8

const (
	notKilled killState = iota
	killQuery
	killConnection
)

// maxShownText bounds what SHOW PROCESSLIST shows of a statement.
const maxShownText = 1024

// begin and end surround one command.
func (s *Session) begin(command string, sql []byte, now time.Time) {
	s.shared.busy.Store(true)
	s.shared.mu.Lock()
	s.shared.running = true
	s.shared.mu.Unlock()
	s.note(command, sql, now)
}

// note says what the session is doing.
func (s *Session) note(command string, sql []byte, now time.Time) {
	sh := &s.shared
	sh.infoMu.Lock()
	sh.info.Command, sh.info.Since = command, now
	sh.text = append(sh.text[:0], sql[:min(len(sql), maxShownText)]...)
	sh.infoMu.Unlock()
}

func (s *Session) end() {
	sh := &s.shared
	sh.mu.Lock()
	if sh.kill == killConnection {
		s.gone = true
	}
	sh.running, sh.kill = false, notKilled
	sh.conns = sh.conns[:0]
	sh.mu.Unlock()
	open := s.tx.Open()
	if !open {
		sh.busy.Store(false)
	}
	sh.infoMu.Lock()
	sh.info.Command, sh.info.Since = "Sleep", time.Now()
	sh.info.Statements++
	sh.info.Transaction = ""
	if open {
		sh.info.Transaction = "open"
	}
	sh.text = sh.text[:0]
	sh.shards = sh.shards[:0]
	for _, l := range s.tx.Legs() {
		sh.shards = append(sh.shards, l.Shard)
	}
	for i := range s.pins {
		if s.tx.Leg(s.pins[i].shard) == nil {
			sh.shards = append(sh.shards, s.pins[i].shard)
		}
	}
	sh.infoMu.Unlock()
}

// notePins says what is pinned, after a change of the pins.
func (s *Session) notePins() {
	sh := &s.shared
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	sh.info.Pinned, sh.info.PinnedSince = "", time.Time{}
	for i := range s.pins {
		if i > 0 {
			sh.info.Pinned += "; "
		} else {
			sh.info.PinnedSince = s.pins[i].since
		}
		sh.info.Pinned += s.pins[i].why() + " on " + s.pins[i].shard
	}
}

// Busy implements server.Session.
func (s *Session) Busy() bool { return s.shared.busy.Load() }

// Info implements server.Session.
func (s *Session) Info() server.SessionInfo {
	sh := &s.shared
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	info := sh.info
	info.Statement = string(sh.text)
	info.Shards = append([]string(nil), sh.shards...)
	return info
}

// Kill implements server.Session. It stops the running statement at its shards; with whole
// it also ends the connection, at once when it is idle.
func (s *Session) Kill(whole bool) {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	sh := &s.shared
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if whole {
		sh.kill = killConnection
		_ = s.c.Close() // ends a blocked read or write as well
	}
	if !sh.running {
		return // KILL QUERY of an idle session does nothing
	}
	if !whole && sh.kill == notKilled {
		sh.kill = killQuery
	}
	for _, c := range sh.conns {
		if err := c.Kill(ctx); err != nil {
			s.h.log.Warn("a running statement could not be stopped", "shard", c.Shard(), "connection", s.c.ID, "error", err)
		}
	}
}

// killTimeout bounds a Kill over all connections of a statement.
const killTimeout = 5 * time.Second

// watch lets a Kill reach the connection. It fails when the statement was killed already.
func (s *Session) watch(c *backend.Conn) error {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if s.shared.kill != notKilled {
		return interrupted()
	}
	s.shared.conns = append(s.shared.conns, c)
	return nil
}

// unwatch takes all connections out of a Kill's reach and tells whether one has reached
// for them: it may still be on its way to the thread when its statement has ended.
func (s *Session) unwatch() (killed bool) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	killed = s.shared.kill != notKilled && len(s.shared.conns) > 0
	s.shared.conns = s.shared.conns[:0]
	return killed
}

func interrupted() *wire.Error {
	return &wire.Error{Code: 1317, SQLState: "70100", Message: "Query execution was interrupted"}
}
