package cache

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// near holds results of Redis in this process, with the states of their tags. It answers nothing
// by itself: the states are asked of Redis at each read, and only where they are still the same is the copy
// given. What is saved is the way of the value, its check and its unpacking.
//
// Redis' client-side caching would save the question, too, and break the promise: a write is
// answered when its END is at Redis, and the message that drops the copies of other proxies is then still on
// its way. To wait for all proxies at each write would cost what the question costs, on the side where it is dearer.
type near struct {
	entries *otter.Cache[string, *nearEntry]
}

// nearEntry is a copy, and where it is in the store. It is immutable.
type nearEntry struct {
	ring   *ring
	at     place
	states []string
	res    *Result
	until  time.Time
}

// nearBytes bounds what is held.
const nearBytes = 64 << 20

func newNear() *near {
	return &near{entries: otter.Must(&otter.Options[string, *nearEntry]{
		MaximumWeight: nearBytes,
		Weigher: func(k string, e *nearEntry) uint32 {
			n := len(k) + len(e.res.Packets) + 512
			for i := range e.states {
				n += len(e.states[i]) + len(e.at.tags[i].name) + 64
			}
			return uint32(n)
		},
	})}
}

// get gives the copy of a read's result, nil when there is none.
func (n *near) get(r *ring, q *Query) *nearEntry {
	if n == nil {
		return nil
	}
	e, ok := n.entries.GetIfPresent(string(q.Key))
	if !ok || e.ring != r {
		return nil
	}
	if time.Now().After(e.until) {
		n.entries.Invalidate(string(q.Key))
		return nil
	}
	return e
}

func (n *near) put(r *ring, q *Query, at *place, states []string, res *Result, until time.Time) {
	if n != nil {
		n.entries.Set(string(q.Key), &nearEntry{ring: r, at: *at, states: states, res: res, until: until})
	}
}

func (n *near) close() {
	if n != nil {
		n.entries.StopAllGoroutines()
	}
}
