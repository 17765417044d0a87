package backend

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"time"
)

// waiter is a lease that waits, or has its answer in ready.
type waiter struct {
	class  int
	bare   bool          // only a connection without a schema will do
	ready  chan answer   // holds one
	number uint64        // in the order of arrival
	place  *list.Element // nil: it waits no more
}

type answer struct {
	conn *Conn
	err  error
}

// queue is who waits, first come first served. Its pool's lock guards it.
type queue struct {
	waiting list.List // of *waiter
	next    uint64    // number of the next one
}

func (q *queue) add(w *waiter) {
	w.number = q.next
	q.next++
	w.place = q.waiting.PushBack(w)
}

func (q *queue) remove(w *waiter) {
	q.waiting.Remove(w.place)
	w.place = nil
}

// fail gives everybody an error who has waited since before number mark was given out.
func (q *queue) fail(mark uint64, err error) {
	for e := q.waiting.Front(); e != nil; e = q.waiting.Front() {
		w := e.Value.(*waiter)
		if w.number >= mark {
			return
		}
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
	if p.queue.waiting.Len() >= p.opts.MaxWaiters {
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
	if w.place != nil {
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
