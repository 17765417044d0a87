package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sluice/engine"
)

// Ask says for whom a connection is wanted.
type Ask struct {
	User string // in whose line it waits: every user's is as long a wait, however many others have
	// Held: it holds connections already, which others may wait for: a transaction's, or work of
	// Sluice's own (recovery, migrations, the admin port). It goes before newcomers, is not
	// counted against the shard's limit, and has some places that newcomers do not get.
	Held bool
	// Wait is the longest that it waits while it is a newcomer. 0: as long as the pool's settings allow.
	Wait time.Duration
}

// waiter is a lease that waits, or has its answer.
type waiter struct {
	ctx    context.Context
	limit  time.Duration // the longest wait
	down   error         // why the server was not there when it came; nil: it was
	class  int
	bare   bool        // only a connection without a schema will do
	bell   engine.Bell // rung when it waits no more
	answer answer      // once in is nil
	number uint64      // in the order of arrival
	came   time.Time   //
	line   *line       // of its user
	in     *file       // where it stands; nil: it waits no more

	ahead, behind *waiter // its neighbours there

	shown bool // other pools, which do not hold the lock, may look at it for as long as they like
}

type answer struct {
	conn *Conn
	err  error
}

// line is one user's: what it has of the shard, and who of it waits.
type line struct {
	busy    atomic.Int32  // connections at work
	all     *atomic.Int32 // those of the user at all shards that count in the total
	waiting file          // newcomers in the order of arrival

	// Of one pass of serve:
	at      *waiter
	pending int // dials that are under way for this line
}

// queue is who waits: those that hold connections already first, in their order; then the
// user that has the fewest connections, so that one with a thousand clients leaves another
// with five its half (max-min fairness over places). Its pool's lock guards it.
type queue struct {
	held  file
	lines []*line   // with somebody in them, the one whose turn was longest ago first
	n     int       // who waits in all
	next  uint64    // number of the next one
	free  []*waiter // for the next that wait
	since time.Time // newcomers have been kept out without a break since then; zero: they are not
}

// file is waiters one behind the other.
type file struct {
	first, last *waiter
	n           int
}

func (f *file) push(w *waiter) {
	w.in, w.ahead, w.behind = f, f.last, nil
	if f.last == nil {
		f.first = w
	} else {
		f.last.behind = w
	}
	f.last = w
	f.n++
}

func (f *file) remove(w *waiter) {
	if w.ahead == nil {
		f.first = w.behind
	} else {
		w.ahead.behind = w.behind
	}
	if w.behind == nil {
		f.last = w.ahead
	} else {
		w.behind.ahead = w.ahead
	}
	w.in, w.ahead, w.behind = nil, nil, nil
	f.n--
}

// waiter gives one to use, which goes back with done if it may.
func (q *queue) waiter() *waiter {
	n := len(q.free) - 1
	if n < 0 {
		return &waiter{}
	}
	w := q.free[n]
	q.free = q.free[:n]
	return w
}

// mostFree bounds the waiters that are kept for the next.
const mostFree = 256

func (q *queue) done(w *waiter) {
	if w.shown || len(q.free) >= mostFree {
		return
	}
	w.ctx, w.down, w.line, w.answer = nil, nil, nil, answer{}
	q.free = append(q.free, w)
}

func (q *queue) add(w *waiter, held bool) {
	w.number = q.next
	q.next++
	q.n++
	if held {
		q.held.push(w)
		return
	}
	if w.line.waiting.n == 0 {
		q.lines = append(q.lines, w.line)
	}
	w.line.waiting.push(w)
}

func (q *queue) remove(w *waiter) {
	in := w.in
	in.remove(w)
	q.n--
	if in == &q.held {
		return
	}
	i, last := slices.Index(q.lines, w.line), len(q.lines)-1
	copy(q.lines[i:], q.lines[i+1:])
	if q.lines[last] = w.line; in.n > 0 {
		return // to the end: of users with as many connections the one comes next whose turn was longest ago
	}
	q.lines[last] = nil
	q.lines = q.lines[:last]
	if last == 0 {
		q.since = time.Time{}
	}
}

// end gives a waiter its answer.
func (q *queue) end(w *waiter, a answer) {
	q.remove(w)
	w.answer = a
	w.bell.Ring()
}

// begin starts a pass over the newcomers.
func (q *queue) begin() {
	for _, l := range q.lines {
		l.at, l.pending = l.waiting.first, 0
	}
}

// takes is how much of the shard the user has, or is about to have.
func (l *line) takes() int { return int(l.busy.Load()) + l.pending }

// before is waiter.before of the next of two lines, with the dials of this pass.
func (l *line) before(o *line) bool {
	if a, b := int(l.all.Load())+l.pending, int(o.all.Load())+o.pending; a != b {
		return a < b
	}
	return l.at.came.Before(o.at.came)
}

// turn gives the newcomer whose turn it is in this pass, or nil. together: as waiter.before orders those of all shards.
func (q *queue) turn(together bool) *waiter {
	var best *line
	for _, l := range q.lines {
		switch {
		case l.at == nil:
		case best == nil, !together && l.takes() < best.takes(), together && l.before(best):
			best = l
		}
	}
	if best == nil {
		return nil
	}
	w := best.at
	best.at = w.behind
	return w
}

