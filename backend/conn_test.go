package backend

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

func TestQuery(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		db := testkit.Database(t, s)
		p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		c := get(t, p, db, nil)
		defer c.Put()
		exec(t, c, "CREATE TABLE t (a INT AUTO_INCREMENT PRIMARY KEY, b TEXT)")
		ok, err := c.Exec("INSERT INTO t (b) VALUES ('x'),(NULL)")
		if err != nil || ok.AffectedRows != 2 || ok.LastInsertID != 1 {
			t.Errorf("%+v, %v", ok, err)
		}
		cols, rows, err := c.Query("SELECT * FROM t ORDER BY a")
		if err != nil || len(cols) != 2 || cols[1].Name != "b" || string(rows[0][1]) != "x" || rows[1][1] != nil || string(rows[1][0]) != "2" {
			t.Errorf("%+v %q %v", cols, rows, err)
		}
		if ok, err := c.Exec("SELECT * FROM t"); err != nil || ok.Status&wire.StatusAutocommit == 0 {
			t.Errorf("%+v, %v", ok, err)
		}
		var we *wire.Error
		if _, err := c.Exec("INSERT INTO t VALUES (1,'y')"); !errors.As(err, &we) || we.Code != 1062 {
			t.Errorf("%v", err)
		}
		if cols, rows, err := c.Query("DO 1"); cols != nil || rows != nil || err != nil {
			t.Errorf("%v %v %v", cols, rows, err)
		}
		exec(t, c, "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2; END")
		if got := value(t, c, "CALL two()"); got != "1" {
			t.Error(got)
		}
		if _, err := c.Exec("CALL two()"); err != nil {
			t.Error(err)
		}
		if got := value(t, c, "SELECT 3"); got != "3" {
			t.Error(got)
		}
	})
}

