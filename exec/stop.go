package exec

import (
	"context"
	"sync"
	"time"

	"sluice/backend"
	"sluice/wire"
)

const (
	// drainBytes is what is read rather than stopped: less than a KILL's own connection costs.
	drainBytes = 256 << 10
	// killAfter is how long a leg may go on before it is stopped.
	killAfter = 30 * time.Millisecond
	// stopTimeout bounds everything; a connection that does not end by then is closed.
	stopTimeout = 10 * time.Second
)

// stopAll brings legs that still run to their end: it reads what is left, and lets the
// server stop the statement when that is much or takes long. The connections stay usable:
// they may carry a transaction that closing would lose.
func stopAll(legs []leg) {
	var running []*leg
	for i := range legs {
		if l := &legs[i]; l.conn != nil && (l.state == legSent || l.state == legRows) {
			running = append(running, l)
		}
	}
	if len(running) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	deadline := time.Now().Add(stopTimeout)
	stoppers := make([]*stopper, len(running))
	for i, l := range running {
		stoppers[i] = newStopper(ctx, l.conn)
		if err := l.conn.SetDeadline(deadline); err != nil {
			l.state = legBroken
		}
	}
	for i, l := range running {
		l.stop(stoppers[i])
		if l.state == legIdle && l.conn.SetDeadline(time.Time{}) != nil {
			l.state = legBroken
		}
	}
}

// stop reads a running leg to its end.
func (l *leg) stop(s *stopper) {
	var left int
	killed := false
	for l.state == legSent || l.state == legRows {
		var err error
		if l.state == legSent {
			err = l.header()
		} else {
			var row []byte
			row, err = l.next()
			left += len(row)
		}
		killed = killed || wire.IsCode(err, 1317)
		if left > drainBytes {
			s.kill()
		}
	}
	asked, told := s.stop()
	switch {
	case l.state != legIdle || !asked:
	case !told:
		l.state = legBroken // the KILL may still come, and meet a later statement
	case !killed:
		l.absorb()
	}
}

// absorb runs nothing, so that a KILL which came too late for its statement meets this
// one and not the next client's.
func (l *leg) absorb() {
	if err := sendQuery(l.conn, []byte("DO 0")); err != nil {
		l.state = legBroken
		return
	}
	resp, err := wire.Discard(l.conn.Conn)
	if err != nil {
		l.state = legBroken
		return
	}
	l.status, l.known = resp.OK.Status, resp.Err == nil
}

// stopper kills a connection's statement once: when it is asked to, or after killAfter.
type stopper struct {
	conn  *backend.Conn
	ctx   context.Context
	timer *time.Timer
	once  sync.Once
	asked bool // a KILL was sent, or may have been
	told  bool // and the server has answered it
	done  chan struct{}
}

func newStopper(ctx context.Context, c *backend.Conn) *stopper {
	s := &stopper{conn: c, ctx: ctx, done: make(chan struct{})}
	s.timer = time.AfterFunc(killAfter, func() {
		s.kill()
		close(s.done)
	})
	return s
}

// kill stops the statement; it returns when the server has been told. If that fails the
// leg goes on until it ends or the deadline closes its connection.
func (s *stopper) kill() {
	s.once.Do(func() {
		s.asked = true
		s.told = s.conn.Kill(s.ctx) == nil
	})
}

// stop ends the stopper and waits for what it does.
func (s *stopper) stop() (asked, told bool) {
	if !s.timer.Stop() {
		<-s.done
	}
	return s.asked, s.told
}
