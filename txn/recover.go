package txn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/backend"
)

// How often the shards are looked at, and how long a transaction is left to its proxy.
const (
	lookEvery = time.Second
	lookTime  = 5 * time.Second         // of one look at one shard
	leaveDead = 1500 * time.Millisecond // a proxy that is not listed may just have lost etcd: two looks have to find the branch
	leaveLive = 6 * time.Second         // a proxy that lives finishes its transactions within the bounds of commit, or leaves them
	cutLive   = time.Minute             // even a living proxy's connection is cut when it keeps a transaction undecided for so long
	keepMarks = 10 * tooOld             // an abort marker outlives every proxy that could still commit against it
)

// claim is the work that one proxy at a time does. Nothing is wrong when two do it: the
// unique index of the decisions decides between them.
const claim = "transactions"

// lookout looks at all shards for transactions whose proxies have left them.
type lookout struct {
	d *Decisions

	mu    sync.Mutex
	found map[string]*doubt    // by gtrid: what the last look has found
	seen  map[string]time.Time // decisions that are kept for a while, since when
	state map[string]string    // by shard: what went wrong with the last look
}

func newLookout(d *Decisions) *lookout {
	return &lookout{d: d, found: map[string]*doubt{}, seen: map[string]time.Time{}, state: map[string]string{}}
}

// doubt is a transaction with prepared branches.
type doubt struct {
	since    time.Time // first seen
	id       xid
	branches map[string]branch // by shard
	decision decision          // as far as it is known
	err      error             // why it is still there
}

// shardResult is what one look at one shard gave.
type shardResult struct {
	branches []branch
	rows     []row
	err      error
}

type row struct {
	gtrid    string
	decision string
}

// look reads what is prepared on all shards and, where it is this proxy's work, ends what
// its owner will not end.
func (w *lookout) look(ctx context.Context) {
	cluster, err := w.d.clusterID(ctx)
	if err != nil {
		return // without etcd at the start nothing was named yet
	}
	shards := w.d.shardNames()
	// Rows first, then branches: a decision that is there and of which no shard has a
	// branch afterwards is of no more use to anyone.
	results := make([]shardResult, len(shards))
	w.eachShard(ctx, shards, func(c *backend.Conn, i int) (err error) {
		if err = w.d.makeTable(c, shards[i]); err == nil {
			results[i].rows, err = decisions(c, cluster)
		}
		return err
	}, results)
	w.eachShard(ctx, shards, func(c *backend.Conn, i int) (err error) {
		results[i].branches, err = branches(c)
		return err
	}, results)
	whole := w.collect(cluster, shards, results)
	mine, err := w.d.opts.Topology.Claim(ctx, claim)
	if err != nil {
		mine = true // etcd does not answer: several proxies may do it then
	}
	if !mine || ctx.Err() != nil {
		return
	}
	w.resolve(ctx)
	if whole {
		w.forget(ctx, shards, results)
	}
}

// eachShard runs f on all shards at once; a shard that does not answer holds up no other.
func (w *lookout) eachShard(ctx context.Context, shards []string, f func(*backend.Conn, int) error, results []shardResult) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var wg sync.WaitGroup
	for i, shard := range shards {
		wg.Go(func() {
			if results[i].err == nil {
				results[i].err = w.d.on(ctx, shard, func(c *backend.Conn) error { return f(c, i) })
			}
		})
	}
	wg.Wait()
}

// decisions reads the oldest decisions of the cluster.
func decisions(c *backend.Conn, cluster string) (list []row, err error) {
	_, rows, err := c.Query("SELECT gtrid, decision FROM _sluice.decisions WHERE gtrid >= '" + cluster + ".' AND gtrid < '" + cluster + "/' ORDER BY gtrid LIMIT 5000")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if len(r) != 2 {
			continue
		}
		if _, err := parseXID(string(r[0])); err == nil {
			list = append(list, row{string(r[0]), string(r[1])})
		}
	}
	return list, nil
}

// collect keeps what was found, and tells whether all shards answered.
func (w *lookout) collect(cluster string, shards []string, results []shardResult) (whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	whole = true
	found := map[string]*doubt{}
	for i, shard := range shards {
		r := &results[i]
		w.report(shard, r.err)
		if r.err != nil {
			whole = false
			for gtrid, old := range w.found { // what it had is not gone
				if b, ok := old.branches[shard]; ok {
					w.add(found, gtrid, shard, b)
				}
			}
			continue
		}
		for _, b := range r.branches {
			if strings.HasPrefix(b.gtrid, cluster+".") && b.shard == shardID(shard) {
				w.add(found, b.gtrid, shard, b)
			}
		}
	}
	w.found = found
	return whole
}

