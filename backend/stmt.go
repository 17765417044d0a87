package backend

import (
	"container/list"
	"encoding/binary"

	"sluice/wire"
)

// Stmt is a statement prepared on one connection.
type Stmt struct {
	ID      uint32
	Params  int
	Columns []wire.Column

	key   stmtKey
	place *list.Element
}

// stmtKey is what a server binds a prepared statement to: its text means what it means in
// the schema and under the settings of the moment. Oracle MySQL also gives a parameter, for
// good, the type that it was executed with: ? + 1 stays a DOUBLE once a client gave one.
type stmtKey struct {
	schema   string
	settings *Settings
	sql      string
	types    string
}

// Bounds of one connection's cache. A server has 16382 statements for all its clients
// (max_prepared_stmt_count).
const (
	maxStmts     = 256
	maxStmtBytes = 1 << 20 // of their texts
)

// stmtCache holds the statements that are prepared on a connection, in the order of use.
type stmtCache struct {
	known map[stmtKey]*Stmt
	used  list.List // of *Stmt, the one that was used last at the back
	bytes int
}

// errTooManyStmts is the server's ER_MAX_PREPARED_STMT_COUNT_REACHED.
const errTooManyStmts = 1461

// Prepare prepares sql on this connection, or finds it in the connection's bounded cache
// (256 statements; the least recently used is closed). An ERR packet is a *wire.Error. The
// Stmt is valid until the next Prepare.
func (c *Conn) Prepare(sql []byte) (*Stmt, error) { return c.PrepareAs(sql, nil) }

// PrepareAs is Prepare of a statement that is not shared with executions whose parameters
// have types of another kind: types says which, in any notation.
func (c *Conn) PrepareAs(sql, types []byte) (*Stmt, error) {
	if st := c.stmts.known[stmtKey{c.schema, c.settings, string(sql), string(types)}]; st != nil {
		c.stmts.touch(st)
		return st, nil
	}
	st, err := c.prepare(sql, types)
	if e, ok := err.(*wire.Error); ok && e.Code == errTooManyStmts && c.stmts.used.Len() > 0 {
		// The server's bound over all its clients is reached: ours make room first.
		for c.stmts.used.Len() > 0 {
			if err := c.evict(); err != nil {
				return nil, err
			}
		}
		st, err = c.prepare(sql, types)
	}
	return st, err
}

// PrepareAnew is PrepareAs of a statement that the server must know nothing of yet.
func (c *Conn) PrepareAnew(sql, types []byte) (*Stmt, error) {
	if st := c.stmts.known[stmtKey{c.schema, c.settings, string(sql), string(types)}]; st != nil {
		if err := c.forget(st); err != nil {
			return nil, err
		}
	}
	return c.PrepareAs(sql, types)
}

// PrepareUnder is PrepareAs of a statement whose text is read under another collation_connection than
// the connection has. MariaDB's parser gives strings and casts theirs for good; functions have the one
// under which they are executed. anew: the server must know nothing of the statement yet.
func (c *Conn) PrepareUnder(collation, own string, sql, types []byte, anew bool) (*Stmt, error) {
	types = append(append(types, 0), collation...)
	if st := c.stmts.known[stmtKey{c.schema, c.settings, string(sql), string(types)}]; st != nil {
		if !anew {
			c.stmts.touch(st)
			return st, nil
		}
		if err := c.forget(st); err != nil {
			return nil, err
		}
	}
	var st *Stmt
	err := c.Under(collation, own, func() (err error) {
		st, err = c.PrepareAs(sql, types)
		return err
	})
	return st, err
}

// Under does something while the connection has another collation_connection than its own.
func (c *Conn) Under(collation, own string, do func() error) error {
	if _, err := c.Exec("SET collation_connection='" + collation + "'"); err != nil {
		return err
	}
	err := do()
	if _, back := c.Exec("SET collation_connection='" + own + "'"); back != nil {
		c.broken = true
		return back
	}
	return err
}

func (c *Conn) prepare(sql, types []byte) (*Stmt, error) {
	for len(c.stmts.known) >= maxStmts || c.stmts.used.Len() > 0 && c.stmts.bytes+len(sql) > maxStmtBytes {
		if err := c.evict(); err != nil {
			return nil, err
		}
	}
	if err := c.begin(wire.ComStmtPrepare, sql); err != nil {
		return nil, err
	}
	ok, params, cols, err := wire.ReadPrepare(c.Conn)
	if err != nil {
		return nil, c.check(err)
	}
	st := &Stmt{ID: ok.ID, Params: len(params), Columns: cols, key: stmtKey{c.schema, c.settings, string(sql), string(types)}}
	c.stmts.add(st)
	return st, nil
}

// evict closes the statement that was used longest ago.
func (c *Conn) evict() error { return c.forget(c.stmts.used.Front().Value.(*Stmt)) }

// forget closes a statement. COM_STMT_CLOSE has no answer: it goes out with the command that
// follows.
func (c *Conn) forget(st *Stmt) error {
	c.stmts.remove(st)
	var id [4]byte
	binary.LittleEndian.PutUint32(id[:], st.ID)
	return c.check(c.Command(wire.ComStmtClose, id[:]))
}

func (s *stmtCache) add(st *Stmt) {
	if s.known == nil {
		s.known = make(map[stmtKey]*Stmt)
	}
	s.known[st.key] = st
	s.bytes += len(st.key.sql)
	st.place = s.used.PushBack(st)
}

func (s *stmtCache) touch(st *Stmt) { s.used.MoveToBack(st.place) }

func (s *stmtCache) remove(st *Stmt) {
	s.used.Remove(st.place)
	delete(s.known, st.key)
	s.bytes -= len(st.key.sql)
}

// clear forgets all statements; the server has closed them.
func (s *stmtCache) clear() { *s = stmtCache{} }
