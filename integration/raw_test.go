package integration

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"sluice/wire"
)

// raw is a client that speaks the protocol itself, for what no driver does.
type raw struct {
	*wire.Conn
	t        *testing.T
	scramble []byte
	id       uint32 // of the connection
}

// dialRaw connects and reads the greeting. Whatever the test then does, it ends.
func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c := &raw{Conn: wire.NewConn(nc, 1<<30), t: t}
	t.Cleanup(func() { c.Close() })
	c.must(c.SetDeadline(time.Now().Add(2 * time.Minute)))
	greeting, err := c.ReadPacket()
	c.must(err)
	if wire.IsError(greeting) {
		c.scramble = nil
		e, err := wire.ParseError(greeting)
		c.must(err)
		t.Fatalf("instead of a greeting: %d %s", e.Code, e.Message)
	}
	c.scramble, err = scrambleOf(greeting)
	c.must(err)
	c.id = binary.LittleEndian.Uint32(greeting[bytes.IndexByte(greeting, 0)+1:])
	return c
}

func (c *raw) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// rawLogin is what a client says of itself.
type rawLogin struct {
	caps     uint32 // added to those that every client has
	user     string // default: app, with this password
	schema   string
	plugin   string // default: mysql_native_password
	response []byte // default: the right one
	attrs    map[string]string
	level    byte        // of zstd
	tls      *tls.Config // then TLS comes first

	collation byte // default 45
	extended  bool // MariaDB's extended metadata
}

const rawCaps = wire.ClientLongPassword | wire.ClientLongFlag | wire.ClientProtocol41 | wire.ClientTransactions | wire.ClientSecureConnection |
	wire.ClientPluginAuth | wire.ClientMultiResults | wire.ClientPSMultiResults

// say sends the handshake response, after TLS has started if it is to.
func (c *raw) say(l rawLogin) {
	c.t.Helper()
	if l.user == "" {
		l.user = "app"
	}
	if l.plugin == "" {
		l.plugin = "mysql_native_password"
	}
	if l.response == nil {
		l.response = nativePassword(c.scramble, l.user)
	}
	caps := l.caps | rawCaps
	if l.schema != "" {
		caps |= wire.ClientConnectWithDB
	}
	if l.attrs != nil {
		caps |= wire.ClientConnectAttrs
	}
	if l.tls != nil {
		caps |= wire.ClientSSL
	}
	b := binary.LittleEndian.AppendUint32(nil, caps)
	b = binary.LittleEndian.AppendUint32(b, 1<<30)
	b = append(append(b, cmp.Or(l.collation, 45)), make([]byte, 23)...)
	if l.extended {
		b[0] &^= byte(wire.ClientLongPassword)
		binary.LittleEndian.PutUint32(b[len(b)-4:], wire.MariaDBExtendedMetadata)
		c.SetExtended(true)
	}
	if l.tls != nil {
		c.must(c.WritePacket(b))
		c.must(c.Flush())
		c.must(c.StartTLS(l.tls, false))
	}
	b = append(append(b, l.user...), 0)
	b = append(append(b, byte(len(l.response))), l.response...)
	if l.schema != "" {
		b = append(append(b, l.schema...), 0)
	}
	b = append(append(b, l.plugin...), 0)
	if l.attrs != nil {
		var attrs []byte
		for k, v := range l.attrs {
			attrs = wire.AppendLenencString(wire.AppendLenencString(attrs, k), v)
		}
		b = wire.AppendLenencString(b, string(attrs))
	}
	if caps&wire.ClientZstd != 0 {
		b = append(b, l.level)
	}
	c.must(c.WritePacket(b))
	c.must(c.Flush())
}

