package backend

import (
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
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
	health  health
	kills   chan struct{} // places for connections that KILL
}

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

// open is the number of places taken. The lock is held.
func (p *pool) open() int { return len(p.all) + p.dials() }

// checkAfter is how long a connection must have been idle for its socket to be looked at
// before the next use. A server that goes away within less would as well have done so
// while the statement ran.
const checkAfter = 5 * time.Millisecond

// take gives an idle connection, the nearest to the wanted state, or waits for one.
func (p *pool) take(ctx context.Context, class Class, schema string, s *Settings) (*Conn, error) {
	k := class.index()
	p.mu.Lock()
	for {
		if p.closed {
			p.mu.Unlock()
			return nil, errRetired
		}
		c := p.pick(k, schema, s)
		if c == nil {
			return p.wait(ctx, k, schema == "") // unlocks
		}
		now := time.Now()
		idle := now.Sub(c.idleSince)
		c.leased = true
		if idle < checkAfter {
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
		if now.Before(c.expires) && c.CheckIdle() == nil {
			return c, nil
		}
		c.Close()
		p.mu.Lock()
	}
}

// pick takes the best idle connection out of the stack: in the wanted state, else with its
// settings, else fresh, else the one used last. One that has a schema cannot go back to
// none. The lock is held.
func (p *pool) pick(k int, schema string, s *Settings) *Conn {
	stack := p.idle[k]
	best, score := -1, -1
	for i := len(stack) - 1; i >= 0 && score < 3; i-- {
		if n := stack[i].near(schema, s); n > score {
			best, score = i, n
		}
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
	c.leased, c.idleSince = false, now
	k := c.class.index()
	p.idle[k] = append(p.idle[k], c)
	p.idles++
	p.serve()
	return true
}

// forget takes a connection out of the pool for good. The lock is held.
func (p *pool) forget(c *Conn) {
	c.leased = false
	delete(p.all, c)
	p.serve()
}

// serve gives idle connections to those that wait, in their order, and dials for those who
// get none as far as places allow. It is called whenever one of these has changed, with
// the lock held.
func (p *pool) serve() {
	promised := p.dialing
	var next *list.Element
	for e := p.queue.waiting.Front(); e != nil; e = next {
		if p.idles == 0 && !p.mayDial() {
			return
		}
		next = e.Next() // of e before it is removed
		w := e.Value.(*waiter)
		k := w.class
		switch {
		case p.usable(k, w.bare) >= 0:
			c := p.remove(k, p.usable(k, w.bare))
			c.leased = true
			p.queue.remove(w)
			w.ready <- answer{conn: c}
		case promised[k] > 0:
			promised[k]-- // the login that is under way is this one's
		case p.mayDial():
			p.makeRoom(k, w.bare)
			p.startDial(k)
		}
	}
}

// usable gives the position of the idle connection of class k that was used last, -1 when
// there is none. bare: it must not have a schema. The lock is held.
func (p *pool) usable(k int, bare bool) int {
	for i := len(p.idle[k]) - 1; i >= 0; i-- {
		if !bare || p.idle[k][i].schema == "" {
			return i
		}
	}
	return -1
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
	mark := p.queue.next
	p.wg.Go(func() { p.dial(k, mark) })
}

func (p *pool) dial(k int, mark uint64) {
	class := Class{FoundRows: k&1 != 0, LocalFile: k&2 != 0, Extended: k&4 != 0}
	l, err := p.dialer.dial(p.ctx, class)
	p.mu.Lock()
	p.dialing[k]--
	if err != nil {
		p.failed(mark, err)
		p.mu.Unlock()
		return
	}
	if p.closed {
		p.mu.Unlock()
		quit(l.conn)
		return
	}
	age := p.opts.MaxAge - time.Duration(rand.Int64N(int64(p.opts.MaxAge)/8+1))
	now := time.Now()
	c := &Conn{Conn: l.conn, pool: p, class: class, version: l.version, threadID: l.threadID, expires: now.Add(age), idleSince: now}
	p.all[c] = struct{}{}
	p.idle[k] = append(p.idle[k], c)
	p.idles++
	p.succeeded(l)
	p.serve()
	p.mu.Unlock()
}

// setMax follows a changed limit. Connections above it are closed when they come back.
func (p *pool) setMax(n int) {
	p.mu.Lock()
	p.max = n
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
