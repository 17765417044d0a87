package mover

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// calls is what others want of the goroutine that applies changes: that it hurries, and
// answers to inquiries. They wait in a list: one that was only offered on a channel would be
// missed again and again while there is always something to apply.
type calls struct {
	hurried atomic.Int32  // how many wait for changes to be applied
	bell    chan struct{} // one slot: look what is to be done now

	mu   sync.Mutex
	list []*inquiry
}

func (c *calls) ring() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// hurry has changes applied as soon as they come, until the function that it gives is called.
func (c *calls) hurry() (done func()) {
	c.hurried.Add(1)
	c.ring()
	return func() { c.hurried.Add(-1) }
}

// wait waits for more changes until a time, or until somebody waits for these.
func (c *calls) wait(ctx context.Context, until time.Time) error {
	if c.hurried.Load() > 0 {
		return nil
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.bell:
	case <-timer.C:
	}
	return nil
}

func (c *calls) put(q *inquiry) {
	c.mu.Lock()
	c.list = append(c.list, q)
	c.mu.Unlock()
	c.ring()
}

// next gives the oldest inquiry that is not answered yet, nil for none.
func (c *calls) next() *inquiry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == 0 {
		return nil
	}
	q := c.list[0]
	c.list = c.list[1:]
	return q
}

// withdraw takes an inquiry back; false: it is being answered, or has been.
func (c *calls) withdraw(q *inquiry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.list, q)
	if i >= 0 {
		c.list = slices.Delete(c.list, i, i+1)
	}
	return i >= 0
}

// end answers all that is left.
func (c *calls) end() {
	for q := c.next(); q != nil; q = c.next() {
		q.done <- errNotRunning
	}
}
