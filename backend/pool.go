package backend

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sluice/engine"
)

// pool holds the connections to one server. Every place counts towards max, whether its
// connection is leased, idle or being dialled:
//
//	       Get                     Get, nothing idle
//	idle ───────▶ leased          waiter ──▶ dial ──ok──▶ given to the first waiter
//	  ▲             │ │                        └─failed─▶ down: all waiters fail, probes go on
//	  └────Put──────┘ └─Close──▶ the place is free: dial for the next waiter
//
// Connections are dialled by goroutines of the pool and not by those that wait: a client that
// goes away wastes no login, and one failure answers all.
//
// A lease is at work, or rests: its session keeps it between two statements of a transaction. Newcomers
// may take connections while fewer are at work than the pace says, and leave some places to those
// that hold connections already.
type pool struct {
	opts   *Options
	shard  string
	role   string
	dialer dialer
	wg     *sync.WaitGroup // of Pools
	ctx    context.Context // ends with Pools

	mu      sync.Mutex
	max     int
	closed  bool             // no new leases; returned connections are closed
	idle    [classes][]*Conn // the one used last is at the end
	idles   int              // all of them
	all     map[*Conn]struct{}
	dialing [classes]int
	queue   queue
	lines   map[string]*line // of the users that have connections or wait, and some that had
	health  health
	pace    pace
	hang    hang
	counts  counts
	kills   chan struct{} // places for connections that KILL

	total *total
	next  atomic.Pointer[waiter] // whose turn it is and who waits for the total alone

	slow   atomic.Uint64 // pace's slowdown in the last window, a float64
	slowAt atomic.Int64  // when that ended, in nanoseconds of Unix time

	resting atomic.Int32 // leased connections that are not at work
	apart   atomic.Int32 // those at work that stand apart
	waiting atomic.Int32 // queue.n, for those that do not hold the lock
}

// counts are of the pool's whole life.
type counts struct{ refused, severed uint64 }

// maxDials bounds the logins at once: a server that comes back is not met by a herd.
const maxDials = 16

var (
	errRetired = errors.New("the pool was replaced") // Get asks the new one
	errClosed  = errors.New("the proxy is shutting down")
	errNoShard = errors.New("no such shard")
)

func (p *pool) dials() int {
	n := 0
	for _, d := range p.dialing {
		n += d
	}
	return n
}

// places is their number.
func (p *pool) places() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.max
}

// open is the number of places taken. The lock is held.
func (p *pool) open() int { return len(p.all) + p.dials() }

// leased is the number of connections that somebody has. The lock is held.
func (p *pool) leased() int { return len(p.all) - p.idles }

// busy is the number of those that are at work, as nearly as can be told without a lock on
// each rest. The lock is held.
func (p *pool) busy() int { return max(p.leased()-int(p.resting.Load()), 0) }

// crowd is the number of those at work that a limit can keep away: not who came with connections already, nor a
// transaction that has lasted for long. Those may be as many as they like for as long as they like, and newcomers have the
// fewest places beside them, by which is measured what the server takes when newcomers are few. (A transaction that lasts
// for less than a second is its newcomer's: else these, a few at once, would fill the server.) The lock is held.
func (p *pool) crowd() int { return max(p.busy()-int(p.apart.Load()), 0) }

// spare are the places that newcomers do not get: an eighth, none where there are few.
func (p *pool) spare() int { return p.max / 8 }

// admits tells whether the pool has a place for a newcomer, when so many dials are for others. The
// lock is held.
func (p *pool) admits(promised int) bool {
	if p.leased()+promised >= p.max-p.spare() {
		return false
	}
	limit := p.pace.allows()
	return p.busy()+promised < limit || p.crowd()+promised < min(limit, int(p.pace.floor()))
}

// sure tells whether the shard has so little to do that the total does not matter. The lock is held.
func (p *pool) sure(promised int) bool { return p.crowd()+promised < assured }

// line finds a user's line. The lock is held.
func (p *pool) line(user string) *line {
	l := p.lines[user]
	if l == nil {
		l = &line{all: p.total.user(user)}
		p.lines[user] = l
	}
	return l
}

