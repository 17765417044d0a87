package backend

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// total limits what all shards together are given at once, and has the lines before them move together.
//
// Limits of each shard alone do not do that. Where shards share something (a machine, a disk, this
// proxy, its clients' machine) none of them is found to be too wide or too narrow by itself: in the end each does
// as much as is asked of it, and however narrow its limit is, all clients gather before the narrowest while the
// others idle. So what they may do together follows the latency of all, whoever has waited for
// longest comes next whichever shard it is for; and a shard's own limit shrinks when it has become slower than the others have.
//
// A shard with fewer than assured at work does not ask the total: none idles because others have much to
// do. What has been at work for long is not counted any more: it would keep others from theirs, and it waits, for a
// lock, a slow client or a server that hangs, more likely than it computes; the shard's own limit counts it.
//
//	take, serve ──has the pool a place? ──no──▶ line of the pool
//	                  │yes
//	          hardly any at work, or (room in the total, and nobody who waits for the total goes before)?
//	                  │yes                         └──no──▶ line of the pool, whose next waits for the total
//	                lease ──ends──▶ total.serve: the pool whose next goes before all others' serves
//
// It is guarded by atomics, and its pace by mu; pools' locks may be held, none is taken while another is.
type total struct {
	busy     atomic.Int32 // connections that work and do not stand apart, at all shards
	dials    atomic.Int32 // logins that are under way, each for a second at most: most for one who waits
	_        [64]byte     // each lease writes those above, all read those below
	allows   atomic.Int32
	waiting  atomic.Int32 // pools whose next newcomer waits for the total
	pools    atomic.Pointer[[]*pool]
	attended atomic.Bool // attend runs
	_        [64]byte

	// Of the window of pace:
	n       atomic.Int32
	peak    atomic.Int32
	pressed atomic.Bool
	began   atomic.Int64 // in nanoseconds of Unix time
	buckets [paceBuckets]atomic.Uint32
	probed  atomic.Int64 // since when it measures base, in nanoseconds of Unix time; 0: it does not

	mu    sync.Mutex
	pace  pace
	users map[string]*share // of those that have a line at some shard
	seen  progress
}

// ripe is how long a lease counts.
const ripe = time.Second

// assured are the places that a shard has whatever the others do: it is never idle, not even for the while between an
// end and the next begin. (With few of them the shards' lines would not move together where the total is at its least.)
const assured = few / 2

// setPools follows a changed map.
func (t *total) setPools(pools []*pool, each int) {
	t.pools.Store(&pools)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pace.few = few * len(pools)
	t.pace.setMax(each * len(pools))
	t.allows.Store(int32(t.pace.allows()))
}

// share is what a user has at work at all shards.
type share struct {
	atomic.Int32
	lines int // at so many shards
}

// user gives the count of a user for one more line.
func (t *total) user(name string) *atomic.Int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.users[name]
	if s == nil {
		if t.users == nil {
			t.users = map[string]*share{}
		}
		s = new(share)
		t.users[name] = s
	}
	s.lines++
	return &s.Int32
}

// left notes that a line of the user's is no more.
func (t *total) left(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.users[name]; s != nil {
		if s.lines--; s.lines == 0 {
			delete(t.users, name)
		}
	}
}

// room tells whether one more may work.
func (t *total) room() bool { return t.busy.Load()+t.dials.Load() < t.allows.Load() }

// admits tells whether a newcomer may have a place that nobody waits for.
func (t *total) admits() bool { return t.waiting.Load() == 0 && t.room() }

// lets tells whether it is w's turn, the next of pool p: there is room, and no other pool's next goes before.
func (t *total) lets(p *pool, w *waiter) bool {
	if !t.room() {
		t.pressed.Store(true)
		return false
	}
	if n := t.waiting.Load(); n == 0 || n == 1 && p.next.Load() != nil {
		return true
	}
	for _, q := range *t.pools.Load() {
		if other := q.next.Load(); q != p && other != nil && other.before(w) {
			return false
		}
	}
	return true
}

// before tells whose turn comes first of two at different shards: that of the user that has less
// at all of them, and of the same user's that which came first. Where the total keeps who waits, the pools take their
// next in the same order: else the next of one could be the last of all, and keep those behind it from a turn they have.
func (w *waiter) before(o *waiter) bool {
	if a, b := w.line.all.Load(), o.line.all.Load(); w.line.all != o.line.all && a != b {
		return a < b
	}
	return w.came.Before(o.came)
}

