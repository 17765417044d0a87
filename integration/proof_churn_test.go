package integration

import (
	"context"
	"database/sql"
	"fmt"
)

// Churn: inserts, updates, deletes and exchanges of unique codes in rows with every type,
// each by the one client that knows what they hold.

// mine gives one of the client's own rows: each client has ids of its own under each user.
func (c *client) mine() key {
	return key{1 + c.rand.IntN(proofUsers/4), int64(c.id)*8 + c.rand.Int64N(8)}
}

func (c *client) known(k key) (now content, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.things[k]
	if len(o) > 1 {
		return content{}, false
	}
	if len(o) == 1 {
		now = o[0]
	}
	return now, true
}

// set notes what a row holds after a statement with that outcome.
func (c *client) set(k key, was, is content, o told) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	switch o {
	case there:
		c.things[k] = mayBe{is}
	case notThere:
		c.things[k] = mayBe{was}
	default:
		c.things[k] = mayBe{was, is}
	}
}

func (c *client) churn() error {
	k := c.mine()
	was, ok := c.known(k)
	if !ok {
		return nil
	}
	c.version++
	is := content{fmt.Sprintf("c%d.%d", c.id, c.version), int64(c.id)<<32 | c.version}
	var err error
	switch roll := c.rand.IntN(10); {
	case was.v == 0:
		_, err = c.timed(k.user, "INSERT INTO things (user_id, id, code, "+thingColumns+") VALUES (?, ?, ?, "+thing(is.v)+")", k.user, k.id, is.code)
		c.set(k, was, is, c.told(err, false, "INSERT of a thing"))
	case roll < 3:
		is = content{}
		_, err = c.timed(k.user, "DELETE FROM things WHERE user_id = ? AND id = ?", k.user, k.id)
		c.set(k, was, is, c.told(err, false, "DELETE of a thing"))
	case roll < 5:
		return c.exchange(k, was)
	case roll < 7:
		return c.inTransaction(k, was, is)
	default:
		is.code = was.code
		_, err = c.timed(k.user, "REPLACE INTO things (user_id, id, code, "+thingColumns+") VALUES (?, ?, ?, "+thing(is.v)+")", k.user, k.id, is.code)
		c.set(k, was, is, c.told(err, false, "REPLACE of a thing"))
	}
	if err == nil && c.rand.IntN(4) == 0 {
		if v, ok := c.look(c.other, "SELECT v FROM things WHERE user_id = ? AND id = ?", k.user, k.id); ok && v != is.v && !(v == -1 && is.v == 0) {
			c.wrong("thing %v must have version %d, a read shows %d", k, is.v, v)
		}
	}
	return err
}

// exchange lets two rows of one user exchange their unique codes, by a third code.
func (c *client) exchange(k key, was content) error {
	o := key{k.user, int64(c.id)*8 + (k.id+1)%8}
	other, ok := c.known(o)
	if !ok || other.v == 0 || was.v == 0 || o == k {
		return nil
	}
	tx, err := c.db.BeginTx(context.Background(), nil)
	if err != nil {
		c.told(err, true, "BEGIN")
		return err
	}
	for _, x := range []struct {
		k    key
		code string
	}{{k, fmt.Sprintf("x%d", c.id)}, {o, was.code}, {k, other.code}} {
		if _, err = tx.Exec("UPDATE things SET code = ? WHERE user_id = ? AND id = ?", x.code, x.k.user, x.k.id); err != nil {
			break
		}
	}
	end := c.finish(tx, err, "exchange of codes")
	c.set(k, was, content{other.code, was.v}, end)
	c.set(o, other, content{was.code, other.v}, end)
	return err
}

// inTransaction deletes a row and inserts it again.
func (c *client) inTransaction(k key, was, is content) error {
	tx, err := c.db.BeginTx(context.Background(), nil)
	if err != nil {
		c.told(err, true, "BEGIN")
		return err
	}
	if _, err = tx.Exec("DELETE FROM things WHERE user_id = ? AND id = ?", k.user, k.id); err == nil {
		is.code = was.code
		_, err = tx.Exec("INSERT INTO things (user_id, id, code, "+thingColumns+") VALUES (?, ?, ?, "+thing(is.v)+")", k.user, k.id, is.code)
	}
	c.set(k, was, is, c.finish(tx, err, "rewriting of a thing"))
	return err
}

// finish commits, or rolls back after an error, and says what is there.
func (c *client) finish(tx *sql.Tx, err error, what string) told {
	if err != nil {
		c.told(err, true, what)
		_ = tx.Rollback()
		return notThere // without a COMMIT nothing may be there
	}
	return c.told(tx.Commit(), true, "COMMIT of an "+what)
}
