package engine

import "sync/atomic"

// Bell wakes one who waits for something else than a socket. A task that waits for it stays on its loop. The
// zero value is one that was not rung.
type Bell struct {
	rung   atomic.Bool
	waiter atomic.Pointer[waiter]
	own    waiter // of a goroutine
}

// Wait blocks until the bell is rung, or was since the last Wait; t is who waits, nil: a goroutine.
func (b *Bell) Wait(t *Task) {
	w := &b.own
	if t != nil && t.onLoop {
		w = &t.self
	} else if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	for !b.rung.Swap(false) {
		b.waiter.Store(w)
		if b.rung.Load() && b.waiter.CompareAndSwap(w, nil) {
			continue
		}
		w.park()
	}
}

// Ring wakes who waits. It never runs any of its code: locks may be held.
func (b *Bell) Ring() {
	b.rung.Store(true)
	if w := b.waiter.Load(); w != nil && b.waiter.CompareAndSwap(w, nil) {
		w.rouse(nil)
	}
}
