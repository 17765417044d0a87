package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/backend"
	"sluice/router"
	"sluice/shard"
	"sluice/txn"
	"sluice/wire"
)

// kept are the connections that stay with the session between its statements: those of the
// open transaction, and those that are pinned. A connection may be both.
type kept struct {
	h     *Handler
	state *state

	tx   transaction
	pins pins
	gone bool // the session must end after this answer

	patience time.Duration // how long the statement may wait for a shard's turn; 0: as long as others
	asking   bool          // for what all statements of a schema need to know: it goes before newcomers

	under   *shard.Map // the newest map when the transaction was first connected to a shard
	changed changed    // by it, as the result cache must know

	cutOff int64 // the migration for which the transaction was rolled back, until the client is told
}

// own gives the connection of a shard that the session keeps, or nil.
func (k *kept) own(name string) *backend.Conn {
	if c := k.tx.Leg(name); c != nil {
		return c
	}
	return k.pins.of(name)
}

// wants says for whom a connection is wanted. Who holds one that others may wait for goes first.
func wants(k *kept) backend.Ask {
	return backend.Ask{User: k.state.c.User, Held: len(k.tx.Legs()) > 0 || k.pins.locked() || k.asking, Wait: k.patience}
}

// letRest lets others have the places of connections that stay with the session until its next statement.
func letRest(k *kept) {
	k.tx.Rest()
	for i := range k.pins.list {
		k.pins.list[i].conn.Rest()
	}
}

// driven tells whether no connection of the session's is one that a goroutine has to wait for.
func driven(k *kept) bool {
	if !k.tx.Driven() {
		return false
	}
	for i := range k.pins.list {
		if !k.pins.list[i].conn.Driven() {
			return false
		}
	}
	return true
}

// any gives any connection that the session keeps: the pool may be no larger.
func (k *kept) any() (*backend.Conn, string) {
	if legs := k.tx.Legs(); len(legs) > 0 {
		return legs[0].Conn, legs[0].Shard
	}
	if len(k.pins.list) > 0 {
		return k.pins.list[0].conn, k.pins.list[0].shard
	}
	return nil, ""
}

// sync brings a connection that the session keeps to what the client has set meanwhile.
func (k *kept) sync(c *backend.Conn, shard string) error {
	err := c.Sync(k.state.schema, k.state.vars.backend)
	if err == nil || inOrder(err) {
		return err
	}
	k.lose(c, shard)
	k.lost()
	return err
}

// onShard runs f on a connection of a shard, outside of the statement: the session's own
// where it keeps one (it may see temporary tables there, and the pool may be no larger),
// else one of the pool. With raw, f looks at tables for all sessions: the results' columns
// have their own collations, SHOW and SELECT give all rows, no transaction stays open and no
// temporary table is in the way.
func (k *kept) onShard(ctx context.Context, name string, raw bool, f func(*backend.Conn) error) error {
	if c := k.own(name); c != nil && !(raw && k.pins.temporary()) {
		if err := k.sync(c, name); err != nil {
			return err
		}
		return k.onOwn(c, name, raw, f)
	}
	return onPool(ctx, k, name, raw, f)
}

// onPool is onShard on a connection of the pool.
func onPool(ctx context.Context, k *kept, name string, raw bool, f func(*backend.Conn) error) error {
	vars := k.state.vars
	if raw {
		changes := map[string]string{"character_set_results": "NULL", resultsCollation: "", "sql_select_limit": noLimit, "autocommit": "1"}
		if k.pins.locked() {
			changes["lock_wait_timeout"] = "1" // the session's own locks may be what it waits for
		}
		vars = vars.with(changes, k.h.intern)
	}
	c, err := k.h.pools.GetFor(ctx, wants(k), name, k.state.class, k.state.schema, vars.backend)
	if err != nil {
		return err
	}
	killed, err := k.ask(c, f)
	if inOrder(err) && !killed {
		c.Put()
	} else {
		c.Close()
	}
	if codeOf(err) == lockWaitTimeout && k.pins.locked() {
		return waitsForItself("a table cannot be looked up with temporary tables")
	}
	return err
}

// lockWaitTimeout is ER_LOCK_WAIT_TIMEOUT.
const lockWaitTimeout = 1205

// ask runs f on a connection within reach of a Kill: a look-up may wait for locks of others.
func (k *kept) ask(c *backend.Conn, f func(*backend.Conn) error) (killed bool, err error) {
	if err := k.pins.shared.watch(c); err != nil {
		return false, err
	}
	err = f(c)
	return k.pins.shared.leave(c), err
}

func (k *kept) onOwn(c *backend.Conn, name string, raw bool, f func(*backend.Conn) error) error {
	set := func(charset, limit string) (err error) {
		if raw {
			_, err = c.Exec("SET " + charset + ", SESSION sql_select_limit=" + limit)
		}
		return err
	}
	err := set("SESSION character_set_results=NULL", noLimit)
	if err == nil {
		killed := false
		if killed, err = k.ask(c, f); killed && inOrder(err) {
			_, _ = c.Exec("DO 0") // takes a late KILL QUERY upon itself; broken, the next use tells
		}
	}
	if raw && inOrder(err) && k.tx.Leg(name) == nil && !k.state.autocommit() {
		if _, end := c.Exec("ROLLBACK"); end != nil {
			err = fmt.Errorf("what the look-up opened could not be closed: %v", end)
		}
	}
	if inOrder(err) {
		limit := cmp.Or(k.state.vars.values["sql_select_limit"], "DEFAULT")
		if back := set(k.state.vars.charsets(), limit); back != nil {
			err = fmt.Errorf("variables of a look-up could not be set back: %v", back)
		}
	}
	if !inOrder(err) {
		k.lose(c, name)
		k.lost()
	}
	return err
}

