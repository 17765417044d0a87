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

const (
	// sweepMeets is how long a sweep reads answers that nobody has waited for, which takes microseconds each: the lock is
	// held. What is left then is the next sweep's. meetTime bounds one of which a part has come.
	sweepMeets = 2 * time.Millisecond
	meetTime   = 10 * time.Millisecond
	// unanswered connections are closed when their answers have not come for so long.
	unanswered = 5 * time.Second
)

// sweep closes what is no longer wanted among the idle connections.
func (p *pool) sweep() {
	p.mu.Lock()
	now := time.Now()
	var gone []*Conn
	dead := false
	for k := range p.idle {
		for i := 0; i < len(p.idle[k]); {
			c := p.idle[k][i]
			unused := p.idles > keepIdle && now.Sub(c.idleSince) >= p.opts.IdleTimeout
			broken := p.unfit(c, now)
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

// unfit tells whether an idle connection is dead, has not been answered for too long, or was answered with an error. The lock
// is held.
func (p *pool) unfit(c *Conn, now time.Time) bool {
	if !c.parted {
		return !(c.driven != nil && c.driven.Quiet()) && c.CheckIdle() != nil
	}
	idle := now.Sub(c.idleSince)
	if idle < sweepEvery/2 {
		return false // the next lease will have read it sooner
	}
	if c.late(now) {
		return idle >= unanswered
	}
	return time.Since(now) < sweepMeets && c.meet(meetTime) != nil
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
