package session

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"sluice/backend"
	"sluice/cache"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// caching is a bound statement's way through the result cache.
type caching struct{ *Session }

// run answers a read from the cache, or stores the database's answer; a write is marked from before
// it can be seen to after it is decided. In a transaction that is the COMMIT's affair.
func (s caching) run(ctx context.Context, st *statement, e *entry) error {
	u := e.uses
	if u != nil {
		s.c.Task.Leave() // Redis and etcd are waited for
	}
	switch {
	case u != nil && u.read != nil && s.mayRead(st):
		return s.read(ctx, st, e)
	case u != nil && u.write != nil:
		w := s.bound(u.write)
		return s.write(ctx, st, e, &w)
	case !changes(e) || e.stmt.Temporary:
		return attempt(s).bound(ctx, st, e)
	}
	// Nothing was known to depend on it when it was planned.
	under := s.args.Map
	if s.inTx(e) && s.kept.changed.unmarked == nil {
		s.kept.changed.unmarked = under
	}
	err := attempt(s).bound(ctx, st, e)
	if !s.kept.tx.Open() && s.h.cache.begun(under) {
		s.c.Task.Leave()
		s.h.cache.late(under)
	}
	return err
}

// late drops everything where the cache has begun to be used, for some tables, while a write ran that did not
// know.
func (r *results) late(under *shard.Map) {
	if r.begun(under) {
		r.c.Bump(context.Background(), &cache.Write{All: true})
	}
}

func (r *results) begun(under *shard.Map) bool {
	was, now := &under.Spec.CacheState, &r.h.topo.Map().Spec.CacheState
	return was.Secret != now.Secret || len(was.Tables) != len(now.Tables)
}

// inTx tells whether what the statement does is decided by a COMMIT to come.
func (s caching) inTx(e *entry) bool {
	return (s.kept.tx.Open() || !s.state.autocommit()) && !e.plan.DDL
}

// bound gives what the bound statement changes.
func (s caching) bound(w *cache.Write) cache.Write {
	b, out := &s.running.bound, *w
	if b.All || len(b.Keys) == 0 || len(b.Keys) > cache.MaxWrites || b.Gathering != nil || b.Staging != nil || b.Load != nil ||
		b.Strategy != router.Relay && b.Strategy != router.SplitInsert && b.Strategy != router.AddCounts {
		out.Keys, out.Tables = nil, append([]cache.Table(nil), w.Tables...)
		for i := range out.Tables {
			out.Tables[i].Keyed = false
		}
		return out
	}
	out.Keys = append([]uint32(nil), b.Keys...)
	return out
}

func (s caching) write(ctx context.Context, st *statement, e *entry, w *cache.Write) error {
	if s.inTx(e) {
		s.kept.changed.write.Add(w)
		if !e.uses.inside && !s.kept.pins.locked() {
			return attempt(s).bound(ctx, st, e)
		}
		w = &s.kept.changed.write
	}
	mark, err := s.h.cache.c.Begin(ctx, w)
	if err != nil {
		return unsafeWrite(err)
	}
	known := false
	defer func() { mark.End(known) }() // whatever becomes of it: one that is never ended keeps the cache suspended
	err = attempt(s).bound(ctx, st, e)
	if s.kept.tx.Open() { // which the statement may have begun
		s.kept.changed.write.Add(w)
	}
	known = decided(err) && !s.kept.gone
	if known && e.plan.DDL { // until all have seen it, others may not know what a write changes
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 12*time.Second)
		known = (&CacheCluster{Topology: s.h.topo}).served(limit, s.h.topo.Map().Version) == nil
		cancel()
	}
	return err
}

// local answers a statement of the session's own. Functions in it may write.
func (s caching) local(ctx context.Context, st *statement, e *entry) error {
	if s.h.cache == nil || len(e.stmt.Routines) == 0 {
		return s.Session.local(ctx, st, e)
	}
	s.c.Task.Leave()
	all := &cache.Write{All: true}
	mark, err := s.h.cache.c.Begin(ctx, all)
	if err != nil {
		return unsafeWrite(err)
	}
	known := false
	defer func() { mark.End(known) }()
	err = s.Session.local(ctx, st, e)
	if s.kept.tx.Open() {
		s.kept.changed.write.Add(all)
	}
	known = decided(err) && !s.kept.gone
	return err
}

// unsafeWrite is ER_OPTION_PREVENTS_STATEMENT's relative: nothing was executed.
func unsafeWrite(err error) error { return refuse(1105, "HY000", "%v", err) }

// decided tells whether the outcome of a statement that ended so is known.
func decided(err error) bool { return err == nil || inOrder(err) && codeOf(err) != 2013 }

// changed is what the open transaction has changed.
type changed struct {
	write    cache.Write
	unmarked *shard.Map // the map of the first statement for which nothing was known to depend on it
}

