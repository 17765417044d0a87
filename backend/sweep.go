package backend

import (
	"slices"
	"time"
)

const (
	// keepIdle connections of a pool stay whatever their idle time, so that the first
	// statement after a quiet night need not wait for a login.
	keepIdle = 2
	// sweepEvery is the longest pause between two sweeps: how late a dead server is noticed
	// that nobody asks anything.
	sweepEvery = time.Second
	// keepLines of users that have nothing and ask for nothing stay: they come again.
	keepLines = 256
)

// sweep closes idle connections that are too old, too many or dead, until Close.
func (p *Pools) sweep() {
	every := min(sweepEvery, p.opts.IdleTimeout/2, p.opts.MaxAge/8, p.opts.HangTimeout/8)
	tick := time.NewTicker(max(every, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		for _, pl := range p.table.Load().order {
			pl.sweep()
			pl.forgetLines(keepLines)
			pl.watch(time.Now())
		}
		p.mu.Lock()
		retired := slices.Clone(p.retired)
		p.mu.Unlock()
		for _, pl := range retired {
			pl.watch(time.Now()) // what still runs there
		}
		p.total.unstick()
		p.total.serve()
		p.mu.Lock()
		kept := p.retired[:0]
		for _, pl := range p.retired {
			if !pl.drained() {
				kept = append(kept, pl)
				continue
			}
			pl.forgetLines(0)
		}
		clear(p.retired[len(kept):])
		p.retired = kept
		p.mu.Unlock()
	}
}

// meetTime is how long the sweeper waits for answers that should have come long ago.
const meetTime = 10 * time.Millisecond

// sweep closes what is no longer wanted among the idle connections.
func (p *pool) sweep() {
	now := time.Now()
	p.mu.Lock()
	var gone []*Conn
	dead, slow := false, false
	for k := range p.idle {
		for i := 0; i < len(p.idle[k]); {
			c := p.idle[k][i]
			unused := p.idles > keepIdle && now.Sub(c.idleSince) >= p.opts.IdleTimeout
			if c.parted && now.Sub(c.idleSince) < sweepEvery/2 {
				i++
				continue
			}
			broken := c.parted && (slow || c.meet(meetTime) != nil)
			slow = slow || broken && time.Since(now) >= meetTime // the lock is held: one is waited for
			broken = broken || !(c.driven != nil && c.driven.Quiet()) && c.CheckIdle() != nil
			if !unused && !broken && now.Before(c.expires) {
				i++
				continue
			}
			dead = dead || broken
			gone = append(gone, p.remove(k, i))
			delete(p.all, c)
		}
	}
	if dead && !p.closed && p.dials() == 0 && !p.health.holdsOff() && p.open() < p.max {
		p.startDial(0) // tells whether the server has gone or just closed what was idle
	}
	p.mu.Unlock()
	for _, c := range gone {
		quit(c.Conn)
	}
}

// forgetLines drops lines that nobody needs where there are more than so many in all.
func (p *pool) forgetLines(keep int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) <= keep {
		return
	}
	needed := map[*line]bool{}
	for c := range p.all {
		needed[c.line] = true
	}
	for w := p.queue.held.first; w != nil; w = w.behind {
		needed[w.line] = true
	}
	for user, l := range p.lines {
		if !needed[l] && l.waiting.n == 0 {
			delete(p.lines, user)
			p.total.left(user)
		}
	}
}
