//go:build !race

package session_test

import (
	"fmt"
	"testing"

	"sluice/wire"
)

// TestNoAllocations: a statement of one shard costs none, through a whole session, in text and prepared,
// and in a transaction. The client has none of its own.
func TestNoAllocations(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2})
	f.tables()
	db := f.open("")
	for i := range 8 {
		exec(t, db, fmt.Sprintf("INSERT INTO users VALUES (%d, 'name')", i))
	}
	db.Close()
	c := f.raw(0)
	c.must(c.SetDeadline(noDeadline))
	st, _ := c.prepare("SELECT name FROM users WHERE user_id = ?")
	var texts, args [][]byte
	for i := range 8 {
		texts = append(texts, fmt.Appendf(nil, "SELECT name FROM users WHERE user_id = %d", i))
		args = append(args, []byte(id(st.ID)+"\x00\x01\x00\x00\x00\x00\x01\x08\x00"+string([]byte{byte(i), 0, 0, 0, 0, 0, 0, 0})))
	}
	run := func(cmd byte, arg []byte) {
		c.must(c.Command(cmd, arg))
		c.must(c.Flush())
		if resp, err := wire.Discard(c.Conn); err != nil || resp.Err != nil {
			t.Fatal(err, resp.Err)
		}
	}
	for _, work := range []struct {
		name string
		cmd  byte
		args [][]byte
	}{{"text", wire.ComQuery, texts}, {"prepared", wire.ComStmtExecute, args}} {
		for _, in := range []string{"alone", "in a transaction"} {
			if in != "alone" {
				run(wire.ComQuery, []byte("BEGIN"))
			}
			i := 0
			if n := testing.AllocsPerRun(2000, func() {
				run(work.cmd, work.args[i%len(work.args)])
				i++
			}); n > 0 {
				t.Errorf("%s, %s: %v allocations a statement", work.name, in, n)
			}
			if in != "alone" {
				run(wire.ComQuery, []byte("COMMIT"))
			}
		}
	}
}
