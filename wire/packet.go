package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// First bytes of the packets that are not rows.
const (
	headerOK    = 0x00
	headerLocal = 0xfb // the server asks for a file of LOAD DATA LOCAL
	headerEOF   = 0xfe
	headerError = 0xff
)

// OK is an OK packet, or the end of a result set.
type OK struct {
	AffectedRows uint64
	LastInsertID uint64
	Status       uint16 // Status… flags
	Warnings     uint16
	Info         string // "Records: 3  Duplicates: 0  Warnings: 0"
}

// Error is an ERR packet and a Go error. Text is what the client sees.
type Error struct {
	Code     uint16
	SQLState string // 5 bytes
	Message  string
}

func (e *Error) Error() string { return e.Message }

// IsCode tells whether err is a server's, with one of these numbers.
func IsCode(err error, codes ...uint16) bool {
	if err == nil {
		return false
	}
	var we *Error
	return errors.As(err, &we) && slices.Contains(codes, we.Code)
}

// Column is a column definition (Protocol::ColumnDefinition41).
type Column struct {
	Catalog, Schema, Table, OrgTable, Name, OrgName string
	Collation                                       uint16
	Length                                          uint32
	Type                                            byte
	Flags                                           uint16
	Decimals                                        byte
	Extended                                        string // MariaDB's extended metadata, as it is sent: "json" …
}

// IsOK says that a response's first packet is an OK. Rows of the binary protocol begin
// with the same byte: ask only where no row can stand.
func IsOK(payload []byte) bool { return len(payload) >= 7 && payload[0] == headerOK }

// IsEOF says that a packet ends definitions or rows: 0xFE and shorter than 9 bytes; a
// longer one is a row whose first value has 16 MiB or more.
func IsEOF(payload []byte) bool {
	return len(payload) > 0 && len(payload) < 9 && payload[0] == headerEOF
}

// IsError says that a packet is an ERR; no row begins with 0xFF.
func IsError(payload []byte) bool { return len(payload) > 0 && payload[0] == headerError }

// ParseOK decodes an OK packet.
func ParseOK(payload []byte) (OK, error) {
	c := cursor{b: payload}
	if c.uint8() != headerOK || len(payload) == 0 {
		return OK{}, fmt.Errorf("%w: not an OK packet", ErrMalformed)
	}
	ok := OK{AffectedRows: c.lenenc(), LastInsertID: c.lenenc(), Status: c.uint16(), Warnings: c.uint16()}
	if c.bad {
		return OK{}, fmt.Errorf("%w: OK packet", ErrMalformed)
	}
	// The servers write the text with a length before it; the manual shows it without.
	if s, n, ok2 := LenencBytes(c.b); ok2 && n == len(c.b) {
		ok.Info = string(s)
	} else {
		ok.Info = string(c.b)
	}
	return ok, nil
}

// ParseEOF decodes an EOF packet: warnings and status only.
func ParseEOF(payload []byte) (OK, error) {
	if !IsEOF(payload) || len(payload) < 5 {
		return OK{}, fmt.Errorf("%w: EOF packet", ErrMalformed)
	}
	return OK{
		Warnings: binary.LittleEndian.Uint16(payload[1:]),
		Status:   binary.LittleEndian.Uint16(payload[3:]),
	}, nil
}

// ParseError decodes an ERR packet. One without an SQLSTATE (sent before the login) gets
// HY000.
func ParseError(payload []byte) (*Error, error) {
	c := cursor{b: payload}
	header, code := c.uint8(), c.uint16()
	if c.bad || header != headerError {
		return nil, fmt.Errorf("%w: ERR packet", ErrMalformed)
	}
	e := &Error{Code: code, SQLState: "HY000"}
	if len(c.b) >= 6 && c.b[0] == '#' {
		e.SQLState = string(c.b[1:6])
		c.b = c.b[6:]
	}
	e.Message = string(c.b)
	return e, nil
}