func (w *lookout) add(found map[string]*doubt, gtrid, shard string, b branch) {
	x := found[gtrid]
	if x == nil {
		id, _ := parseXID(gtrid) // branches gives no other
		x = &doubt{since: time.Now(), id: id, branches: map[string]branch{}}
		if old := w.found[gtrid]; old != nil {
			x.since, x.decision, x.err = old.since, old.decision, old.err
		}
		found[gtrid] = x
	}
	x.branches[shard] = b
}

// report logs when a shard's state changes. The lock is held.
func (w *lookout) report(shard string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if w.state[shard] == text {
		return
	}
	w.state[shard] = text
	var missing *MissingRight
	switch {
	case errors.As(err, &missing):
		w.d.opts.Log.Error("transactions over several shards are not possible", "shard", shard, "error", err)
	case err != nil:
		w.d.opts.Log.Warn("a shard's prepared transactions cannot be looked at", "shard", shard, "error", err)
		w.d.unready(shard) // it may come back as another server
	default:
		w.d.opts.Log.Info("a shard's prepared transactions can be looked at", "shard", shard)
	}
}

// resolve ends the transactions whose proxies are dead or have given them up.
func (w *lookout) resolve(ctx context.Context) {
	w.mu.Lock()
	list := make(map[string]*doubt, len(w.found))
	for gtrid, x := range w.found {
		list[gtrid] = x
	}
	w.mu.Unlock()
	if len(list) == 0 {
		return
	}
	alive, err := w.d.opts.Topology.Processes(ctx)
	for gtrid, x := range list {
		dead := err == nil && !slices.Contains(alive, x.id.process)
		age := time.Since(x.since)
		if age < leaveDead || !dead && age < leaveLive {
			continue
		}
		e := w.resolveOne(ctx, gtrid, x, dead || age > cutLive)
		w.mu.Lock()
		x.err = e
		w.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
	}
}

// resolveOne decides a transaction by the marker and finishes its branches.
func (w *lookout) resolveOne(ctx context.Context, gtrid string, x *doubt, cut bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*lookTime)
	defer cancel()
	coordinator, err := w.d.shardOf(x.id.coordinator)
	if err != nil {
		return err
	}
	if err := w.d.opts.Faults.At("recover.begin"); err != nil {
		return err
	}
	dec, err := w.d.ask(ctx, coordinator, gtrid)
	if err != nil {
		return fmt.Errorf("shard %s, which decides: %w", coordinator, err)
	}
	if dec == undecided {
		if cut { // its proxy will not say COMMIT any more; the row must not stay locked
			if err := w.d.on(ctx, coordinator, func(c *backend.Conn) error { return kill(c, x.id.thread) }); err != nil {
				return err
			}
		}
		return fmt.Errorf("its COMMIT is under way on shard %s", coordinator)
	}
	if dec == committed {
		if err := w.d.on(ctx, coordinator, func(c *backend.Conn) error { return markRecovered(c, gtrid) }); err != nil {
			return err
		}
	}
	w.mu.Lock()
	x.decision = dec
	w.mu.Unlock()
	if err := w.d.opts.Faults.At("recover.decided"); err != nil {
		return err
	}
	return w.finishAll(ctx, gtrid, x, dec, cut)
}

func (w *lookout) finishAll(ctx context.Context, gtrid string, x *doubt, dec decision, cut bool) (failed error) {
	for shard, b := range x.branches {
		err := w.d.on(ctx, shard, func(c *backend.Conn) error { return late(w.d, c, b, dec, cut) })
		if err != nil {
			failed = fmt.Errorf("shard %s: %w", shard, err)
		}
		if err := w.d.opts.Faults.At("recover.half-finished"); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	w.d.opts.Log.Warn("a transaction that its proxy had left was finished", "gtrid", gtrid, "decision", dec.String(), "branches", len(x.branches))
	if dec == committed {
		w.d.recovered.Add(1)
	} else {
		w.d.rolledBack.Add(1)
	}
	return nil
}
