package backend

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sluice/engine"
	"sluice/wire"
)

// Conn is one leased connection. It embeds the framing; its owner writes commands and
// reads answers itself. After Put or Close the owner forgets it: the next lease of the same
// connection is the same *Conn.
type Conn struct {
	*wire.Conn
	driven   engine.Socket // nil: goroutines wait for it
	task     *engine.Task  // that has the lease
	pool     *pool
	class    Class
	version  string
	threadID uint32
	expires  time.Time

	// The pool's, under its lock.
	leased    bool
	idleSince time.Time
	took      time.Time // when the lease began
	whole     bool      // the lease has been at work all the time: what it took is the server's
	line      *line     // of whom has it

	work    atomic.Int32 // idles …
	aside   atomic.Bool  // its statements stand apart
	severed atomic.Bool  // it was given up: its server does not answer

	// The lease's owner's.
	broken   bool // cannot be used again
	deadline bool // one is set
	parted   bool // its last answers are still to be read, see Part
	schema   string
	settings *Settings // nil: a fresh connection's
	mixed    bool      // perhaps more than settings says is set: only a reset makes it clean
	stmts    stmtCache
}

// What a connection is doing.
const (
	idles int32 = iota // nobody has it
	works              // for a newcomer
	again              // for a transaction that has begun as one
	rests              // its session keeps it between two statements
	lasts              // it works for a newcomer, for so long that the total does not count it
	apart              // it works for who was no newcomer, or is none any more: see pool.crowd
)

// Shard names the shard; ThreadID is the server's connection id.
func (c *Conn) Shard() string {
	if c == nil || c.pool == nil {
		return ""
	}
	return c.pool.shard
}

// ThreadID is the server's number of the connection.
func (c *Conn) ThreadID() uint32 { return c.threadID }

// ServerVersion is what the server said in its greeting ("10.11.6-MariaDB", "9.1.0").
func (c *Conn) ServerVersion() string { return c.version }

// use says which task uses the connection. One that no engine drives is waited for by a goroutine.
func (c *Conn) use(t *engine.Task) {
	c.task = t
	if c.driven == nil {
		t.Leave()
		return
	}
	c.driven.Bind(t)
}

// Driven tells whether the engine waits for the connection, else a goroutine has to.
func (c *Conn) Driven() bool { return c.driven != nil }

// Leave says that the lease's owner is about to wait for something else than its connections.
func (c *Conn) Leave() { c.task.Leave() }

// SetDeadline bounds every following read and write until it is set again; the zero time
// removes the bound, and so does Put.
func (c *Conn) SetDeadline(t time.Time) error {
	c.deadline = !t.IsZero()
	return c.Conn.SetDeadline(t)
}

// Exec runs one text statement and drops its rows; an ERR packet is a *wire.Error.
func (c *Conn) Exec(sql string) (wire.OK, error) { return c.ExecBytes([]byte(sql)) }

// ExecBytes is Exec for a text that need not be copied.
func (c *Conn) ExecBytes(sql []byte) (wire.OK, error) {
	if err := c.begin(wire.ComQuery, sql); err != nil {
		return wire.OK{}, err
	}
	return c.discard()
}

// Later writes a statement that goes out with the next one, in front of it; its answer, rows too, is dropped.
// If that is an error, the next read fails with *wire.Early, and the connection must be closed.
func (c *Conn) Later(sql string) error {
	err := c.Command(wire.ComQuery, []byte(sql))
	if err == nil {
		c.Owe()
	}
	return c.check(err)
}

// Part sends statements whose answers, OKs, nobody waits for, and after which the connection is as clean as before them. Put
// follows, and nothing else. The next lease reads the answers before it gives the connection to anybody; where one of them is an
// error, or does not come, the connection is closed and another one is leased.
func (c *Conn) Part(statements ...string) error {
	for _, sql := range statements {
		if err := c.Later(sql); err != nil {
			return err
		}
	}
	c.parted = true
	return c.check(c.Flush())
}

// late tells whether the answers that nobody has waited for should be there, and nothing is.
func (c *Conn) late(now time.Time) bool {
	if !c.parted || now.Sub(c.idleSince) < checkAfter {
		return false
	}
	return c.driven != nil && c.driven.Quiet() || !c.Readable()
}

// meet reads the answers of who had the connection before, within the time that is given.
func (c *Conn) meet(limit time.Duration) error {
	err := c.SetDeadline(time.Now().Add(limit))
	if err == nil {
		err = c.Settle()
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err == nil && !(c.driven != nil && c.driven.Quiet()) {
		err = c.CheckIdle() // it is alive, and has not said more
	}
	c.parted = false
	c.broken = c.broken || err != nil
	return err
}

// begin sends a command.
func (c *Conn) begin(cmd byte, arg []byte) error {
	err := c.Command(cmd, arg)
	if err == nil {
		err = c.Flush()
	}
	return c.check(err)
}

// discard drops what is left of a response.
func (c *Conn) discard() (wire.OK, error) {
	resp, err := wire.Discard(c.Conn)
	if err != nil {
		return wire.OK{}, c.check(err)
	}
	if resp.Err != nil {
		return wire.OK{}, resp.Err
	}
	return resp.OK, nil
}

// check marks the connection broken by any error that is not the server's own answer.
func (c *Conn) check(err error) error {
	var we *wire.Error
	if err != nil && !errors.As(err, &we) {
		c.broken = true
	}
	return err
}

// Bounds of Query.
const (
	maxQueryRows  = 10_000
	maxQueryBytes = 64 << 20
)

// Query runs one text statement and gives its rows as text (nil is NULL). For small
// results of Sluice's own statements: more than 10,000 rows or 64 MiB is an error, after
// which the connection must be closed.
func (c *Conn) Query(sql string) ([]wire.Column, [][][]byte, error) {
	if err := c.begin(wire.ComQuery, []byte(sql)); err != nil {
		return nil, nil, err
	}
	h, err := c.ReadResultHeader()
	if err != nil {
		return nil, nil, c.check(err)
	}
	if h.LocalFile != nil {
		return nil, nil, c.check(fmt.Errorf("%w: the server asks for a file", wire.ErrMalformed))
	}
	end := h.OK
	var rows [][][]byte
	if h.Columns != nil {
		if rows, end, err = c.readRows(len(h.Columns)); err != nil {
			return nil, nil, c.check(err)
		}
	}
	if end.Status&wire.StatusMoreResults != 0 {
		if _, err := c.discard(); err != nil {
			return nil, nil, err
		}
	}
	return h.Columns, rows, nil
}

// readRows reads a result's rows into memory of their own.
func (c *Conn) readRows(columns int) (rows [][][]byte, end wire.OK, err error) {
	size := 0
	for {
		row, eof, err := c.ReadRow()
		if err != nil {
			return nil, wire.OK{}, err
		}
		if eof != nil {
			return rows, *eof, nil
		}
		if size += len(row); len(rows) == maxQueryRows || size > maxQueryBytes {
			return nil, wire.OK{}, fmt.Errorf("a statement of Sluice's own gave more than %d rows or %d bytes", maxQueryRows, maxQueryBytes)
		}
		values, err := wire.SplitTextRow(append([]byte(nil), row...), nil)
		if err != nil {
			return nil, wire.OK{}, err
		}
		if len(values) != columns {
			return nil, wire.OK{}, fmt.Errorf("%w: %d values in a row of %d columns", wire.ErrMalformed, len(values), columns)
		}
		rows = append(rows, values)
	}
}
