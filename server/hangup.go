package server

import (
	"log/slog"
	"sync"
	"time"
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
	readers := map[*Client]*reader{}
	for {
		select {
		case <-look.C:
		case <-s.stopping:
			return
		}
		still, reading := map[*Client]bool{}, map[*Client]*reader{}
		var kills sync.WaitGroup
		slots := make(chan struct{}, hangupKills)
		for _, c := range s.clients.busy() {
			session := c.Session()
			info, err := tcpInfoOf(c.sock)
			if err != nil {
				continue
			}
			r := readers[c]
			if r == nil {
				r = &reader{}
			}
			slow := r.slow(info, time.Now()) && isWanted(session)
			if !r.since.IsZero() {
				reading[c] = r
			}
			switch left := info.hungUp; {
			case left && !gone[c]:
				still[c] = true
				continue
			case left:
				s.opts.Log.Info("a client left while its statement ran: it is stopped", slog.String("port", s.opts.Name),
					slog.Uint64("id", uint64(c.ID)), slog.String("remote", c.Remote.String()))
			case slow:
				s.opts.Metrics.Refused(s.opts.Name, whySlow)
				s.opts.Log.Warn("a client takes its answer too slowly while others wait for its shard: it is cut off", slog.String("port", s.opts.Name),
					slog.Uint64("id", uint64(c.ID)), slog.String("remote", c.Remote.String()), slog.String("user", c.User))
			default:
				continue
			}
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
		gone, readers = still, reading
	}
}