// waitForTotal notes who waits for the total alone; nil: nobody does. The pool's lock is held.
func (p *pool) waitForTotal(w *waiter) {
	if p.next.Load() == w {
		return // nearly always, without a write
	}
	if w != nil {
		w.shown = true
	}
	switch old := p.next.Swap(w); {
	case old == nil && w != nil:
		p.total.waiting.Add(1)
	case old != nil && w == nil:
		p.total.waiting.Add(-1)
	}
}

// serve has those served that wait for the total, as far as there is room. It is called when a
// lease has ended, with no pool's lock held.
func (t *total) serve() {
	for range 8 { // the next end goes on
		if t.waiting.Load() == 0 || !t.room() {
			return
		}
		var first *pool
		var next *waiter
		for _, p := range *t.pools.Load() {
			if w := p.next.Load(); w != nil && (next == nil || w.before(next)) {
				first, next = p, w
			}
		}
		if first == nil {
			return
		}
		first.mu.Lock()
		first.serve()
		first.mu.Unlock()
	}
}

// weighs notes that the connection counts in the total, or with -1 that it does no more.
func (c *Conn) weighs(n int32) {
	c.pool.total.busy.Add(n)
	if c.line != nil {
		c.line.all.Add(n)
	}
}

// unlock gives the lock back where nobody's lease has ended but who was next may be another, or gone: those who stood
// behind it at other shards have their turn.
func (p *pool) unlock() {
	p.mu.Unlock()
	p.total.serve()
}

// lease notes that one more works.
func (t *total) lease() {
	if n := t.busy.Add(1); n > t.peak.Load() {
		t.peak.Store(n)
	}
}

// sample takes the time of one lease, as pace.sample does.
func (t *total) sample(d time.Duration, now time.Time) {
	if t.pace.off {
		return
	}
	if now.Add(-d).UnixNano() < t.probed.Load() { // it began among many, which are still to be gone
		t.peak.Store(t.busy.Load())
		return
	}
	t.buckets[bucketOf(d)].Add(1)
	n := t.n.Add(1)
	if n == 1 {
		t.began.Store(now.UnixNano())
		return
	}
	if n < fewSamples {
		return
	}
	age := now.Sub(time.Unix(0, t.began.Load()))
	if age < window || n < samples && age < windowMost || !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	if t.n.Load() < n { // somebody else has ended it
		return
	}
	for i := range t.buckets {
		t.pace.buckets[i] = t.buckets[i].Swap(0)
	}
	t.pace.n, t.pace.peak, t.pace.pressed = int(t.n.Swap(0)), int(t.peak.Swap(t.busy.Load())), t.pressed.Swap(false)
	t.pace.end(now)
	t.probed.Store(0)
	if t.pace.probing {
		t.probed.Store(now.UnixNano())
	}
	t.allows.Store(int32(t.pace.allows()))
}

// othersThan is how many times as long as at few at once the middle one of the other shards takes; 1 when most have nothing
// to do. (Not the total's own slowdown: that is from what was measured at another time, with other load beside.)
func (t *total) othersThan(p *pool, now time.Time) float64 {
	var all []float64
	for _, q := range *t.pools.Load() {
		switch {
		case q == p:
		case now.UnixNano()-q.slowAt.Load() < int64(stale):
			all = append(all, math.Float64frombits(q.slow.Load()))
		default:
			all = append(all, 1)
		}
	}
	return middleOf(all)
}

// stale is when a shard's last window says no more how it is.
const stale = 5 * time.Second

// middleOf is the median, of an even number the lower one; 1 of none.
func middleOf(all []float64) float64 {
	if len(all) == 0 {
		return 1
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// unstick raises a limit by which somebody waits, and which nothing that is measured moves: only transactions come and go.
// The sweeper calls it.
func (t *total) unstick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen.stands(int(t.n.Load()), t.began.Load()) && t.waiting.Load() > 0 && !t.pace.off {
		t.pace.stuck()
		t.allows.Store(int32(t.pace.allows()))
		t.probed.Store(0)
	}
}

// progress is how far a window of measurements had come at the last look.
type progress struct {
	n     int
	began int64
}

// stands tells whether it has come no further since.
func (s *progress) stands(n int, began int64) bool {
	at := progress{n, began}
	defer func() { *s = at }()
	return *s == at
}

// ripen stops counting what has worked for long, and sets transactions apart that have lasted for long. The pool's lock is held.
func (p *pool) ripen(now time.Time) {
	for c := range p.all {
		if !c.leased || now.Sub(c.took) < ripe {
			continue
		}
		c.aside.Store(true)
		if c.work.CompareAndSwap(again, apart) {
			p.apart.Add(1)
			c.weighs(-1)
		}
		if p.total.waiting.Load() > 0 && c.work.CompareAndSwap(works, lasts) { // else nobody is kept
			c.weighs(-1)
		}
	}
}
