package mover

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
	"sluice/shard"
)

// churn writes to the source as applications do, from many connections, until it is stopped.
type churn struct {
	w     *world
	stop  context.CancelFunc
	wg    sync.WaitGroup
	done  atomic.Int64
	xa    atomic.Int64
	users int
}

const churnNames = 30

// createChurn makes the tables that churn writes to.
func (w *world) createChurn(rows int) {
	w.src.Exec("CREATE TABLE app.items ("+typedColumns+everyType(w)+", u INT UNIQUE, uu VARCHAR(30), PRIMARY KEY (id), UNIQUE KEY named (user_id, uu)) CHARACTER SET utf8mb4",
		"CREATE TABLE app.names (user_id INT UNSIGNED NOT NULL, name VARCHAR(20) NOT NULL, n INT NOT NULL, PRIMARY KEY (user_id, name)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
		"CREATE TABLE app.codes (code VARBINARY(12) NOT NULL, at DATETIME(3) NOT NULL, d DECIMAL(12,3) NOT NULL, n INT NOT NULL, PRIMARY KEY (at, d, code)) CHARACTER SET utf8mb4",
		"CREATE TABLE app.facts (id INT NOT NULL PRIMARY KEY, v VARCHAR(100)) CHARACTER SET latin1")
	rng := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < rows; at += 500 {
		var items, names, codes []string
		for i := at; i < min(at+500, rows); i++ {
			items = append(items, fmt.Sprintf("(%d, %d, 'n%d', %s)", i%500, i, i, blob(rng)))
			names = append(names, fmt.Sprintf("(%d, 'n%d', 0)", i/churnNames, i%churnNames))
			codes = append(codes, fmt.Sprintf("('c%d', '2020-01-01 00:00:00.%03d', %d.%03d, 0)", i%700, i%7, i/7, i%1000))
		}
		w.src.Exec("INSERT INTO app.items (user_id, u, uu, bl) VALUES "+strings.Join(items, ","),
			"INSERT IGNORE INTO app.names VALUES "+strings.Join(names, ","),
			"INSERT IGNORE INTO app.codes VALUES "+strings.Join(codes, ","))
	}
	w.src.Exec("INSERT INTO app.facts VALUES (1, 'a'), (2, 'b')")
}

var churnTables = []Table{{Schema: "app", Name: "items", Key: "user_id"}, {Schema: "app", Name: "names", Key: "user_id"},
	{Schema: "app", Name: "codes", Key: "code"}, {Schema: "app", Name: "facts", Whole: true}}

func (w *world) sameChurn() (n int) {
	w.t.Helper()
	slot := Within("MOD(CRC32(user_id),16384)", half)
	n += w.same("items", slot) + w.same("names", slot) + w.same("codes", Within("MOD(CRC32(code),16384)", half)) + w.same("facts", "TRUE")
	return n
}

func blob(rng *rand.Rand) string {
	return fmt.Sprintf("REPEAT(0x%02x27, %d)", rng.IntN(256), rng.IntN(60))
}

// start begins to write over so many connections.
func (w *world) churn(connections, users int) *churn {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &churn{w: w, stop: cancel, users: users}
	cfg := w.src.Config("app")
	cfg.Params = map[string]string{"sql_mode": "'ALLOW_INVALID_DATES'", "innodb_lock_wait_timeout": "2"}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(connections)
	for i := range connections {
		rng := rand.New(rand.NewPCG(uint64(i), 42))
		c.wg.Go(func() {
			for ctx.Err() == nil {
				if err := c.session(ctx, db, rng, i); err != nil && ctx.Err() == nil && !tolerated(err) {
					w.t.Errorf("writer: %v", err)
					return
				}
			}
		})
	}
	w.t.Cleanup(func() { cancel(); c.wg.Wait(); db.Close() })
	return c
}

// tolerated are errors that churn runs into by its own doing, or by the servers' end.
func tolerated(err error) bool {
	var me *driver.MySQLError
	if !errors.As(err, &me) {
		return true // a connection was lost
	}
	switch me.Number {
	case 1062, 1205, 1213, 1317, 1927, 1053, 1399, 1397, 1402, 1613, 1614, 3572:
		return true
	}
	return false
}

