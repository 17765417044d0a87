package reshard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/mover"
	"sluice/shard"
	"sluice/wire"
)

// complete deletes the rows of the source and everything that the migration has made. The
// fence row of the source stays, as gone, for proxies that start from an old map.
func (r ending) complete(ctx context.Context) error {
	return r.finish(ctx, r.rec.Source, Completed, true)
}

// cancel deletes the rows of the target and everything that the migration has made. Where it
// was switched in between, the target's fence row stays as gone.
func (r ending) cancel(ctx context.Context) error {
	return r.finish(ctx, r.rec.Target, Cancelled, r.rec.Reverted)
}

// finish cleans the side that does not own the slots. Every step can be done again, and the
// map lists the migration until the last row is gone. Triggers stand until then: who is late
// is refused.
func (r ending) finish(ctx context.Context, side string, last Phase, switched bool) error {
	r.stopFlow()
	m, err := r.s.opts.Topology.Refresh(ctx)
	if err != nil {
		return err
	}
	if m.Move(r.id) == nil { // it was never listed, or the last step was not stored
		return r.end(ctx, last)
	}
	if owns(&m.Spec, r.rec.Slots, side) {
		return fmt.Errorf("shard %s owns the slots; its rows are not deleted", side) // no step leads here
	}
	if r.rec.Begun {
		clear := func() error { return r.clear(ctx, m, side, switched) }
		if r.rec.Lost && side == r.rec.Target {
			clear = func() error { return r.clearSource(ctx) }
		}
		if err := clear(); err != nil {
			return err
		}
	}
	if err := r.step1("unlist", func() error {
		_, err := r.s.opts.Topology.Update(ctx, func(spec *shard.Spec) error {
			spec.Moves = slices.DeleteFunc(slices.Clone(spec.Moves), func(v shard.Move) bool { return v.ID == r.id })
			if r.rec.Lost {
				return dropLost(spec, r.rec.Target)
			}
			return nil
		})
		return err
	}); err != nil {
		return err
	}
	return r.end(ctx, last)
}

// dropLost takes a shard out of the map that still has copies of rows and cannot be reached,
// unless another migration is to do it: without the move in the map, nothing would leave
// these rows out.
func dropLost(spec *shard.Spec, name string) error {
	owns := func(r shard.Range) bool { return r.Shard == name }
	part := func(v shard.Move) bool { return v.Source == name || v.Target == name }
	home := func(s shard.Schema) bool { return s.DefaultShard == name }
	switch {
	case slices.ContainsFunc(spec.Ranges, owns), slices.ContainsFunc(spec.Schemas, home):
		return fmt.Errorf("shard %s owns slots or unsharded tables: bring its server back", name)
	case slices.ContainsFunc(spec.Moves, part):
		return fmt.Errorf("shard %s is part of another migration, which has to end first", name)
	}
	spec.Shards = slices.DeleteFunc(spec.Shards, func(s shard.Shard) bool { return s.Name == name })
	return nil
}

func (r ending) end(ctx context.Context, last Phase) error {
	owner := r.rec.Source
	if last == Completed {
		owner = r.rec.Target
	}
	err := r.enterWith(ctx, last, func(rec *Record) { rec.Ended, rec.Wish = time.Now().UTC(), "" }, "shard %s owns the slots; nothing else is left of it", owner)
	if err == nil {
		forgetOld(ctx, r.s)
	}
	return err
}

// keepOver is how many migrations that are over are still shown.
const keepOver = 50

// forgetOld deletes the records of the migrations that ended long ago. That it fails is no
// fault of the migration that ends now: the next one does it.
func forgetOld(ctx context.Context, s *Service) {
	list, err := s.opts.Migrations.List(ctx)
	over := 0
	for _, stored := range slices.Backward(list) {
		rec, decodeErr := decode(stored.Value)
		if decodeErr != nil || !rec.Phase.Over() {
			continue
		}
		if over++; over > keepOver {
			err = errors.Join(err, s.opts.Migrations.Forget(ctx, stored))
		}
	}
	if err != nil && ctx.Err() == nil {
		s.opts.Log.Warn("old migrations could not be forgotten", "error", err)
	}
}

