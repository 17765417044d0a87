package session

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// LOCK TABLES holds a connection to every shard of the tables until UNLOCK TABLES:
//
//	LOCK ── commit, unlock what was locked ── s0 ── s1 ── … ── locked ── UNLOCK, BEGIN, the end ──▶ unlocked
//	                                           └─ one fails: all are unlocked ─▶ error
//
// The shards are locked one after the other, so that two sessions which lock the same
// tables wait for each other on the first. A wait behind a transaction that itself waits for
// another shard is seen by no server: over several shards all waits together have a bound.
//
// Under LOCK TABLES a server allows no XA, and BEGIN unlocks. A write over several shards is
// then taken back everywhere if it fails on one, but it is committed on one after the other.

// lockTablesWait bounds the waits of one LOCK TABLES over several shards; it is InnoDB's default for a row.
const lockTablesWait = 50 * time.Second

// locking is LOCK TABLES, and what is different under it.
type locking struct{ *running }

// run carries out LOCK TABLES and UNLOCK TABLES.
func (l locking) run(ctx context.Context, st *statement) error {
	locks := len(l.bound.Legs) > 0
	if locks || l.kept.pins.locked() { // without locks UNLOCK TABLES does not even commit
		if err := l.kept.commit(); err != nil {
			return err
		}
		if err := l.kept.unlock(); err != nil {
			return err
		}
	}
	if locks {
		l.held.several = len(l.bound.Legs) > 1
		err := l.each(ctx)
		if err == nil {
			l.held.pin(pinTableLock, "")
		}
		if err = l.held.end(err); err != nil {
			return err
		}
	}
	return l.reply.ok(st, wire.OK{})
}

// each locks on shard after shard; when one fails, those before it are unlocked.
func (l locking) each(ctx context.Context) (err error) {
	deadline := time.Now().Add(lockTablesWait)
	for i := range l.bound.Legs {
		if err = l.on(ctx, &l.bound.Legs[i], deadline); err != nil {
			break
		}
	}
	for i := range l.held.list {
		h := &l.held.list[i]
		if err != nil && h.done && h.ok {
			_, back := h.conn.Exec("UNLOCK TABLES")
			h.ok = inOrder(back)
		}
	}
	return err
}

func (l locking) on(ctx context.Context, leg *router.Leg, deadline time.Time) error {
	c, err := l.Lease(ctx, leg.Shard, false)
	if err != nil {
		return err
	}
	own := l.state.vars.plain("lock_wait_timeout")
	left := max(int(time.Until(deadline)/time.Second), 1)
	n, unknown := strconv.Atoi(own)
	bounded := l.held.several && (unknown != nil || n > left)
	if bounded {
		if _, err := c.Exec("SET lock_wait_timeout = " + strconv.Itoa(left)); err != nil {
			return err // the lease is not done: it is closed
		}
	}
	ok, err := c.ExecBytes(leg.SQL)
	if !inOrder(err) {
		return refuse(2013, "HY000", "lost connection to shard %s while its tables were locked; no table is locked", c.Shard())
	}
	if bounded {
		if own == "" {
			own = "DEFAULT"
		}
		if _, back := c.Exec("SET lock_wait_timeout = " + own); back != nil {
			return back
		}
	}
	l.Done(c, ok.Status&^wire.StatusInTrans, true)
	return err
}

// locked tells whether the session has locked tables.
func (p *pins) locked() bool {
	return slices.ContainsFunc(p.list, func(q pin) bool { return q.locked })
}

// unlocked notes that a connection has no locked tables any more, and tells whether it is
// pinned no more.
func (p *pins) unlocked(c *backend.Conn) (free bool) {
	q := &p.list[p.index(c)]
	q.locked = false
	if q.reason == pinTableLock {
		q.reason = ""
	}
	if q.reason != "" || q.cursors > 0 {
		p.shared.notePins(p.list)
		return false
	}
	p.remove(c)
	return true
}

