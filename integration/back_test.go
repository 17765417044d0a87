package integration

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// oneShard is the shop where there is one shard only.
var oneShard = strings.Replace(shop, "default_shard: s1", "default_shard: s0", 1)

// TestBackendLogin: how proxies log in to the shards' servers, through the whole of it.
func TestBackendLogin(t *testing.T) {
	certs, others := testkit.Certificates(t), testkit.Certificates(t)
	ca := func(c *testkit.CertificateFiles) string { return fmt.Sprintf("tls: {backend_ca: %s}\n", c.CA) }
	const sha2 = "CREATE USER 'deep'@'%' IDENTIFIED WITH caching_sha2_password BY 'deep' REQUIRE "
	for _, c := range []struct {
		name    string
		flavor  testkit.Flavor
		server  []testkit.Option
		sql     []string // to make the account deep
		backend string
		node    string
		fails   string // what SHOW SHARDS then says
	}{
		{name: "mariadb, native", sql: []string{"CREATE USER 'deep'@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('deep')"}},
		{name: "mariadb, ed25519", server: []testkit.Option{testkit.Args("--plugin-load-add=auth_ed25519")},
			sql: []string{"CREATE USER 'deep'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('deep')"}},
		{name: "mariadb, TLS verified", server: []testkit.Option{testkit.TLS(certs)}, backend: ", tls: verify", node: ca(certs),
			sql: []string{"CREATE USER 'deep'@'%' IDENTIFIED BY 'deep' REQUIRE SSL"}},
		{name: "mariadb, TLS of another authority", server: []testkit.Option{testkit.TLS(certs)}, backend: ", tls: verify", node: ca(others),
			sql: []string{"CREATE USER 'deep'@'%' IDENTIFIED BY 'deep'"}, fails: "unknown authority"},
		{name: "mariadb, TLS refused", server: []testkit.Option{testkit.Args("--skip-ssl")}, backend: ", tls: required",
			sql: []string{"CREATE USER 'deep'@'%' IDENTIFIED BY 'deep'"}, fails: "offers no TLS"},
		{name: "mariadb, wrong password", sql: []string{"CREATE USER 'deep'@'%' IDENTIFIED BY 'other'"}, fails: "Access denied"},
		{name: "mysql, caching_sha2 by RSA", flavor: testkit.MySQLFlavor, sql: []string{sha2 + "NONE"}},
		{name: "mysql, caching_sha2 by TLS", flavor: testkit.MySQLFlavor, sql: []string{sha2 + "SSL"}, backend: ", tls: required"},
		{name: "mysql, TLS verified", flavor: testkit.MySQLFlavor, server: []testkit.Option{testkit.TLS(certs)}, sql: []string{sha2 + "SSL"},
			backend: ", tls: verify", node: ca(certs)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := testkit.StartServer(t, c.flavor, c.server...)
			server.Exec(append(c.sql, "GRANT ALL ON *.* TO 'deep'@'%'")...)
			cl := start(t, setup{flavor: c.flavor, on: []*testkit.Server{server}, schemas: oneShard, account: "deep", backend: c.backend, node: c.node})
			db := cl.open("shop", interpolated)
			if c.fails != "" {
				_, err := tryRows(db, "SELECT * FROM users")
				checkError(t, "a statement", err, 1105, "sluice: shard s0 is not available")
				if strings.Contains(fmt.Sprint(err), "deep") {
					t.Errorf("the client is told of the proxy's account: %v", err)
				}
				if got := column(t, cl.px[0].dba(), "SHOW SHARDS", "error"); !strings.Contains(got[0], c.fails) {
					t.Errorf("SHOW SHARDS says %q, want %q", got, c.fails)
				}
				return
			}
			create(t, db)
			users(t, db, 10)
			expect(t, db, "SELECT COUNT(*) FROM users", "10")
			cipher := server.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'deep'")
			if cipher == "0" {
				t.Error("the proxy uses another account")
			}
			if got := rows(t, db, "SHOW SESSION STATUS WHERE Variable_name = 'Ssl_cipher'")[0]; strings.HasPrefix(got, "Ssl_cipher\tTLS") != (c.backend != "") {
				t.Errorf("%q", got)
			}
			if log := cl.px[0].Log(); strings.Contains(log, "deep") && strings.Contains(log, "password") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestShardRestart: clients stay connected while a shard is restarted, and the connections
// that died idle in the pool are nobody's error.
func TestShardRestart(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			c := start(t, setup{flavor: flavor, own: true, shards: 2})
			db := c.open("shop", interpolated)
			create(t, db)
			users(t, db, 40)
			ctx := context.Background()
			var conns []*sql.Conn
			for range 8 {
				conn, err := db.Conn(ctx)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conns = append(conns, conn)
			}
			prepared, err := conns[0].PrepareContext(ctx, "SELECT name FROM users WHERE user_id = ?")
			if err != nil {
				t.Fatal(err)
			}
			fill := func() {
				var wg sync.WaitGroup
				for i, conn := range conns {
					wg.Go(func() {
						if _, err := tryRows(conn, "SELECT COUNT(*), SLEEP(0.02) FROM users"); err != nil {
							t.Errorf("connection %d: %v", i, err)
						}
					})
				}
				wg.Wait()
			}
			fill()
			for _, how := range []string{"stopped", "killed"} {
				if how == "killed" {
					c.servers[1].Kill()
				} else {
					c.servers[1].Stop()
				}
				c.servers[1].Start()
				// No statement was sent meanwhile: the first after it finds dead connections only.
				for i, conn := range conns {
					for id := 1; id <= 10; id++ {
						if _, err := conn.ExecContext(ctx, fmt.Sprintf("UPDATE users SET email = '%s' WHERE user_id = %d", how, id)); err != nil {
							t.Errorf("%s, connection %d, user %d: %v", how, i, id, err)
						}
					}
					if err := conn.PingContext(ctx); err != nil {
						t.Error(err)
					}
				}
				for id := 1; id <= 10; id++ {
					var name string
					if err := prepared.QueryRowContext(ctx, id).Scan(&name); err != nil || name != fmt.Sprintf("user %d", id) {
						t.Errorf("%s, prepared, user %d: %q %v", how, id, name, err)
					}
				}
				fill()
			}
		})
	}
}

// TestFullPoolRefuses: a statement waits for a connection for a bounded time, then says why.
func TestFullPoolRefuses(t *testing.T) {
	t.Parallel()
	c := start(t, setup{own: true, shards: 2, maxConns: 2})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 40)
	ctx := context.Background()
	here, there := c.keys()
	var held []*sql.Tx
	for i := range 2 {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(fmt.Sprintf("UPDATE users SET name = 'held' WHERE user_id = %d", here[i])); err != nil {
			t.Fatal(err)
		}
		held = append(held, tx)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_, err := tryRows(db, fmt.Sprintf("SELECT name FROM users WHERE user_id = %d", here[2]))
			checkError(t, "a statement for a full pool", err, 1205, "sluice: shard s0 takes no more statements now", "try restarting transaction")
		})
	}
	for range 20 { // others go on
		expect(t, db, fmt.Sprintf("SELECT user_id FROM users WHERE user_id = %d", there[0]), fmt.Sprint(there[0]))
	}
	wg.Wait()
	for i, server := range c.servers {
		if n, _ := strconv.Atoi(server.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'sluice'")); n > 2 {
			t.Errorf("shard %d has %d connections, at most 2 are allowed", i, n)
		}
	}
	for _, tx := range held {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
	expect(t, db, fmt.Sprintf("SELECT name FROM users WHERE user_id = %d", here[0]), "held")
}

// keys gives the user ids from 1 to 40 on shard 0 and those on others.
func (c *cluster) keys() (here, there []int) {
	c.t.Helper()
	for id := 1; id <= 40; id++ {
		if c.shardOf(fmt.Sprint(id)) == 0 {
			here = append(here, id)
		} else {
			there = append(there, id)
		}
	}
	return here, there
}

