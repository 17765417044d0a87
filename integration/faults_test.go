package integration

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// TestShardDown: a shard that is down hurts those who need it, by a clear error, and nobody
// else; when it comes back all is well without a restart of the proxy.
func TestShardDown(t *testing.T) {
	c := start(t, setup{own: true, shards: 2})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 40)
	here, there := 0, 0
	for id := 1; here == 0 || there == 0; id++ {
		if c.shardOf(fmt.Sprint(id)) == 0 {
			here = id
		} else {
			there = id
		}
	}
	c.servers[1].Kill()
	expect(t, db, fmt.Sprintf("SELECT user_id FROM users WHERE user_id = %d", here), fmt.Sprint(here))
	for _, q := range []string{fmt.Sprintf("SELECT user_id FROM users WHERE user_id = %d", there), "SELECT COUNT(*) FROM users"} {
		_, err := tryRows(db, q)
		if me, ok := err.(*mysql.MySQLError); !ok || !strings.Contains(me.Message, "s1") {
			t.Errorf("%s: %v, want an error that names the shard", q, err)
		}
	}
	if got := column(t, c.px[0].dba(), "SHOW SHARDS", "state"); got[0] != "up" || got[1] != "down" {
		t.Errorf("states: %q", got)
	}
	c.servers[1].Start()
	eventually(t, "the shard is used again", func() bool {
		_, err := tryRows(db, "SELECT COUNT(*) FROM users")
		return err == nil
	})
	expect(t, db, "SELECT COUNT(*) FROM users", "40")
}

// TestShardDownAtStart: the proxy starts and serves the other shard.
func TestShardDownAtStart(t *testing.T) {
	c := start(t, setup{own: true, shards: 2})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 40)
	if code := c.px[0].Stop(); code != 0 {
		t.Fatalf("SIGTERM: exit code %d\n%s", code, c.px[0].Log())
	}
	c.servers[1].Kill()
	c.px[0].Start()
	for id := 1; id < 20; id++ {
		if c.shardOf(fmt.Sprint(id)) == 0 {
			expect(t, db, fmt.Sprintf("SELECT user_id FROM users WHERE user_id = %d", id), fmt.Sprint(id))
		}
	}
}

// TestShardDiesInMidResult: a client that has got half of a result gets an error, never a
// result that looks complete.
func TestShardDiesInMidResult(t *testing.T) {
	servers := []*testkit.Server{testkit.Shared(t, testkit.MariaDBFlavor, 0), testkit.Shared(t, testkit.MariaDBFlavor, 1)}
	links := []*testkit.Link{testkit.NewLink(t, servers[0].Addr), testkit.NewLink(t, servers[1].Addr)}
	c := start(t, setup{shards: 2, addrs: []string{links[0].Addr, links[1].Addr}})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 1000)
	for _, q := range []string{"SELECT * FROM users", "SELECT * FROM users ORDER BY name", "SELECT name, COUNT(*) FROM users GROUP BY name ORDER BY name"} {
		for _, after := range []int64{10, 500, 5000, 12000} {
			links[1].CutAfter(after)
			got, err := tryRows(db, q)
			links[1].CutAfter(-1)
			if err == nil {
				t.Errorf("%s, cut after %d bytes: %d rows and no error", q, after, len(got))
			}
		}
	}
	links[1].Cut()
	eventually(t, "the shard is used again", func() bool {
		_, err := tryRows(db, "SELECT COUNT(*) FROM users")
		return err == nil
	})
	expect(t, db, "SELECT COUNT(*) FROM users", "1000")
}

// TestFullPool: more statements than connections wait in order, and all are answered.
func TestFullPool(t *testing.T) {
	c := start(t, setup{shards: 2, maxConns: 2})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 20)
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 100 {
		wg.Go(func() {
			if _, err := tryRows(db, fmt.Sprintf("SELECT SLEEP(0.01) FROM users WHERE user_id = %d", i%20+1)); err != nil {
				errs <- err
			}
			if _, err := tryRows(db, "SELECT COUNT(*) FROM users"); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	for i, server := range c.servers {
		if n := server.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'sluice'"); n > "2" {
			t.Errorf("shard %d has %s connections, at most 2 are allowed", i, n)
		}
	}
}

// TestClientGoes: a client that disappears in the middle of a result frees its backend.
func TestClientGoes(t *testing.T) {
	c := start(t, setup{shards: 2, maxConns: 2})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 1000)
	for range 20 {
		conn, err := c.open("shop", interpolated).Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		r, err := conn.QueryContext(ctx, "SELECT a.*, b.name FROM users a JOIN users b ON a.user_id = b.user_id JOIN seq_1_to_1000 s")
		if err == nil {
			r.Next()
			cancel()
			r.Close()
		}
		cancel()
		conn.Close()
	}
	expect(t, db, "SELECT COUNT(*) FROM users", "1000")
	expect(t, db, "SELECT user_id FROM users WHERE user_id = 3", "3")
}

