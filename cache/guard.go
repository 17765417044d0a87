package cache

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// guard is what a proxy does whose writes cannot be marked, because Redis does not answer it:
// others may reach it and would serve what these writes make old.
//
//	marks ──a write cannot be marked──▶ suspending ──every live proxy knows──▶ off ──Redis answers──▶ lifting
//	  ▲                                     │ etcd does not answer either                                │
//	  │                                     └▶ the write is refused, not carried out                     │
//	  └──────── the map's list is without this node, under a new epoch ◀── no write runs unmarked ──────┘
//
// While it is off, writes cost nothing more. While it is lifting, they are marked again; one that cannot be ends that, and runs
// unmarked, as long as nobody has asked that the list be without this node.
type guard struct {
	mu      sync.Mutex
	off     bool
	lifting bool
	asking  bool          // perhaps the list is without this node already
	plain   int           // writes that run unmarked
	making  bool          // somebody suspends
	changed chan struct{} // closed and replaced when one of these changes
}

// tell wakes who waits. The lock is held.
func (g *guard) tell() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// Mark is a write under way. The zero value is one that nothing is known to depend on.
type Mark struct {
	c      *Cache
	tags   []key
	writer string
	plain  bool
}

// visibleTime is how long after its transaction has come from a log something is visible for sure, on a server that
// is well: between the two lie a group commit's last steps.
const visibleTime = 2 * time.Second

const dropper = "followed"

// ErrUnsafe is the refusal of a write that could make a result old which another proxy would go
// on serving. It has not been carried out.
var ErrUnsafe = errors.New("neither Redis nor etcd answers this proxy, so that others cannot be kept from giving older results of the cache; " +
	"the statement was not executed; use another proxy or try again later")

// Begin is called before anything that a write does can be seen, and before it is decided.
func (c *Cache) Begin(ctx context.Context, w *Write) (Mark, error) {
	st := c.cluster.CacheState()
	if st.Secret == "" || w.Nothing() {
		return Mark{}, nil
	}
	m := Mark{c: c, tags: c.rings(&st).changed(w), writer: c.writers + strconv.FormatUint(c.writes.Add(1), 36)}
	if c.guard.marks() {
		c.count(w, len(m.tags))
		err := c.mark(ctx, m)
		if err == nil {
			return m, nil
		}
		c.log.Warn("a write could not be marked in the result cache", "error", err)
		c.guard.fell()
	}
	if c.faults.Off("cache.suspend") {
		return Mark{}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), suspendWait)
	defer cancel()
	if err := c.guard.enter(ctx, c); err != nil {
		if c.mark(ctx, m) == nil { // it is back
			return m, nil
		}
		c.log.Error("a write is refused: the result cache could not be suspended", "error", err)
		return Mark{}, ErrUnsafe
	}
	m.plain = true
	return m, nil
}

func (c *Cache) mark(ctx context.Context, m Mark) error {
	if c.faults.Off("cache.marks") {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeBudget)
	defer cancel()
	return c.store.begin(ctx, m.tags, token(), m.writer, markLease)
}

// End is called when the write is decided, before the client is answered. known is false when
// its outcome is not: then the mark stays to the end of its lease.
func (m Mark) End(known bool) {
	c := m.c
	if c == nil {
		return
	}
	_ = c.faults.At("cache.committed")
	if m.plain {
		m.leave()
		return
	}
	if !known {
		c.stats.unknown.Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeBudget)
	defer cancel()
	if err := c.store.end(ctx, m.tags, token(), m.writer); err != nil {
		// The mark may stand, or be lost with what Redis has forgotten.
		c.log.Warn("a write's mark could not be taken off in the result cache", "error", err)
		if !c.faults.Off("cache.suspend") {
			m.suspendLate()
		}
	}
}

// leave ends a write that ran while the cache was suspended. If it may not have been, all this
// time, its tags get new versions after all.
func (m Mark) leave() {
	c := m.c
	st := c.cluster.CacheState()
	safe := st.Self && c.cluster.Sure()
	if !safe {
		ctx, cancel := context.WithTimeout(context.Background(), writeBudget)
		defer cancel()
		if c.mark(ctx, m) != nil || c.store.end(ctx, m.tags, token(), m.writer) != nil {
			m.suspendLate()
		}
	}
	g := &c.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	g.plain--
	g.tell()
}

// suspendLate suspends the cache for a write that is committed already.
func (m Mark) suspendLate() {
	ctx, cancel := context.WithTimeout(context.Background(), suspendWait)
	defer cancel()
	if err := m.c.guard.suspend(ctx, m.c); err != nil {
		m.c.stats.late.Add(1)
		m.c.log.Error("neither Redis nor etcd answers after a write: other proxies may give older results of the cache until its mark or they end", "error", err)
	}
}

// Bump gives the tags of a write that is done new versions: it was begun when nothing was known to depend on it.
func (c *Cache) Bump(ctx context.Context, w *Write) {
	if m, err := c.Begin(ctx, w); err == nil {
		m.End(true)
	}
}