func (c *changed) nothing() bool { return c.write.Nothing() && c.unmarked == nil }

// begin marks what a COMMIT is about to make visible.
func (c *changed) begin(k *kept) (cache.Mark, error) {
	if k.h.cache == nil || c.write.Nothing() {
		return cache.Mark{}, nil
	}
	mark, err := k.h.cache.c.Begin(context.Background(), &c.write)
	if err != nil {
		return mark, unsafeWrite(err)
	}
	return mark, nil
}

// end is the COMMIT's end.
func (c *changed) end(k *kept, mark cache.Mark, known bool) {
	mark.End(known)
	if c.unmarked != nil {
		k.h.cache.late(c.unmarked)
	}
	*c = changed{}
}

// mayRead tells whether the session is one whose answer is everybody's.
func (s caching) mayRead(st *statement) bool {
	return !st.more && st.under == "" && s.c.Sequence() == 1 && s.reply.part == nil && !s.kept.tx.Open() && s.state.autocommit() && len(s.kept.pins.list) == 0 &&
		s.kept.tx.next == (nextTx{}) && len(st.long) == 0 && (st.exec == nil || st.exec.Flags == wire.CursorNone) && !s.running.seen && !s.args.Pinned &&
		s.running.selectLimit() == "" && s.running.bound.Creation == nil && s.running.bound.Staging == nil &&
		!strings.Contains(s.state.vars.values[s.h.defaults.isolationVar()], "UNCOMMITTED")
}

func (s caching) read(ctx context.Context, st *statement, e *entry) error {
	q := s.query(st, e)
	res, miss := s.h.cache.c.Lookup(ctx, &q)
	switch {
	case res != nil:
		return s.give(res)
	case miss == nil:
		return attempt(s).bound(ctx, st, e)
	}
	defer miss.End()
	s.c.Tap(cache.MaxResult, miss.Unfit)
	err := attempt(s).bound(ctx, st, e)
	packets, next := s.c.Tapped()
	if down := (*backend.Unavailable)(nil); s.c.Sequence() == 1 && errors.As(err, &down) && ctx.Err() == nil { // nothing was done, or said; and it was not killed
		if res := s.h.cache.c.Stale(ctx, &q); res != nil {
			return s.give(res)
		}
	}
	if s.shared.killed() != nil || runsAgain(err) || errors.Is(err, errRebind) {
		miss.Lost()
	}
	if err != nil || len(packets) == 0 || s.reply.failed || s.answers.count > 0 || s.kept.gone || s.kept.tx.Open() || len(s.kept.pins.list) > 0 || s.running.seen {
		return err
	}
	if err := s.c.Flush(); err != nil { // the client need not wait for Redis; of a broken stream what was tapped may be a part
		miss.Lost()
		return err
	}
	miss.Store(ctx, &cache.Result{Packets: packets, Next: next, Rows: s.reply.rows, Found: s.answers.found})
	return nil
}

// give answers with a stored result.
func (s caching) give(res *cache.Result) error {
	s.apart = true
	s.answers.selected(res.Found)
	s.reply.rows = res.Rows
	return s.c.WritePackets(res.Packets, res.Next)
}

// query is all that the answer depends on. Its shards are among it: what was stored before
// rows went to another shard is not found under the new owner.
func (s caching) query(st *statement, e *entry) cache.Query {
	b := &s.running.bound
	text := func(dst []byte, t []byte) []byte { return append(binary.AppendUvarint(dst, uint64(len(t))), t...) }
	key := make([]byte, 0, 256+len(st.sql))
	for _, part := range []string{s.c.User, s.state.schema, s.state.vars.backend.Key, s.h.defaults.version} {
		key = text(key, []byte(part))
	}
	key = binary.LittleEndian.AppendUint32(key, s.c.Capabilities)
	if s.state.class.Extended {
		key = append(key, 'x')
	}
	for i := range b.Legs {
		key = text(key, []byte(s.args.Map.ShardName(b.Legs[i].Shard)))
	}
	key = text(append(key, 0), st.sql)
	if st.exec != nil {
		key = append(text(append(key, 'b'), st.exec.Types), byte(len(st.exec.Params)))
		for i := range st.exec.Params {
			p := &st.exec.Params[i]
			if p.Value == nil && !p.LongData {
				key = append(key, 0)
				continue
			}
			key = text(append(key, 1), p.Value)
		}
	} else if st.binary {
		key = append(key, 'B')
	}
	q := cache.Query{Key: key, Tables: e.uses.read, TTL: e.uses.ttl, Stale: e.uses.stale, Rule: e.uses.rule, Asker: &s.running}
	if !b.All && len(b.Keys) > 0 && b.Gathering == nil {
		q.Keys = b.Keys
	}
	return q
}