// inOrder tells whether the connection that gave err is between commands.
func inOrder(err error) bool {
	if err == nil {
		return true
	}
	var we *wire.Error
	var refusal *router.Refusal
	return errors.As(err, &we) || errors.As(err, &refusal)
}

// giveBack returns a connection that is in no transaction: a pinned one stays with the
// session, others go to their pool or are closed.
func (k *kept) giveBack(c *backend.Conn, clean bool) {
	switch pinned := k.pins.has(c); {
	case pinned && clean:
	case clean:
		c.Put()
	default:
		k.gone = k.gone || pinned
		k.pins.remove(c)
		c.Close()
	}
}

// lose closes a broken connection and takes it out of the transaction and the pins.
func (k *kept) lose(c *backend.Conn, shard string) {
	k.tx.Drop(shard)
	k.pins.remove(c)
	c.Close()
}

// drop gives up everything, without a word to the client.
func (k *kept) drop() {
	k.rollback()
	k.pins.drop()
	k.tx.next, k.tx.applied, k.cutOff = nextTx{}, nextTx{}, 0
}

// errTxLost says that a connection with an open transaction or session state broke.
var errTxLost = errors.New("a connection that carried the session's state was lost")

// lost ends a session whose transaction or state was on a connection that broke: one
// MySQL would have dropped the client, too, so that it cannot go on in the belief that
// the transaction is still there.
func (k *kept) lost() {
	k.rollback()
	k.gone = true
}

// rollback ends an open transaction. said are the rows of SHOW WARNINGS after it.
func (k *kept) rollback() (said [][][]byte) {
	if k.tx.Open() {
		var ended []txn.Ended
		ended, said = k.tx.Rollback()
		k.finish(ended)
	}
	said = k.tx.own(said, false)
	k.changed, k.tx.temporary = changed{}, temporaries{}
	return said
}

// finish puts the connections of an ended transaction where they belong.
func (k *kept) finish(ended []txn.Ended) {
	for _, e := range ended {
		k.giveBack(e.Conn, e.Clean)
	}
}

// commit ends an open transaction: said by the client, or implied by its statement. It
// does not end when the client goes away.
func (k *kept) commit() error {
	if !k.tx.Open() {
		return nil
	}
	if k.h.cache != nil && !k.changed.nothing() {
		k.state.c.Task.Leave()
	}
	if lateCommit(k) {
		k.rollback()
		return txn.Deadlock()
	}
	mark, err := k.changed.begin(k)
	if err != nil {
		k.rollback()
		return err
	}
	known := false
	defer func() { k.changed.end(k, mark, known) }()
	ended, err := k.tx.Commit(context.Background(), !k.pins.any())
	k.finish(ended)
	k.tx.temporary = temporaries{}
	err = k.commitError(err)
	known = decided(err)
	return err
}

// commitError says what became of a transaction whose COMMIT failed. 40000 and 08007 are
// the SQL standard's words for "rolled back" and "outcome unknown".
func (k *kept) commitError(err error) error {
	var we *wire.Error
	var back *txn.RolledBack
	switch {
	case err == nil:
		return nil
	case errors.As(err, &back):
		return refuse(1180, "40000", "%v", err)
	case errors.As(err, &we):
		return err
	}
	k.gone = true
	var unknown *txn.Unknown
	if errors.As(err, &unknown) {
		return refuse(2013, "08007", "%v", err)
	}
	return refuse(2013, "08007", "the connection to the shard was lost during COMMIT; whether the transaction was committed is unknown: %v", err)
}

// homeShard names the shard whose connection has, or would get, the session's variables.
func (k *kept) homeShard() string {
	if p := k.pins.home(); p != nil {
		return p.shard
	}
	return k.state.defaultShard()
}

// cursorClosed frees a connection whose last cursor was closed and that carries nothing else.
func (k *kept) cursorClosed(c *backend.Conn) {
	if k.pins.closeCursor(c) && k.tx.Leg(c.Shard()) != c {
		c.Put()
	}
}

// statementGuard is the savepoint in front of a statement that writes on several shards
// within a transaction. A server undoes a statement that fails; where it fails on one shard
// only, the others' parts have to be undone with it.
const statementGuard = "_sluice_statement"

// guard sets the savepoint on the transaction's shards; one that joins with the statement
// gets it as it joins.
func (k *kept) guard(p *router.Plan, several bool) error {
	k.tx.guarded = several && k.tx.Open() && !k.tx.Statement() && p.Write && !p.Locking
	if !k.tx.guarded {
		return nil
	}
	return k.onAll(k.tx.Savepoint(statementGuard))
}

// endGuard undoes a statement that failed. It is called when the transaction still stands.
// The savepoint stays, which saves a round trip: the next of its name takes its place.
func (k *kept) endGuard(failed bool) error {
	if !failed || !k.tx.guarded || !k.tx.Open() {
		return nil
	}
	_, err := k.tx.RollbackTo(statementGuard)
	return k.onAll(err)
}

// onAll ends the session when what it said to all of its transaction's shards has not
// reached each of them.
func (k *kept) onAll(err error) error {
	if err != nil {
		k.lost()
	}
	return err
}