// Drop is for a write that somebody else has made, and that stands in a server's log: nobody waits for it. It may not
// be visible yet, so that who reads may be given what was before it. Until it is, nothing that it changes is given
// or stored: its mark is not taken off, but ends by itself, for a new version. All drops have the same name, so that
// a tag has one such mark, of the last. On an error nothing is dropped, and the caller owes it: neither Redis nor etcd answers.
func (c *Cache) Drop(ctx context.Context, w *Write) error {
	st := c.cluster.CacheState()
	if st.Secret == "" || w.Nothing() {
		return nil
	}
	tags := c.rings(&st).changed(w)
	c.count(w, len(tags))
	limit, cancel := context.WithTimeout(ctx, writeBudget)
	err := c.store.begin(limit, tags, token(), dropper, visibleTime)
	cancel()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m, err := c.Begin(ctx, w)
	if err == nil {
		time.AfterFunc(visibleTime, func() { m.End(true) })
	}
	return err
}

// count counts the tags of a write.
func (c *Cache) count(w *Write, tags int) {
	c.stats.invalidations.Add(int64(tags))
	for _, t := range w.Tables {
		n := 1
		if t.Keyed {
			n = max(len(w.Keys), 1)
		}
		if t.Rule != "" {
			c.stats.of(t.Rule).invalidations.Add(int64(n))
		}
	}
}

// marks tells whether writes are to be marked.
func (g *guard) marks() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.off || g.lifting
}

// fell ends a lifting, because Redis does not take marks after all.
func (g *guard) fell() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lifting && !g.asking {
		g.lifting = false
		g.tell()
	}
}

// enter lets a write run unmarked, when the cache is suspended on all proxies.
func (g *guard) enter(ctx context.Context, c *Cache) error {
	for {
		g.mu.Lock()
		if g.off && !g.asking && c.cluster.Sure() && c.cluster.CacheState().Self {
			g.plain++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		if err := g.suspend(ctx, c); err != nil {
			return err
		}
	}
}

// suspend suspends the cache. Who comes while somebody does waits for him.
func (g *guard) suspend(ctx context.Context, c *Cache) error {
	for {
		g.mu.Lock()
		if !g.making && !g.asking {
			break
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if g.off && c.cluster.Sure() && c.cluster.CacheState().Self {
		g.mu.Unlock()
		return nil
	}
	g.making = true
	g.mu.Unlock()
	began := time.Now()
	err := c.cluster.Suspend(ctx)
	if err == nil && !c.cluster.Sure() {
		err = errors.New("this proxy's lease in etcd may be over")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.making, g.off = false, g.off || err == nil
	g.tell()
	if err == nil {
		c.stats.suspensions.Add(1)
		c.log.Warn("the result cache is suspended on all proxies, because this one cannot mark its writes in Redis", "took", time.Since(began))
	}
	return err
}

// Run ends suspensions, until ctx ends: this proxy's when Redis answers again, and those of
// proxies that are gone.
func (c *Cache) Run(ctx context.Context) {
	const every = 300 * time.Millisecond
	told := ""
	for good, others := 0, 0; sleep(ctx, every); {
		st := c.cluster.CacheState()
		c.guard.mu.Lock()
		if st.Self {
			c.guard.off = true // perhaps an earlier process of this name
		}
		off := c.guard.off
		c.guard.mu.Unlock()
		if !off {
			told = ""
			if c.breaker.failures.Load() > 0 {
				c.warm(ctx)
			}
			if others++; st.Suspended && others%7 == 0 && c.cluster.Sure() {
				c.resume(ctx)
			}
			continue
		}
		err := answers(ctx, c.store)
		if good++; err != nil || !c.cluster.Sure() {
			good = 0
		}
		if err != nil && err.Error() != told {
			told = err.Error()
			c.log.Warn("the result cache stays suspended: Redis does not take what this proxy writes", "error", err)
		}
		if good >= 2 && c.lift(ctx) {
			good = 0
		}
	}
}

// answers tells whether Redis takes a write in the time that one waits for it. Connections are made before: that takes longer on a
// machine that is busy, and in a Redis Cluster they are too old after a second.
func answers(ctx context.Context, s store) error {
	for _, d := range []time.Duration{greetBudget, writeBudget} {
		limit, cancel := context.WithTimeout(ctx, d)
		err := s.ping(limit)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// warm makes connections to Redis, and greets it on them, which takes longer than a read may. One that
// has waited too long closes its own: without this, all reads of a busy machine would make connections for nothing.
func (c *Cache) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, greetBudget)
	defer cancel()
	var all sync.WaitGroup
	for range looksAtOnce {
		all.Go(func() { _ = c.store.ping(ctx) }) // it is the reads' to find out
	}
	all.Wait()
}

func (c *Cache) resume(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, suspendWait)
	defer cancel()
	err := c.cluster.Resume(ctx)
	if err != nil {
		c.log.Warn("the result cache could not be resumed yet", "error", err)
	}
	return err == nil
}

// lift ends this proxy's suspension, when the writes that run unmarked have ended. Once it is asked for, whether it was is not
// known before it has succeeded: until then no write runs unmarked.
func (c *Cache) lift(ctx context.Context) bool {
	g := &c.guard
	g.mu.Lock()
	if g.making {
		g.mu.Unlock()
		return false
	}
	g.lifting = true
	for g.lifting && (g.plain > 0 || g.making) && ctx.Err() == nil {
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		g.mu.Lock()
	}
	if !g.lifting || ctx.Err() != nil {
		g.lifting = false
		g.mu.Unlock()
		return false
	}
	g.asking = true
	g.mu.Unlock()
	done := false
	for ctx.Err() == nil && !done {
		if done = c.resume(ctx); !done {
			sleep(ctx, 100*time.Millisecond)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lifting, g.asking, g.off = false, false, !done
	g.tell()
	if done {
		c.log.Info("the result cache is resumed")
	}
	return done
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
