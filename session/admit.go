package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/shard"
	"sluice/txn"
	"sluice/wire"
)

// errRebind says that the statement has to be planned and bound again, because the map has
// changed. Nothing has been sent.
var errRebind = errors.New("the map has changed")

// admission lets bound statements go while slots move, holds them, or refuses them.
type admission struct{ *running }

// admit is asked when a statement is bound, before anything is sent. It waits where rows are
// about to change their shard. Errors: errRebind, or what the client is to see.
func (a admission) admit(ctx context.Context, st *statement) error {
	b := &a.bound
	if len(a.kept.tx.Legs()) == 0 {
		a.kept.under = a.args.Map
	}
	a.seen = false
	if !moves(b) {
		return nil
	}
	a.note()
	m := a.h.topo.Map()
	if m == a.args.Map && m == a.kept.under && !m.Frozen() && st.started.Before(a.h.topo.SureUntil()) {
		return nil
	}
	err := a.decide(ctx, st, m)
	if err != nil {
		a.forget()
	}
	return err
}

// note notes what the statement touches.
func (a admission) note() {
	a.shared.lock()
	defer a.shared.mu.Unlock()
	a.shared.touch.add(a.args.Map, &a.bound)
}

// forget takes back what the statement has noted: it does not run, or has ended outside of a
// transaction.
func (a admission) forget() {
	a.shared.lock()
	defer a.shared.mu.Unlock()
	if t := &a.shared.touch; holds(a.kept) {
		t.stmt.clear()
	} else {
		t.clear()
	}
}

// next makes the statement before one of the transaction's, if there is one.
func (a admission) next() {
	a.shared.lock()
	defer a.shared.mu.Unlock()
	if t := &a.shared.touch; holds(a.kept) {
		t.ended()
	} else {
		t.clear()
	}
}

// decide is admit where it is not plain that the statement may go.
func (a admission) decide(ctx context.Context, st *statement, m *shard.Map) error {
	a.c.Task.Leave()
	before := &a.shared.touch.tx
	inTx := a.inTx()
	if inTx && a.moved(m, before) {
		return a.deadlock()
	}
	if v := a.frozen(m); v != nil {
		if inTx {
			a.kept.rollback() // others may wait for what it has locked
		}
		err := a.wait(ctx, st)
		switch {
		case inTx && codeOf(err) != interruptedCode:
			return a.deadlock()
		case err != nil:
			return err
		}
		return errRebind
	}
	if m != a.args.Map {
		return errRebind
	}
	if !sure(a.h.topo.SureUntil(), time.Now()) {
		a.seen = true
		return a.unsure(ctx, m, inTx)
	}
	return nil
}

// sure tells whether a time is ahead by both clocks.
func sure(until, now time.Time) bool {
	return now.Before(until) && now.Round(0).Before(until.Round(0))
}

// late looks again, when a connection is there, whether this proxy may not be waited for any more:
// it may have waited for the connection, or stood still.
func (a admission) late(c *backend.Conn) error {
	if a.seen || sure(a.h.topo.SureUntil(), time.Now()) {
		return nil
	}
	a.held.done(c, 0, true)
	return tryAgain("this proxy has lost etcd while the statement began; it was not executed")
}

// moved tells whether slots that the transaction touches have got another owner since it was
// first connected to a shard: what it has read and written is elsewhere now, and its snapshot of
// the new owner may be older than the rows there.
func (a admission) moved(m *shard.Map, before *slotSet) bool {
	was := a.kept.under
	if was == nil || was == m || slices.Equal(was.Spec.Ranges, m.Spec.Ranges) {
		return false
	}
	other := func(slot uint16) bool { return was.ShardName(was.Owner(slot)) != m.ShardName(m.Owner(slot)) }
	return boundHas(&a.bound, other) || before.has(other)
}

// frozen gives a migration for which the statement has to wait: none of those that wait for its
// transaction themselves, which goes on with what it holds, to its end.
func (a admission) frozen(m *shard.Map) *shard.Move {
	if !m.Frozen() {
		return nil
	}
	for i := range m.Spec.Moves {
		v := &m.Spec.Moves[i]
		if v.Frozen && (a.bound.All || slices.ContainsFunc(a.bound.Slots, v.Has)) && !(a.inTx() && a.shared.touch.tx.has(v.Has)) {
			return v
		}
	}
	return nil
}

// inTx tells whether the session has something at a shard that ends with a transaction.
func (a admission) inTx() bool { return len(a.kept.tx.Legs()) > 0 || a.kept.pins.locked() }

