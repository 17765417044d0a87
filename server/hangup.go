package server

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// hangupLook is how often the server looks for busy clients that have gone. One that is not
// busy is read from, which tells at once; a busy one is not, and its statement may run for hours.
const hangupLook = time.Second

// hangupKills bounds how many statements are stopped at a time: a shard that hangs holds up one of them for
// seconds, and must hold up neither the others nor the end of the server.
const hangupKills = 16

// watchHangups stops the statements of clients that have closed their connection, until the
// server accepts no more. A statement has at least one interval more to end by itself: who sends a
// last short statement and leaves has it carried out, as on a server.
func (s *Server) watchHangups() {
	look := time.NewTicker(hangupLook)
	defer look.Stop()
	gone := map[*Client]bool{} // at the look before
	for {
		select {
		case <-look.C:
		case <-s.stopping:
			return
		}
		still := map[*Client]bool{}
		var kills sync.WaitGroup
		slots := make(chan struct{}, hangupKills)
		for _, c := range s.clients.list() {
			session := c.Session()
			if session == nil || !session.Busy() || !hungUp(c.tcp) {
				continue
			}
			if !gone[c] {
				still[c] = true
				continue
			}
			s.opts.Log.Info("a client left while its statement ran: it is stopped", slog.String("port", s.opts.Name),
				slog.Uint64("id", uint64(c.ID)), slog.String("remote", c.Remote.String()))
			select {
			case slots <- struct{}{}:
				kills.Go(func() {
					session.Kill(true)
					<-slots
				})
			case <-s.stopping:
			}
		}
		kills.Wait()
		gone = still
	}
}

// hungUp tells whether the other end has closed the connection, also when there is still
// something of it to be read: that may be TLS's goodbye.
func hungUp(tcp *net.TCPConn) bool {
	const established = 1 // TCP_ESTABLISHED of the kernel's tcp_states.h
	gone := false
	err := control(tcp, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err == nil && info.State != established
		return err
	})
	return err == nil && gone
}