// clear takes away rows, triggers, notes and fences.
func (r ending) clear(ctx context.Context, m *shard.Map, side string, switched bool) error {
	if switched {
		if err := r.step1("old-maps", func() error { return r.leftOldMaps(ctx, side) }); err != nil {
			return err
		}
	}
	// The owner's triggers let everything pass by now, and its clients pay for them.
	owner := r.rec.Source
	if side == owner {
		owner = r.rec.Target
	}
	if err := r.on(ctx, owner, func(c *backend.Conn) error { return dropTriggers(ctx, c, r.rec) }); err != nil {
		return err
	}
	if err := r.step1("clean", func() error { return r.clean(ctx, side) }); err != nil {
		return err
	}
	if err := r.step1("drop-triggers", func() error {
		return r.both(ctx, func(source, target *backend.Conn) error {
			return errors.Join(dropTriggers(ctx, source, r.rec), dropTriggers(ctx, target, r.rec))
		})
	}); err != nil {
		return err
	}
	for _, at := range []string{r.rec.Source, r.rec.Target} {
		if err := r.step1("drop-notes", func() error { return moverError(mover.Forget(ctx, r.s.server(at), r.id)) }); err != nil {
			return err
		}
	}
	return r.step1("drop-fence", func() error {
		return r.both(ctx, func(source, target *backend.Conn) error {
			for _, c := range []*backend.Conn{source, target} {
				if switched && c.Shard() == side {
					if err := leaveGone(ctx, c, r.rec); err != nil {
						return err
					}
					if r.rec.Joins && side == r.rec.Source {
						if err := leaveJoined(ctx, c, r.rec); err != nil {
							return err
						}
					}
				} else if err := dropFence(ctx, c, r.rec); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// clearSource takes everything away from the source, which owns the slots, when the target is
// gone for good.
func (r ending) clearSource(ctx context.Context) error {
	if err := r.on(ctx, r.rec.Source, func(c *backend.Conn) error { return dropTriggers(ctx, c, r.rec) }); err != nil {
		return err
	}
	if err := mover.Forget(ctx, r.s.server(r.rec.Source), r.id); err != nil {
		return moverError(err)
	}
	if err := r.on(ctx, r.rec.Source, func(c *backend.Conn) error { return dropFence(ctx, c, r.rec) }); err != nil {
		return err
	}
	return r.note(ctx, "shard %s is given up: its server keeps copies of rows, and must not be added again as it is", r.rec.Target)
}

// leftOldMaps waits until every proxy serves a map that knows of the last switch. Where one
// has gone that was waited for before, it may only have been stopped, between its last look
// at the map and a write: what has been idle since before the switch is cut off.
func (r ending) leftOldMaps(ctx context.Context, side string) error {
	for {
		proxies, err := r.s.opts.Topology.Proxies(ctx)
		if err != nil {
			return err
		}
		old, lost := "", slices.Clone(r.rec.Seen)
		for _, p := range proxies {
			if p.MapVersion < r.rec.Version {
				old = p.Node
			}
			lost = slices.DeleteFunc(lost, func(node string) bool { return node == p.Node })
		}
		switch {
		case old == "" && len(lost) == 0:
			return nil
		case old == "":
			return r.on(ctx, side, func(c *backend.Conn) error { return killIdle(ctx, c, r.rec.SwitchAt) })
		}
		if !sleep.For(ctx, 50*time.Millisecond) {
			return fmt.Errorf("proxy %s serves an old map: %w", old, ctx.Err())
		}
	}
}

// killIdle ends the connections of the proxies' account that have been idle since before the
// switch. Pools make new ones.
func killIdle(ctx context.Context, c *backend.Conn, since time.Time) error {
	idle := max(int(time.Since(since).Seconds()), 1)
	list, err := processes(ctx, c)
	if err != nil {
		return err
	}
	for _, p := range list {
		if !p.Own || p.Command != "Sleep" || p.Seconds < idle || p.ID == uint64(c.ThreadID()) {
			continue
		}
		if _, err := query(ctx, c, "KILL "+strconv.FormatUint(p.ID, 10)); err != nil && !wire.IsCode(err, 1094) { // it has ended
			return err
		}
	}
	return nil
}

// clean deletes the rows of a side. What it may delete is looked up before each transaction,
// and each takes the cleaner's token first.
func (r ending) clean(ctx context.Context, side string) error {
	owned := func(slot uint16) bool {
		m := r.s.opts.Topology.Map()
		return m.ShardName(m.Owner(slot)) == side
	}
	shut := false
	err := r.on(ctx, side, func(c *backend.Conn) (err error) {
		shut, err = isShut(ctx, c, r.id)
		return err
	})
	if err != nil || !shut { // no row was ever written, or an earlier run has come further than here
		return err
	}
	rows := int64(0)
	err = moverError(mover.Clean(ctx, r.s.server(side), r.rec.spec("clean", r.nextToken()), owned, func(n int64) { rows += n }))
	if err != nil {
		return err
	}
	if r.rec.Joins && side == r.rec.Target && !r.rec.Reverted {
		if err := r.on(ctx, side, func(c *backend.Conn) error { return emptyReferences(ctx, c, r.run) }); err != nil {
			return err
		}
	}
	return r.note(ctx, "%d rows were deleted from shard %s", rows, side)
}

// isShut tells whether a fence keeps clients out: what holds rows that it does not own has
// such a one, from before the first of them until the last is deleted.
func isShut(ctx context.Context, c *backend.Conn, id int64) (bool, error) {
	rows, err := query(ctx, c, "SELECT state FROM _sluice.fence WHERE move_id = "+number(id)+" LOCK IN SHARE MODE")
	if wire.IsCode(err, 1049, 1146) {
		return false, nil
	}
	return len(rows) == 1 && string(rows[0][0]) == fenced, err
}

// emptyReferences takes the copies of reference tables away from a shard that has not joined.
// It holds the fence: the map that it looks at may be an old one, and the shard have joined.
func emptyReferences(ctx context.Context, c *backend.Conn, r *run) error {
	m := r.s.opts.Topology.Map()
	if i, ok := m.ShardIndex(c.Shard()); !ok || !m.Joining(i) {
		return nil
	}
	if _, err := query(ctx, c, "SET foreign_key_checks = 0"); err != nil {
		return err
	}
	for i := range r.rec.References {
		for more := true; more; {
			var err error
			if more, err = emptyPart(ctx, c, r.id, &r.rec.References[i]); err != nil && !wire.IsCode(err, 1049, 1146) {
				return err
			}
		}
	}
	return nil
}

// emptyPart deletes some thousand rows of a table in one transaction.
func emptyPart(ctx context.Context, c *backend.Conn, id int64, t *Table) (more bool, err error) {
	if _, err := query(ctx, c, "BEGIN"); err != nil {
		return false, err
	}
	shut, err := isShut(ctx, c, id)
	if err != nil {
		return false, err
	}
	if !shut {
		return false, fmt.Errorf("%w: the fence on shard %s is not shut", errReplaced, c.Shard())
	}
	if _, err := query(ctx, c, "DELETE FROM "+name(t.Schema)+"."+name(t.Name)+" LIMIT 5000"); err != nil {
		return false, err
	}
	rows, err := column(ctx, c, "SELECT ROW_COUNT()")
	if err != nil {
		return false, err
	}
	_, err = query(ctx, c, "COMMIT")
	return len(rows) == 1 && rows[0] != "0", err
}

// leaveGone makes a fence row say that the slots are not here any more.
func leaveGone(ctx context.Context, c *backend.Conn, r *Record) error {
	_, err := query(ctx, c, "UPDATE _sluice.fence SET state = 'gone' WHERE move_id = "+number(r.ID)+" AND note = "+literal(r.note()))
	return err
}

// leaveJoined notes that a shard has got copies of the reference tables, for a proxy that has
// lost etcd before: the slots may come back from that shard, and take the row that says gone
// with them, but the copies stay there and must not miss a write.
func leaveJoined(ctx context.Context, c *backend.Conn, r *Record) error {
	_, err := query(ctx, c, fmt.Sprintf("INSERT IGNORE INTO _sluice.fence (move_id, state, token, slots, note) VALUES (%d, '%s', 0, '', %s)",
		-r.ID, gone, literal(r.note()+shard.FenceJoined+r.Target)))
	return err
}

// takeBack takes slots that have come to a server out of the rows that say they are gone.
func takeBack(ctx context.Context, c *backend.Conn, r *Record) error {
	rows, err := query(ctx, c, "SELECT move_id, slots FROM _sluice.fence WHERE state = 'gone' AND note = "+literal(r.note())+" AND move_id <> "+number(r.ID))
	if err != nil {
		return err
	}
	for _, row := range rows {
		old, err := ParseSlots(string(row[1]))
		if err != nil {
			return fmt.Errorf("_sluice.fence on shard %s, migration %s: %w", c.Shard(), row[0], err)
		}
		left := without(old, r.Slots)
		sql := "DELETE FROM _sluice.fence WHERE move_id = " + string(row[0])
		switch {
		case count(left) == count(old):
			continue
		case len(left) > 0:
			sql = "UPDATE _sluice.fence SET slots = '" + spansText(left) + "' WHERE move_id = " + string(row[0])
		}
		if _, err := query(ctx, c, sql+" AND state = 'gone' AND slots = "+literal(string(row[1]))); err != nil {
			return err
		}
	}
	return nil
}

// without gives the slots of a that are not in b.
func without(a, b []shard.Span) (left []shard.Span) {
	taken := shard.Move{Slots: b}
	for _, s := range a {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			if !taken.Has(uint16(slot)) {
				left = appendSlot(left, uint16(slot))
			}
		}
	}
	return left
}
