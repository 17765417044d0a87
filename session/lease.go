package session

import (
	"context"
	"errors"

	"sluice/backend"
	"sluice/txn"
	"sluice/wire"
)

// A session's connections. A statement leases them one by one; when it has been answered,
// each goes where it belongs:
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

// Lease implements exec.Leases.
func (s *Session) Lease(ctx context.Context, shard int, write bool) (*backend.Conn, error) {
	if s.bound.Plan != nil && s.bound.Plan.Locking {
		write = false // a lock is no change: it needs no atomic commit
	}
	write = write || s.mayWrite
	name := s.args.Map.ShardName(shard)
	if write {
		if err := s.tx.MayWrite(ctx, name); err != nil {
			return nil, refuse(1235, "42000", "%v", err)
		}
	}
	return s.lease(ctx, name, write)
}

// lease takes a connection of a shard for the running statement.
func (s *Session) lease(ctx context.Context, shard string, write bool) (*backend.Conn, error) {
	l, err := s.connection(ctx, shard)
	if err != nil {
		return nil, err
	}
	l.write = write
	s.held = append(s.held, l)
	if err := s.watch(l.conn); err != nil {
		s.Done(l.conn, 0, true)
		return nil, err
	}
	if s.preset {
		if _, err := l.conn.Exec("SET last_insert_id=" + string(appendUint(nil, s.answers.insertID))); err != nil {
			return nil, err
		}
	}
	return l.conn, nil
}

// connection finds the session's connection of a shard or takes one from the pool and
// brings it into the transaction.
func (s *Session) connection(ctx context.Context, shard string) (lease, error) {
	if c := s.tx.Leg(shard); c != nil {
		return lease{conn: c, shard: shard, kind: fromTx}, s.sync(c, shard)
	}
	if c := s.pinned(shard); c != nil {
		l := lease{conn: c, shard: shard, kind: fromPin}
		if err := s.sync(c, shard); err != nil {
			return l, err
		}
		if err := s.enter(ctx, &l); err != nil {
			s.lose(&l)
			s.gone = true
			return l, err
		}
		return l, nil
	}
	class := s.class
	class.LocalFile = s.localFile
	c, err := s.h.pools.Get(ctx, shard, class, s.schema, s.vars.backend)
	if err != nil {
		return lease{}, err
	}
	l := lease{conn: c, shard: shard, kind: fromPool}
	if err := s.enter(ctx, &l); err != nil {
		c.Close()
		return lease{}, err
	}
	return l, nil
}

// sync brings a connection that the session keeps to what the client has set meanwhile.
func (s *Session) sync(c *backend.Conn, shard string) error {
	err := c.Sync(s.schema, s.vars.backend)
	var we *wire.Error
	if err == nil || errors.As(err, &we) {
		return err
	}
	s.lose(&lease{conn: c, shard: shard})
	s.txLost()
	return err
}

// enter opens the transaction on a connection, or applies a SET TRANSACTION for one
// statement.
func (s *Session) enter(ctx context.Context, l *lease) error {
	if s.tx.Open() {
		taken, err := s.tx.Join(ctx, l.conn, l.shard, s.severalShards(), s.vars.plain("innodb_lock_wait_timeout"))
		if taken {
			l.kind = fromTx
		}
		l.oneShot = !taken && s.tx.Marks()
		return err
	}
	if text := s.next.text(); text != "" {
		_, err := l.conn.Exec(text)
		l.oneShot = true
		return err
	}
	return nil
}

// Done implements exec.Leases: the connection goes back when the statement has ended.
func (s *Session) Done(c *backend.Conn, status uint16, ok bool) {
	for i := range s.held {
		if s.held[i].conn == c {
			s.held[i].done, s.held[i].ok, s.held[i].status = true, ok, status
		}
	}
}

// errTxLost says that a connection with an open transaction or session state broke.
var errTxLost = errors.New("a connection that carried the session's state was lost")

