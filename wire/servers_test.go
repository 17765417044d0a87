package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"

	"sluice/internal/testkit"
)

// login makes a connection to a real server as root without a password. Only the tests
// need it; it knows no other way of authentication.
func login(t testing.TB, addr string, algo Compression) *Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := NewConn(nc, 128<<20)
	if _, err := c.ReadPacket(); err != nil {
		t.Fatal(err)
	}
	caps := (ClientLongPassword | ClientLongFlag | ClientLocalFiles | ClientProtocol41 | ClientTransactions | ClientSecureConnection |
		ClientMultiStatements | ClientMultiResults | ClientPSMultiResults | ClientPluginAuth)
	switch algo {
	case Zlib:
		caps |= ClientCompress
	case Zstd:
		caps |= ClientZstd
	}
	b := binary.LittleEndian.AppendUint32(nil, caps)
	b = binary.LittleEndian.AppendUint32(b, 1<<30)
	b = append(append(b, byte(CollationUTF8MB4)), make([]byte, 23)...)
	b = append(b, "root\x00\x00mysql_native_password\x00"...)
	if algo == Zstd {
		b = append(b, 3)
	}
	must(t, c.WritePacket(b))
	must(t, c.Flush())
	for {
		b, err := c.ReadPacket()
		switch {
		case err != nil:
			t.Fatal(err)
		case IsError(b):
			t.Fatal(asError(b))
		case b[0] == headerEOF: // another plugin: an empty password is an empty answer
			must(t, c.WritePacket(nil))
			must(t, c.Flush())
			continue
		case !IsOK(b):
			continue
		}
		must(t, c.StartCompression(algo, 0))
		return c
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send starts a command.
func send(t testing.TB, c *Conn, cmd byte, arg []byte) {
	t.Helper()
	must(t, c.Command(cmd, arg))
	must(t, c.Flush())
}

// rowsOf runs a command and gives its one result; an ERR is an error.
func rowsOf(t testing.TB, c *Conn, cmd byte, arg []byte) ([]Column, [][]byte, error) {
	t.Helper()
	send(t, c, cmd, arg)
	h, err := c.ReadResultHeader()
	if err != nil || h.Columns == nil {
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		return nil, nil, err
	}
	var rows [][]byte
	for {
		row, end, err := c.ReadRow()
		must(t, err)
		if end != nil {
			return h.Columns, rows, nil
		}
		rows = append(rows, bytes.Clone(row))
	}
}

// exec runs statements that give no rows.
func execSQL(t testing.TB, c *Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, _, err := rowsOf(t, c, ComQuery, []byte(sql)); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// prepare prepares a statement.
func prepare(t testing.TB, c *Conn, sql string) (PrepareOK, []Column, []Column) {
	t.Helper()
	send(t, c, ComStmtPrepare, []byte(sql))
	ok, params, cols, err := ReadPrepare(c)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return ok, params, cols
}

// values cuts a result into values.
func splitAll(t testing.TB, cols []Column, rows [][]byte, binaryRows bool) (all [][][]byte) {
	t.Helper()
	for _, row := range rows {
		var v [][]byte
		var err error
		if binaryRows {
			v, err = SplitBinaryRow(row, cols, nil)
		} else {
			v, err = SplitTextRow(row, nil)
		}
		if err == nil && len(v) != len(cols) {
			err = fmt.Errorf("%d values for %d columns", len(v), len(cols))
		}
		must(t, err)
		all = append(all, v)
	}
	return all
}

// eachServer runs a test against every kind of server.
func eachServer(t *testing.T, test func(t *testing.T, addr string)) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) { test(t, testkit.Shared(t, flavor, 0).Addr) })
	}
}