// give leases an idle connection that was taken out to a user's line; of what a newcomer does with
// it the time is taken. The lock is held.
func (p *pool) give(c *Conn, l *line, newcomer bool, now time.Time) {
	c.leased, c.took, c.whole, c.line = true, now, newcomer, l
	l.busy.Add(1)
	if !newcomer {
		c.aside.Store(true)
		c.work.Store(apart)
		p.apart.Add(1)
		return
	}
	c.work.Store(works)
	l.all.Add(1)
	p.total.lease()
	p.pace.lease(p.crowd())
}

// checkAfter is how long a connection must have been idle for its socket to be looked at
// before the next use. A server that goes away within less would as well have done so
// while the statement ran.
const checkAfter = 5 * time.Millisecond

// take gives an idle connection, the nearest to the wanted state, or waits for one.
func (p *pool) take(ctx context.Context, ask Ask, class Class, schema string, s *Settings) (*Conn, error) {
	k := class.index()
	now := time.Now()
	p.mu.Lock()
	for {
		if p.closed {
			p.mu.Unlock()
			return nil, errRetired
		}
		if p.hung(now) {
			p.hasten()
			p.counts.refused++
			p.mu.Unlock()
			return nil, p.unavailable(p.health.reason())
		}
		if !ask.Held && !p.admits(0) {
			p.pace.pressed = true
			return p.wait(ctx, ask, k, schema == "", now) // unlocks
		}
		if !ask.Held && !p.sure(0) && !p.total.admits() {
			return p.wait(ctx, ask, k, schema == "", now) // unlocks
		}
		c := p.pick(k, engine.Of(ctx), schema, s, now)
		if c == nil {
			return p.wait(ctx, ask, k, schema == "", now) // unlocks
		}
		idle := now.Sub(c.idleSince)
		p.give(c, p.line(ask.User), !ask.Held, now)
		if idle < checkAfter {
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
		if now.Before(c.expires) && (c.parted || c.driven != nil && c.driven.Quiet() || c.CheckIdle() == nil) { // parted: meet looks
			return c, nil
		}
		c.Close()
		p.mu.Lock()
	}
}

// pick takes the best idle connection out of the stack: in the wanted state, else with its
// settings, else fresh, else the one used last; of those one on the task's loop. One that has a
// schema cannot go back to none, and one whose last answer is late is taken where there is no other. The lock is held.
func (p *pool) pick(k int, t *engine.Task, schema string, s *Settings, now time.Time) *Conn {
	stack := p.idle[k]
	best, score, late := -1, -1, -1
	for i := len(stack) - 1; i >= 0 && score < 7; i-- {
		c := stack[i]
		n := 2 * c.near(schema, s)
		if c.driven == nil || c.driven.Near(t) {
			n++
		}
		switch {
		case n <= score:
		case c.late(now):
			late = max(late, i)
		default:
			best, score = i, n
		}
	}
	if best < 0 {
		best = late
	}
	if best < 0 {
		return nil
	}
	return p.remove(k, best)
}

// near scores how little is to be done to bring the connection to a state.
func (c *Conn) near(schema string, s *Settings) int {
	switch {
	case schema == "" && c.schema != "":
		return -1
	case c.mixed:
		return 0
	case same(c.settings, s):
		if schema == c.schema {
			return 3
		}
		return 2
	case c.settings == nil:
		return 1
	}
	return 0
}

// remove takes an idle connection out. The lock is held.
func (p *pool) remove(k, i int) *Conn {
	stack := p.idle[k]
	c := stack[i]
	copy(stack[i:], stack[i+1:])
	stack[len(stack)-1] = nil
	p.idle[k] = stack[:len(stack)-1]
	p.idles--
	return c
}

// put takes a leased connection back, or tells the caller to close it.
func (p *pool) put(c *Conn) (kept bool) {
	defer p.total.serve()
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.leased {
		return true // given back already
	}
	if p.closed || !now.Before(c.expires) || len(p.all) > p.max {
		p.forget(c)
		return false
	}
	if c.whole {
		p.sample(now.Sub(c.took), now)
	}
	p.pace.held(now.Sub(c.took))
	if !c.parted {
		p.hang.answered(now)
	}
	p.end(c)
	c.idleSince = now
	k := c.class.index()
	p.idle[k] = append(p.idle[k], c)
	p.idles++
	p.serveAt(now)
	return true
}

// sample takes the time of a newcomer's lease. Of many the total needs a part only. The lock is held.
func (p *pool) sample(d time.Duration, now time.Time) {
	if p.pace.n < samples || p.pace.n%8 == 0 {
		p.total.sample(d, now)
	}
	if p.pace.sample(d, now) {
		p.pace.others, p.pace.apart = p.total.othersThan(p, now), int(p.apart.Load())
		p.pace.end(now)
		p.slow.Store(math.Float64bits(p.pace.slowdown()))
		p.slowAt.Store(now.UnixNano())
	}
}

// forget takes a connection out of the pool for good. The lock is held.
func (p *pool) forget(c *Conn) {
	p.end(c)
	delete(p.all, c)
	p.serve()
}

// end ends a lease. The lock is held.
func (p *pool) end(c *Conn) {
	c.leased = false
	was := c.work.Swap(idles)
	switch was {
	case rests:
		p.resting.Add(-1)
	case works, again:
		c.weighs(-1)
	case apart:
		p.apart.Add(-1)
	}
	if c.aside.Load() {
		c.aside.Store(false)
	}
	if c.line != nil {
		if was != rests {
			c.line.busy.Add(-1)
		}
		c.line = nil
	}
}

// serve gives idle connections to those that wait, in their order, and dials for those who
// get none as far as places allow. It is called whenever one of these has changed, with
// the lock held.
func (p *pool) serve() {
	if p.queue.n == 0 {
		p.waitForTotal(nil)
		return
	}
	p.serveAt(time.Now())
}

// serveAt is serve where the time is known.
func (p *pool) serveAt(now time.Time) {
	if p.queue.n == 0 {
		p.waitForTotal(nil)
		return
	}
	defer func() { p.waiting.Store(int32(p.queue.n)) }()
	promised := p.dialing
	for w := p.queue.held.first; w != nil; {
		if !p.mayServe() {
			p.waitForTotal(nil)
			return
		}
		next := w.behind // before it is removed
		p.serveOne(w, &promised, now)
		w = next
	}
	var next *waiter
	defer func() { p.waitForTotal(next) }()
	p.queue.begin()
	for pending := 0; ; {
		if !p.admits(pending) {
			p.pace.pressed = true
			p.queue.stand(now)
			return
		}
		var w *waiter
		if p.mayServe() {
			w = p.queue.turn(!p.sure(pending) && !p.total.admits())
		}
		if w == nil {
			p.queue.since = time.Time{} // there is room for more: who waits, waits for a login
			return
		}
		if !p.sure(pending) && !p.total.lets(p, w) {
			if p.waitForTotal(w); !p.total.lets(p, w) { // a lease may have ended in between, and not have seen that somebody waits
				next = w
				p.queue.stand(now)
				return
			}
		}
		if p.tooMany(w) && now.Sub(w.came) > p.patience(now) {
			p.counts.refused++
			p.queue.end(w, answer{err: errLong})
			continue
		}
		if p.serveOne(w, &promised, now) {
			w.line.pending++
			pending++
		}
	}
}

// mayServe tells whether there is anything to give.
func (p *pool) mayServe() bool { return p.idles > 0 || p.mayDial() }

// serveOne gives a waiter a connection, or tells that a login is under way for it.
func (p *pool) serveOne(w *waiter, promised *[classes]int, now time.Time) (dials bool) {
	k := w.class
	i := p.usable(k, w.bare, now)
	switch {
	case i >= 0:
		c := p.remove(k, i)
		p.give(c, w.line, w.in != &p.queue.held, now)
		p.queue.end(w, answer{conn: c})
		return false
	case promised[k] > 0:
		promised[k]-- // the login that is under way is this one's
		return true
	case p.mayDial():
		p.makeRoom(k, w.bare)
		p.startDial(k)
		return true
	}
	return false
}

// usable gives the position of the idle connection of class k that was used last, of those whose last answers are late
// where there is no other, -1 when there is none. bare: it must not have a schema. The lock is held.
func (p *pool) usable(k int, bare bool, now time.Time) int {
	late := -1
	for i := len(p.idle[k]) - 1; i >= 0; i-- {
		switch c := p.idle[k][i]; {
		case bare && c.schema != "":
		case !c.late(now):
			return i
		default:
			late = max(late, i)
		}
	}
	return late
}

// mayDial tells whether another login may start: a place is free, or is taken by an idle
// connection (which does not fit, or would have been used).
func (p *pool) mayDial() bool {
	if p.health.state == down && p.dials() > 0 {
		return false // one probe at a time
	}
	return !p.closed && !p.health.holdsOff() && p.dials() < maxDials && (p.open() < p.max || p.idles > 0 && p.open() == p.max)
}

// makeRoom closes the idle connection that was used longest ago, of another class than k or
// (bare) with a schema, if all places are taken.
func (p *pool) makeRoom(k int, bare bool) {
	if p.open() < p.max {
		return
	}
	var oldest *Conn
	from := 0
	for i, stack := range p.idle {
		if (i != k || bare) && len(stack) > 0 && (oldest == nil || stack[0].idleSince.Before(oldest.idleSince)) {
			oldest, from = stack[0], i
		}
	}
	if oldest != nil {
		p.remove(from, 0)
		delete(p.all, oldest)
		p.wg.Go(func() { quit(oldest.Conn) })
	}
}

// startDial logs in for class k. The lock is held.
func (p *pool) startDial(k int) {
	p.dialing[k]++
	p.total.dials.Add(1)
	over := sync.OnceFunc(func() { p.total.dials.Add(-1) })
	ripens := time.AfterFunc(ripe, func() {
		over()
		p.total.serve()
	})
	mark := p.queue.next
	p.wg.Go(func() {
		p.dial(k, mark, over)
		ripens.Stop()
	})
}

// dial logs in for class k and then calls over, with the lock held.
func (p *pool) dial(k int, mark uint64, over func()) {
	class := Class{FoundRows: k&1 != 0, LocalFile: k&2 != 0, Extended: k&4 != 0}
	l, err := p.dialer.dial(p.ctx, class)
	if err == nil {
		if err = p.dialer.drive(l); err != nil {
			l.conn.Close()
		}
	}
	p.mu.Lock()
	p.dialing[k]--
	over()
	defer p.total.serve()
	if err != nil {
		p.failed(mark, err)
		p.mu.Unlock()
		return
	}
	if p.closed {
		p.mu.Unlock()
		p.wg.Go(func() { quit(l.conn) })
		return
	}
	p.succeeded(l)
	if len(p.all) >= p.max { // it was lowered meanwhile
		p.serve()
		p.mu.Unlock()
		p.wg.Go(func() { quit(l.conn) })
		return
	}
	age := p.opts.MaxAge - time.Duration(rand.Int64N(int64(p.opts.MaxAge)/8+1))
	now := time.Now()
	c := &Conn{Conn: l.conn, driven: l.driven, pool: p, class: class, version: l.version, threadID: l.threadID, expires: now.Add(age), idleSince: now}
	p.all[c] = struct{}{}
	p.idle[k] = append(p.idle[k], c)
	p.idles++
	p.serve()
	p.mu.Unlock()
}

// setMax follows a changed limit. Connections above it are closed when they come back.
func (p *pool) setMax(n int) {
	p.mu.Lock()
	p.max = n
	p.pace.setMax(n)
	var drop []*Conn
	for k := range p.idle {
		for len(p.idle[k]) > 0 && len(p.all) > n {
			c := p.remove(k, 0)
			delete(p.all, c)
			drop = append(drop, c)
		}
	}
	p.serve()
	p.mu.Unlock()
	for _, c := range drop {
		quit(c.Conn)
	}
}

// retire ends the pool: its waiters are told why, idle connections are closed, leased ones
// when they come back, or at once with force.
func (p *pool) retire(why error, force bool) {
	p.mu.Lock()
	p.closed = true
	p.queue.fail(p.queue.next, why)
	p.waiting.Store(0)
	p.waitForTotal(nil)
	p.health.stop()
	var idle, leased []*Conn
	for k := range p.idle {
		for len(p.idle[k]) > 0 {
			c := p.remove(k, 0)
			delete(p.all, c)
			idle = append(idle, c)
		}
	}
	if force {
		for c := range p.all {
			leased = append(leased, c)
		}
	}
	p.mu.Unlock()
	for _, c := range idle {
		quit(c.Conn)
	}
	for _, c := range leased {
		c.Conn.Close() // its owner sees the error and calls Close
	}
}

// drained tells whether a retired pool has nothing left.
func (p *pool) drained() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open() == 0
}
