package topo

import (
	"context"
	"sync"
	"sync/atomic"

	"sluice/shard"
)

// publisher holds the newest map and tells it to those who asked.
type publisher struct {
	newest atomic.Pointer[shard.Map]
	wake   chan struct{} // one slot: there is something to tell

	mu      sync.Mutex
	asked   []*subscriber
	told    int64         // the version that all subscribers have been told
	changed chan struct{} // closed and replaced when told grows
}

type subscriber struct {
	f    func(*shard.Map)
	last int64
}

func newPublisher() *publisher {
	return &publisher{wake: make(chan struct{}, 1), changed: make(chan struct{})}
}

// publish makes m the newest map, unless a newer one is known, and tells whether it did.
func (p *publisher) publish(m *shard.Map) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.newest.Load(); old != nil && old.Version >= m.Version {
		return false
	}
	p.newest.Store(m)
	nudge(p.wake)
	return true
}

// subscribe has f called with the newest map soon, and with every newer one.
func (p *publisher) subscribe(f func(*shard.Map)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, &subscriber{f: f})
	nudge(p.wake)
}

// run tells every new map until ctx ends; after is called when all have been told.
func (p *publisher) run(ctx context.Context, after func(*shard.Map)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		m := p.newest.Load()
		if m == nil {
			continue
		}
		p.mu.Lock()
		asked := p.asked // append never changes what is already there
		p.mu.Unlock()
		for _, s := range asked {
			if s.last < m.Version {
				s.last = m.Version
				s.f(m)
			}
		}
		p.mu.Lock()
		p.told = m.Version
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		after(m)
	}
}

// await waits until all subscribers know the map of that version or a newer one.
func (p *publisher) await(ctx context.Context, version int64) error {
	for {
		p.mu.Lock()
		told, changed := p.told, p.changed
		p.mu.Unlock()
		if told >= version {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nudge fills a one-slot channel.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