// stand notes that newcomers are kept out.
func (q *queue) stand(now time.Time) {
	if q.since.IsZero() && len(q.lines) > 0 {
		q.since = now
	}
}

// fail gives everybody an error who has waited since before number mark was given out.
func (q *queue) fail(mark uint64, err error) {
	for _, in := range q.all() {
		for w := in.first; w != nil && w.number < mark; w = in.first {
			q.end(w, answer{err: err})
		}
	}
}

func (q *queue) all() []*file {
	all := []*file{&q.held}
	for _, l := range q.lines {
		all = append(all, &l.waiting)
	}
	return all
}

var (
	errTooMany = errors.New("too many wait for one already")
	errLong    = errors.New("more statements come than it can do, and this one has waited its share")
)

// wait queues for a connection. The pool's lock is held at the call and not at the return.
func (p *pool) wait(ctx context.Context, ask Ask, k int, bare bool, now time.Time) (*Conn, error) {
	down := p.health.reason()
	if down != nil && p.health.silent {
		p.counts.refused++
		p.mu.Unlock()
		return nil, p.unavailable(down)
	}
	l := p.line(ask.User)
	// A user may fill three quarters of the queue: there is room for others.
	if p.queue.n >= p.opts.MaxWaiters || !ask.Held && l.waiting.n > p.opts.MaxWaiters*3/4 {
		p.counts.refused++
		p.mu.Unlock()
		return nil, &Unavailable{Shard: p.shard, Full: true, Err: errTooMany}
	}
	w := p.queue.waiter()
	w.ctx, w.class, w.bare, w.came, w.limit, w.down, w.line = ctx, k, bare, now, p.opts.WaitTimeout, down, l
	p.queue.add(w, ask.Held)
	p.waiting.Store(int32(p.queue.n))
	if ask.Wait > 0 && !ask.Held {
		w.limit = min(w.limit, ask.Wait)
	}
	if down != nil {
		w.limit = min(w.limit, downWait)
		p.hasten()
	}
	p.serveAt(now)
	if w.in != nil && !p.total.attended.Load() && !p.total.attended.Swap(true) {
		p.wg.Go(p.total.attend)
	}
	p.unlock()

	w.bell.Wait(engine.Of(ctx)) // end rings it, and nobody else
	p.mu.Lock()
	a := w.answer
	p.queue.done(w)
	p.mu.Unlock()
	return p.answered(a)
}

// attendEvery is how much longer than it may a wait can last.
const attendEvery = 20 * time.Millisecond

// attend ends the waits that have lasted for long enough, or whose statement has ended, at all shards, until nobody waits.
// (A timer for each wait, and a watch over its context, would cost as much as all else of a short one; a goroutine for each
// shard, woken every 10 ms, as much as 2 % of 10,000 statements a second.)
func (t *total) attend() {
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	for now := range tick.C {
		if t.attendAll(now) {
			continue
		}
		t.attended.Store(false)
		if !t.waits() || t.attended.Swap(true) { // who has begun to wait in between relies on it, or has begun another
			return
		}
	}
}

func (t *total) waits() bool {
	return slices.ContainsFunc(*t.pools.Load(), func(p *pool) bool { return p.waiting.Load() > 0 })
}

// attendAll tells whether anybody waits.
func (t *total) attendAll(now time.Time) (waits bool) {
	for _, p := range *t.pools.Load() {
		if p.waiting.Load() > 0 {
			waits = true
			p.attend(now)
		}
	}
	return waits
}

func (p *pool) attend(now time.Time) {
	p.mu.Lock()
	ended := false
	for _, in := range p.queue.all() {
		for w := in.first; w != nil; {
			next := w.behind // before it is removed
			if why := w.over(now); why != nil {
				p.queue.end(w, answer{err: p.tooLong(w, why)})
				p.counts.refused++
				ended = true
			}
			w = next
		}
	}
	if ended {
		p.waiting.Store(int32(p.queue.n))
		p.serve() // who was next may have gone
	}
	p.unlock()
}

// over tells why a wait has to end, nil: it has not.
func (w *waiter) over(now time.Time) error {
	if why := context.Cause(w.ctx); why != nil {
		return why
	}
	if now.Sub(w.came) >= w.limit {
		return fmt.Errorf("none became free within %v", w.limit)
	}
	return nil
}

func (p *pool) tooLong(w *waiter, why error) error {
	if w.down != nil {
		return p.unavailable(w.down)
	}
	return &Unavailable{Shard: p.shard, Full: true, Err: why}
}

func (p *pool) answered(a answer) (*Conn, error) {
	var final *Unavailable
	switch {
	case a.err == nil || errors.Is(a.err, errRetired) || errors.As(a.err, &final):
		return a.conn, a.err
	case errors.Is(a.err, errLong):
		return nil, &Unavailable{Shard: p.shard, Full: true, Err: a.err}
	}
	return nil, p.unavailable(a.err)
}

func (p *pool) unavailable(err error) error { return &Unavailable{Shard: p.shard, Err: err} }
