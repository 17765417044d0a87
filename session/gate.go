package session

import (
	"context"
	"sync"
	"time"

	"sluice/shard"
	"sluice/topo"
)

// gate is what a proxy's sessions do together while slots move. When the map lists a migration
// or freezes it, what still runs on an older map comes to its end, and the proxy says so:
//
//	map: move listed ─▶ no statement runs any more that goes to whole shards without the filter ─▶ Ack(move, 0)
//	map: Frozen      ─▶ new statements on its slots wait; what touches them ends, idle transactions
//	                    after a grace are rolled back ─▶ Ack(move, attempt)
//	map: not Frozen  ─▶ who waits is bound again
//
// A session notes what it touches before it looks whether the map that it is bound on is still
// the newest one; the drainer looks at the notes after the map has changed. So no statement slips
// between the two.
type gate struct {
	topo Topology
	wake chan struct{} // one slot: the map has changed

	mu       sync.Mutex
	sessions map[*shared]struct{}
	changed  chan struct{} // closed and replaced when the map changes
	held     int           // statements that wait
	bytes    int           // of their texts
	drained  map[int64]int64
	reading  chan struct{} // closed when the map has been read anew; nil: nobody does
}

// Bounds of what waits, for each proxy and statement. Clients that wait longer are told to try
// again; a switch takes a tenth of that.
const (
	holdMost      = 2000
	holdMostBytes = 32 << 20
	holdTime      = time.Second
)

// How long a transaction that touched slots of a frozen migration may be idle. Later on in an
// attempt nobody is waited for.
const (
	drainGrace   = 50 * time.Millisecond
	drainLate    = 300 * time.Millisecond
	drainImpulse = 5 * time.Millisecond
)

func newGate(topo Topology) *gate {
	g := &gate{topo: topo, wake: make(chan struct{}, 1), sessions: map[*shared]struct{}{}, changed: make(chan struct{}), drained: map[int64]int64{}}
	topo.OnChange(g.mapChanged)
	return g
}

// mapChanged wakes those who wait for a map, and the drainer.
func (g *gate) mapChanged(*shard.Map) {
	g.mu.Lock()
	close(g.changed)
	g.changed = make(chan struct{})
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// next gives the channel that is closed when the map changes next.
func (g *gate) next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

func (g *gate) enter(sh *shared) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[sh] = struct{}{}
}

func (g *gate) leave(sh *shared) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, sh)
}

// hold takes a place for a statement that waits; false when there is none.
func (g *gate) hold(bytes int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held >= holdMost || g.bytes+bytes > holdMostBytes {
		return false
	}
	g.held++
	g.bytes += bytes
	return true
}

func (g *gate) release(bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held--
	g.bytes -= bytes
}

func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// refresh reads the map anew. Who comes meanwhile waits for the same: all statements that a
// fence has refused come at once, and when an attempt is given up etcd has other things to do.
func (g *gate) refresh(ctx context.Context) {
	g.mu.Lock()
	reading := g.reading
	if reading != nil {
		g.mu.Unlock()
		select {
		case <-reading:
		case <-ctx.Done():
		}
		return
	}
	reading = make(chan struct{})
	g.reading = reading
	g.mu.Unlock()
	_, _ = g.topo.Refresh(ctx) // without etcd the fence may go by itself, or the second ends
	g.mu.Lock()
	g.reading = nil
	g.mu.Unlock()
	close(reading)
}

// run drains until ctx ends.
func (g *gate) run(ctx context.Context) {
	began, looked, said := map[int64]time.Time{}, time.Time{}, false
	for {
		var again <-chan time.Time
		after := g.drain(began)
		if moves := g.topo.Map().HasMoves(); moves || said {
			if time.Since(looked) >= lookEvery {
				looked = time.Now()
				g.topo.Long(g.long(looked))
			}
			if said = moves; after == 0 {
				after = lookEvery
			}
		}
		if after > 0 {
			again = time.After(after)
		}
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		case <-again:
		}
	}
}

