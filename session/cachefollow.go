package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/backend"
	"sluice/binlog"
	"sluice/cache"
	"sluice/query"
	"sluice/shard"
	"sluice/topo"
)

// following keeps the cache right where others than the proxies write to a shard: one proxy of the
// cluster reads its binary log, and drops what depends on the rows that changed. Whoever begins to read, begins at
// the log's end and drops everything: so nothing is missed, wherever the last one stopped.
//
//	not the first live proxy ──▶ read from the end, drop everything ──▶ drop what changes ──▶ the stream breaks ─┐
//	        ▲                                ▲                                                                   │
//	        └────────────────────────────────┴───────────────────── a second ───────────────────────────────────┘
type following struct {
	r    *results
	node string

	mu   sync.Mutex
	runs map[string]context.CancelFunc // by shard
}

const (
	followPause = time.Second
	followAhead = 256  // transactions that wait for Redis
	followXA    = 1000 // prepared branches; beyond them one that ends drops everything
)

// run follows what the map says that this proxy shall, until ctx ends.
func (f *following) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for ctx.Err() == nil {
		want := f.mine(ctx)
		f.mu.Lock()
		for name, stop := range f.runs {
			if !slices.Contains(want, name) {
				stop()
				delete(f.runs, name)
			}
		}
		for _, name := range want {
			if f.runs[name] == nil {
				of, stop := context.WithCancel(ctx)
				f.runs[name] = stop
				wg.Go(func() { f.follow(of, name) })
			}
		}
		f.mu.Unlock()
		pause(ctx, followPause)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// mine lists the shards that this proxy shall follow: all that the map names, if it is the first of those that live.
func (f *following) mine(ctx context.Context) (list []string) {
	m := f.r.h.topo.Map()
	if m.Spec.CacheState.Secret == "" {
		return nil
	}
	for _, sh := range m.Spec.Shards {
		if sh.Cache == shard.FollowBinlog {
			list = append(list, sh.Name)
		}
	}
	if list == nil {
		return nil
	}
	live, err := f.r.h.topo.Proxies(ctx)
	if err != nil || slices.ContainsFunc(live, func(p topo.Proxy) bool { return p.Node < f.node }) {
		return nil
	}
	return list
}

// follow follows one shard until ctx ends.
func (f *following) follow(ctx context.Context, name string) {
	for told := ""; ctx.Err() == nil; pause(ctx, followPause) {
		err := f.stream(ctx, name)
		if ctx.Err() != nil {
			return
		}
		if text := err.Error(); text != told { // it never ends by itself
			told = text
			f.r.h.log.Warn("the result cache cannot follow a shard's binary log; what others write there is seen when a ttl is over, until it can again", "shard", name, "error", err)
		}
	}
}

func (f *following) stream(ctx context.Context, name string) error {
	h := f.r.h
	m := h.topo.Map()
	at, ok := m.ShardIndex(name)
	if !ok {
		return errors.New("the shard has left the map")
	}
	dial := func() (*backend.Conn, error) { return h.pools.Dial(ctx, name, m.Spec.Shards[at].Primary) }
	c, err := dial()
	if err != nil {
		return err
	}
	from, err := binlog.Current(c)
	if err != nil {
		c.Close()
		return err
	}
	t := &tail{r: f.r, shard: name, known: map[[2]string]*tailed{}, branches: map[string]cache.Write{}, out: make(chan cache.Write, followAhead)}
	s, err := binlog.Open(ctx, c, 1<<31|rand.Uint32(), from, t.lookup)
	if err != nil {
		return err
	}
	if err := f.r.c.Drop(ctx, &cache.Write{All: true}); err != nil { // what was written until now
		c.Close()
		return err
	}
	h.log.Info("the result cache follows a shard's binary log", "shard", name, "from", from.String())
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { stop(t.drop(ctx)) })
	t.ctx = ctx
	err = s.Read(ctx, t)
	stop(err)
	return context.Cause(ctx)
}

// tail handles what one stream reads.
type tail struct {
	r     *results
	ctx   context.Context
	shard string
	m     *shard.Map // under which the tables are known
	known map[[2]string]*tailed
	list  []*tailed
	open  cache.Write // of the transaction that is being read

	branches map[string]cache.Write
	out      chan cache.Write
}

// tailed is a table as the stream knows it.
type tailed struct {
	binlog.Table
	write cache.Write // what a change of it changes
	keyed bool        // its rows' keys are asked for
	pads  bool
}

// lookup is the stream's question which tables matter.
func (t *tail) lookup(schema, name string) *binlog.Table {
	if m := t.r.h.topo.Map(); m != t.m {
		t.m, t.known, t.list = m, map[[2]string]*tailed{}, t.list[:0]
	}
	at := [2]string{schema, name}
	of, ok := t.known[at]
	if !ok {
		of = t.describe(schema, name)
		if t.known[at] = of; of != nil {
			of.ID = len(t.list)
			t.list = append(t.list, of)
		}
	}
	if of == nil {
		return nil
	}
	return &of.Table
}