// TestQueryBound: a result that is too large ends the connection and not the memory.
func TestQueryBound(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	for _, sql := range []string{"SELECT seq FROM seq_1_to_10001", "SELECT REPEAT('x', 8000000) FROM seq_1_to_100"} {
		c := get(t, p, "mysql", nil)
		id := c.ThreadID()
		if _, _, err := c.Query(sql); err == nil {
			t.Errorf("%s is taken", sql)
		}
		c.Put()
		c = get(t, p, "mysql", nil)
		if c.ThreadID() == id || len(value(t, c, "SELECT COUNT(*) FROM seq_1_to_10000")) != 5 {
			t.Error("the connection was used again")
		}
		c.Put()
	}
	c := get(t, p, "mysql", nil)
	defer c.Put()
	if _, rows, err := c.Query("SELECT seq FROM seq_1_to_10000"); err != nil || len(rows) != 10000 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// run executes a prepared statement without parameters and gives its one text value.
func run(t *testing.T, c *Conn, st *Stmt) string {
	t.Helper()
	if err := c.begin(wire.ComStmtExecute, wire.AppendExecute(nil, &wire.Execute{ID: st.ID})); err != nil {
		t.Fatal(err)
	}
	h, err := c.ReadResultHeader()
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := c.ReadRow()
	if err != nil {
		t.Fatal(err)
	}
	values, err := wire.SplitBinaryRow(row, h.Columns, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := wire.BinaryToText(nil, values[0], &h.Columns[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadRow(); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPrepare(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		one, two := testkit.Database(t, s), testkit.Database(t, s)
		for _, db := range []string{one, two} {
			s.Exec("CREATE TABLE "+db+".t (a VARCHAR(64))", "INSERT INTO "+db+".t VALUES ('"+db+"')")
		}
		p := open(t, Options{}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
		quotes := settingsOf("SET SESSION sql_mode='ANSI_QUOTES'")
		ids := map[uint32]bool{}
		lease := func(db string, st *Settings, sql, want string) {
			t.Helper()
			c := get(t, p, db, st)
			defer c.Put()
			stmt, err := c.Prepare([]byte(sql))
			if err != nil {
				t.Fatal(err)
			}
			ids[stmt.ID] = true
			if got := run(t, c, stmt); got != want {
				t.Errorf("%s in %s: %s instead of %s", sql, db, got, want)
			}
		}
		for range 3 {
			lease(one, nil, "SELECT a FROM t", one)
			lease(two, nil, "SELECT a FROM t", two)
		}
		if len(ids) != 2 {
			t.Errorf("%d statements were prepared", len(ids))
		}
		for range 3 {
			lease(one, nil, `SELECT "a" FROM t`, "a")
			lease(one, quotes, `SELECT "a" FROM t`, one)
		}
		c := get(t, p, one, nil)
		defer c.Put()
		st, err := c.Prepare([]byte("SELECT a FROM t WHERE a=? OR a=?"))
		if err != nil || st.Params != 2 || len(st.Columns) != 1 || st.Columns[0].Name != "a" {
			t.Errorf("%+v, %v", st, err)
		}
		var we *wire.Error
		if _, err := c.Prepare([]byte("SELECT nonsense FROM t")); !errors.As(err, &we) || we.Code != 1054 {
			t.Errorf("%v", err)
		}
	})
}

// TestPrepareBound: the statement used longest ago is closed on the server, too.
func TestPrepareBound(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		c := get(t, p, "", nil)
		defer c.Put()
		prepare := func(sql string) *Stmt {
			t.Helper()
			st, err := c.Prepare([]byte(sql))
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		first, second := prepare("SELECT 'first'"), prepare("SELECT 'second'")
		for i := range maxStmts - 1 {
			prepare("SELECT 'first'") // is kept by being used
			prepare(fmt.Sprint("SELECT ", i))
		}
		if len(c.stmts.known) != maxStmts {
			t.Errorf("%d statements are held", len(c.stmts.known))
		}
		if got := prepare("SELECT 'first'"); got != first || run(t, c, got) != "first" {
			t.Error("the statement in use was closed")
		}
		var id [4]byte
		binary.LittleEndian.PutUint32(id[:], second.ID)
		if err := exchange(c.Conn, wire.ComStmtReset, string(id[:])); err == nil {
			t.Error("the server still knows the statement used longest ago")
		}
		// Texts are bounded in bytes as well.
		big := "SELECT '" + strings.Repeat("x", maxStmtBytes) + "'"
		prepare(big)
		if len(c.stmts.known) != 1 {
			t.Errorf("%d statements beside a large one", len(c.stmts.known))
		}
		prepare("SELECT 1")
		if len(c.stmts.known) != 1 || c.stmts.bytes != len("SELECT 1") {
			t.Errorf("%d statements of %d bytes", len(c.stmts.known), c.stmts.bytes)
		}
	})
}

// TestTooManyStatements: at the server's limit the connection's own statements make room.
func TestTooManyStatements(t *testing.T) {
	s := testkit.MariaDB(t, testkit.Args("--max-prepared-stmt-count=10"))
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	c := get(t, p, "", nil)
	defer c.Put()
	for i := range 25 {
		st, err := c.Prepare([]byte(fmt.Sprintf("SELECT 'n%d'", i)))
		if err != nil {
			t.Fatal(i, err)
		}
		if got := run(t, c, st); got != fmt.Sprintf("n%d", i) {
			t.Error(got)
		}
	}
}

func TestKill(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		p := open(t, Options{}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
		c := get(t, p, "", nil)
		defer c.Put()
		killed := make(chan error)
		go func() {
			_, err := c.Exec("SELECT 1 FROM information_schema.COLLATIONS WHERE SLEEP(60)")
			killed <- err
		}()
		eventually(t, "it runs", func() bool {
			return s.Value(fmt.Sprint("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID=", c.ThreadID(), " AND INFO LIKE '%SLEEP%'")) == "1"
		})
		if err := c.Kill(context.Background()); err != nil {
			t.Fatal(err)
		}
		var we *wire.Error
		if err := <-killed; !errors.As(err, &we) || we.Code != 1317 {
			t.Errorf("%v", err)
		}
		if got := value(t, c, "SELECT 1"); got != "1" {
			t.Error(got)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Kill(ctx); err == nil {
			t.Error("a KILL after its context has ended")
		}
	})
}

// TestPutClearsDeadline: a deadline does not outlive its lease.
func TestPutClearsDeadline(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	c := get(t, p, "", nil)
	if err := c.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	c.Put()
	time.Sleep(2 * time.Millisecond)
	if again := get(t, p, "", nil); again != c || value(t, c, "SELECT 1") != "1" {
		t.Error("another connection, or none that works")
	}
	c.Put()
}

// TestSyncInTransaction: state follows the client without ending what is open.
func TestSyncInTransaction(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		one, two := testkit.Database(t, s), testkit.Database(t, s)
		s.Exec("CREATE TABLE " + one + ".t (a INT PRIMARY KEY)")
		p := open(t, Options{}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
		c := get(t, p, one, settingsOf("SET SESSION group_concat_max_len=77"))
		exec(t, c, "CREATE TEMPORARY TABLE tmp (a INT)")
		exec(t, c, "SET @x=5")
		exec(t, c, "BEGIN")
		exec(t, c, "INSERT INTO t VALUES (1)")
		if err := c.Sync(two, settingsOf("SET SESSION group_concat_max_len=78, SESSION sql_mode=''")); err != nil {
			t.Fatal(err)
		}
		if got := value(t, c, "SELECT CONCAT(DATABASE()='"+two+"', @@group_concat_max_len, @x, (SELECT COUNT(*) FROM "+one+".tmp))"); got != "17850" {
			t.Error(got)
		}
		if err := c.Sync("", nil); err == nil || errors.As(err, new(*wire.Error)) || !c.broken {
			t.Errorf("back to a fresh state: %v", err)
		}
		c.Put()
		c = get(t, p, one, nil)
		defer c.Put()
		if got := value(t, c, "SELECT COUNT(*) FROM t"); got != "0" {
			t.Errorf("the transaction was committed: %s rows", got)
		}
	})
}