// ParseColumn decodes a column definition. What follows the fixed fields (the default
// value in COM_FIELD_LIST's answer) is left out.
func ParseColumn(payload []byte) (Column, error) { return parseColumn(payload, false) }

// parseColumn decodes one with MariaDB's extended metadata or without.
func parseColumn(payload []byte, extended bool) (Column, error) {
	c := cursor{b: payload}
	col := Column{
		Catalog:  internDef(c.str()),
		Schema:   string(c.str()),
		Table:    string(c.str()),
		OrgTable: string(c.str()),
		Name:     string(c.str()),
		OrgName:  string(c.str()),
	}
	if extended {
		col.Extended = string(c.str())
	}
	size := c.lenenc()
	if c.bad || size < 12 || size > uint64(len(c.b)) {
		return Column{}, fmt.Errorf("%w: column definition", ErrMalformed)
	}
	col.Collation = c.uint16()
	col.Length = c.uint32()
	col.Type = c.uint8()
	col.Flags = c.uint16()
	col.Decimals = c.uint8()
	return col, nil
}

// internDef spares an allocation for the one catalog that there is.
func internDef(b []byte) string {
	if string(b) == "def" {
		return "def"
	}
	return string(b)
}

// AppendOK appends an OK packet with header 0x00.
func AppendOK(dst []byte, ok OK) []byte {
	dst = append(dst, headerOK)
	dst = AppendLenencInt(dst, ok.AffectedRows)
	dst = AppendLenencInt(dst, ok.LastInsertID)
	dst = binary.LittleEndian.AppendUint16(dst, ok.Status)
	dst = binary.LittleEndian.AppendUint16(dst, ok.Warnings)
	if ok.Info != "" {
		dst = AppendLenencString(dst, ok.Info)
	}
	return dst
}

// AppendEOF appends an EOF packet.
func AppendEOF(dst []byte, ok OK) []byte {
	dst = append(dst, headerEOF)
	dst = binary.LittleEndian.AppendUint16(dst, ok.Warnings)
	return binary.LittleEndian.AppendUint16(dst, ok.Status)
}

// AppendError appends an ERR packet. An SQLSTATE that has not 5 bytes becomes HY000.
func AppendError(dst []byte, e *Error) []byte {
	state := e.SQLState
	if len(state) != 5 {
		state = "HY000"
	}
	dst = append(dst, headerError)
	dst = binary.LittleEndian.AppendUint16(dst, e.Code)
	dst = append(dst, '#')
	dst = append(dst, state...)
	return append(dst, e.Message...)
}

// AppendColumn appends a column definition; an empty catalog is written as "def".
func AppendColumn(dst []byte, c *Column) []byte { return appendColumn(dst, c, false) }

func appendColumn(dst []byte, c *Column, extended bool) []byte {
	catalog := c.Catalog
	if catalog == "" {
		catalog = "def"
	}
	dst = AppendLenencString(dst, catalog)
	dst = AppendLenencString(dst, c.Schema)
	dst = AppendLenencString(dst, c.Table)
	dst = AppendLenencString(dst, c.OrgTable)
	dst = AppendLenencString(dst, c.Name)
	dst = AppendLenencString(dst, c.OrgName)
	if extended {
		dst = AppendLenencString(dst, c.Extended)
	}
	dst = append(dst, 12)
	dst = binary.LittleEndian.AppendUint16(dst, c.Collation)
	dst = binary.LittleEndian.AppendUint32(dst, c.Length)
	dst = append(dst, c.Type)
	dst = binary.LittleEndian.AppendUint16(dst, c.Flags)
	return append(dst, c.Decimals, 0, 0)
}

// parseColumnCount decodes the packet that says how many columns a result has.
func parseColumnCount(payload []byte) (int, error) {
	v, n, ok := LenencInt(payload)
	if !ok || n != len(payload) || v == 0 || v > MaxColumns {
		return 0, fmt.Errorf("%w: column count", ErrMalformed)
	}
	return int(v), nil
}
