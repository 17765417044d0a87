package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// What a transaction must not leave behind on its connections.

// scene is a front with users on both of its shards, for sessions on single connections.
type scene struct {
	*front
	t    *testing.T
	keys [2][]int // of users, by their shard
}

func newScene(t *testing.T, o frontOptions, users int) *scene {
	o.shards = 2
	s := &scene{front: newFront(t, o), t: t}
	s.tables()
	db := s.open("")
	for k := 1; k <= users; k++ {
		exec(t, db, fmt.Sprintf("INSERT INTO users VALUES (%d, 'n')", k))
		at := 0
		if s.servers[1].Value(fmt.Sprintf("SELECT COUNT(*) FROM %s.users WHERE user_id = %d", s.db, k)) == "1" {
			at = 1
		}
		s.keys[at] = append(s.keys[at], k)
	}
	return s
}

func (s *scene) conn(params string) *sql.Conn {
	s.t.Helper()
	c, err := s.open("interpolateParams=true" + params).Conn(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *scene) do(c *sql.Conn, statements ...string) {
	s.t.Helper()
	for _, sql := range statements {
		if _, err := c.ExecContext(context.Background(), sql); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// until waits until the first server counts something.
func (s *scene) until(what, count string) {
	s.t.Helper()
	for range 100 {
		if s.servers[0].Value(count) != "0" {
			return
		}
		time.Sleep(150 * time.Millisecond) // InnoDB's tables are looked at anew when nobody has looked for 100 ms
	}
	s.t.Fatal("not so within 15 s: " + what)
}

// one gives the single value of a query.
func (s *scene) one(c *sql.Conn, query string) (value string) {
	s.t.Helper()
	if err := c.QueryRowContext(context.Background(), query).Scan(&value); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return value
}

// waits gives innodb_lock_wait_timeout as the connections to both shards have it.
func (s *scene) waits(c *sql.Conn) string {
	s.t.Helper()
	var list []string
	for _, keys := range s.keys {
		list = append(list, s.one(c, fmt.Sprintf("SELECT @@innodb_lock_wait_timeout FROM users WHERE user_id = %d", keys[0])))
	}
	return strings.Join(list, " ")
}

// TestKillBeforeSet: a KILL QUERY that comes between two statements of a packet ends the second one, and nothing of the
// transaction.
func TestKillBeforeSet(t *testing.T) {
	s := newScene(t, frontOptions{flavor: testkit.MySQLFlavor}, 2) // whose SLEEP gives 1 when it is killed
	c, killer, other := s.conn("&multiStatements=true"), s.open(""), s.open("")
	id := s.one(c, "SELECT CONNECTION_ID()")
	s.do(c, "BEGIN", "INSERT INTO plain (id, v) VALUES (1, 'x')")
	done := make(chan error, 1)
	go func() {
		_, err := c.ExecContext(context.Background(), "SELECT SLEEP(60); SET @a = 1")
		done <- err
	}()
	s.until("it runs", "SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE 'SELECT SLEEP(60)%'")
	exec(t, killer, "KILL QUERY "+id)
	if err := <-done; err == nil || !strings.Contains(err.Error(), "1317") {
		t.Errorf("killed: %v", err)
	}
	for range 3 {
		want(t, rows(t, other, "SELECT COUNT(*) FROM plain"), "0")
	}
	exec(t, other, "INSERT INTO plain (id, v) VALUES (2, 'acknowledged')")
	want(t, s.servers[0].Value("SELECT COUNT(*) FROM "+s.db+".plain"), "1")
	s.do(c, "COMMIT")
	want(t, s.servers[0].Value("SELECT COUNT(*) FROM "+s.db+".plain"), "2")
}

// TestOwnLockWait: the client's own innodb_lock_wait_timeout holds within a transaction over several shards as far as it
// is shorter than the bound, and is back after it.
func TestOwnLockWait(t *testing.T) {
	s := newScene(t, frontOptions{}, 20)
	c := s.conn("")
	all := "UPDATE users SET name = CONCAT(name, '.')"
	s.do(c, "BEGIN")
	want(t, s.one(c, "SELECT COUNT(*) FROM users"), "20")
	want(t, s.waits(c), "50 50")
	s.do(c, "SET innodb_lock_wait_timeout = 1", all)
	want(t, s.waits(c), "1 1")
	s.do(c, "SET innodb_lock_wait_timeout = 40", all)
	want(t, s.waits(c), "5 5")
	s.do(c, "SET STATEMENT innodb_lock_wait_timeout = 2 FOR "+all, all)
	want(t, s.waits(c), "5 5")
	s.do(c, "COMMIT")
	want(t, s.waits(c), "40 40")
	want(t, s.waits(s.conn("")), "50 50")
}

// TestLockWaitOfVictim: a server that rolls its part of a transaction back leaves the bound on the connection.
func TestLockWaitOfVictim(t *testing.T) {
	s := newScene(t, frontOptions{}, 60)
	a, b := s.conn(""), s.conn("")
	up := func(k int) string {
		return fmt.Sprintf("UPDATE users SET name = CONCAT(name, 'z') WHERE user_id = %d", k)
	}
	home, away := s.keys[0], s.keys[1]
	s.do(b, "BEGIN") // it has done more, so that the other one is the victim
	for _, k := range home[2:] {
		s.do(b, up(k))
	}
	s.do(a, "BEGIN", up(home[0]), up(away[0]), up(home[1]))
	done := make(chan error, 1)
	go func() {
		_, err := a.ExecContext(context.Background(), up(home[2]))
		done <- err
	}()
	s.until("it waits", "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
	s.do(b, up(home[0]))
	if err := <-done; err == nil || !strings.Contains(err.Error(), "1213") {
		t.Errorf("the victim: %v", err)
	}
	s.do(a, "ROLLBACK")
	s.do(b, "ROLLBACK")
	for range 4 {
		c := s.conn("")
		s.do(c, "BEGIN")
		want(t, s.waits(c), "50 50")
	}
}

// TestLockWaitAfterCall: so does a CALL, on a connection that stays with the session. (One that commits is refused.)
func TestLockWaitAfterCall(t *testing.T) {
	s := newScene(t, frontOptions{}, 8)
	s.servers[0].Exec("CREATE PROCEDURE "+s.db+".p() DO 1", "CREATE PROCEDURE "+s.db+".e() COMMIT")
	c := s.conn("")
	s.do(c, "BEGIN", "INSERT INTO plain (v) VALUES ('a')", "UPDATE users SET name = 'q'", "INSERT INTO plain (v) VALUES ('b')", "CALL p()")
	if _, err := c.ExecContext(context.Background(), "CALL e()"); err == nil || !strings.Contains(err.Error(), "1235") {
		t.Errorf("a part of a transaction is committed: %v", err)
	}
	s.do(c, "COMMIT")
	want(t, s.one(c, "SELECT @@innodb_lock_wait_timeout FROM plain LIMIT 1"), "50")
}