// TestLocalInfile: LOAD DATA LOCAL goes to tables of every kind, and nowhere when it is
// switched off.
func TestLocalInfile(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		p := c.px[0]
		create(t, c.open("shop"))
		must(t, c.open("plain"), "CREATE TABLE t (id INT PRIMARY KEY, body VARCHAR(100))")
		var b strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&b, "%d\trow number %d\n", i, i)
		}
		file := filepath.Join(t.TempDir(), "rows")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		load := func(table string) string { return "LOAD DATA LOCAL INFILE '" + file + "' INTO TABLE " + table }
		for _, ssl := range []string{"--ssl-mode=DISABLED", "--compression-algorithms=zlib"} {
			says(t, p.oracle("mysql", "app", "app", "--local-infile=1", ssl, "plain", "-Ne", load("t")+"; SELECT COUNT(*), MAX(body) FROM t; DELETE FROM t"), "20000\trow number 9999\n")
		}
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", load("t")+"; SELECT COUNT(*) FROM t"), "20000\n")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "shop", "-Ne", "BEGIN; "+load("settings")+"; SELECT COUNT(*) FROM settings; ROLLBACK; SELECT COUNT(*) FROM settings"), "20000\n0\n")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", load("t")+"; SHOW COUNT(*) WARNINGS"), "20000\n") // duplicates
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", load("missing")+"; SELECT 1"), "ERROR 1146")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "shop", "-Ne", load("users")+" (user_id, name); SELECT COUNT(*), MAX(name) FROM users"), "20000\trow number 9999\n")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=0", "plain", "-Ne", load("t")), "ERROR")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", "LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE t"), "nowhere/at/all")
		says(t, p.maria("mariadb", "app", "app", "plain", "-Ne", "LOAD DATA INFILE '"+file+"' INTO TABLE t"), "ERROR")
		// On connections that began with other statements: with a pin, in a transaction.
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", "DELETE FROM t; SET @x = 7; "+load("t")+"; SELECT COUNT(*), @x FROM t"), "20000\t7\n")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", "BEGIN; DELETE FROM t; "+load("t")+"; SELECT COUNT(*) FROM t; ROLLBACK"), "20000\n")
		says(t, p.maria("mariadb", "app", "app", "--local-infile=1", "shop", "-Ne", "SET @x = 7; BEGIN; DELETE FROM users; "+load("users")+" (user_id, name); SELECT COUNT(*), @x FROM settings; SELECT COUNT(*) FROM users; ROLLBACK; SELECT COUNT(*) FROM users"), "20000\n20000\n")
		// A client that goes away in the middle of its file.
		r := loginRaw(t, p.data, rawLogin{schema: "plain", caps: wire.ClientLocalFiles})
		r.send(wire.ComQuery, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t")
		if b := r.packet(); b[0] != 0xfb || string(b[1:]) != "x" {
			t.Fatalf("want the request for x, got %q", b)
		}
		r.must(r.WritePacket([]byte("300000\tcut\n300001\tcu")))
		r.must(r.Flush())
		r.Close()
		eventually(t, "its statement has ended", func() bool {
			return c.servers[1].Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'") == "0"
		})
		must(t, c.open("plain"), "DELETE FROM t")
	})
	c := start(t, setup{shards: 2, node: "local_infile: false\n"})
	must(t, c.open("plain"), "CREATE TABLE t (id INT)")
	says(t, c.px[0].maria("mariadb", "app", "app", "--local-infile=1", "plain", "-Ne", "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t"), "ERROR")
	r := loginRaw(t, c.px[0].data, rawLogin{schema: "plain", caps: wire.ClientLocalFiles})
	r.send(wire.ComQuery, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t")
	r.wantError(3948, "disabled")
	want(t, "rows", r.value("SELECT COUNT(*) FROM t"), "0")
}
