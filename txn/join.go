package txn

import (
	"context"
	"errors"

	"sluice/backend"
)

// Join opens the transaction on a connection and takes it: on the first one by BEGIN, on
// every further one by XA START, because nobody knows yet whether it will write, and what
// has been read cannot be carried into a branch that is started later. Where the server
// opens the first one itself it is not taken, unless it is one of several at once: it may
// turn out not to be in a transaction after its statement, and Take takes it when it is.
// On error the connection is not taken and the caller closes it.
func (t *Tx) Join(ctx context.Context, c *backend.Conn, how Joining) (taken bool, err error) {
	if len(t.legs) > 0 || t.gtrid != "" {
		return true, t.join(ctx, []*backend.Conn{c}, how)
	}
	begin := t.opening(how.Several)
	if t.next == "" && len(t.savepoints) == 0 { // nearly all transactions
		switch {
		case begin == "":
		case how.Later:
			err = c.Later(begin)
		default:
			_, err = c.Exec(begin)
		}
	} else {
		err = sayAll(c, append(nonEmpty(t.next, begin), t.savepoints.statements()...))
	}
	if err != nil || begin == "" {
		return false, err
	}
	t.Take(c, c.Shard())
	t.legs[len(t.legs)-1].reads = how.Lockless
	return true, nil
}

// Joining says for what statement a connection joins a transaction.
type Joining struct {
	Several bool // it needs several shards
	// Later: what is said goes out with the statement, which has to be one that changes nothing, for it runs also where
	// this was refused (backend.Conn.Later).
	Later    bool
	Lockless bool   // it waits for no lock; the first that may is told to Bound
	Wait     string // the session's own innodb_lock_wait_timeout, "" for the server's
}

// opening gives the statement that opens a leg of the server's own kind; "" where the
// server does it by itself.
func (t *Tx) opening(several bool) string {
	if t.begin == "" && several {
		return "BEGIN"
	}
	return t.begin
}

// JoinAll is Join for the connections of one statement over several shards, in one round
// trip for all. All are taken, or on error none: then the caller closes them.
func (t *Tx) JoinAll(ctx context.Context, list []*backend.Conn, how Joining) error {
	return t.join(ctx, list, how)
}

func (t *Tx) join(ctx context.Context, list []*backend.Conn, how Joining) error {
	before := *t
	words, err := t.joinAll(ctx, list, how)
	switch {
	case err != nil:
	case how.Later:
		err = sayLater(words)
	default:
		err = sayEach(words)
	}
	if err != nil {
		t.legs = t.legs[:len(before.legs)]
		if len(t.legs) == 0 {
			t.home, t.gtrid = before.home, before.gtrid
		}
	}
	return err
}

// joinAll takes connections and gives what they have to be told.
func (t *Tx) joinAll(ctx context.Context, list []*backend.Conn, how Joining) (words []saying, err error) {
	first := len(t.legs) == 0 && t.gtrid == ""
	if first {
		words = append(words, saying{conn: list[0], statements: append(nonEmpty(t.next, t.opening(true)), t.savepoints.statements()...)})
		t.Take(list[0], list[0].Shard())
		t.legs[0].reads = how.Lockless
		list = list[1:]
	}
	if t.gtrid == "" && len(list) > 0 && !t.readOnly() {
		if len(t.legs) == 0 {
			return nil, errors.New("a transaction's first part is lost")
		}
		if name, err := t.Decisions.name(ctx, t.legs[0].Conn); err == nil {
			t.gtrid = name
		} // else the parts can read; MayWrite says why they cannot write
	}
	restore := ""
	if t.gtrid != "" && !how.Lockless {
		restore = restoreOf(how.Wait)
	}
	if first && restore != "" {
		words[0].statements = append(words[0].statements, boundWait)
		t.legs[0].restore = restore
	}
	for _, c := range list {
		leg := Leg{Conn: c, Shard: c.Shard(), reads: how.Lockless, awake: true, driven: c.Driven()}
		statements := nonEmpty(t.next)
		if t.gtrid == "" { // it will not write: nothing has to be atomic
			statements = append(statements, t.opening(true))
		} else {
			b := branch{gtrid: t.gtrid, shard: shardID(leg.Shard), thread: c.ThreadID()}
			leg.Branch = b.String()
			leg.restore = restore
			statements = append(statements, t.startBranch(leg.Branch, restore != "")...)
		}
		words = append(words, saying{conn: c, statements: append(statements, t.savepoints.statements()...)})
		t.legs = append(t.legs, leg)
	}
	return words, nil
}
