package topo

import (
	"context"
	"sync/atomic"
	"time"

	"sluice/shard"
)

// presence is how far this proxy and the others can rely on each other while slots move.
type presence struct {
	stored *stored
	member *member
	sure   atomic.Pointer[time.Time] // SureUntil
}

func (p *presence) of(s *stored, m *member) {
	p.stored, p.member = s, m
	p.sure.Store(&time.Time{})
}

// Refresh reads the stored map as it is when Refresh is called, or later, and returns when
// this proxy serves it and the functions of OnChange know it.
func (p *presence) Refresh(ctx context.Context) (*shard.Map, error) { return p.stored.refresh(ctx) }

// Ack announces, at once, that nothing runs here any more that a migration has to wait for in
// that attempt. It is forgotten when the migration leaves the map.
func (p *presence) Ack(move, attempt int64) { p.member.ack(move, attempt) }

// Long announces which statements have been running for long and touch slots of migrations,
// of each the oldest, in place of what was announced before.
func (p *presence) Long(list []Long) { p.member.long(list) }

// SureUntil gives the time, of this machine's clocks, until which this proxy's announcement
// cannot have ended for the others: until then, nothing that waits for an Ack of all proxies
// goes on without this one's. Both of its readings, monotonic and of the wall, must be ahead:
// one stands still while a machine sleeps, the other may be set. It costs one atomic load.
func (p *presence) SureUntil() time.Time { return *p.sure.Load() }

// caughtUp reads the map again, under an announcement that is a new one: changes before it
// have not waited for this proxy.
func (p *presence) caughtUp(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	_, err := p.stored.refresh(ctx)
	return err == nil
}

// extend moves SureUntil to the end of the lease.
func (p *presence) extend() {
	until := p.member.lease.until()
	p.sure.Store(&until)
}