// unlock says UNLOCK TABLES on every connection that has locks, and gives those back
// that carry nothing else. No transaction is open.
func (k *kept) unlock() error {
	for _, p := range slices.Clone(k.pins.list) {
		if !p.locked {
			continue
		}
		if _, err := p.conn.Exec("UNLOCK TABLES"); err != nil {
			k.lose(p.conn, p.shard)
			k.gone = true
			return refuse(2013, "HY000", "lost connection to shard %s during UNLOCK TABLES: %v", p.shard, err)
		}
		if k.pins.unlocked(p.conn) {
			p.conn.Put()
		}
	}
	return nil
}

// check refuses a statement that needs tables which the session has not locked: on a
// shard where it has locked some the server itself says so.
func (l locking) check(e *entry) error {
	name := ""
	for i := range e.stmt.Tables {
		if t := &e.stmt.Tables[i]; !isSystem(t.Schema, l.state.schema) && name == "" {
			name = t.Name
		}
	}
	if name == "" {
		return nil
	}
	for _, shard := range reached(&l.bound) {
		at := l.args.Map.ShardName(shard)
		if !slices.ContainsFunc(l.kept.pins.list, func(p pin) bool { return p.locked && p.shard == at }) {
			return &wire.Error{Code: 1100, SQLState: "HY000", Message: "Table '" + name + "' was not locked with LOCK TABLES"}
		}
	}
	return nil
}

func isSystem(schema, current string) bool {
	if schema == "" {
		schema = current
	}
	return strings.EqualFold(schema, "information_schema") || strings.EqualFold(schema, "performance_schema")
}

// waitsForItself refuses what needs a connection besides those that have the locks.
func waitsForItself(what string) error {
	return notBuilt("%s under LOCK TABLES: it would wait for the session's own locks; UNLOCK TABLES first, and use a transaction", what)
}

// reached lists the shards of a bound statement.
func reached(b *router.Bound) (shards []int) {
	for i := range b.Legs {
		shards = append(shards, b.Legs[i].Shard)
	}
	if b.Staging != nil {
		shards = append(shards, b.Staging.Targets...)
	}
	if g := b.Gathering; g != nil {
		for i := range g.Tables {
			for _, l := range g.Tables[i].Legs {
				shards = append(shards, l.Shard)
			}
		}
	}
	return shards
}

// end ends a statement that wrote on several shards under LOCK TABLES.
func (l locking) end(e *entry, out *exec.Outcome, runErr error) error {
	l.held.plain = false
	ok := runErr == nil && out.Response.Err == nil
	if ok && len(out.Uneven) > 0 {
		ok, runErr = false, unevenCopies(e.plan.Table, l.args.Map.ShardName(out.Uneven[0]))
	}
	for i := range l.held.list {
		if h := &l.held.list[i]; ok && !(h.done && h.ok) {
			ok, runErr = false, refuse(2013, "HY000", "lost connection to shard %s during query; nothing was written", h.shard)
		}
	}
	end := "ROLLBACK"
	if ok {
		end = "COMMIT"
	}
	var done []string
	for i := range l.held.list {
		h := &l.held.list[i]
		if !h.done || !h.ok {
			continue
		}
		_, err := h.conn.Exec(end)
		if err == nil {
			done = append(done, h.shard)
			_, err = h.conn.Exec("SET autocommit = 1")
		}
		if h.status &^= wire.StatusInTrans; err != nil {
			h.ok = false
			if ok {
				runErr = refuse(2013, "08007", "a commit under LOCK TABLES, which is not atomic over shards, failed on shard %s: %v; committed on: %s",
					h.shard, err, strings.Join(done, ", "))
			}
		}
	}
	return runErr
}

func unevenCopies(table, shard string) *wire.Error {
	return refuse(1105, "HY000", "the copies of %s are not alike: the statement would change another number of rows on shard %s "+
		"than on the first; nothing was written", table, shard)
}

// isLock tells which statements the session carries out on all shards of their tables.
func isLock(e *entry) bool { return e.stmt.Kind == query.LockTables && !e.stmt.Opaque }