// releaseHeld gives every leased connection its place.
func (s *Session) releaseHeld() (lost error) {
	if len(s.held) == 0 {
		return nil
	}
	killed := s.unwatch()
	for i := range s.held {
		l := &s.held[i]
		switch {
		case l.kind == fromApart:
			s.endApart(l, killed)
		case !l.done || !l.ok:
			if l.kind != fromPool {
				lost = errTxLost
			}
			s.lose(l)
		case killed && l.kind == fromPool && l.status&wire.StatusInTrans == 0:
			l.conn.Close() // a late KILL QUERY must not hit the next client's statement
		default:
			if killed {
				_, _ = l.conn.Exec("DO 0") // takes a late KILL QUERY upon itself; broken, the next use tells
			}
			s.settle(l)
		}
	}
	s.held = s.held[:0]
	return lost
}

// lose closes a broken connection and takes it out of the transaction and the pins.
func (s *Session) lose(l *lease) {
	s.tx.Drop(l.shard)
	s.unpin(l.conn)
	l.conn.Close()
}

// settle puts a clean connection where its status says that it belongs.
func (s *Session) settle(l *lease) {
	switch {
	case l.status&wire.StatusInTrans != 0:
		if l.kind != fromTx {
			if !s.tx.Open() {
				s.given = s.applied
				s.tx.BeginImplicit(s.autocommit(), s.given.text())
			}
			s.tx.Take(l.conn, l.shard)
		}
		if l.write {
			s.tx.NoteWrite(l.shard)
		}
	case l.status&wire.StatusDBDropped != 0 && l.kind == fromPool:
		l.conn.Close() // its schema is not the one that the pool believes it to have
	case l.kind == fromTx && s.tx.Branch(l.shard):
		// The server has rolled it back, but only XA ROLLBACK frees the connection: endRest says it.
	case l.kind == fromTx:
		s.tx.Drop(l.shard) // the server ended the transaction
		s.giveBack(l.conn, true)
	case l.oneShot:
		// COMMIT forgets a SET TRANSACTION that the statement did not need, and savepoints.
		_, err := l.conn.Exec("COMMIT")
		s.giveBack(l.conn, err == nil)
	default:
		s.giveBack(l.conn, true)
	}
}

// giveBack returns a connection that is in no transaction: a pinned one stays with the
// session, others go to their pool or are closed.
func (s *Session) giveBack(c *backend.Conn, clean bool) {
	for i := range s.pins {
		if s.pins[i].conn == c {
			if !clean {
				s.unpin(c)
				c.Close()
				s.gone = true
			}
			return
		}
	}
	if clean {
		c.Put()
		return
	}
	c.Close()
}

// finishTx puts the connections of an ended transaction where they belong.
func (s *Session) finishTx(ended []txn.Ended) {
	for _, e := range ended {
		s.giveBack(e.Conn, e.Clean)
	}
}

// rollbackAll ends an open transaction without a word to the client.
func (s *Session) rollbackAll() {
	if s.tx.Open() {
		s.finishTx(s.tx.Rollback())
	}
}

// txLost ends a session whose transaction or state was on a connection that broke: one
// MySQL would have dropped the client, too, so that it cannot go on in the belief that
// the transaction is still there.
func (s *Session) txLost() {
	s.rollbackAll()
	s.gone = true
}

// commit ends an open transaction: said by the client, or implied by its statement. It
// does not end when the client goes away.
func (s *Session) commit() error {
	if !s.tx.Open() {
		return nil
	}
	ended, err := s.tx.Commit(context.Background())
	s.finishTx(ended)
	return s.commitError(err)
}

// commitError says what became of a transaction whose COMMIT failed. 40000 and 08007 are
// the SQL standard's words for "rolled back" and "outcome unknown".
func (s *Session) commitError(err error) error {
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
	s.gone = true
	var unknown *txn.Unknown
	if errors.As(err, &unknown) {
		return refuse(2013, "08007", "%v", err)
	}
	return refuse(2013, "08007", "the connection to the shard was lost during COMMIT; whether the transaction was committed is unknown: %v", err)
}
