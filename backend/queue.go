package backend

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// waiter is a lease that waits, or has its answer in ready.
type waiter struct {
	class      int
	bare       bool        // only a connection without a schema will do
	ready      chan answer // holds one
	number     uint64      // in the order of arrival
	prev, next *waiter
	queued     bool
}

type answer struct {
	conn *Conn
	err  error
}

// queue is who waits, first come first served. Its pool's lock guards it.
type queue struct {
	first, last *waiter
	n           int
	next        uint64 // number of the next one
}

func (q *queue) add(w *waiter) {
	w.prev, w.queued = q.last, true
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	q.n++
	w.number = q.next
	q.next++
}

func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
}

// fail gives everybody an error who has waited since before number mark was given out.
func (q *queue) fail(mark uint64, err error) {
	for q.first != nil && q.first.number < mark {
		w := q.first
		q.remove(w)
		w.ready <- answer{err: err}
	}
}

var errTooMany = errors.New("too many wait for one already")

// wait queues for a connection. The pool's lock is held at the call and not at the return.
func (p *pool) wait(ctx context.Context, k int, bare bool) (*Conn, error) {
	down := p.health.reason()
	if down != nil && p.health.silent {
		p.mu.Unlock()
		return nil, p.unavailable(down)
	}
	if p.queue.n >= p.opts.MaxWaiters {
		p.mu.Unlock()
		return nil, &Unavailable{Shard: p.shard, Full: true, Err: errTooMany}
	}
	w := &waiter{class: k, bare: bare, ready: make(chan answer, 1)}
	p.queue.add(w)
	limit := p.opts.WaitTimeout
	if down != nil {
		limit = min(limit, downWait)
		p.hasten()
	}
	p.serve()
	p.mu.Unlock()

	timer := time.NewTimer(limit)
	defer timer.Stop()
	var why error
	select {
	case a := <-w.ready:
		return p.answered(a)
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-timer.C:
		why = fmt.Errorf("none became free within %v", p.opts.WaitTimeout)
	}
	p.mu.Lock()
	if w.queued {
		p.queue.remove(w)
		p.mu.Unlock()
		if down != nil {
			return nil, p.unavailable(down)
		}
		return nil, &Unavailable{Shard: p.shard, Full: true, Err: why}
	}
	p.mu.Unlock()
	return p.answered(<-w.ready) // it came at the same moment
}

func (p *pool) answered(a answer) (*Conn, error) {
	if a.err == nil || errors.Is(a.err, errRetired) {
		return a.conn, a.err
	}
	return nil, p.unavailable(a.err)
}

func (p *pool) unavailable(err error) error { return &Unavailable{Shard: p.shard, Err: err} }
