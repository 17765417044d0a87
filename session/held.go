package session

import (
	"context"
	"strconv"

	"sluice/backend"
	"sluice/txn"
	"sluice/wire"
)

// lease is a connection that the running statement has. A statement leases them one by one;
// when it has been answered, each goes where it belongs:
//
//	pool ──lease──▶ held ──┬─ in a transaction ─▶ tx leg ──commit──▶ pool
//	                       ├─ carries state ────▶ pin ───client ends─▶ closed
//	                       ├─ clean ────────────▶ pool
//	                       └─ broken ───────────▶ closed
type lease struct {
	conn    *backend.Conn
	shard   string
	kind    leaseKind
	write   bool
	joins   bool // the transaction's opening goes out with the statement
	oneShot bool // SET TRANSACTION or SAVEPOINT was said on it, before a transaction was there
	done    bool // the executor has finished with it
	ok      bool
	status  uint16 // server status flags; 0 is unknown (an ERR packet has none)
}

type leaseKind uint8

const (
	fromPool leaseKind = iota
	fromTx             // the transaction is open on it
	fromPin
	fromApart // outside of the transaction, for one statement
)

// held are the connections of the running statement.
type held struct {
	*core
	list []lease

	asked
}

// asked is what the running statement asks of its connections.
type asked struct {
	several bool // it reads or writes on more than one shard
	plain   bool // each is to open a transaction of the server's own, under autocommit
	reads   bool // it is one that changes nothing and is told nothing: what opens the transaction may go out with it
	// lockless: it locks nothing, except under SERIALIZABLE.
	lockless bool
	preset   bool   // they are told the session's LAST_INSERT_ID() first
	counts   bool   // they are given as many conditions as the session's last statement has raised
	calls    bool   // stored functions run on the one that is apart
	now      string // they are told this time, in seconds; "" is their own
	lent     lent
}

// lease takes a connection of a shard for the running statement.
func (h *held) lease(ctx context.Context, shard string, write bool) (*backend.Conn, error) {
	l, err := h.connection(ctx, shard)
	if err != nil {
		return nil, err
	}
	l.write = write
	h.list = append(h.list, l)
	if err := h.shared.watch(l.conn); err != nil {
		var status uint16
		if l.kind == fromTx {
			status = wire.StatusInTrans // nothing was said on it
		}
		h.done(l.conn, status, true)
		return nil, err
	}
	if h.plain {
		if _, err := l.conn.Exec("SET autocommit = 0"); err != nil {
			return nil, err
		}
	}
	if h.lent.all {
		if err := h.lend(l.conn); err != nil {
			return l.conn, err
		}
	}
	return l.conn, h.tell(l.conn)
}

// tell sets on a connection what the statement has to find there: the session's last insert
// id, and the time that is NOW() on all of its shards.
func (h *held) tell(c *backend.Conn) error {
	var text string
	switch {
	case h.preset && h.now != "":
		text = "SET last_insert_id=" + strconv.FormatUint(h.answers.insertID, 10) + ", timestamp=" + h.now
	case h.preset:
		text = "SET last_insert_id=" + strconv.FormatUint(h.answers.insertID, 10)
	case h.now != "":
		text = "SET timestamp=" + h.now
	}
	if text != "" {
		if _, err := c.Exec(text); err != nil {
			return err
		}
	}
	if !h.counts || h.answers.count == 0 {
		return nil
	}
	_, _, err := c.Query(raise(h.answers.count, h.answers.errors()))
	if inOrder(err) {
		err = nil
	}
	return err
}

// maxCounts is the largest number of conditions that connections are given.
const maxCounts = 1000

// raise writes a SELECT that raises as many conditions, one of them an error if there are any.
func raise(all, errors int) string {
	text := "SELECT 1"
	for range all - min(errors, 1) {
		text += ", CAST('a' AS SIGNED)"
	}
	if errors > 0 {
		text += ", (SELECT 1 UNION SELECT 2)"
	}
	return text
}

// forgetNow gives the connections their own clocks back; one that does not take it is lost.
func (h *held) forgetNow() {
	if h.now == "" {
		return
	}
	for i := range h.list {
		l := &h.list[i]
		if !l.done || !l.ok {
			continue
		}
		_, err := l.conn.Exec("SET timestamp=DEFAULT")
		if err != nil && inOrder(err) {
			_, err = l.conn.Exec("SET timestamp=DEFAULT") // the first took a late KILL QUERY upon itself
		}
		l.ok = err == nil
	}
}