// describe says what depends on a table, nil for nothing. What cannot be told is everything.
func (t *tail) describe(schema, name string) *tailed {
	if t.m.Schema(schema) == nil {
		return nil
	}
	h := t.r.h
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Second)
	defer cancel()
	c := caseOf{r: t.r, m: t.m, f: t.r.factsOf(ctx, t.m, h.catalog.snapshot(t.m.Version, time.Now()).Version)}
	of := &tailed{}
	if c.f.unknown {
		of.write.All = true
		return of
	}
	c.add(&of.write, schema, name, c.sharded(schema, name))
	of.keyed = len(of.write.Tables) == 1 && of.write.Tables[0].Keyed
	for _, child := range c.f.children[[2]string{schema, name}] { // whose rows the log does not have
		c.add(&of.write, child[0], child[1], false)
	}
	if of.write.Nothing() {
		return nil
	}
	if of.keyed {
		if err := t.key(ctx, of, schema, name); err != nil {
			of.keyed = false
			for i := range of.write.Tables {
				of.write.Tables[i].Keyed = false
			}
		}
	}
	return of
}

// key finds the column of the shard key.
func (t *tail) key(ctx context.Context, of *tailed, schema, name string) error {
	text := func(s string) string { return string(query.QuoteString(nil, s, query.Mode{})) }
	column := t.m.Schema(schema).Rule(name).ShardKey
	return t.r.on(ctx, t.shard, func(c *backend.Conn) error {
		rows, err := textRows(c, "SELECT ORDINAL_POSITION, DATA_TYPE, COLUMN_TYPE, IFNULL(CHARACTER_MAXIMUM_LENGTH, 0), IFNULL(COLLATION_NAME, '') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "+
			text(schema)+" AND TABLE_NAME = "+text(name)+" AND COLUMN_NAME = "+text(column))
		if err == nil && len(rows) != 1 {
			err = errors.New("no such column")
		}
		if err != nil {
			return err
		}
		r := rows[0]
		col := binlog.Column{Index: number(r[0]) - 1, Unsigned: strings.Contains(strings.ToLower(r[2]), "unsigned")}
		if strings.EqualFold(r[1], "binary") {
			col.Fill = number(r[3])
		}
		of.pads = r[4] != "" && r[4] != "binary" && !strings.Contains(r[4], "nopad") && !strings.Contains(r[4], "_0900_")
		of.Columns = []binlog.Column{col}
		return nil
	})
}

func number(digits string) (n int) {
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}

// Changed implements binlog.Handler.
func (t *tail) Changed(table *binlog.Table, before, after binlog.Row) error {
	if table.ID >= len(t.list) || &t.list[table.ID].Table != table { // of another map
		t.open.Add(&cache.Write{All: true})
		return nil
	}
	of := t.list[table.ID]
	w := of.write
	if of.keyed {
		for _, row := range [2]binlog.Row{before, after} {
			if len(row) == 0 || row[0] == nil {
				continue
			}
			key := row[0]
			if of.pads {
				key = bytes.TrimRight(key, " ")
			}
			w.Keys = append(w.Keys, shard.Sum(key))
		}
	}
	t.open.Add(&w)
	return nil
}

// Statement implements binlog.Handler: a definition, or rows that are not told.
func (t *tail) Statement(string, []byte) error {
	t.m = nil
	t.open.Add(&cache.Write{All: true})
	return nil
}

// Ended implements binlog.Handler.
func (t *tail) Ended(e binlog.Transaction) error {
	w := t.open
	t.open = cache.Write{}
	switch e.End {
	case binlog.Prepared:
		if len(t.branches) < followXA {
			t.branches[e.XID] = w
		}
		return nil
	case binlog.RolledBack:
		delete(t.branches, e.XID)
		return nil
	case binlog.Finished:
		was, ok := t.branches[e.XID]
		if delete(t.branches, e.XID); !ok {
			was = cache.Write{All: true}
		}
		w.Add(&was)
	}
	if w.Nothing() {
		return nil
	}
	select {
	case t.out <- w:
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
	return nil
}

// drop drops what transactions have changed, those that wait together. What could not be dropped ends the stream: whoever
// begins to read drops everything first, until it can.
func (t *tail) drop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case w := <-t.out:
			for more := true; more && len(w.Keys) < cache.MaxWrites/2; {
				select {
				case next := <-t.out:
					w.Add(&next)
				default:
					more = false
				}
			}
			if err := t.r.c.Drop(ctx, &w); err != nil {
				return fmt.Errorf("what it tells could not be dropped: %w", err)
			}
		}
	}
}
