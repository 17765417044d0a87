package txn

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"sluice/backend"
	"sluice/wire"
)

// Join opens the transaction on a connection and takes it: on the first one by BEGIN, on
// every further one by XA START, because nobody knows yet whether it will write, and what
// has been read cannot be carried into a branch that is started later. Where the server
// opens the first one itself it is not taken, unless it is one of several at once: it may
// turn out not to be in a transaction after its statement, and Take takes it when it is.
// wait is the session's own innodb_lock_wait_timeout, "" for the server's. On error the
// connection is not taken and the caller closes it.
func (t *Tx) Join(ctx context.Context, c *backend.Conn, shard string, several bool, wait string) (taken bool, err error) {
	if len(t.legs) > 0 || t.gtrid != "" {
		return true, t.joinFurther(ctx, c, shard, wait)
	}
	begin := t.begin
	if begin == "" && several {
		begin = "BEGIN"
	}
	if t.next == "" && len(t.savepoints) == 0 { // nearly all transactions
		if begin != "" {
			_, err = c.Exec(begin)
		}
	} else {
		err = sayAll(c, append(nonEmpty(t.next, begin), t.savepoints.statements()...))
	}
	if err != nil || begin == "" {
		return false, err
	}
	t.Take(c, shard)
	return true, nil
}

// joinFurther is for the second shard and those after it.
func (t *Tx) joinFurther(ctx context.Context, c *backend.Conn, shard string, wait string) error {
	if t.gtrid == "" && !t.readOnly() {
		if err := t.becomeSeveral(ctx, wait); err != nil {
			return err
		}
	}
	leg := Leg{Conn: c, Shard: shard}
	var statements []string
	if t.next != "" {
		statements = append(statements, t.next)
	}
	if t.gtrid == "" { // it will not write: nothing has to be atomic
		begin := t.begin
		if begin == "" {
			begin = "BEGIN"
		}
		statements = append(statements, begin)
	} else {
		b := branch{gtrid: t.gtrid, shard: shardID(shard), thread: c.ThreadID()}
		leg.Branch = b.String()
		statements = append(statements, t.startBranch(leg.Branch, t.restore != "")...)
	}
	if err := sayAll(c, append(statements, t.savepoints.statements()...)); err != nil {
		return err
	}
	t.legs = append(t.legs, leg)
	return nil
}

// becomeSeveral names the transaction when its second shard joins, and bounds the waits
// for locks on its first one.
func (t *Tx) becomeSeveral(ctx context.Context, wait string) (err error) {
	if len(t.legs) == 0 {
		return errors.New("a transaction's first part is lost")
	}
	if t.gtrid, err = t.Decisions.name(ctx, t.legs[0].Conn); err != nil {
		return nil // the parts can read; MayWrite says why they cannot write
	}
	if n, err := strconv.Atoi(wait); err != nil || n > lockWait {
		t.restore = "SET innodb_lock_wait_timeout = DEFAULT"
		if err == nil {
			t.restore = "SET innodb_lock_wait_timeout = " + strconv.Itoa(n)
		}
		if _, err := t.legs[0].Conn.Exec(boundWait); err != nil {
			return err
		}
	}
	return nil
}

var boundWait = "SET innodb_lock_wait_timeout = " + strconv.Itoa(lockWait)

func nonEmpty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// sayAll says statements in one round trip and gives the first error.
func sayAll(c *backend.Conn, statements []string) error {
	if len(statements) == 0 {
		return nil
	}
	if err := sendAll(c, statements...); err != nil {
		return err
	}
	return receiveAll(c, len(statements))
}

// sendAll sends statements in one write.
func sendAll(c *backend.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := c.Command(wire.ComQuery, []byte(sql)); err != nil {
			return err
		}
	}
	return c.Flush()
}

// receiveAll reads the answers to n statements and gives the first error, at once when
// nothing more can be read.
func receiveAll(c *backend.Conn, n int) (first error) {
	for range n {
		c.AwaitAnswer()
		resp, err := wire.Discard(c.Conn)
		if err != nil {
			return err
		}
		if resp.Err != nil && first == nil {
			first = resp.Err
		}
	}
	return first
}

// sleep waits for d or the end of ctx, and tells whether the whole time passed.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
