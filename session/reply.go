package session

import (
	"errors"
	"strconv"

	"sluice/query"
	"sluice/wire"
)

// ok answers an OK of the session's own.
func (s *Session) ok(st *statement, ok wire.OK) error {
	s.answers.done(ok)
	return s.writeOK(st, ok)
}

// writeOK writes an OK with the session's status.
func (s *Session) writeOK(st *statement, ok wire.OK) error {
	ok.Status = s.statusOf(st)
	return s.c.WriteOK(ok)
}

// statusOf gives the status flags of an answer that no server gave.
func (s *Session) statusOf(st *statement) uint16 {
	status := s.status()
	if st.more {
		status |= wire.StatusMoreResults
	}
	return status
}

// result answers rows of the session's own.
func (s *Session) result(st *statement, cols []wire.Column, rows [][][]byte) error {
	s.answers.selected(uint64(len(rows)))
	return s.writeRows(st, cols, rows)
}

// writeRows writes a small result set, nil being NULL, in the protocol of the statement.
func (s *Session) writeRows(st *statement, cols []wire.Column, rows [][][]byte) error {
	s.rows = uint64(len(rows))
	status := s.statusOf(st)
	if !st.binary {
		return s.c.WriteResult(cols, rows, status, 0)
	}
	if err := wire.WriteColumns(s.c.Conn, cols, status, 0); err != nil {
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
		if err := s.c.WritePacket(wire.AppendBinaryRow(nil, values, cols)); err != nil {
			return err
		}
	}
	return s.c.WriteEOF(status, 0)
}

// textColumn and numberColumn are columns of the session's own results.
func textColumn(name string, length uint32) wire.Column {
	return wire.Column{
		Name: name, Type: wire.TypeVarString, Collation: wire.CollationUTF8MB4, Length: length * 4, Flags: wire.FlagNotNull, Decimals: wire.NotFixedDecimals,
	}
}

// codeColumn is the number of a condition.
func codeColumn(name string) wire.Column {
	return wire.Column{
		Name: name, Type: wire.TypeLong, Collation: wire.CollationBinary, Length: 4,
		Flags: wire.FlagNotNull | wire.FlagUnsigned | wire.FlagBinary | wire.FlagNum,
	}
}

func numberColumn(name string) wire.Column {
	return wire.Column{
		Name: name, Type: wire.TypeLongLong, Collation: wire.CollationBinary, Length: 21,
		Flags: wire.FlagNotNull | wire.FlagUnsigned | wire.FlagBinary | wire.FlagNum,
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
func syntaxError(near []byte) *wire.Error {
	const most = 80 // of the text, as the servers do
	return &wire.Error{Code: 1064, SQLState: "42000", Message: "You have an error in your SQL syntax; check the manual that corresponds to " +
		"your MySQL server version for the right syntax to use near '" + string(near[:min(len(near), most)]) + "' at line 1"}
}

// blank tells whether there is no statement in what follows a semicolon.
func (s *Session) blank(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ' ', '\t', '\n', '\v', '\f', '\r', ';':
			continue
		}
		var scan query.Scan // comments only are blank as well
		return scan.Run(rest, s.mode) == nil && len(scan.Fingerprint) == 0 && int(scan.End) == len(rest)
	}
	return true
}

func parseUint(b []byte) uint64 {
	v, _ := strconv.ParseUint(string(b), 10, 64) // 0 for what is none
	return v
}

func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }
