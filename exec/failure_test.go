package exec

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// big makes a table with many rows on each shard: some 13 MB.
func (w *world) big() {
	w.t.Helper()
	w.everywhere("CREATE TABLE big (id INT PRIMARY KEY AUTO_INCREMENT, s CHAR(200)); CREATE TABLE seed (n INT)")
	seeds := "INSERT INTO seed VALUES (0)" + strings.Repeat(", (0)", 255)
	for _, db := range w.names {
		w.on(db, seeds, "INSERT INTO big (s) SELECT REPEAT('x', 200) FROM seed a, seed b")
	}
}

var byID = []router.SortKey{{Column: 0, Compare: router.BySigned}}

// TestBigResults: results that do not fit any buffer, ended early by a LIMIT, by a shard or
// by the client.
func TestBigResults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.big()
		t.Run("limit", w.testLimitStopsEarly)
		t.Run("shard dies", w.testShardDies)
		t.Run("client leaves", w.testClientLeaves)
	})
}

// TestOpenedWithStatement: a transaction is opened in the write of its first statement. Where the server refuses that, the
// client hears of it and gets nothing of the statement's answer, and the connection is lost.
func TestOpenedWithStatement(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		read := func() *Request {
			return request(bound(router.Relay, []router.Leg{{Shard: 1, SQL: []byte("SELECT 5")}}, nil), nil)
		}
		l := newLeases(w)
		l.later = "BEGIN"
		if got, out, err := w.run(context.Background(), l, read()); err != nil || len(got.rows) != 1 || out.Response.OK.Status&wire.StatusInTrans == 0 || len(l.dirty) > 0 {
			t.Errorf("in the transaction: %q, %v, %v, %+v", got.rows, got.err, err, out.Response.OK)
		}
		l.later = "BEGIN SIDEWAYS"
		got, out, err := w.run(context.Background(), l, read())
		if !wire.IsCode(err, 1064) || !wire.IsCode(got.err, 1064) || len(got.rows) > 0 || out.Started || len(l.dirty) != 1 {
			t.Errorf("refused: %v, %v, %q, lost: %v", err, got.err, got.rows, l.dirty)
		}
	})
}

// testLimitStopsEarly: what a LIMIT leaves out is not read, and the connections stay
// usable, in a transaction too.
func (w *world) testLimitStopsEarly(t *testing.T) {
	for name, b := range map[string]*router.Bound{
		"concatenate": bound(router.Concatenate, allLegs("SELECT * FROM big"), nil),
		"merge":       bound(router.MergeSort, allLegs("SELECT * FROM big ORDER BY id"), &router.Merge{Visible: 2, Sort: byID}),
	} {
		t.Run(name, func(t *testing.T) {
			b.Limit = 10
			l := newLeases(w)
			l.setup = "START TRANSACTION"
			got, out, err := w.run(context.Background(), l, request(b, nil))
			if err != nil || got.err != nil || len(got.rows) != 10 || !out.Answered {
				t.Fatalf("%v, %v, %d rows", err, got.err, len(got.rows))
			}
			if len(l.dirty) != 0 {
				t.Errorf("connections of shards %v were lost", l.dirty)
			}
		})
	}
	t.Run("sleeping leg", func(t *testing.T) {
		legs := allLegs("SELECT 1")
		legs[2].SQL = []byte("SELECT SLEEP(60) + 1 AS `1`")
		b := bound(router.Concatenate, legs, nil)
		begin := time.Now()
		l := newLeases(w)
		legs[0].SQL = []byte("SELECT nothing")
		_, _, err := w.run(context.Background(), l, request(b, nil))
		if !wire.IsCode(err, 1054) || len(l.dirty) != 0 {
			t.Errorf("%v, closed %v", err, l.dirty)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("the other leg was waited for: %v", d)
		}
	})
}

// testShardDies: a shard that breaks gives an error, before the answer has begun or in
// place of a row; never an answer that looks complete.
func (w *world) testShardDies(t *testing.T) {
	key := &router.Merge{Visible: 2, Sort: byID}
	for name, b := range map[string]*router.Bound{
		"relay":       bound(router.Relay, allLegs("SELECT * FROM big")[1:2], nil),
		"concatenate": bound(router.Concatenate, allLegs("SELECT * FROM big"), nil),
		"merge":       bound(router.MergeSort, allLegs("SELECT * FROM big ORDER BY id"), key),
	} {
		for _, after := range []int64{0, 50, 100_003, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				l := newLeases(w)
				l.leased = func(sh int) {
					if sh == 1 {
						w.links[1].CutAfter(after)
					}
				}
				defer w.links[1].CutAfter(-1)
				got, out, err := w.run(context.Background(), l, request(b, nil))
				if got.err == nil {
					t.Fatalf("%d rows look like all, outcome %+v", len(got.rows), out)
				}
				var we *wire.Error
				switch {
				case out.Started && out.Answered: // an ERR in place of a row
					if err != nil || !errors.As(got.err, &we) || we.Code != 2013 || !strings.HasPrefix(we.Message, "sluice: ") || out.Response.Err == nil {
						t.Errorf("client: %v, outcome %+v, %v", got.err, out, err)
					}
				case !out.Started:
					var relay *wire.RelayError
					if !errors.As(err, &relay) || relay.Client || after > 50 {
						t.Errorf("not begun: %v", err)
					}
				default: // in the middle of a packet
					var relay *wire.RelayError
					if !errors.As(err, &relay) || !relay.Torn {
						t.Errorf("torn: %v", err)
					}
				}
				if len(l.dirty) != 1 || l.dirty[0] != 1 {
					t.Errorf("closed %v", l.dirty)
				}
			})
		}
	}
}

// testClientLeaves: a client that goes away in mid-result frees the shards' connections.
func (w *world) testClientLeaves(t *testing.T) {
	for name, b := range map[string]*router.Bound{
		"relay":       bound(router.Relay, allLegs("SELECT * FROM big")[:1], nil),
		"concatenate": bound(router.Concatenate, allLegs("SELECT * FROM big"), nil),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			c.command(t)
			l := newLeases(w)
			done := make(chan error)
			go func() {
				_, err := Run(context.Background(), c.front, l, request(b, nil))
				done <- err
			}()
			if a := c.read(100); a.err != nil {
				t.Fatal(a.err)
			}
			c.peer.Close()
			var relay *wire.RelayError
			if err := <-done; !errors.As(err, &relay) || !relay.Client {
				t.Errorf("%v", err)
			}
			l.check()
		})
	}
}

// TestKilled: a KILL that reaches the shards' connections ends the statement, and the
// connections stay.
func TestKilled(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, b := range map[string]*router.Bound{
			"relay":   bound(router.Relay, allLegs("SELECT SLEEP(60) FROM DUAL WHERE 1 = 1 UNION SELECT 2")[:1], nil),
			"scatter": bound(router.Concatenate, allLegs("SELECT SLEEP(60) UNION SELECT 2"), nil),
		} {
			t.Run(name, func(t *testing.T) {
				l := newLeases(w)
				ctx, cancel := context.WithCancel(context.Background())
				leased := make(chan *backend.Conn, shards)
				go func() {
					defer cancel()
					for range len(b.Legs) {
						c := <-leased
						w.awaitSleep(c)
						c.Kill(context.Background())
					}
				}()
				got, out, err := w.run(context.Background(), &tellLeases{l, leased}, request(b, nil))
				<-ctx.Done()
				if !wire.IsCode(got.err, 1317) {
					t.Errorf("client %v, %v, %+v", got.err, err, out)
				}
				if len(l.dirty) != 0 {
					t.Errorf("closed %v", l.dirty)
				}
			})
		}
	})
}

