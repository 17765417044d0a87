package backend

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"sluice/engine"
	"sluice/wire"
)

// tries bounds how often a lease starts again because a connection turned out to be dead
// before anything of the caller's was sent.
const tries = 4

// leaseMeets bounds what a lease waits for answers that nobody has waited for (Conn.Part), of all connections that it finds.
const leaseMeets = 200 * time.Millisecond

// Get leases a connection of the shard in the given state: schema ("": none)
// and settings applied (nil: a fresh connection's). It prefers a connection that is in that
// state already. Errors: *wire.Error (the schema or the SET was refused), *Unavailable
// (unknown, down, full, timed out, or ctx has ended). It is for work of Sluice's own, which goes
// before that of clients.
func (p *Pools) Get(ctx context.Context, shard string, class Class, schema string, s *Settings) (*Conn, error) {
	return p.GetFor(ctx, Ask{Held: true}, shard, class, schema, s)
}

// GetFor is Get for a client.
func (p *Pools) GetFor(ctx context.Context, ask Ask, shard string, class Class, schema string, s *Settings) (*Conn, error) {
	s = normal(s)
	var last error = errNoShard
	until := time.Time{} // answers of who had a connection before are waited for
	lost := 0
	for left := tries; left > 0; left-- {
		pl := p.table.Load().byName[shard]
		if pl == nil {
			return nil, &Unavailable{Shard: shard, Err: p.whyNone()}
		}
		c, err := pl.take(ctx, ask, class, schema, s)
		if errors.Is(err, errRetired) {
			last = err
			continue
		}
		if err != nil {
			return nil, err
		}
		c.use(engine.Of(ctx))
		if c.parted {
			now := time.Now()
			if until.IsZero() {
				until = now.Add(leaseMeets)
				if end, ok := ctx.Deadline(); ok && end.Before(until) {
					until = end
				}
			}
			if err = c.meet(max(until.Sub(now), checkAfter)); err != nil {
				c.Close()
				last = err
				if lost++; lost <= pl.places() { // that says nothing about the server: a login does, where there is no other connection
					left++
				}
				continue
			}
		}
		if err = c.enter(schema, s); err == nil {
			return c, nil
		}
		if !c.broken {
			c.Put()
			return nil, err
		}
		c.Close()
		last = err
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			pl.suspect(err)
			break
		}
	}
	return nil, &Unavailable{Shard: shard, Err: last}
}

// Put gives the connection back. The caller promises that it is between commands, not in
// a transaction and in the state that Get or Sync set. Bytes left over close it instead.
func (c *Conn) Put() {
	if c.deadline && !c.broken {
		c.check(c.SetDeadline(time.Time{}))
	}
	if c.broken || c.Buffered() > 0 || c.Owes() && !c.parted {
		c.Close()
		return
	}
	c.Release()
	if c.task = nil; c.driven != nil {
		c.driven.Bind(nil)
	}
	if p := c.pool; !p.put(c) {
		p.wg.Go(func() { quit(c.Conn) })
	}
}

// Close ends the connection and frees its place in the pool. Safe after Put (no-op) as long
// as nobody else has leased it.
func (c *Conn) Close() error {
	p := c.pool
	p.mu.Lock()
	if !c.leased {
		p.mu.Unlock()
		return nil
	}
	p.forget(c)
	p.mu.Unlock()
	p.total.serve()
	return c.Conn.Close()
}

// Rest says that the session keeps the connection until its next statement, Wake that it is at work
// again. Resting connections take no part in the shard's limit. Both are cheap, and only
// for the lease's owner.
func (c *Conn) Rest() {
	was := c.work.Swap(rests)
	if was == rests {
		return
	}
	p := c.pool
	c.whole = false
	p.resting.Add(1)
	if c.line != nil {
		c.line.busy.Add(-1)
	}
	switch was {
	case works, again:
		c.weighs(-1)
	case apart:
		p.apart.Add(-1)
	}
	if p.waiting.Load() > 0 {
		p.mu.Lock()
		p.serve()
		p.mu.Unlock()
	}
	p.total.serve()
}

func (c *Conn) Wake() {
	next := again
	if c.aside.Load() {
		next = apart
	}
	if c.work.Load() == rests && c.work.CompareAndSwap(rests, next) {
		c.pool.resting.Add(-1)
		if c.line != nil {
			c.line.busy.Add(1)
		}
		if next == again {
			c.weighs(1)
		} else {
			c.pool.apart.Add(1)
		}
	}
}

// Wanted tells whether others wait for a connection of the shard, and not for the limit of all shards alone: in that
// a lease that lasts does not count. Safe from any goroutine while the lease lasts.
func (c *Conn) Wanted() bool { return c.pool.waiting.Load() > 0 && c.pool.next.Load() == nil }

// killers bounds the connections that a pool makes for KILL, besides its own.
const killers = 8

// Kill stops what the connection is running: KILL QUERY over another, short connection
// of its own. It returns when the server has answered. Safe from any goroutine while the
// lease lasts.
func (c *Conn) Kill(ctx context.Context) error {
	p := c.pool
	select {
	case p.kills <- struct{}{}:
		defer func() { <-p.kills }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return p.dialer.once(ctx, func(l *login) error {
		err := exchange(l.conn, wire.ComQuery, "KILL QUERY "+strconv.FormatUint(uint64(c.threadID), 10))
		var we *wire.Error
		if errors.As(err, &we) && we.Code == errNoSuchThread {
			return nil // it has ended: nothing runs
		}
		return err
	})
}

// AtWork asks the server, over another, short connection of its own, whether it runs a
// statement of the connection. false: it is idle or gone, or the server does not answer. A
// server that refuses to say lives, and is taken to work. Safe from any goroutine while the
// lease lasts.
func (c *Conn) AtWork(ctx context.Context) (yes bool) {
	err := c.pool.dialer.once(ctx, func(l *login) error {
		asker := Conn{Conn: l.conn, threadID: l.threadID}
		list, err := asker.Processes()
		yes = slices.ContainsFunc(list, func(p Process) bool { return p.ID == uint64(c.threadID) && p.Command != "Sleep" })
		return err
	})
	var we *wire.Error
	return yes && err == nil || errors.As(err, &we)
}

// errNoSuchThread is ER_NO_SUCH_THREAD.
const errNoSuchThread = 1094
