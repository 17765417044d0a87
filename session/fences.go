package session

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/backend"
	"sluice/shard"
	"sluice/txn"
	"sluice/wire"
)

// fences is what a proxy that may have lost its place in the cluster looks at: the fence rows
// of migrations on the shards. Whatever moves has written one there long before.
type fences struct {
	pools *backend.Pools

	mu   sync.Mutex
	seen map[string]*fenceLook // by shard
}

// fenceLook is a look at one shard.
type fenceLook struct {
	mu    sync.Mutex // held by who looks
	began time.Time
	rows  []fenceRow
}

// fenceRow is a row of _sluice.fence.
type fenceRow struct {
	move  int64
	gone  bool // the migration is over, and its slots are not here
	slots []shard.Span
	joins string // it is about no slots: this shard has got copies of the reference tables
}

// lookEvery is how old a look may be. A migration waits for longer between its fence rows and
// whatever it moves.
const lookEvery = time.Second

// on gives the fence rows of a shard, as they were not more than lookEvery ago.
func (f *fences) on(ctx context.Context, name string) ([]fenceRow, error) {
	f.mu.Lock()
	l := f.seen[name]
	if l == nil {
		l = &fenceLook{}
		f.seen[name] = l
	}
	f.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	began := time.Now()
	if sure(l.began.Add(lookEvery), began) {
		return l.rows, nil
	}
	rows, err := f.read(ctx, name)
	if err != nil {
		return nil, err
	}
	l.began, l.rows = began, rows
	return rows, nil
}

func (f *fences) read(ctx context.Context, name string) ([]fenceRow, error) {
	c, err := f.pools.Get(ctx, name, backend.Class{}, "", noSettings.backend)
	if err != nil {
		return nil, err
	}
	_, rows, err := c.Query("SELECT move_id, state = 'gone', slots, note FROM _sluice.fence")
	var we *wire.Error
	if errors.As(err, &we) && (we.Code == 1146 || we.Code == 1049) {
		c.Put()
		return nil, nil // nothing has ever moved here
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.Put()
	var out []fenceRow
	for _, r := range rows {
		row := fenceRow{gone: string(r[1]) == "1"}
		if row.move, err = strconv.ParseInt(string(r[0]), 10, 64); err == nil && row.move < 0 {
			_, row.joins, _ = strings.Cut(string(r[3]), shard.FenceJoined)
		} else if err == nil {
			row.slots, err = parseSpans(string(r[2]))
		}
		if err != nil { // whatever it says: it may be about any row
			row = fenceRow{move: row.move, slots: []shard.Span{{First: 0, Last: shard.Slots - 1}}}
		}
		out = append(out, row)
	}
	return out, nil
}

// parseSpans reads 0-4095,8192-8200.
func parseSpans(text string) (spans []shard.Span, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 14)
		if err != nil {
			return nil, err
		}
		b, err := strconv.ParseUint(last, 10, 14)
		if err != nil {
			return nil, err
		}
		spans = append(spans, shard.Span{First: uint16(a), Last: uint16(b)})
	}
	return spans, nil
}

// unsure decides on a statement while this proxy may not be waited for any more: it has lost
// etcd, or not found it yet. Rows of slots that its own map says to move may have moved; so may
// those which a fence row covers that its map does not know.
func (a admission) unsure(ctx context.Context, m *shard.Map, inTx bool) error {
	why := a.covered(ctx, m)
	if why == nil || !inTx {
		return why
	}
	return a.deadlock()
}

// lateCommit tells whether a transaction touched rows that may have moved, or wrote copies that
// are not all any more, because this proxy may not be waited for any more.
func lateCommit(k *kept) bool {
	t := &k.pins.shared.touch
	if t.m == nil || sure(k.h.topo.SureUntil(), time.Now()) {
		return false
	}
	k.state.c.Task.Leave()
	m := k.h.topo.Map()
	inMove := func(slot uint16) bool { return m.MoveOf(slot) != nil }
	if m.HasMoves() && (t.tx.has(inMove) || t.stmt.has(inMove)) {
		return true
	}
	if !t.tx.copies && !t.stmt.copies {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), holdTime)
	defer cancel()
	return slices.ContainsFunc(k.tx.Legs(), func(l txn.Leg) bool {
		at, ok := m.ShardIndex(l.Shard)
		strange, err := k.h.fences.strange(ctx, m, at, &slotSet{all: true, copies: true})
		return !ok || err != nil || strange != 0
	})
}

// covered refuses a statement whose rows may have moved.
func (a admission) covered(ctx context.Context, m *shard.Map) error {
	b := &a.bound
	inMove := func(slot uint16) bool { return m.MoveOf(slot) != nil }
	if m.HasMoves() && boundHas(b, inMove) {
		return tryAgain("this proxy has lost etcd, and rows of the statement move; it was not executed")
	}
	// Copies that are not everywhere any more are as good as rows of any slot.
	touched := &slotSet{all: b.All || copies(b), slots: b.Slots, copies: copies(b)}
	for _, at := range reached(b) {
		move, err := a.h.fences.strange(ctx, m, at, touched)
		if err != nil {
			return err
		}
		if move != 0 {
			return tryAgain("this proxy has lost etcd, and migration %d, of which it does not know, moves rows of the statement; it was not executed", move)
		}
	}
	return nil
}

// strange gives a migration that a map does not know and that moves some of the slots at a
// shard (map index), or has brought a shard copies that the map does not know; 0 for none.
func (f *fences) strange(ctx context.Context, m *shard.Map, at int, touched *slotSet) (move int64, err error) {
	rows, err := f.on(ctx, m.ShardName(at))
	if err != nil {
		return 0, err
	}
	for i := range rows {
		r := &rows[i]
		if r.joins != "" {
			if _, known := m.ShardIndex(r.joins); touched.copies && !known {
				return -r.move, nil
			}
			continue
		}
		v := shard.Move{Slots: r.slots}
		here := func(slot uint16) bool { return m.Owner(slot) == at && v.Has(slot) }
		if m.Move(r.move) == nil && (touched.has(here) || touched.all && !r.gone) {
			return r.move, nil
		}
	}
	return 0, nil
}