// awaitSleep waits until the server runs the connection's statement.
func (w *world) awaitSleep(c *backend.Conn) {
	for range 500 {
		rows := w.server.Query("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%' AND ID = " + fmt.Sprint(c.ThreadID()))
		if len(rows) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Error("the statement does not run")
}

// TestDisagreement: legs whose columns differ, and legs that are in another order than
// the plan says, are errors before a wrong row.
func TestDisagreement(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct{ name, a, b, want string }{
			{"type", "SELECT 1 AS a", "SELECT 'x' AS a", "another type"},
			{"name", "SELECT 1 AS a", "SELECT 1 AS b", "another name"},
			{"count", "SELECT 1 AS a", "SELECT 1 AS a, 2 AS b", "2 on s1"},
			{"sign", "SELECT CAST(1 AS SIGNED) AS a", "SELECT CAST(1 AS UNSIGNED) AS a", "another attribute"},
			{"scale", "SELECT CAST(1 AS DECIMAL(10,2)) AS a", "SELECT CAST(1 AS DECIMAL(10,3)) AS a", "another number of decimals"},
			{"order", "SELECT 1 AS a", "SELECT 2 AS a UNION ALL SELECT 1", "another order"},
			{"changed", "SELECT 1 AS a, 2 AS b", "SELECT 1 AS a, 2 AS b", "run it again"},
			{"no rows", "SELECT 1 AS a", "DO 1", "without rows"},
		} {
			t.Run(c.name, func(t *testing.T) {
				l := newLeases(w)
				m := &router.Merge{Visible: 1, Sort: []router.SortKey{{Column: 0, Compare: router.BySigned}}}
				got, _, err := w.run(context.Background(), l, request(bound(router.MergeSort, parts(c.a, c.b), m), nil))
				var we *wire.Error
				if !errors.As(got.err, &we) || !strings.Contains(we.Message, c.want) {
					t.Errorf("%v, client %v", err, got.err)
				}
				if len(l.dirty) != 0 {
					t.Errorf("closed %v", l.dirty)
				}
			})
		}
	})
}

// TestStringTypes: an expression is a VARCHAR on one shard and a blob on another when their
// optimizers run the statement in two ways.
func TestStringTypes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := newLeases(w)
		m := &router.Merge{Visible: 1, Hidden: 1, Sort: []router.SortKey{{Column: 1, Compare: router.ByBytes}}}
		got, _, err := w.run(context.Background(), l, request(bound(router.MergeSort,
			parts("SELECT 'b' AS a, CAST('b' AS BINARY) AS k", "SELECT 'a' AS a, CAST(REPEAT('a', 100000) AS BINARY) AS k"), m), nil))
		if err != nil || got.err != nil || len(got.rows) != 2 || string(got.rows[0]) != "\x01a" {
			t.Errorf("%v, client %v, rows %q", err, got.err, got.rows)
		}
	})
}

// TestLeaseFails: what was leased before is given back unused.
func TestLeaseFails(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := newLeases(w)
		full := errors.New("no connection")
		l.fail = map[int]error{2: full}
		legs := allLegs("SELECT 1")
		legs[0], legs[1] = legs[1], legs[0]
		_, out, err := w.run(context.Background(), l, request(bound(router.Concatenate, legs, nil), nil))
		if !errors.Is(err, full) || out.Started || len(l.dirty) != 0 {
			t.Errorf("%v, %+v, closed %v", err, out, l.dirty)
		}
		if len(l.order) != 2 || l.order[0] != 0 || l.order[1] != 1 {
			t.Errorf("leased in the order %v", l.order)
		}
	})
}

