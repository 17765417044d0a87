// Package limit holds what a DBA allows: how many statements of a user, in a schema or of one
// kind run at once on this proxy, how long one may take and how many rows it may answer. It
// counts, lets wait and refuses; it does not know what a statement is, and stops none.
//
// Limits come with the map, so that all proxies follow a change and a restart keeps it. Who is
// counted stays counted when a limit changes.
package limit

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice/shard"
)

// Table is the limits of a proxy. Nil has none.
type Table struct {
	mu      sync.Mutex
	version int64 // of the map that it follows
	gates   map[key]*Gate
}

type key struct{ of, name string }

// New makes a table.
func New() *Table { return &Table{gates: map[key]*Gate{}} }

// Bounds are what holds for the statements of one plan. They are immutable; nil is no bound.
type Bounds struct {
	Time time.Duration // 0: no limit
	Rows uint64        // 0: no limit
	Wait time.Duration // for a shard's turn, at most; 0: as long as others

	time, rows *Gate   // whose they are
	gates      []*Gate // with a limit of statements at once
}

// For gives the bounds of a user's statements of one fingerprint in a schema, under a map.
func (t *Table) For(m *shard.Map, user, schema string, fingerprint []byte) *Bounds {
	if t == nil || len(m.Spec.Limits) == 0 && t.quiet(m) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follow(m)
	var b *Bounds
	for _, k := range [...]key{{shard.OfUser, user}, {shard.OfSchema, schema}, {shard.OfDigest, string(fingerprint)}} {
		g := t.gates[k]
		if g == nil {
			continue
		}
		if b == nil {
			b = &Bounds{}
		}
		b.add(g)
	}
	return b
}

// quiet tells whether there is nothing to follow.
func (t *Table) quiet(m *shard.Map) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follow(m)
	return len(t.gates) == 0
}

func (b *Bounds) add(g *Gate) {
	r := &g.rule
	if r.Time > 0 && (b.Time == 0 || r.Time < b.Time) {
		b.Time, b.time = r.Time, g
	}
	if r.Rows > 0 && (b.Rows == 0 || r.Rows < b.Rows) {
		b.Rows, b.rows = r.Rows, g
	}
	if r.Wait > 0 && (b.Wait == 0 || r.Wait < b.Wait) {
		b.Wait = r.Wait
	}
	if r.Concurrency != nil {
		b.gates = append(b.gates, g)
	}
}

// Follow takes over the limits of a newer map.
func (t *Table) Follow(m *shard.Map) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follow(m)
}

func (t *Table) follow(m *shard.Map) {
	if m.Version <= t.version {
		return
	}
	t.version = m.Version
	old := t.gates
	t.gates = make(map[key]*Gate, len(m.Spec.Limits))
	for _, l := range m.Spec.Limits {
		k := key{l.Of, l.Name}
		g := old[k]
		if g == nil {
			g = &Gate{}
		}
		g.set(l)
		t.gates[k] = g
		delete(old, k)
	}
	for _, g := range old {
		g.set(shard.Limit{Of: g.rule.Of, Name: g.rule.Name}) // nobody waits for it any more
	}
}

// Status is a row of SHOW LIMITS.
type Status struct {
	shard.Limit
	Running, Waiting int
	Refused          uint64 // no place in time, or none at all
	Timeouts, Cut    uint64 // statements stopped for their time, and for their rows
}

// Status lists all limits, by what they are of.
func (t *Table) Status(m *shard.Map) []Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follow(m)
	var all []Status
	for _, l := range m.Spec.Limits {
		if g := t.gates[key{l.Of, l.Name}]; g != nil {
			all = append(all, g.status())
		}
	}
	return all
}

// Gate is one limit and who is counted by it.
type Gate struct {
	rule shard.Limit // set under mu and the table's lock; For reads it under the latter

	mu            sync.Mutex
	running       int
	held, waiting list.List // of *waiter: those that hold a transaction, then the others
	refused       uint64
	timeouts, cut uint64
}

type waiter struct {
	in    *list.List
	place *list.Element // nil: it waits no more
	ready chan struct{}
}

// Refused says why a statement was not let through. Nothing of it was done.
type Refused struct {
	Of, Name string
	Never    bool // the limit is 0: trying again does not help
	Running  int
	Waiting  int
	Waited   time.Duration // in vain; 0: there was no place to wait
}

