package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
	"sluice/server"
)

// info gives what a session shows of itself.
func (f *front) info(c queryer) server.SessionInfo {
	f.t.Helper()
	var id uint32
	fmt.Sscan(rows(f.t, c, "SELECT CONNECTION_ID()"), &id)
	return f.server.Find(id).Session().Info()
}

// TestPins: what cannot be carried stays on its connection, is seen there by its own
// session and by no other.
func TestPins(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open("interpolateParams=true"))}, on{conn(t, f.open(""))}
		zero, one := f.keysOn(a)
		for _, key := range []int{zero, one} {
			exec(t, b, fmt.Sprintf("INSERT INTO users VALUES (%d, 'n%d')", key, key))
		}
		if got := f.info(a).Pinned; got != "" {
			t.Errorf("pinned: %s", got)
		}
		exec(t, a, "SET @x = 5, @y = 'text'")
		if got := f.info(a).Pinned; got != "user variables on s0" {
			t.Errorf("pinned: %s", got)
		}
		want(t, rows(t, a, "SELECT @x, @y"), "5|text")
		want(t, rows(t, b, "SELECT @x"), "NULL")
		want(t, rows(t, a, fmt.Sprintf("SELECT name FROM users WHERE user_id = %d", one)), fmt.Sprintf("n%d", one))
		// The rows of another shard are gathered on the one that holds the variables.
		want(t, rows(t, a, fmt.Sprintf("SELECT @x, name FROM users WHERE user_id = %d", one)), fmt.Sprintf("5|n%d", one))
		want(t, rows(t, a, fmt.Sprintf("SELECT @x, user_id FROM users WHERE user_id = %d", zero)), fmt.Sprintf("5|%d", zero))
		want(t, rows(t, a, "SELECT @x := @x + 1"), "6")
		exec(t, a, "SELECT 9 INTO @x")
		want(t, rows(t, a, "SELECT @x"), "9")

		exec(t, b, "CREATE TEMPORARY TABLE plain2 (a INT)")
		exec(t, b, "INSERT INTO plain2 VALUES (1)")
		want(t, rows(t, b, "SELECT * FROM plain2"), "1")
		_, err := tryRows(a, "SELECT * FROM plain2")
		wantCode(t, err, 1146)

		c, d := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		want(t, rows(t, c, "SELECT GET_LOCK('l', 0)"), "1")
		want(t, rows(t, d, "SELECT GET_LOCK('l', 0)"), "0")
		other := strings.Split(rows(t, d, "SHOW DATABASES"), "\n")
		for _, name := range other {
			if name != f.db && name != "information_schema" && name != "performance_schema" {
				exec(t, d, "USE "+name) // its default shard is the other one; the lock is the same
			}
		}
		want(t, rows(t, d, "SELECT IS_FREE_LOCK('l')"), "0")
		want(t, rows(t, c, "SELECT RELEASE_LOCK('l')"), "1")
		want(t, rows(t, d, "SELECT GET_LOCK('l', 0)"), "1")

		exec(t, c, "LOCK TABLES plain WRITE")
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if _, err := a.c.ExecContext(ctx, "INSERT INTO plain (v) VALUES ('a')"); err == nil {
			t.Error("the table is not locked")
		}
		exec(t, c, "INSERT INTO plain (v) VALUES ('mine')")
		exec(t, c, "UNLOCK TABLES")
		exec(t, d, "INSERT INTO "+f.db+".plain (v) VALUES ('other')")
	})
}

// TestLent: a statement that reads user variables on another shard finds them there, with
// their types; the next client of that connection does not.
func TestLent(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2, conns: 1})
		f.tables()
		a, b := on{conn(t, f.open("interpolateParams=true"))}, on{conn(t, f.open(""))}
		_, one := f.keysOn(a)
		exec(t, a, "SET @name = 'lent', @n = 1.50")
		exec(t, a, fmt.Sprintf("INSERT INTO users VALUES (%d, CONCAT(@name, @n))", one))
		read := fmt.Sprintf("SELECT name, @name, @n FROM users WHERE user_id = %d", one)
		want(t, rows(t, b, read), "lent1.50|NULL|NULL")
		exec(t, a, fmt.Sprintf("UPDATE users SET name = @n WHERE user_id = %d", one))
		want(t, rows(t, b, read), "1.50|NULL|NULL")
		exec(t, a, "SET @n = 2")
		exec(t, a, "BEGIN")
		exec(t, a, fmt.Sprintf("UPDATE users SET name = @n WHERE user_id = %d", one))
		exec(t, a, "SET @n = 3")
		exec(t, a, fmt.Sprintf("UPDATE users SET name = CONCAT(name, @n) WHERE user_id = %d", one))
		exec(t, a, "COMMIT")
		want(t, rows(t, b, read), "23|NULL|NULL")
		want(t, rows(t, a, "SELECT @name, @n"), "lent|3")
	})
}

// TestCall pins, because a procedure may leave anything behind.
func TestCall(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1, conns: 2})
	f.tables()
	f.servers[0].Exec("CREATE PROCEDURE " + f.db + ".p() BEGIN SET @secret = 42; SELECT 1; SELECT 2; END")
	a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
	r, err := a.Query("CALL p()")
	if err != nil {
		t.Fatal(err)
	}
	results := 1
	for r.NextResultSet() {
		results++
	}
	r.Close()
	if results < 2 {
		t.Errorf("%d results", results)
	}
	want(t, rows(t, a, "SELECT @secret"), "42")
	want(t, rows(t, b, "SELECT @secret"), "NULL")
	a.c.Close()
}