// TestEtcd: what happens without it, at the start and later.
func TestEtcd(t *testing.T) {
	etcd := testkit.Etcd(t)
	c := start(t, setup{etcd: "http://" + etcd.Addr})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 20)
	must(t, db, "INSERT INTO orders (user_id, item, amount) VALUES (1, 'a', 1)")
	etcd.Stop()
	expect(t, db, "SELECT COUNT(*) FROM users", "20")
	must(t, db, "UPDATE users SET name = 'x' WHERE user_id = 3")
	// A proxy that was here before starts from the map on its disk.
	if code := c.px[0].Stop(); code != 0 {
		t.Errorf("SIGTERM without etcd: exit code %d", code)
	}
	c.px[0].Start()
	expect(t, db, "SELECT COUNT(*) FROM users", "20")
	// One that has never seen the map cannot, and says why.
	fresh := c.newProxy("fresh")
	out, err := exec.Command(program(t, true), "serve", "-config", fresh.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "etcd") {
		t.Errorf("a fresh proxy without etcd: %v\n%s", err, out)
	}
	etcd.Start()
	must(t, c.px[0].dba(), "SHOW PROXIES")
	eventually(t, "ids are given again", func() bool {
		_, err := db.Exec("INSERT INTO orders (user_id, item, amount) VALUES (1, 'a', 1)")
		return err == nil
	})
}

// TestMisuse: calls that cannot work end at once with a text that helps.
func TestMisuse(t *testing.T) {
	c := start(t, setup{})
	run := func(args ...string) (string, int) {
		cmd := exec.Command(program(t, true), args...)
		out, err := cmd.CombinedOutput()
		if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run("serve", "-config", c.px[0].config); code != 1 || !strings.Contains(out, "address already in use") {
		t.Errorf("a port in use: exit code %d\n%s", code, out)
	}
	if out, code := run("check", "-config", c.px[0].config); code != 0 || !strings.Contains(out, "valid") {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
	if out, code := run("check", "-config", "testdata/ten_faults.yaml"); code != 1 || strings.Count(out, "testdata/ten_faults.yaml:") != 10 {
		t.Errorf("ten faults: exit code %d\n%s", code, out)
	}
	if out, code := run("serve"); code != 2 || !strings.Contains(out, "usage") {
		t.Errorf("serve without a configuration: exit code %d\n%s", code, out)
	}
	if out, code := run("nonsense"); code != 2 || !strings.Contains(out, "usage") {
		t.Errorf("an unknown command: exit code %d\n%s", code, out)
	}
	if out, code := run("version"); code != 0 || !strings.HasPrefix(out, "sluice ") {
		t.Errorf("version: exit code %d\n%s", code, out)
	}
}

// TestGarbage: what is no MySQL client gets an error or is closed; the others go on.
func TestGarbage(t *testing.T) {
	c := start(t, setup{shards: 2})
	db := c.open("shop")
	for _, bytes := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x01", "\xff\xff\xff\x01" + strings.Repeat("x", 100000), "\x01\x00\x00\x07\x00",
		"\x20\x00\x00\x01" + strings.Repeat("\xff", 32), strings.Repeat("\x00", 4096)} {
		conn, err := net.Dial("tcp", c.px[0].data)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		conn.Write([]byte(bytes)) // an error: it was closed already
		for buf := make([]byte, 4096); ; {
			if _, err := conn.Read(buf); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Errorf("%.20q keeps its connection", bytes)
				}
				break
			}
		}
		conn.Close()
	}
	expect(t, db, "SELECT 1", "1")
	if log := c.px[0].Log(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") {
		t.Error(log)
	}
}

// TestDrain: SIGTERM lets an open transaction finish and refuses new clients.
func TestDrain(t *testing.T) {
	c := start(t, setup{})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 10)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE users SET name = 'drained' WHERE user_id = 3"); err != nil {
		t.Fatal(err)
	}
	c.px[0].Signal(syscall.SIGTERM)
	eventually(t, "new clients are refused", func() bool {
		conn, err := net.DialTimeout("tcp", c.px[0].data, time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if _, err := tx.Exec("UPDATE users SET email = 'drained' WHERE user_id = 3"); err != nil {
		t.Errorf("a statement of the open transaction: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("its commit: %v", err)
	}
	if code := c.px[0].Wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.px[0].Log())
	}
	if got := c.servers[c.shardOf("3")].Value("SELECT CONCAT(name, ' ', email) FROM shop.users WHERE user_id = 3"); got != "drained drained" {
		t.Errorf("the row: %s", got)
	}
}
