package session_test

import (
	"fmt"
	"testing"

	"sluice/wire"
)

// BenchmarkPointSelect runs a point select through the whole front. Allocations are those of
// the client, too, which has none.
func BenchmarkPointSelect(b *testing.B) {
	f := newFront(b, frontOptions{shards: 2})
	f.tables()
	db := f.open("")
	for i := range 100 {
		exec(b, db, fmt.Sprintf("INSERT INTO users VALUES (%d, 'name')", i))
	}
	db.Close()
	c := f.raw(0)
	texts := make([][]byte, 100)
	for i := range texts {
		texts[i] = fmt.Appendf(nil, "SELECT name FROM users WHERE user_id = %d", i)
	}
	c.must(c.SetDeadline(noDeadline))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := c.Command(wire.ComQuery, texts[i%len(texts)]); err != nil {
			b.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			b.Fatal(err)
		}
		if _, err := wire.Discard(c.Conn); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExecute is the same with a prepared statement.
func BenchmarkExecute(b *testing.B) {
	f := newFront(b, frontOptions{shards: 2})
	f.tables()
	c := f.raw(0)
	c.must(c.SetDeadline(noDeadline))
	st, _ := c.prepare("SELECT name FROM users WHERE user_id = ?")
	args := make([][]byte, 100)
	for i := range args {
		args[i] = []byte(id(st.ID) + "\x00\x01\x00\x00\x00\x00\x01\x08\x00" + string([]byte{byte(i), 0, 0, 0, 0, 0, 0, 0}))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := c.Command(wire.ComStmtExecute, args[i%len(args)]); err != nil {
			b.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			b.Fatal(err)
		}
		if _, err := wire.Discard(c.Conn); err != nil {
			b.Fatal(err)
		}
	}
}