// session runs transactions on one connection until one fails.
func (c *churn) session(ctx context.Context, db *sql.DB, rng *rand.Rand, id int) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return err
	}
	defer conn.Close()
	run := func(sql string) error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), sql)
		return err
	}
	for ctx.Err() == nil {
		var err error
		switch k := rng.IntN(10); {
		case k < 5:
			err = run(c.change(rng))
		case k < 8:
			err = c.transaction(run, rng, "BEGIN", "COMMIT", "ROLLBACK")
		default:
			n := c.xa.Add(1)
			xid := fmt.Sprintf("'t%d','b',%d", n, 1+rng.IntN(3))
			err = c.transaction(run, rng, "XA START "+xid, "", "")
			if err == nil {
				err = run("XA END " + xid)
			}
			if err == nil {
				if rng.IntN(4) == 0 {
					err = run("XA COMMIT " + xid + " ONE PHASE")
					break
				}
				err = run("XA PREPARE " + xid)
			}
			if err == nil {
				time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
				verb := "XA COMMIT "
				if rng.IntN(4) == 0 {
					verb = "XA ROLLBACK "
				}
				err = run(verb + xid)
			}
			if err != nil {
				// The server rolls back what is not prepared when the connection ends.
				_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn })
				return err
			}
		}
		if err != nil && !tolerated(err) {
			return err
		}
		if err != nil {
			run("ROLLBACK")
		}
		c.done.Add(1)
	}
	return nil
}

func (c *churn) transaction(run func(string) error, rng *rand.Rand, begin, commit, rollback string) error {
	if err := run(begin); err != nil {
		return err
	}
	for range 1 + rng.IntN(5) {
		var err error
		if rng.IntN(4) == 0 {
			err = c.swap(run, rng)
		} else {
			err = run(c.change(rng))
		}
		if err != nil {
			var me *driver.MySQLError
			if errors.As(err, &me) && me.Number == 1062 && begin != "BEGIN" {
				continue
			}
			return err
		}
	}
	if commit == "" {
		return nil
	}
	if rng.IntN(5) == 0 {
		commit = rollback
	}
	return run(commit)
}

// swap exchanges the unique values of two rows.
func (c *churn) swap(run func(string) error, rng *rand.Rand) error {
	a, b := rng.IntN(4000), rng.IntN(4000)
	if a == b {
		return nil
	}
	for _, sql := range []string{
		fmt.Sprintf("UPDATE items SET u = -%d-1 WHERE u = %d", a, a),
		fmt.Sprintf("UPDATE items SET u = %d WHERE u = %d", a, b),
		fmt.Sprintf("UPDATE items SET u = %d WHERE u = -%d-1", b, a),
	} {
		if err := run(sql); err != nil {
			return err
		}
	}
	return nil
}

// change is one random statement.
func (c *churn) change(rng *rand.Rand) string {
	user, id := rng.IntN(c.users), 1+rng.IntN(5000)
	switch rng.IntN(14) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO items (user_id, u, uu, d, f, db, b, e, s, c4, dt, ts, bl) VALUES (%d, %d, 'x%d', %d.%d, %g, %g, %d, %d, %d, '%s', '2024-02-%02d 12:34:56.%06d', '2024-05-%02d 01:02:03', %s)",
			user, rng.IntN(100000), rng.IntN(1000), rng.IntN(1e9), rng.IntN(1e6), rng.Float32(), rng.NormFloat64(), rng.IntN(1<<30), 1+rng.IntN(4), rng.IntN(8),
			string(rune(0x1F600+rng.IntN(50))), 1+rng.IntN(28), rng.IntN(1e6), 1+rng.IntN(28), blob(rng))
	case 2:
		return fmt.Sprintf("DELETE FROM items WHERE id = %d", id)
	case 3:
		return fmt.Sprintf("DELETE FROM items WHERE user_id = %d LIMIT 2", user)
	case 4, 5:
		return fmt.Sprintf("UPDATE items SET i = %d, d = -d, f = f / 3, db = %g, c1 = '%d', t = REPEAT('y', %d), ts = ts WHERE id = %d", rng.IntN(1000), rng.NormFloat64(), rng.IntN(99), rng.IntN(900), id)
	case 6: // the row goes to another slot
		return fmt.Sprintf("UPDATE items SET user_id = %d WHERE id = %d", user, id)
	case 7: // the row gets another key
		return fmt.Sprintf("UPDATE items SET id = %d WHERE id = %d", 1+rng.IntN(5000), id)
	case 8:
		return fmt.Sprintf("INSERT INTO names VALUES (%d, '%s%d', 1)", user, []string{"n", "N", "ñ"}[rng.IntN(3)], rng.IntN(churnNames))
	case 9: // the same key in other letters
		return fmt.Sprintf("UPDATE names SET name = %s(name), n = n + 1 WHERE user_id = %d AND name = 'n%d'", []string{"UPPER", "LOWER"}[rng.IntN(2)], user, rng.IntN(churnNames))
	case 10:
		return fmt.Sprintf("DELETE FROM names WHERE user_id = %d AND name = 'N%d'", user, rng.IntN(churnNames))
	case 11:
		return fmt.Sprintf("UPDATE names SET n = n + 1 WHERE user_id = %d AND name >= 'n%d' LIMIT 5", user, rng.IntN(churnNames))
	case 12:
		return fmt.Sprintf("UPDATE codes SET n = n + 1, d = d + %d WHERE at = '2020-01-01 00:00:00.00%d' AND d BETWEEN %d AND %d LIMIT 3", rng.IntN(2), rng.IntN(7), rng.IntN(700), 700)
	default:
		return fmt.Sprintf("UPDATE facts SET v = '%d' WHERE id = %d", rng.IntN(1000), 1+rng.IntN(3))
	}
}

