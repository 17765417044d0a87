package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// reply is what the client is answered.
type reply struct {
	*core
	failed    bool   // the running statement was answered an error
	diagnosed bool   // answers has the server's words about it
	rows      uint64 // sent to the client

	part *wire.OK // while a part of the client's statement runs: takes its OK, which is not written
}

// ok answers an OK of the session's own.
func (r *reply) ok(st *statement, ok wire.OK) error {
	r.answers.done(ok)
	return r.writeOK(st, ok)
}

// writeOK writes an OK with the session's status.
func (r *reply) writeOK(st *statement, ok wire.OK) error {
	if r.part != nil {
		*r.part = ok
		return nil
	}
	ok.Status = r.statusOf(st)
	if changes := r.tracker.take(); len(changes) > 0 {
		return r.c.WriteChanged(ok, changes)
	}
	return r.c.WriteOK(ok)
}

// statusOf gives the status flags of an answer that no server gave.
func (r *reply) statusOf(st *statement) uint16 {
	status := r.kept.tx.status()
	if st.more {
		status |= wire.StatusMoreResults
	}
	return status
}

// result answers rows of the session's own.
func (r *reply) result(st *statement, cols []wire.Column, rows [][][]byte) error {
	r.answers.selected(uint64(len(rows)))
	return r.writeRows(st, cols, rows, 0)
}

// writeRows writes a small result set, nil being NULL, in the protocol of the statement.
func (r *reply) writeRows(st *statement, cols []wire.Column, rows [][][]byte, warnings uint16) error {
	r.rows = uint64(len(rows))
	status := r.statusOf(st)
	cols = r.kept.state.inResults(cols)
	if !st.binary {
		return r.c.WriteResult(cols, rows, status, warnings)
	}
	if err := wire.WriteColumns(r.c.Conn, cols, status, warnings); err != nil {
		return err
	}
	for _, row := range rows {
		values := make([][]byte, len(cols))
		for i := range row {
			if row[i] == nil {
				continue
			}
			b, err := wire.TextToBinary([]byte{}, row[i], &cols[i])
			if err != nil {
				return err
			}
			values[i] = b
		}
		if err := r.c.WritePacket(wire.AppendBinaryRow(nil, values, cols)); err != nil {
			return err
		}
	}
	return r.c.WriteEOF(status, warnings)
}

// textColumn and numberColumn are columns of the session's own results; length counts
// characters, which inResults makes those of the client's character set.
func textColumn(name string, length uint32) wire.Column {
	return wire.Column{
		Name: name, Type: wire.TypeVarString, Collation: wire.CollationUTF8MB4, Length: length * 4, Flags: wire.FlagNotNull, Decimals: wire.NotFixedDecimals,
	}
}

// codeColumn is the number of a condition.
func codeColumn(name string, mariaDB bool) wire.Column {
	col := wire.Column{
		Name: name, Type: wire.TypeLong, Collation: wire.CollationBinary, Length: 5, Flags: wire.FlagNotNull | wire.FlagUnsigned | wire.FlagBinary,
	}
	if mariaDB {
		col.Length = 4
	}
	return col
}

func numberColumn(name string) wire.Column {
	return wire.Column{
		Name: name, Type: wire.TypeLongLong, Collation: wire.CollationBinary, Length: 21,
		Flags: wire.FlagNotNull | wire.FlagUnsigned | wire.FlagBinary,
	}
}

// scanError words what the scanner found. What a server would call a syntax error is one.
func scanError(err error) *wire.Error {
	switch {
	case errors.Is(err, query.ErrUnterminated), errors.Is(err, query.ErrNUL):
		return refuse(1064, "42000", "You have an error in your SQL syntax: %v", err)
	case errors.Is(err, query.ErrCharset):
		return refuse(1300, "HY000", "%v", err)
	case errors.Is(err, query.ErrTooLong):
		return refuse(1153, "08S01", "%v", err)
	}
	return notBuilt("the statement is not passed on: %v", err)
}

// syntaxError is what a server says of text behind the end of the statement.
func (s *state) syntaxError(near []byte) *wire.Error {
	const most = 80 // of the text, as the servers do
	near = bytes.TrimLeft(near, " \t\n\v\f\r")
	server := "MySQL"
	if s.mode.MariaDB {
		server = "MariaDB"
	}
	return &wire.Error{Code: 1064, SQLState: "42000", Message: "You have an error in your SQL syntax; check the manual that corresponds to " +
		"your " + server + " server version for the right syntax to use near '" + string(near[:min(len(near), most)]) + "' at line 1"}
}

func parseUint(b []byte) uint64 {
	v, _ := strconv.ParseUint(string(b), 10, 64) // 0 for what is none
	return v
}

func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// fail answers an error: as a packet of its own, in MySQL's words.
func (r *reply) fail(err error) error {
	r.failed = true
	e := r.clientError(err)
	if e == nil {
		return err // the client's side broke: nothing can be said to it
	}
	if r.diagnosed {
		r.answers.rowCount = -1 // the server's own words are there already
	} else {
		r.answers.failed(e)
	}
	return r.c.WriteError(e)
}

// clientError turns any error into what the client sees; nil when it is the client's side
// that failed.
func (r *reply) clientError(err error) *wire.Error {
	var we *wire.Error
	var refusal *router.Refusal
	var down *backend.Unavailable
	var relay *wire.RelayError
	switch {
	case errors.As(err, &refusal):
		return &wire.Error{Code: refusal.Code, SQLState: refusal.SQLState, Message: refusal.Message}
	case errors.As(err, &we):
		return we
	case errors.As(err, &down) && down.Full:
		return overloaded(down)
	case errors.As(err, &down):
		return refuse(1105, "HY000", "%v", down)
	case errors.As(err, &relay) && relay.Client:
		return nil
	case errors.As(err, &relay):
		r.kept.gone = r.kept.gone || r.kept.tx.Open()
		return refuse(2013, "HY000", "lost connection to a shard during query: %v", relay.Err)
	case errors.Is(err, context.Canceled):
		return &wire.Error{Code: 1053, SQLState: "08S01", Message: "Server shutdown in progress"}
	case errors.Is(err, context.DeadlineExceeded):
		return &wire.Error{Code: 3024, SQLState: "HY000", Message: "Query execution was interrupted, maximum statement execution time exceeded"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(2013, "HY000", "lost connection to a shard")
	}
	return refuse(1105, "HY000", "%v", err)
}

// overloaded refuses a statement of which nothing was done because there is too much else to do. It is
// ER_LOCK_WAIT_TIMEOUT with its words at the end: frameworks know it as an error after which the
// statement, or its transaction, is to be tried again (Spring, Hibernate, Doctrine, Rails,
// Laravel, which looks for the words), and pools of connections do not close the connection, as they do after
// 1040 with SQLSTATE 08004.
func overloaded(why error) *wire.Error {
	return refuse(1205, "HY000", "%v. Lock wait timeout exceeded; try restarting transaction", why)
}

func (r *reply) unknownCommand() error {
	return r.c.WriteError(&wire.Error{Code: 1047, SQLState: "08S01", Message: "Unknown command"})
}
