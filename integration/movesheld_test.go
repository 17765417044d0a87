package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sluice/wire"
)

// cursorOver is a cursor over all rows of a frozen slot's shard, opened before the switch: it
// goes on with the rows that it was opened with.
type cursorOver struct {
	*raw
	id   uint32
	want string
}

func (m *moving) openCursor(t *testing.T, mine int) *cursorOver {
	t.Helper()
	c := &cursorOver{raw: loginRaw(t, m.px[0].data, rawLogin{schema: "shop"}), want: m.servers[0].Value(fmt.Sprintf("SELECT name FROM shop.users WHERE user_id = %d", mine))}
	c.id = c.prepare(fmt.Sprintf("SELECT name FROM users WHERE user_id = %d", mine))
	c.send(wire.ComStmtExecute, le(c.id, wire.CursorReadOnly, uint32(1)))
	h, err := c.ReadResultHeader()
	c.must(err)
	if h.OK.Status&wire.StatusCursorExists == 0 {
		t.Fatalf("no cursor: status %#x", h.OK.Status)
	}
	return c
}

// check fetches what is left.
func (c *cursorOver) check(t *testing.T) {
	t.Helper()
	c.send(wire.ComStmtFetch, le(c.id, uint32(10)))
	var got []string
	for {
		row, end, err := c.ReadRow()
		c.must(err)
		if end != nil {
			break
		}
		got = append(got, string(row[3:])) // a NULL bitmap of one column, and a length
	}
	if len(got) != 1 || got[0] != c.want {
		t.Errorf("a cursor that was open during the switch gave %q, want %q", got, c.want)
	}
}

// holdOthers starts what else may touch frozen slots: a packet of several statements, the first
// of which does not, and LOAD DATA. done checks what those have done that went.
func (m *moving) holdOthers(t *testing.T, mine, theirs int, held map[string]<-chan error) (done func(went map[string]bool)) {
	t.Helper()
	several := m.px[0].open("shop", interpolated, func(cfg *mysql.Config) { cfg.MultiStatements = true })
	conn, err := m.px[1].open("shop").Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	held["several statements"] = later(several, fmt.Sprintf("UPDATE users SET country = 'm1' WHERE user_id = %d; UPDATE users SET country = 'm2' WHERE user_id = %d; UPDATE users SET country = 'm3' WHERE user_id = %d",
		theirs, mine, theirs))
	load := make(chan error, 1)
	go func() {
		_, err := loadInto(conn, fmt.Sprintf("%d\tloaded\te\tl1\n", mine+1_000_000), "LOAD DATA %s INTO TABLE users")
		load <- err
	}()
	held["LOAD DATA"] = load
	return func(went map[string]bool) {
		t.Helper()
		db := m.open("shop", interpolated)
		if went["several statements"] {
			expect(t, db, fmt.Sprintf("SELECT country FROM users WHERE user_id IN (%d, %d) ORDER BY user_id = %d", theirs, mine, mine), "m3", "m2")
		} else {
			t.Log("the packet of several statements was not let go in time")
		}
		if went["LOAD DATA"] {
			expect(t, db, fmt.Sprintf("SELECT COUNT(*), MAX(country) FROM users WHERE user_id = %d", mine+1_000_000), "1\tl1")
		} else {
			t.Log("LOAD DATA was not let go in time")
		}
		must(t, db, fmt.Sprintf("DELETE FROM users WHERE user_id = %d", mine+1_000_000))
	}
}