// end stops the writers and finishes what they left prepared.
func (c *churn) end() {
	c.w.t.Helper()
	c.stop()
	c.wg.Wait()
	for range 50 {
		rows := c.w.src.Query("XA RECOVER")
		if len(rows) == 0 {
			return
		}
		for _, r := range rows {
			c.w.src.Try("XA ROLLBACK '" + strings.TrimSuffix(r[3], "b") + "','b'," + r[0]) // a connection that is still ending has it perhaps
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.w.t.Errorf("XA branches are left: %v", c.w.src.Query("XA RECOVER"))
}

// TestChurn moves rows while they are changed in every way, with a mover that is stopped
// and taken over again and again.
func TestChurn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.createChurn(6000)
		w.dst.Exec("CREATE TABLE app.facts (id INT NOT NULL PRIMARY KEY, v VARCHAR(100)) CHARACTER SET latin1")
		c := w.churn(10, 500)
		o := w.options(half, churnTables...)
		o.Rate = 4000
		rng := rand.New(rand.NewPCG(5, 5))
		var r *running
		for o.Token = 1; o.Token < 12; o.Token++ {
			r = w.run(must(t, New(o)))
			time.Sleep(time.Duration(100+rng.IntN(400)) * time.Millisecond)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		}
		r = w.run(must(t, New(o)))
		r.copied(t)
		time.Sleep(2 * time.Second)
		c.end()
		r.drain(t)
		t.Logf("%d transactions; %+v", c.done.Load(), r.Status())
		if n := w.sameChurn(); n < 1000 {
			t.Errorf("only %d rows have moved", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// early counts the tries until a row was read before its change was visible; 0 is none. The
// rows are changed by XA transactions, or by single statements.
func (w *world) early(points string, xa bool, tries int) int {
	w.t.Helper()
	o := w.options([]shard.Span{{First: 0, Last: 16383}}, Table{Schema: "app", Name: "t", Key: "user_id"})
	w.moves++
	o.ID, o.Faults = int64(w.moves), faults(w.t, points)
	r := w.run(must(w.t, New(o)))
	r.copied(w.t)
	defer r.stop()
	db := w.src.DB(w.t, "app")
	for try := 1; try <= tries; try++ {
		var wg sync.WaitGroup
		for id := 1; id <= 64; id++ {
			sql := fmt.Sprintf("UPDATE t SET n = %d WHERE id = %d", try, id)
			if xa {
				x := fmt.Sprintf("'x%d.%d.%d'", w.moves, try, id)
				sql = "XA START " + x + "; " + sql + "; XA END " + x + "; XA PREPARE " + x + "; XA COMMIT " + x
			}
			wg.Go(func() {
				if _, err := db.Exec(sql); err != nil {
					w.t.Error(err)
				}
			})
		}
		wg.Wait()
		r.drain(w.t)
		if n := w.dst.Value(fmt.Sprintf("SELECT COUNT(*) FROM app.t WHERE n <> %d", try)); n != "0" {
			w.t.Logf("try %d: %s rows are old", try, n)
			return try
		}
	}
	return 0
}

// TestWatermark: no row is read before its change is visible, and without the watermark, or
// the look at what is prepared, the test sees that some are. (On a machine where that takes
// more tries, nothing is said.)
func TestWatermark(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.src.Exec("CREATE TABLE app.t (id INT PRIMARY KEY, user_id INT NOT NULL, n INT NOT NULL)")
		for id := 1; id <= 64; id++ {
			w.src.Exec(fmt.Sprintf("INSERT INTO app.t VALUES (%d, %d, 0)", id, id))
		}
		if w.early("", false, 25) > 0 || w.early("", true, 25) > 0 {
			t.Error("a row was read before its change was visible")
		}
		if w.early("mover.watermark:off", false, 50) == 0 {
			t.Log("without the watermark no row was read too early on this machine")
		}
		if w.src.Flavor == testkit.MariaDBFlavor && w.early("mover.branches:off", true, 100) == 0 {
			t.Log("without a look at what is prepared no row was read too early on this machine")
		}
	})
}
