package engine

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// side is one direction of a connection.
type side struct {
	conn   *Conn
	ready  atomic.Bool // something has happened that nobody has looked at
	waiter atomic.Pointer[waiter]
	own    waiter // of a goroutine

	deadline atomic.Int64 // nanoseconds after begin; 0: none

	mu    sync.Mutex
	timer *time.Timer // nil until a deadline is set
	due   int64       // when it fires; 0: it does not run
}

// begin is what deadlines are counted from: with its monotonic clock.
var begin = time.Now()

func now() int64 { return int64(time.Since(begin)) }

// fault is what a read or write finds before it asks the kernel.
func (s *side) fault() error {
	if s.conn.sock.closed() {
		return net.ErrClosed
	}
	if d := s.deadline.Load(); d != 0 && now() >= d {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// stirred tells whether a read or write has something to look at.
func (s *side) stirred() bool { return s.ready.Load() || s.fault() != nil }

// wait blocks until something has happened.
func (s *side) wait() error {
	w := &s.own
	if t := s.conn.task; t != nil && t.onLoop {
		w = &t.self
	} else if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	for !s.ready.Swap(false) {
		s.waiter.Store(w)
		if s.stirred() && s.waiter.CompareAndSwap(w, nil) {
			break
		}
		w.park()
	}
	err := s.fault()
	if err != nil {
		s.ready.Store(true) // bytes may have come as well, of which nobody will be told again
	}
	return err
}

// signal says that something has happened; l is the loop whose thread this is, or nil.
func (s *side) signal(l *loop) {
	if !s.ready.Load() { // the side that writes nearly always is
		s.ready.Store(true)
	}
	if w := s.waiter.Load(); w != nil && s.waiter.CompareAndSwap(w, nil) {
		w.rouse(l)
	}
}

func (s *side) setDeadline(t time.Time) error {
	if s.conn.sock.closed() {
		return net.ErrClosed
	}
	if t.IsZero() {
		s.deadline.Store(0) // the timer finds nothing to do
		return nil
	}
	d := max(int64(t.Sub(begin)), 1)
	s.deadline.Store(d)
	s.mu.Lock()
	if s.due == 0 || d < s.due {
		s.arm(d)
	}
	s.mu.Unlock()
	return nil
}

// arm has fire called at d. The lock is held.
func (s *side) arm(d int64) {
	s.due = d
	wait := time.Duration(max(d-now(), 0))
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.fire)
		return
	}
	s.timer.Reset(wait)
}

// fire wakes who waits when the deadline is over. One that was put off since it was armed costs
// nothing but this.
func (s *side) fire() {
	s.mu.Lock()
	d := s.deadline.Load()
	if s.due = 0; d > now() && !s.conn.sock.closed() {
		s.arm(d)
		d = 0
	}
	s.mu.Unlock()
	if d != 0 {
		s.signal(nil)
	}
}

// end wakes who waits for good.
func (s *side) end() {
	s.mu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.signal(nil)
}
