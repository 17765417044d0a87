package session_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"sluice/wire"
)

// raw is a client that speaks packets.
type raw struct {
	*wire.Conn
	t testing.TB
}

const rawCapabilities = wire.ClientLongPassword | wire.ClientLongFlag | wire.ClientConnectWithDB | wire.ClientProtocol41 |
	wire.ClientTransactions | wire.ClientSecureConnection | wire.ClientMultiResults | wire.ClientPSMultiResults | wire.ClientPluginAuth

// raw logs in with more capabilities than the usual.
func (f *front) raw(capabilities uint32) *raw {
	f.t.Helper()
	nc, err := net.DialTimeout("tcp", f.addr, 5*time.Second)
	if err != nil {
		f.t.Fatal(err)
	}
	c := &raw{wire.NewConn(nc, 64<<20), f.t}
	f.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	scramble := c.greeting()
	b := binary.LittleEndian.AppendUint32(nil, rawCapabilities|capabilities)
	b = binary.LittleEndian.AppendUint32(b, 1<<24)
	b = append(append(b, 45), make([]byte, 23)...)
	b = append(b, "app\x00"...)
	b = append(append(b, 20), nativeToken("app", scramble)...)
	b = append(append(append(b, f.db...), 0), "mysql_native_password\x00"...)
	c.must(c.WritePacket(b))
	c.must(c.Flush())
	c.ok()
	return c
}

func (c *raw) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// packet reads one packet.
func (c *raw) packet() []byte {
	c.t.Helper()
	b, err := c.ReadPacket()
	c.must(err)
	return b
}

func (c *raw) greeting() (scramble []byte) {
	c.t.Helper()
	b := c.packet()
	i := bytes.IndexByte(b[1:], 0) + 2 // behind the version
	scramble = append(scramble, b[i+4:i+12]...)
	i += 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
	return append(scramble, b[i:i+12]...)
}

func nativeToken(password string, scramble []byte) []byte {
	one := sha1.Sum([]byte(password))
	two := sha1.Sum(one[:])
	mask := sha1.Sum(append(bytes.Clone(scramble), two[:]...))
	for i := range one {
		one[i] ^= mask[i]
	}
	return one[:]
}

// send sends a command.
func (c *raw) send(cmd byte, arg string) {
	c.t.Helper()
	c.must(c.Command(cmd, []byte(arg)))
	c.must(c.Flush())
}

// ok reads an OK packet.
func (c *raw) ok() wire.OK {
	c.t.Helper()
	b := c.packet()
	if wire.IsError(b) {
		e, err := wire.ParseError(b)
		c.t.Fatalf("%v %v", e, err)
	}
	ok, err := wire.ParseOK(b)
	c.must(err)
	return ok
}

// code reads an ERR packet and gives its number.
func (c *raw) code() uint16 {
	c.t.Helper()
	e, err := wire.ParseError(c.packet())
	c.must(err)
	return e.Code
}

// query runs a statement; rows of both protocols are given as they are on the wire.
func (c *raw) query(sql string) ([]wire.Column, [][]byte, wire.OK, error) {
	c.t.Helper()
	c.send(wire.ComQuery, sql)
	return c.result()
}

func (c *raw) result() (cols []wire.Column, rows [][]byte, ok wire.OK, err error) {
	c.t.Helper()
	h, err := c.ReadResultHeader()
	var we *wire.Error
	if errors.As(err, &we) {
		return nil, nil, wire.OK{}, we
	}
	c.must(err)
	if h.Columns == nil || h.OK.Status&wire.StatusCursorExists != 0 {
		return h.Columns, nil, h.OK, nil
	}
	return c.rest(h.Columns)
}

// rest reads rows up to their EOF.
func (c *raw) rest(cols []wire.Column) ([]wire.Column, [][]byte, wire.OK, error) {
	c.t.Helper()
	var rows [][]byte
	for {
		row, end, err := c.ReadRow()
		var we *wire.Error
		if errors.As(err, &we) {
			return cols, rows, wire.OK{}, we
		}
		c.must(err)
		if end != nil {
			return cols, rows, *end, nil
		}
		rows = append(rows, bytes.Clone(row))
	}
}

// value runs a query for one text value.
func (c *raw) value(sql string) string {
	c.t.Helper()
	_, rows, _, err := c.query(sql)
	c.must(err)
	if len(rows) != 1 {
		c.t.Fatalf("%s: %d rows", sql, len(rows))
	}
	values, err := wire.SplitTextRow(rows[0], nil)
	c.must(err)
	if values[0] == nil {
		return "NULL"
	}
	return string(values[0])
}

// prepare prepares a statement.
func (c *raw) prepare(sql string) (wire.PrepareOK, []wire.Column) {
	c.t.Helper()
	c.send(wire.ComStmtPrepare, sql)
	ok, _, cols, err := wire.ReadPrepare(c.Conn)
	c.must(err)
	return ok, cols
}

func id(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }

var noDeadline time.Time