// loginRaw connects and logs in.
func loginRaw(t *testing.T, addr string, l rawLogin) *raw {
	t.Helper()
	c := dialRaw(t, addr)
	c.say(l)
	c.ok()
	switch {
	case l.caps&wire.ClientCompress != 0:
		c.must(c.StartCompression(wire.Zlib, 0))
	case l.caps&wire.ClientZstd != 0:
		c.must(c.StartCompression(wire.Zstd, int(l.level)))
	}
	return c
}

// send sends a command.
func (c *raw) send(cmd byte, arg string) {
	c.t.Helper()
	c.must(c.Command(cmd, []byte(arg)))
	c.must(c.Flush())
}

// packet reads one.
func (c *raw) packet() []byte {
	c.t.Helper()
	b, err := c.ReadPacket()
	c.must(err)
	return b
}

// ok reads an OK.
func (c *raw) ok() wire.OK {
	c.t.Helper()
	b := c.packet()
	if wire.IsError(b) {
		e, err := wire.ParseError(b)
		c.must(err)
		c.t.Fatalf("%d (%s) %s", e.Code, e.SQLState, e.Message)
	}
	ok, err := wire.ParseOK(b)
	c.must(err)
	return ok
}

// wantError reads an ERR.
func (c *raw) wantError(code uint16, contains string) {
	c.t.Helper()
	b := c.packet()
	if !wire.IsError(b) {
		c.t.Fatalf("want error %d, got packet %.40q", code, b)
	}
	e, err := wire.ParseError(b)
	c.must(err)
	if e.Code != code || !bytes.Contains([]byte(e.Message), []byte(contains)) {
		c.t.Fatalf("got error %d %q, want %d %q", e.Code, e.Message, code, contains)
	}
}

// wantClosed reads the end of the connection.
func (c *raw) wantClosed() {
	c.t.Helper()
	if b, err := c.ReadPacket(); err == nil {
		c.t.Fatalf("want the connection closed, got packet %.40q", b)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.t.Fatal("want the connection closed, but it stays open")
	}
}

// result is the rows of one result, values of the text protocol separated by tabs.
func (c *raw) result() (columns []wire.Column, rows []string, end wire.OK) {
	c.t.Helper()
	h, err := c.ReadResultHeader()
	c.must(err)
	if h.Columns == nil {
		return nil, nil, h.OK
	}
	for {
		row, eof, err := c.ReadRow()
		c.must(err)
		if eof != nil {
			return h.Columns, rows, *eof
		}
		values, err := wire.SplitTextRow(row, nil)
		c.must(err)
		rows = append(rows, string(bytes.Join(values, []byte("\t"))))
	}
}

// query runs a statement that gives one result.
func (c *raw) query(sql string) []string {
	c.t.Helper()
	c.send(wire.ComQuery, sql)
	_, rows, end := c.result()
	if end.Status&wire.StatusMoreResults != 0 {
		c.t.Fatalf("%s: more results follow", sql)
	}
	return rows
}

// value runs a statement that gives one row.
func (c *raw) value(sql string) string {
	c.t.Helper()
	rows := c.query(sql)
	if len(rows) != 1 {
		c.t.Fatalf("%s: %d rows", sql, len(rows))
	}
	return rows[0]
}

// want compares.
func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// prepare gives the statement's id.
func (c *raw) prepare(sql string) uint32 {
	c.t.Helper()
	c.send(wire.ComStmtPrepare, sql)
	ok, _, _, err := wire.ReadPrepare(c.Conn)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return ok.ID
}

// sha2Password is caching_sha2_password's answer to a scramble.
func sha2Password(scramble []byte, password string) []byte {
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	last := sha256.Sum256(append(twice[:], scramble...))
	for i := range last {
		last[i] ^= once[i]
	}
	return last[:]
}

// le packs integers of 1, 2 and 4 bytes, and strings, as they stand in packets.
func le(parts ...any) string {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case byte:
			b = append(b, v)
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, v)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case string:
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return string(b)
}

// dialed says whether somebody listens.
func dialed(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			nc.Close()
		}
		return err
	}
}
