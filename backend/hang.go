package backend

import (
	"context"
	"errors"
	"net"
	"time"
)

// The breaker of a server. A server that refuses or breaks connections says so by itself. One
// that hangs (stopped, its disk stuck, its network cut) says nothing, and a statement may
// rightly take hours: silence alone proves nothing. So while statements run and none ends, a
// login is tried now and then, which needs the server to read, compute and write:
//
//	closed ──quiet──▶ a login is tried ──answered──▶ closed
//	                         └──no answer──▶ open: newcomers are refused at once
//	open ──after a pause──▶ half-open: one login ──answered──▶ closed
//	                         └──no answer──▶ open
//	open, and nothing has answered for HangTimeout ──▶ what is at work there is given up
//
// Who is given up hears 2013, as when a server dies in the middle of a statement: whether the
// statement was carried out is not known, and for a COMMIT over several shards the recovery finds out.

// hang is what a pool knows of its server's silence. The pool's lock guards it.
type hang struct {
	heard time.Time // the last sign of life
	tried time.Time // the last login that was tried because of the silence
	trial bool      // one is under way
}

// quiet is how long a server that has something to do may end nothing before a login is tried.
const quiet = 3 * time.Second

// hung tells whether the server is taken to hang: it has said nothing to a login, and nothing to
// anybody else for a while. The lock is held.
func (p *pool) hung(now time.Time) bool {
	return p.health.state == down && p.health.silent && now.Sub(p.hang.heard) >= min(quiet, p.opts.HangTimeout/4)
}

// answered notes a sign of life.
func (h *hang) answered(now time.Time) { h.heard = now }

// ErrHung is why a connection was given up whose server does not answer.
var ErrHung = errors.New("its server does not answer any more and the statement was given up")

// Severed tells whether the connection was given up because of its server's silence.
func (c *Conn) Severed() bool { return c.severed.Load() }

// watch looks after statements that have been at work for long without a sign of life from the
// server, and after a limit that lets nothing through. The sweeper calls it.
func (p *pool) watch(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ripen(now)
	busy := p.busy()
	if busy == 0 {
		p.hang.heard = now
		return
	}
	silence := now.Sub(p.hang.heard)
	if p.closed {
		p.watchLast(now, silence)
		return
	}
	unmeasured := p.pace.seen.stands(p.pace.n, p.pace.began.UnixNano())
	if p.queue.n > 0 && busy >= p.pace.allows() && (unmeasured || silence >= sweepEvery/2) {
		p.pace.stuck()
		p.serve()
	}
	least := min(quiet, p.opts.HangTimeout/4)
	if silence >= p.opts.HangTimeout && p.hung(now) {
		p.sever(now)
	}
	if silence < least || p.hang.trial || now.Sub(p.hang.tried) < least || p.health.state == down {
		return // who is down is asked by its own probes
	}
	p.hang.trial, p.hang.tried = true, now
	p.wg.Go(p.try)
}

// watchLast looks after what is left of a pool that was replaced: what has been silent for HangTimeout is given up when a
// login has no answer either. The lock is held.
func (p *pool) watchLast(now time.Time, silence time.Duration) {
	if silence >= p.opts.HangTimeout && !p.hang.trial && p.ctx.Err() == nil {
		p.hang.trial = true
		p.wg.Go(p.try)
	}
}

// try finds out by a login whether a quiet server lives.
func (p *pool) try() {
	d := p.dialer
	d.timeout = min(d.timeout, p.opts.HangTimeout/2)
	err := d.once(p.ctx, func(*login) error { return nil })
	p.mu.Lock()
	defer p.unlock()
	p.hang.trial = false
	var ne net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		if p.closed {
			p.sever(time.Now())
		}
		p.failed(p.queue.next, err)
	default: // also one that refuses lives; connections that it has closed tell so by themselves
		p.hang.answered(time.Now())
	}
}

// sever closes the connections that have been at work since the server fell silent. Their owners
// see the error. Those that rest stay: nobody waits for them, and the server may come back. The lock is held.
func (p *pool) sever(now time.Time) {
	n := 0
	for c := range p.all {
		if !c.leased || c.work.Load() == rests || c.severed.Load() {
			continue
		}
		c.severed.Store(true)
		n++
		p.wg.Go(func() { c.Conn.Close() })
	}
	if n > 0 {
		p.counts.severed += uint64(n)
		p.opts.Log.Warn("a server does not answer: what runs there is given up", "shard", p.shard, "address", p.dialer.address,
			"silent_for", now.Sub(p.hang.heard).Round(time.Millisecond), "connections", n)
	}
}

// breaker names the state of the breaker. The lock is held.
func (p *pool) breaker() string {
	switch {
	case p.health.state != down:
		return "closed"
	case p.dials() > 0:
		return "half-open"
	}
	return "open"
}