func (e *Refused) Error() string {
	of := e.Of
	if of == shard.OfDigest {
		of = "statements of the digest"
		return e.text(of, shard.DigestID(e.Name))
	}
	return e.text(of, e.Name)
}

func (e *Refused) text(of, name string) string {
	if e.Never {
		return fmt.Sprintf("%s %s: none are let through now, by a limit that an administrator has set (SHOW LIMITS)", of, name)
	}
	if e.Waited > 0 {
		return fmt.Sprintf("%s %s: %d run at once, and no place became free for this one within %v, which are the limits that an administrator has set (SHOW LIMITS); nothing was done", of, name, e.Running, e.Waited)
	}
	return fmt.Sprintf("%s %s: %d run at once and %d wait, which is the limit that an administrator has set (SHOW LIMITS); nothing was done", of, name, e.Running, e.Waiting)
}

// Enter waits for a place under each limit. held: the statement's session holds a transaction,
// for whose end others may wait; it goes before those that hold none. The error is a *Refused, or the context's.
func (b *Bounds) Enter(ctx context.Context, held bool) error {
	for i, g := range b.gates {
		if err := g.enter(ctx, held); err != nil {
			leave(b.gates[:i])
			return err
		}
	}
	return nil
}

// Leave gives the places back.
func (b *Bounds) Leave() { leave(b.gates) }

func leave(gates []*Gate) {
	for _, g := range slices.Backward(gates) {
		g.leave()
	}
}

// TimedOut counts a statement that was stopped for its time, TooMany one for its rows.
func (b *Bounds) TimedOut() { b.time.count(&b.time.timeouts) }
func (b *Bounds) TooMany()  { b.rows.count(&b.rows.cut) }

// TimeOf and RowsOf name whose limits these are.
func (b *Bounds) TimeOf() string { return b.time.name() }
func (b *Bounds) RowsOf() string { return b.rows.name() }

func (g *Gate) name() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rule.Of == shard.OfDigest {
		return "digest " + shard.DigestID(g.rule.Name)
	}
	return g.rule.Of + " " + g.rule.Name
}

func (g *Gate) count(n *uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*n++
}

func (g *Gate) enter(ctx context.Context, held bool) error {
	g.mu.Lock()
	if g.free() && g.held.Len() == 0 && (held || g.waiting.Len() == 0) {
		g.running++
		g.mu.Unlock()
		return nil
	}
	queue, wait := shard.DefaultLimitQueue, shard.DefaultLimitWait
	if g.rule.Queue != nil {
		queue = *g.rule.Queue
	}
	if g.rule.Wait > 0 {
		wait = g.rule.Wait
	}
	never := *g.rule.Concurrency == 0
	if never || g.held.Len()+g.waiting.Len() >= queue {
		err := g.refuse(never, 0)
		g.mu.Unlock()
		return err
	}
	w := &waiter{ready: make(chan struct{}), in: &g.waiting}
	if held {
		w.in = &g.held
	}
	w.place = w.in.PushBack(w)
	g.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	var why error
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-timer.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.place == nil {
		return nil // it came at the same moment
	}
	w.in.Remove(w.place)
	if why == nil {
		why = g.refuse(false, wait)
	}
	return why
}

// refuse counts and makes the refusal. The lock is held.
func (g *Gate) refuse(never bool, waited time.Duration) error {
	g.refused++
	return &Refused{Of: g.rule.Of, Name: g.rule.Name, Never: never, Running: g.running, Waiting: g.held.Len() + g.waiting.Len(), Waited: waited}
}

// free tells whether there is a place. The lock is held.
func (g *Gate) free() bool { return g.rule.Concurrency == nil || g.running < *g.rule.Concurrency }

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.serve()
}

// serve lets those in for whom there is a place. The lock is held.
func (g *Gate) serve() {
	for g.free() {
		e := g.held.Front()
		if e == nil {
			if e = g.waiting.Front(); e == nil {
				return
			}
		}
		w := e.Value.(*waiter)
		w.in.Remove(e)
		w.place = nil
		g.running++
		close(w.ready)
	}
}

// set changes the limit. The table's lock is held.
func (g *Gate) set(l shard.Limit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rule = l
	g.serve()
}

func (g *Gate) status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Status{Limit: g.rule, Running: g.running, Waiting: g.held.Len() + g.waiting.Len(), Refused: g.refused, Timeouts: g.timeouts, Cut: g.cut}
}