// TestKill: KILL QUERY stops a statement, KILL a connection, both only the user's own.
func TestKill(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		guest := on{conn(t, openDB(t, fmt.Sprintf("guest:guest@tcp(%s)/", f.addr)))}
		id := rows(t, a, "SELECT CONNECTION_ID()")
		done := make(chan error, 1)
		run := func(sql string) {
			_, err := tryRows(a, sql)
			done <- err
		}
		exec(t, a, "BEGIN")
		exec(t, a, "INSERT INTO plain (v) VALUES ('in the transaction')")
		go run("SELECT SLEEP(20), 'wait' FROM plain")
		f.await(b, "wait")
		_, err := guest.Exec("KILL QUERY " + id)
		wantCode(t, err, 1095)
		_, err = b.Exec("KILL 999999")
		wantCode(t, err, 1094)
		if got := rows(t, guest, "SHOW PROCESSLIST"); strings.Contains(got, "wait") {
			t.Errorf("another user's statements are shown: %s", got)
		}
		exec(t, b, "KILL QUERY "+id)
		if err := <-done; err != nil && codeOf(err) != 1317 {
			t.Errorf("killed: %v", err)
		}
		want(t, rows(t, a, "SELECT COUNT(*) FROM plain"), "1") // the transaction goes on
		exec(t, a, "COMMIT")
		want(t, rows(t, b, "SELECT COUNT(*) FROM plain"), "1")
		go run("SELECT SLEEP(20), 'wait'")
		f.await(b, "wait")
		exec(t, b, "KILL "+id)
		if err := <-done; err == nil {
			t.Error("the connection goes on")
		}
		for deadline := time.Now().Add(5 * time.Second); f.running("SLEEP"); {
			if time.Now().After(deadline) {
				t.Fatal("the statement still runs on a shard")
			}
			time.Sleep(10 * time.Millisecond)
		}
		_, err = b.Exec("KILL QUERY CONNECTION_ID()")
		wantCode(t, err, 1317)
		want(t, rows(t, b, "SELECT 1"), "1")
		_, err = b.Exec("KILL CONNECTION_ID()")
		wantCode(t, err, map[testkit.Flavor]uint16{testkit.MariaDBFlavor: 1927, testkit.MySQLFlavor: 1317}[flavor])
	})
}

// TestKillAtOnce: whoever has been told OK can be killed; his session may come a moment later.
func TestKillAtOnce(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1})
	killer := f.open("")
	exec(t, killer, "DO 1")
	for range 300 {
		tap := &tapped{}
		cfg := mysql.NewConfig()
		cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.Logger = "app", "app", "tcp", f.addr, &mysql.NopLogger{}
		cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			tap.Conn = nc
			return tap, err
		}
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			t.Fatal(err)
		}
		victim, err := connector.Connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		version := 5 + bytes.IndexByte(tap.greeting[5:], 0)
		exec(t, killer, fmt.Sprintf("KILL %d", binary.LittleEndian.Uint32(tap.greeting[version+1:])))
		victim.Close()
	}
}

// tapped keeps the server's first packet.
type tapped struct {
	net.Conn
	greeting []byte
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if len(c.greeting) < 60 {
		c.greeting = append(c.greeting, b[:n]...)
	}
	return n, err
}

// await waits until a statement shows in the process list.
func (f *front) await(c queryer, text string) {
	f.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if f.running("SLEEP") && strings.Contains(rows(f.t, c, "SHOW FULL PROCESSLIST"), text) {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s does not show", text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// running tells whether a shard runs a statement with a text in it.
func (f *front) running(text string) bool {
	for _, s := range f.servers {
		for _, r := range s.Query("SHOW FULL PROCESSLIST") {
			if line := strings.Join(r, "|"); strings.Contains(line, text) && strings.Contains(line, f.db) {
				return true
			}
		}
	}
	return false
}

// TestClientGone: a client that disappears in mid-result, in a transaction and with pins,
// leaves nothing leased.
func TestClientGone(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1, conns: 2})
	f.tables()
	c := f.raw(0)
	for _, sql := range []string{"SET @x = 1", "BEGIN", "INSERT INTO plain (v) VALUES ('gone')"} {
		_, _, _, err := c.query(sql)
		c.must(err)
	}
	c.send(3, "SELECT * FROM information_schema.COLUMNS a, information_schema.COLUMNS b")
	c.packet()
	c.Close()
	a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
	for _, o := range []on{a, b} {
		exec(t, o, "BEGIN") // takes both connections
		want(t, rows(t, o, "SELECT COUNT(*) FROM plain"), "0")
	}
}

// TestClientLeavesStatement: a statement that would run for long is stopped on the shards when
// its client goes away; a statement of a client that stays is not.
func TestClientLeavesStatement(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2})
	f.tables()
	stays, other := f.raw(0), on{conn(t, f.open(""))}
	var left []*raw
	stays.send(3, "SELECT SLEEP(600), 'stays'")
	f.await(other, "stays")
	for _, text := range []string{"SELECT SLEEP(300), 'one goes'", "SELECT SLEEP(300), user_id, 'many goes' FROM users UNION ALL SELECT SLEEP(300), 1, 'x'"} {
		c := f.raw(0)
		c.send(3, text)
		f.await(other, "goes")
		left = append(left, c)
	}
	for _, c := range left {
		c.Close()
	}
	eventually(t, "the statements are stopped", func() bool { return !f.running("SLEEP(300)") })
	eventually(t, "their sessions have ended", func() bool { return !strings.Contains(rows(t, other, "SHOW PROCESSLIST"), "goes") })
	if !f.running("SLEEP(600)") {
		t.Error("the statement of a client that is there was stopped, too")
	}
	stays.Close()
	eventually(t, "that one is stopped when it leaves", func() bool { return !f.running("SLEEP(600)") })
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}