// deadlock rolls the transaction back. Clients that know what to do about a deadlock need
// nothing else for moving slots.
func (a admission) deadlock() error {
	a.kept.rollback()
	if a.kept.pins.locked() {
		cutOff(a.kept, 0)
	}
	return txn.Deadlock()
}

// interruptedCode is ER_QUERY_INTERRUPTED.
const interruptedCode = 1317

// wait holds the statement until no migration is in its way.
func (a admission) wait(ctx context.Context, st *statement) error {
	g := a.h.gate
	size := len(st.sql)
	if !g.hold(size) {
		return tooMany()
	}
	defer g.release(size)
	a.waiting(true)
	defer a.waiting(false)
	deadline := time.NewTimer(holdTime)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond) // for a KILL
	defer poll.Stop()
	for {
		next := g.next()
		v := a.frozen(a.h.topo.Map())
		if v == nil {
			return nil
		}
		select {
		case <-next:
		case <-poll.C:
			if err := a.shared.killed(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return tryAgain("migration %d, which is about to switch the statement's rows to another shard, takes too long; the statement was not executed", v.ID)
		}
	}
}

func (a admission) waiting(on bool) {
	a.shared.lock()
	defer a.shared.mu.Unlock()
	a.shared.touch.waiting = on
}

// tryAgain is ER_LOCK_WAIT_TIMEOUT, which clients know to mean that.
func tryAgain(format string, args ...any) *wire.Error {
	e := refuse(lockWaitTimeout, "HY000", format, args...)
	e.Message += "; try restarting transaction"
	return e
}

func tooMany() error {
	return tryAgain("so many statements wait for a migration that this one cannot; it was not executed")
}

// isFenced tells whether a shard has refused a write of rows that are about to be, or are,
// another shard's. It has not been carried out.
func isFenced(err error) bool {
	var we *wire.Error
	return errors.As(err, &we) && we.Code == shard.FenceCode && strings.HasPrefix(we.Message, shard.FencePrefix)
}

// again decides what becomes of a statement that a fence has refused, and of one that must be
// bound anew: nil to run it again, under the newest map, else what the client is to see.
func (a admission) again(ctx context.Context, st *statement, err error, began time.Time, inTx bool) error {
	a.c.Task.Leave()
	switch {
	case errors.Is(err, errRebind) && time.Since(began) < 10*holdTime: // each time a newer map
		return nil
	case errors.Is(err, errRebind):
		return tryAgain("the map changes all the time; the statement was not executed")
	case !isFenced(err):
		return err
	case inTx || !a.state.autocommit() || a.kept.pins.locked():
		return a.deadlock()
	case a.bound.Load != nil:
		return tryAgain("the rows are about to go to another shard; nothing was loaded")
	case time.Since(began) > holdTime:
		return tryAgain("%s; the statement was not executed", strings.TrimPrefix(err.Error(), "sluice: "))
	}
	a.kept.rollback()
	g, size := a.h.gate, len(st.sql)
	if !g.hold(size) {
		return tooMany()
	}
	defer g.release(size)
	a.waiting(true) // an attempt need not wait for what waits itself
	defer a.waiting(false)
	read, cancel := context.WithTimeout(ctx, holdTime/2)
	defer cancel()
	g.refresh(read)
	select {
	case <-g.next():
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
	if err := a.shared.killed(); err != nil {
		return err
	}
	return nil
}

// holds tells whether the session holds rows or tables between two statements. A transaction
// that has begun, by COMMIT AND CHAIN say, holds none before it is on a shard.
func holds(k *kept) bool { return len(k.tx.Legs()) > 0 || k.pins.locked() }

// takeUp takes a session's connections out of the drainer's reach, who may have cut them.
func takeUp(sh *shared, k *kept) {
	if move := sh.start(); move != 0 {
		cutOff(k, move)
	}
}

// cutOff ends a transaction whose connections the drainer has cut. The client hears of it with
// its next statement, which must not believe that what came before was committed.
func cutOff(k *kept, move int64) {
	for _, l := range slices.Clone(k.tx.Legs()) {
		k.gone = k.gone || k.pins.has(l.Conn)
		k.lose(l.Conn, l.Shard)
	}
	for _, p := range slices.Clone(k.pins.list) {
		if p.locked {
			k.gone = true
			k.lose(p.conn, p.shard)
		}
	}
	k.rollback()
	k.cutOff = move
}

// tell says, once, that the transaction was rolled back for a migration. A ROLLBACK has what it
// asks for.
func tell(k *kept, stmt *query.Statement) error {
	if k.cutOff == 0 {
		return nil
	}
	k.cutOff = 0
	if stmt.Kind == query.Rollback {
		return nil
	}
	return txn.Deadlock()
}
