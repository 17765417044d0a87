package wire

import "fmt"

// WriteOK writes an OK packet and does not flush.
func (c *Conn) WriteOK(ok OK) error {
	return writeBuilt(c, 32+len(ok.Info), func(b []byte) []byte { return AppendOK(b, ok) })
}

// WriteError writes an ERR packet and does not flush.
func (c *Conn) WriteError(e *Error) error {
	return writeBuilt(c, 16+len(e.Message), func(b []byte) []byte { return AppendError(b, e) })
}

// WriteEOF writes an EOF packet and does not flush.
func (c *Conn) WriteEOF(status, warnings uint16) error {
	return writeBuilt(c, 8, func(b []byte) []byte {
		return AppendEOF(b, OK{Status: status, Warnings: warnings})
	})
}

// writeBuilt writes a packet that is built where it is sent from. bound is the most that
// its payload can take.
func writeBuilt(c *Conn, bound int, build func([]byte) []byte) error {
	if bound > bufSize/2 {
		return c.WritePacket(build(nil))
	}
	buf, err := c.out.reserve(headerSize + bound)
	if err != nil {
		return err
	}
	start := len(buf)
	buf = build(append(buf, 0, 0, 0, c.seq))
	n := len(buf) - start - headerSize
	buf[start], buf[start+1], buf[start+2] = byte(n), byte(n>>8), byte(n>>16)
	c.out.buf = buf
	c.seq++
	return nil
}

// WriteResult writes a whole small text result set: nil is NULL. It does not flush. Every
// row must have as many values as there are columns, at least one.
func (c *Conn) WriteResult(cols []Column, rows [][][]byte, status, warnings uint16) error {
	if err := WriteColumns(c, cols, status, warnings); err != nil {
		return err
	}
	var b []byte
	for _, row := range rows {
		if len(row) != len(cols) {
			return fmt.Errorf("wire: a row of %d values in a result of %d columns", len(row), len(cols))
		}
		b = AppendTextRow(b[:0], row)
		if err := c.WritePacket(b); err != nil {
			return err
		}
	}
	return c.WriteEOF(status, warnings)
}

// WriteColumns writes what comes before the rows of a result set: the column count, the
// definitions and their EOF. It does not flush.
func WriteColumns(c *Conn, cols []Column, status, warnings uint16) error {
	if len(cols) == 0 || len(cols) > MaxColumns {
		return fmt.Errorf("wire: a result of %d columns", len(cols))
	}
	var count [9]byte
	if err := c.WritePacket(AppendLenencInt(count[:0], uint64(len(cols)))); err != nil {
		return err
	}
	return writeDefinitions(c, cols, status, warnings)
}

// writeDefinitions writes column definitions and their EOF.
func writeDefinitions(c *Conn, cols []Column, status, warnings uint16) error {
	var b []byte
	for i := range cols {
		b = appendColumn(b[:0], &cols[i], c.extended)
		if err := c.WritePacket(b); err != nil {
			return err
		}
	}
	return c.WriteEOF(status, warnings)
}

// ResultHeader is the start of a response.
type ResultHeader struct {
	Columns   []Column // of the rows that follow; nil: there are none, and OK is the answer
	OK        OK       // the OK packet; with Columns, the status and warnings of their EOF
	LocalFile []byte   // the server asks for this file (LOAD DATA LOCAL); nil: it does not. Valid until the next read
}

// ReadResultHeader reads the start of a response to COM_QUERY or COM_STMT_EXECUTE: an OK,
// an ERR (which is the error then, an *Error, with the connection in order), or the column
// definitions, after which ReadRow gives the rows. With a cursor that was opened
// (StatusCursorExists in OK.Status) no rows follow until they are fetched.
func (c *Conn) ReadResultHeader() (ResultHeader, error) {
	b, err := c.ReadPacket()
	if err != nil {
		return ResultHeader{}, err
	}
	if len(b) == 0 {
		return ResultHeader{}, fmt.Errorf("%w: empty packet in a response", ErrMalformed)
	}
	switch b[0] {
	case headerError:
		return ResultHeader{}, asError(b)
	case headerOK:
		ok, err := ParseOK(b)
		return ResultHeader{OK: ok}, err
	case headerLocal:
		return ResultHeader{LocalFile: b[1:]}, nil
	}
	n, err := parseColumnCount(b)
	if err != nil {
		return ResultHeader{}, err
	}
	cols, eof, err := readDefinitions(c, n)
	return ResultHeader{Columns: cols, OK: eof}, err
}

// asError gives an ERR packet as an error.
func asError(b []byte) error {
	e, err := ParseError(b)
	if err != nil {
		return err
	}
	return e
}

// readDefinitions reads n column definitions and their EOF.
func readDefinitions(c *Conn, n int) ([]Column, OK, error) {
	cols := make([]Column, 0, min(n, MaxColumns))
	for range n {
		b, err := c.ReadPacket()
		if err != nil {
			return nil, OK{}, inside(err)
		}
		if IsError(b) {
			return nil, OK{}, asError(b)
		}
		col, err := c.ParseColumn(b)
		if err != nil {
			return nil, OK{}, err
		}
		cols = append(cols, col)
	}
	b, err := c.ReadPacket()
	if err != nil {
		return nil, OK{}, inside(err)
	}
	if IsError(b) {
		return nil, OK{}, asError(b)
	}
	eof, err := ParseEOF(b)
	return cols, eof, err
}

// ReadRow reads the next row of a result set. After the last one payload is nil and end
// is the EOF's status and warnings, valid until the next call. payload, encoded by the
// text or the binary protocol, is valid until the next read. An ERR packet in place of a
// row is an *Error and ends the result.
func (c *Conn) ReadRow() (payload []byte, end *OK, err error) {
	b, err := c.ReadPacket()
	switch {
	case err != nil:
		return nil, nil, inside(err)
	case len(b) == 0:
		return nil, nil, fmt.Errorf("%w: empty row", ErrMalformed)
	case IsError(b):
		return nil, nil, asError(b)
	case IsEOF(b):
		c.end, err = ParseEOF(b)
		return nil, &c.end, err
	}
	return b, nil, nil
}