// connection finds the session's connection of a shard or takes one from the pool and
// brings it into the transaction.
func (h *held) connection(ctx context.Context, shard string) (lease, error) {
	if c := h.kept.tx.Wake(shard); c != nil {
		return lease{conn: c, shard: shard, kind: fromTx}, h.inTx(c, shard)
	}
	if c := h.kept.pins.of(shard); c != nil {
		c.Wake()
		l := lease{conn: c, shard: shard, kind: fromPin}
		if err := h.kept.sync(c, shard); err != nil {
			return l, err
		}
		if err := h.enter(ctx, &l); err != nil {
			h.kept.lose(l.conn, l.shard)
			h.kept.gone = true
			return l, err
		}
		return l, nil
	}
	c, err := h.get(ctx, shard)
	if err != nil {
		return lease{}, err
	}
	l := lease{conn: c, shard: shard, kind: fromPool}
	if err := h.enter(ctx, &l); err != nil {
		c.Close()
		return lease{}, err
	}
	return l, nil
}

// get takes a connection of the pool. A statement that has one already waits before those that have none.
func (h *held) get(ctx context.Context, shard string) (*backend.Conn, error) {
	ask := wants(h.kept)
	ask.Held = ask.Held || len(h.list) > 0
	return h.h.pools.GetFor(ctx, ask, shard, h.state.class, h.state.schema, h.state.vars.backend)
}

// enter opens the transaction on a connection, or applies a SET TRANSACTION for one
// statement.
func (h *held) enter(ctx context.Context, l *lease) error {
	if h.kept.pins.locked() { // BEGIN would unlock: under autocommit=0 the server opens the transaction itself
		if h.kept.tx.guarded {
			_, err := l.conn.Exec("SAVEPOINT " + statementGuard)
			return err
		}
		return nil
	}
	if h.kept.tx.Open() {
		taken, err := h.kept.tx.Join(ctx, l.conn, h.joining(h.reads))
		if taken {
			l.kind, l.joins = fromTx, h.reads
		}
		l.oneShot = !taken && h.kept.tx.Marks()
		return err
	}
	if text := h.kept.tx.next.text(); text != "" {
		_, err := l.conn.Exec(text)
		l.oneShot = true
		return err
	}
	return nil
}

// inTx brings a connection that has the transaction to what the statement needs of it.
func (h *held) inTx(c *backend.Conn, shard string) error {
	wait := h.state.vars.lockWait
	if wait != "" && !c.Has(h.state.vars.backend) {
		h.kept.tx.Unbound(shard) // what follows sets the client's own
	}
	err := h.kept.sync(c, shard)
	if err == nil && mayLock(h) {
		err = h.kept.tx.Bound(shard, wait)
	}
	return err
}

// mayLock tells whether the running statement may wait for the lock of a row.
func mayLock(h *held) bool { return !h.lockless || h.kept.tx.serializable() }

// joining says for what connections join the transaction; later: what opens it goes out with the statement.
func (h *held) joining(later bool) txn.Joining {
	return txn.Joining{Several: h.several, Later: later, Lockless: !mayLock(h), Wait: h.state.vars.lockWait}
}

// apart takes one more connection of a shard, outside of the transaction.
func (h *held) apart(ctx context.Context, shard string) (*backend.Conn, error) {
	c, err := h.get(ctx, shard)
	if err != nil {
		return nil, err
	}
	h.list = append(h.list, lease{conn: c, shard: shard, kind: fromApart})
	if err := h.shared.watch(c); err != nil {
		h.done(c, 0, true)
		return nil, err
	}
	if h.calls { // a function may leave what it wants on it
		c.Soil()
	}
	if err := h.lend(c); err != nil {
		return c, err
	}
	return c, h.tell(c)
}

// done ends the use of a connection, see exec.Leases: the connection goes back when the statement has ended.
func (h *held) done(c *backend.Conn, status uint16, ok bool) {
	for i := range h.list {
		if h.list[i].conn == c {
			h.list[i].done, h.list[i].ok, h.list[i].status = true, ok, status
		}
	}
}

// release gives every leased connection its place.
func (h *held) release() (lost error) {
	if len(h.list) == 0 {
		return nil
	}
	killed := h.shared.unwatch()
	for i := range h.list {
		l := &h.list[i]
		switch {
		case l.kind == fromApart:
			l.endApart(killed)
		case !l.done || !l.ok:
			if l.kind != fromPool && !(l.joins && l.conn.Refused()) {
				lost = errTxLost
			}
			h.kept.lose(l.conn, l.shard)
		case killed && l.kind == fromPool && l.status&wire.StatusInTrans == 0:
			l.conn.Close() // a late KILL QUERY must not hit the next client's statement
		default:
			if killed {
				_, _ = l.conn.Exec("DO 0") // takes a late KILL QUERY upon itself; broken, the next use tells
			}
			h.settle(l)
		}
	}
	h.list = h.list[:0]
	return lost
}

// drop closes the connections of a statement that did not come to its end.
func (h *held) drop() {
	for i := range h.list {
		h.kept.lose(h.list[i].conn, h.list[i].shard)
	}
	h.list = nil
}

// settle puts a clean connection where its status says that it belongs.
func (h *held) settle(l *lease) {
	switch {
	case l.status&wire.StatusInTrans != 0:
		if l.kind != fromTx {
			if !h.kept.tx.Open() {
				h.kept.tx.found()
			}
			h.kept.tx.Take(l.conn, l.shard)
		}
		if l.write {
			h.kept.tx.NoteWrite(l.shard)
		}
	case l.status&wire.StatusDBDropped != 0 && l.kind == fromPool:
		l.conn.Close() // its schema is not the one that the pool believes it to have
	case l.kind == fromTx && h.kept.tx.Branch(l.shard):
		// The server has rolled it back, but only XA ROLLBACK frees the connection: endRest says it.
	case l.kind == fromTx:
		clean := true
		if restore := h.kept.tx.Drop(l.shard); restore != "" { // the server ended the transaction, and knows nothing of what it was told for it
			_, err := l.conn.Exec(restore)
			clean = err == nil
		}
		h.kept.giveBack(l.conn, clean)
	case l.oneShot:
		// COMMIT forgets a SET TRANSACTION that the statement did not need, and savepoints.
		_, err := l.conn.Exec("COMMIT")
		h.kept.giveBack(l.conn, err == nil)
	default:
		h.kept.giveBack(l.conn, true)
	}
}

// endApart ends the lease of a connection outside of the transaction.
func (l *lease) endApart(killed bool) {
	if l.done && l.ok && !killed {
		l.conn.Put()
		return
	}
	l.conn.Close()
}

// txEnded tells whether the transaction ended with this statement although no COMMIT was
// said: a deadlock rolled it back, or the statement commits implicitly.
func (h *held) txEnded() bool {
	if !h.kept.tx.Open() || h.kept.tx.Statement() {
		return false
	}
	for i := range h.list {
		l := &h.list[i]
		if l.kind == fromTx && l.done && l.ok && l.status&wire.StatusInTrans == 0 {
			return true
		}
	}
	return false
}

// pin keeps the statement's connections with the session: that of one shard, or all for "".
func (h *held) pin(reason, shard string) {
	for i := range h.list {
		if l := &h.list[i]; l.done && l.ok && l.kind != fromApart && (shard == "" || l.shard == shard) {
			h.kept.pins.add(l.conn, l.shard, reason)
		}
	}
}

// onHome runs f on the connection that carries the session's variables, as a statement of
// its own, and keeps it with the session.
func (h *held) onHome(ctx context.Context, reason string, f func(*backend.Conn) error) error {
	c, err := h.lease(ctx, h.kept.homeShard(), false)
	if err == nil {
		err = f(c)
		ok, broken := c.Exec("DO 0") // for its status: whether a transaction is open
		h.done(c, ok.Status, inOrder(err) && broken == nil)
		if err == nil {
			h.pin(reason, "")
		}
	}
	return h.end(err)
}

// end gives the connections of a statement that the session runs by itself their place, and forgets
// a transaction that has ended with it.
func (h *held) end(err error) error {
	ended := h.txEnded()
	if lost := h.release(); lost != nil {
		h.kept.lost()
	}
	if ended {
		h.kept.rollback()
	}
	return err
}