// longTime is from when on a running statement keeps a switch from being begun.
const longTime = 2 * time.Second

// long gives the oldest statement that has been running for long and touches slots of each
// migration that the map lists: nobody begins a switch that would wait for it.
func (g *gate) long(now time.Time) (list []topo.Long) {
	m := g.topo.Map()
	if !m.HasMoves() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range m.Spec.Moves {
		oldest := topo.Long{Move: m.Spec.Moves[i].ID}
		for sh := range g.sessions {
			since, ok := sh.runsOn(&m.Spec.Moves[i])
			if ok && now.Sub(since) > longTime && (oldest.Session == 0 || since.Before(oldest.Since)) {
				oldest.Session, oldest.Since = sh.c.ID, since.Round(0)
			}
		}
		if oldest.Session != 0 {
			list = append(list, oldest)
		}
	}
	return list
}

// runsOn tells whether the running statement touches slots of a migration, and since when it runs.
func (sh *shared) runsOn(v *shard.Move) (since time.Time, yes bool) {
	sh.mu.Lock()
	yes = sh.running && !sh.touch.waiting && sh.touch.touches(v)
	sh.mu.Unlock()
	if yes {
		sh.infoMu.Lock()
		since = sh.since
		sh.infoMu.Unlock()
	}
	return since, yes
}

// drain acknowledges what has ended, and tells when to look again, 0 for never. began says since
// when each migration is waited for.
func (g *gate) drain(began map[int64]time.Time) (after time.Duration) {
	m := g.topo.Map()
	for id := range g.drained {
		if m.Move(id) == nil {
			delete(g.drained, id)
			delete(began, id)
		}
	}
	for i := range m.Spec.Moves {
		v := &m.Spec.Moves[i]
		attempt := int64(0)
		if v.Frozen {
			attempt = v.Attempt
		}
		// One that was frozen and is no more has nothing to be waited for.
		if done, ok := g.drained[v.ID]; ok && (done >= attempt || !v.Frozen) {
			delete(began, v.ID)
			continue
		}
		if began[v.ID].IsZero() {
			began[v.ID] = time.Now()
		}
		if g.quiet(v, time.Since(began[v.ID])) {
			g.drained[v.ID] = attempt
			delete(began, v.ID)
			g.topo.Ack(v.ID, attempt)
			continue
		}
		switch {
		case v.Frozen: // somebody waits
			after = drainImpulse / 2
		case after == 0:
			after = drainGrace
		}
	}
	return after
}

// quiet tells whether nothing runs any more that a migration has to wait for.
func (g *gate) quiet(v *shard.Move, waited time.Duration) bool {
	g.mu.Lock()
	list := make([]*shared, 0, len(g.sessions))
	for sh := range g.sessions {
		list = append(list, sh)
	}
	g.mu.Unlock()
	grace := drainGrace
	if waited > drainLate {
		grace = drainImpulse
	}
	quiet := true
	for _, sh := range list {
		if !sh.quiet(v, grace) {
			quiet = false
		}
	}
	return quiet
}

// quiet tells whether the session has nothing that a migration has to wait for. A transaction
// that has been idle for too long is rolled back: the connections are cut, which ends it at the
// servers, and the session hears of it with its next command.
func (sh *shared) quiet(v *shard.Move, grace time.Duration) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := &sh.touch
	switch {
	case t.m == nil || t.waiting:
		return true
	case !v.Frozen:
		return !(sh.running && t.stmt.all && t.m.Move(v.ID) == nil)
	case !t.touches(v):
		return true
	case sh.running || time.Since(t.since) < grace:
		return false
	}
	for _, c := range t.conns {
		_ = c.Conn.Close() // the session's own Close comes later
	}
	t.conns = t.conns[:0]
	t.doomed = v.ID
	t.clear()
	return true
}
