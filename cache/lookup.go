package cache

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Miss is a read that was not answered, and that may be stored when the database has answered it.
// It must be ended: others wait.
type Miss struct {
	c      *Cache
	q      *Query
	at     place
	states []string  // of its tags, before the database was asked
	bare   bool      // some of them are not there yet: there are no such states
	began  time.Time // before the database was asked; the result's ttl counts from here
	ring   *ring
	closed bool // somebody writes, or the store has no say: it is not stored
	flight *flight
	res    *Result // for those that wait
	lock   string  // that it holds in the store; "": none
	stored bool    // by somebody, or it would have been but for a write
}

// Lookup gives a result, or what Store needs for the database's. Both are nil where the
// cache has no say now.
func (c *Cache) Lookup(ctx context.Context, q *Query) (*Result, *Miss) {
	s, came := c.stats.of(q.Rule), time.Now()
	for waits := 0; ; waits++ {
		st := c.cluster.CacheState()
		if !st.Ready || !c.cluster.Sure() {
			s.bypassed.Add(1)
			return nil, nil
		}
		var res *Result
		var miss *Miss
		r := c.rings(&st)
		if !st.Suspended && c.breaker.closed() {
			res, miss = c.look(ctx, q, r, s)
		}
		if res == nil && miss == nil { // the store has no say; those that want the same are as many as ever
			miss = &Miss{c: c, q: q, at: r.placeOf(q), closed: true, began: time.Now(), ring: r}
		}
		switch {
		case res != nil:
			s.hits.Add(1)
			s.served.Add(int64(len(res.Packets)))
			return res, nil
		case waits < loadWaits && !st.Hurry:
			fl, first := c.flights.join(miss.at.entry.name)
			if !first {
				s.waited.Add(1)
				res := c.flights.wait(ctx, fl, came, func() bool { return c.cluster.CacheState().Hurry || q.stopped(ctx) })
				switch {
				case res != nil:
					s.hits.Add(1)
					s.served.Add(int64(len(res.Packets)))
					return res, nil
				case q.stopped(ctx): // he asks nobody any more, and nobody waits for him
					s.bypassed.Add(1)
					return nil, nil
				}
				continue
			}
			if miss.flight = fl; fl == nil || miss.closed {
				break
			}
			if c.lock(ctx, miss) || !clean(miss.states) {
				break
			}
			// Another proxy asks the database.
			s.waited.Add(1)
			if res := c.await(ctx, miss, s); res != nil {
				miss.stored = true // by the other
				miss.End()
				s.hits.Add(1)
				s.served.Add(int64(len(res.Packets)))
				return res, nil
			}
		}
		if !miss.closed {
			c.dress(ctx, miss)
		}
		if miss.closed {
			s.bypassed.Add(1)
		} else {
			s.misses.Add(1)
		}
		return nil, miss
	}
}

// stopped tells whether nobody waits for the answer any more.
func (q *Query) stopped(ctx context.Context) bool {
	return ctx.Err() != nil || q.Asker != nil && q.Asker.Interrupted() != nil
}

// dress makes the tags that are not there, and finds out whether the database's answer may be stored.
func (c *Cache) dress(ctx context.Context, m *Miss) {
	if m.bare {
		ctx, cancel := context.WithTimeout(ctx, c.budget)
		defer cancel()
		states, err := c.store.fresh(ctx, &m.at, token())
		if c.report(err) != nil {
			m.closed = true
			return
		}
		m.states, m.bare = states, false
	}
	m.closed = !clean(m.states)
}

// look looks once.
func (c *Cache) look(ctx context.Context, q *Query, r *ring, s *ruleStats) (*Result, *Miss) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	var at place
	var states []string
	var value []byte
	var err error
	copied := c.near.get(r, q)
	if copied != nil {
		at = copied.at
		states, _, err = c.store.look(ctx, &at, false)
		if err == nil && clean(states) && slices.Equal(states, copied.states) {
			_ = c.breaker.report(nil)
			s.took(time.Since(began))
			s.near.Add(1)
			return copied.res, nil
		}
		if err != nil {
			s.took(time.Since(began))
			_ = c.report(err)
			return nil, nil
		}
	} else {
		at = r.placeOf(q)
	}
	if copied == nil || !written(states) {
		states, value, err = c.store.look(ctx, &at, true)
	}
	if err == nil && written(states) {
		// Somebody writes; what nobody has ended in its time is ended here.
		value = nil
		states, err = c.store.fresh(ctx, &at, token())
	}
	s.took(time.Since(began))
	if c.report(err) != nil {
		return nil, nil
	}
	if written(states) {
		return nil, &Miss{c: c, q: q, at: at, states: states, closed: true, began: began, ring: r}
	}
	if !clean(states) {
		return nil, &Miss{c: c, q: q, at: at, states: states, bare: true, began: began, ring: r}
	}
	if value != nil {
		if res, until, ok := r.open(&at, states, value); ok && began.Before(until) {
			if most := began.Add(q.TTL); until.After(most) { // another proxy's clock
				until = most
			}
			c.near.put(r, q, &at, states, res, until)
			return res, nil
		}
	}
	return nil, &Miss{c: c, q: q, at: at, states: states, began: began, ring: r}
}