// TestSeveralResults: a procedure's results cannot be merged; nothing is left unread.
func TestSeveralResults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2; END")
		l := newLeases(w)
		got, _, err := w.run(context.Background(), l, request(bound(router.Concatenate, allLegs("CALL two()"), nil), nil))
		var we *wire.Error
		if !errors.As(got.err, &we) || we.Code != 1235 || len(l.dirty) != 0 {
			t.Errorf("%v, client %v, closed %v", err, got.err, l.dirty)
		}
		cl := newClient(t)
		cl.command(t)
		out, err := Run(context.Background(), cl.front, newLeases(w), request(bound(router.Relay, parts("CALL two()"), nil), nil))
		if err != nil || !out.Answered || cl.front.Flush() != nil {
			t.Fatalf("relay: %v, %+v", err, out)
		}
		for i, rows := range []int{1, 1, 0} {
			if a := cl.read(allRows); a.err != nil || len(a.rows) != rows {
				t.Errorf("result %d: %+v", i, a)
			}
		}
	})
}

// TestFileNotAskedFor: a server's request for a file is passed on for LOAD DATA LOCAL only; with
// any other statement nothing of it reaches the client, and the connection is not used again.
func TestFileNotAskedFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE TABLE f (a INT)")
		load := "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE f"
		for _, b := range []*router.Bound{
			bound(router.Relay, parts(load), nil), bound(router.Everywhere, allLegs(load), nil), bound(router.Concatenate, allLegs(load), nil),
		} {
			l := newLeases(w)
			got, out, err := w.run(context.Background(), l, request(b, nil))
			if !errors.Is(err, wire.ErrMalformed) || out.Started || !wire.IsCode(got.err, 2013) || len(l.dirty) != len(b.Legs) {
				t.Errorf("%v: %v, the client got %+v; broken: %v", b.Strategy, err, got, l.dirty)
			}
		}
	})
}

// TestMoreFollows: every EOF of a statement that is not the packet's last says so.
func TestMoreFollows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		req := request(bound(router.Concatenate, allLegs("SELECT 1"), nil), nil)
		req.More = true
		got, _, err := w.run(context.Background(), newLeases(w), req)
		if err != nil || got.end.Status&wire.StatusMoreResults == 0 || got.end.Status&wire.StatusAutocommit == 0 {
			t.Errorf("%v, status %#x", err, got.end.Status)
		}
	})
}

func TestDescribe(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE TABLE d (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, s VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_bin, m DECIMAL(10,3), `o``dd` INT)")
		c, err := w.pools.Get(context.Background(), "s0", backend.Class{}, w.names[0], asStored)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Put()
		info, err := TableInfo(c, w.names[0], "d")
		if err != nil || len(info.Columns) != 4 {
			t.Fatalf("%v, %+v", err, info)
		}
		id, s, m := info.Columns[0], info.Columns[1], info.Columns[2]
		const flags = wire.FlagUnsigned | wire.FlagAutoIncrement | wire.FlagPrimaryKey
		if id.Name != "id" || id.Type != wire.TypeLongLong || id.Flags&flags != flags || s.Collation != 47 || s.Length != 10 ||
			m.Decimals != 3 || m.Type != wire.TypeNewDecimal || info.Columns[3].Name != "o`dd" {
			t.Errorf("%+v", info.Columns)
		}
		if _, err := TableInfo(c, w.names[0], "none"); !wire.IsCode(err, 1146) {
			t.Errorf("unknown table: %v", err)
		}
		cols, err := Describe(c, "SELECT m, COUNT(*), WEIGHT_STRING(s) FROM d GROUP BY m")
		if err != nil || len(cols) != 3 || cols[0].Name != "m" || cols[1].Type != wire.TypeLongLong || cols[2].Collation != wire.CollationBinary {
			t.Errorf("%v, %+v", err, cols)
		}
		if _, err := Describe(c, "SELECT nothing"); !wire.IsCode(err, 1054) {
			t.Errorf("bad SQL: %v", err)
		}
	})
}

// tellLeases tells a test which connections were leased.
type tellLeases struct {
	*leases
	leased chan *backend.Conn
}

func (l *tellLeases) Lease(ctx context.Context, sh int, write bool) (*backend.Conn, error) {
	c, err := l.leases.Lease(ctx, sh, write)
	if err == nil {
		l.leased <- c
	}
	return c, err
}