// Stale gives the result of a read that the database could not answer, if its time is over for no longer than the
// query allows: nothing that it depends on has been written through any proxy since it was made. nil: there is none.
func (c *Cache) Stale(ctx context.Context, q *Query) *Result {
	st := c.cluster.CacheState()
	if q.Stale <= 0 || !st.Ready || st.Suspended || !c.cluster.Sure() || !c.breaker.closed() {
		return nil
	}
	r, s, now := c.rings(&st), c.stats.of(q.Rule), time.Now()
	at := r.placeOf(q)
	ctx, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	states, value, err := c.store.look(ctx, &at, true)
	if c.report(err) != nil || !clean(states) || value == nil {
		return nil
	}
	res, until, ok := r.open(&at, states, value)
	if !ok || now.After(until.Add(q.Stale)) || until.After(now.Add(q.TTL)) {
		return nil
	}
	s.stale.Add(1)
	s.served.Add(int64(len(res.Packets)))
	return res
}

// report notes how a question ended and gives its error.
func (c *Cache) report(err error) error {
	if errors.Is(err, errBusy) { // nothing was asked
		return err
	}
	return c.breaker.report(err)
}

// lock tells other proxies that this one asks the database; false: one of them does, or somebody writes. Tags that
// are not there are made with it, in one round trip.
func (c *Cache) lock(ctx context.Context, m *Miss) bool {
	if c.near == nil { // this proxy is the only one
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	name := token()
	if m.bare {
		states, mine, err := c.store.open(ctx, &m.at, token(), name, lockLease)
		if err != nil {
			return true // dress finds out
		}
		if m.states, m.bare = states, false; mine {
			m.lock = name
		}
		return mine
	}
	mine, err := c.store.lock(ctx, m.at.lock(), name, lockLease)
	if mine && err == nil {
		m.lock = name
	}
	return mine || err != nil
}

// await looks again until another proxy has stored the result, or asks no more, or takes too long.
func (c *Cache) await(ctx context.Context, m *Miss, s *ruleStats) *Result {
	end := time.Now().Add(lockWait)
	for pause := 2 * time.Millisecond; time.Now().Before(end) && !c.cluster.CacheState().Hurry && sleep(ctx, pause); pause = min(2*pause, 20*time.Millisecond) {
		res, again := c.look(ctx, m.q, m.ring, s)
		if res != nil || again == nil {
			return res
		}
		m.states, m.bare, m.began, m.closed = again.states, again.bare, again.began, again.closed
		if m.closed || c.lock(ctx, m) {
			break
		}
	}
	return nil
}

// Store keeps the database's answer, unless something that it depends on has been written since
// the Lookup.
func (m *Miss) Store(ctx context.Context, res *Result) {
	c := m.c
	if len(res.Packets) > MaxResult {
		return
	}
	if m.res = res; m.closed {
		m.stored = true // it would have been
		return
	}
	_ = c.faults.At("cache.fill")
	ctx, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	s := c.stats.of(m.q.Rule)
	if c.faults.Off("cache.race") { // what it would be without the check
		m.states, _ = c.store.fresh(ctx, &m.at, token())
	}
	ttl := jitter(min(m.q.TTL, maxTTL))
	until := m.began.Add(ttl)
	if ttl = time.Until(until); ttl <= 0 {
		return
	}
	value := m.ring.seal(&m.at, m.states, res, until)
	m.stored = true
	stored, err := c.store.fill(ctx, &m.at, m.states, value, ttl+m.q.Stale, m.lock)
	if c.report(err) != nil {
		return
	}
	if m.lock = ""; !stored {
		s.refused.Add(1)
		return
	}
	s.stored.Add(int64(len(value)))
	c.near.put(m.ring, m.q, &m.at, m.states, res, until)
}

// Unfit tells that the result will not be stored: nobody waits for it any longer.
func (m *Miss) Unfit() {
	m.c.flights.end(m.flight, nil, true)
	m.flight = nil
}

// Lost tells that there is no result for a reason that lies with who asked: he was stopped, has gone, or asks anew. The next one
// asks, and is waited for.
func (m *Miss) Lost() { m.stored = true }

// End lets those go on who wait for the result. Nil has nobody.
func (m *Miss) End() {
	if m == nil {
		return
	}
	if m.lock != "" {
		ctx, cancel := context.WithTimeout(context.Background(), m.c.budget)
		defer cancel()
		_ = m.c.store.unlock(ctx, m.at.lock(), m.lock) // else its lease ends it
	}
	m.c.flights.end(m.flight, m.res, !m.stored)
}
