package compat

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// old is what an application of some years has on its one server.
var old = []string{
	"CREATE TABLE countries (code CHAR(2) NOT NULL PRIMARY KEY, name VARCHAR(100))",
	"CREATE TABLE users (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(100) NOT NULL, country CHAR(2) NOT NULL, born DATE, score DOUBLE, note TEXT CHARACTER SET latin1, raw VARBINARY(32), CONSTRAINT lives FOREIGN KEY (country) REFERENCES countries (code)) AUTO_INCREMENT=5000",
	"CREATE TABLE orders (order_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id BIGINT NOT NULL, total DECIMAL(12,4), at TIMESTAMP NULL, KEY (user_id), CONSTRAINT buyer FOREIGN KEY (user_id) REFERENCES users (id))",
	"CREATE TABLE settings (name VARCHAR(50) NOT NULL PRIMARY KEY, value VARCHAR(100))",
	"CREATE TABLE changes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), value VARCHAR(100))",
	"CREATE TRIGGER changed AFTER UPDATE ON settings FOR EACH ROW INSERT INTO changes (name, value) VALUES (NEW.name, NEW.value)",
	"CREATE VIEW recent AS SELECT name, value FROM changes",
	"CREATE PROCEDURE set_value (IN n VARCHAR(50), IN v VARCHAR(100)) UPDATE settings SET value = v WHERE name = n",
	"CREATE EVENT clean ON SCHEDULE EVERY 1 YEAR DO DELETE FROM changes WHERE id < 0",
	"INSERT INTO countries VALUES ('de', 'Germany'), ('fr', 'France')",
	"INSERT INTO settings VALUES ('theme', 'dark'), ('it''s', NULL)",
	"INSERT INTO users (id, email, country, born, score, note, raw) SELECT seq.n, CONCAT('user', seq.n, '@example.com'), IF(seq.n % 2, 'de', 'fr'), DATE_ADD('1970-01-01', INTERVAL seq.n DAY), seq.n / 7, CONCAT('ünï\\n', seq.n), UNHEX(SHA2(seq.n, 256)) " +
		"FROM (SELECT a.n * 20 + b.n + 1 AS n FROM numbers a JOIN numbers b) seq",
	"INSERT INTO orders (user_id, total, at) SELECT id, id * 1.5, '2024-02-29 12:00:00' FROM users WHERE id % 3 = 0",
	"UPDATE users SET note = NULL, score = NULL WHERE id % 10 = 0",
	"DROP TABLE numbers",
}

func oldStatements() []string {
	numbers := []string{}
	for i := range 20 {
		numbers = append(numbers, fmt.Sprintf("(%d)", i))
	}
	return append([]string{"CREATE TABLE numbers (n INT)", "INSERT INTO numbers VALUES " + strings.Join(numbers, ", ")}, old...)
}

// checks makes the statements that docs/MIGRATE.md makes: for each table its number of rows and
// a sum over everything in them, which do not depend on the order of the rows.
const checks = "SELECT CONCAT('SELECT ''', TABLE_NAME, ''' AS t, COUNT(*), SUM(CRC32(CONCAT_WS('','', ', GROUP_CONCAT(IF(DATA_TYPE LIKE '%binary' OR DATA_TYPE LIKE '%blob' OR DATA_TYPE = 'bit', " +
	"CONCAT('IFNULL(HEX(`', COLUMN_NAME, '`),''NULL'')'), CONCAT('QUOTE(`', COLUMN_NAME, '`)')) ORDER BY ORDINAL_POSITION), '))) FROM `', TABLE_NAME, '`') " +
	"FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' GROUP BY TABLE_NAME ORDER BY TABLE_NAME"

// sums runs the checks; the statements are those of the old server, for both sides.
func sums(t *testing.T, on *target, statements []string) (out []string) {
	t.Helper()
	db := on.db(t)
	for _, s := range statements {
		out = append(out, queryRows(t, db, s)...)
	}
	return out
}

// proxyOver starts a proxy before servers, with a schemas section; dba is its admin port.
func proxyOver(t *testing.T, servers []*testkit.Server, schema, yaml string) (on *target, dba *target) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := testkit.Dir(t, "proxy")
	data, admin, pages := testkit.Port(t), testkit.Port(t), testkit.Port(t)
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:%d\nadmin: 127.0.0.1:%d\nhttp: 127.0.0.1:%d\ndata_dir: %s\ncluster:\n", data, admin, pages, filepath.Join(dir, "data"))
	fmt.Fprintf(&b, "  admins: [{name: root, password: root}]\n  users: [{name: app, password: app, schemas: [%s]}]\n  backend: {user: sluice, password: sluice}\n  shards:\n", schema)
	for i, s := range servers {
		fmt.Fprintf(&b, "    - {name: s%d, primary: %s}\n", i, s.Addr)
	}
	config := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(config, []byte(b.String()+yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Start(t, testkit.Spec{Name: "sluice", Dir: dir, Argv: []string{path, "serve", "-config", config},
		Ready: func(ctx context.Context) error { return answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/readyz", pages)) }})
	on = &target{name: "sluice", host: "127.0.0.1", port: fmt.Sprint(data), user: "app", password: "app", schema: schema, flavor: servers[0].Flavor}
	return on, &target{name: "admin", host: "127.0.0.1", port: fmt.Sprint(admin), user: "root", password: "root"}
}

// shell runs a line of docs/MIGRATE.md.
func shell(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// TestMigrate moves an existing server in, both ways of docs/MIGRATE.md.
func TestMigrate(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		if flavor != testkit.MariaDBFlavor && !full() {
			continue
		}
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			server := testkit.StartServer(t, flavor, testkit.Binlog(1))
			schema := testkit.Database(t, server)
			server.Exec("CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'app'", "GRANT ALL ON "+schema+".* TO app@'%'")
			host, port, err := net.SplitHostPort(server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			before := &target{name: "the old server", host: host, port: port, user: "app", password: "app", schema: schema, flavor: flavor}
			root := &target{name: "the old server", host: host, port: port, user: "sluice", password: "sluice", schema: schema, flavor: flavor}
			root.must(t, oldStatements()...)
			statements := queryRows(t, before.db(t), checks)
			want := sums(t, before, statements)
			if len(want) != 5 || want[3] != fmt.Sprintf("settings\t2\t%s", strings.Split(want[3], "\t")[2]) {
				t.Fatalf("the checks say %q", want)
			}
			yaml := advise(t, before, "-key", "users.id")
			says(t, yaml, `^  users +sharded +id `, `^  orders +sharded +user_id `, `^  countries +reference `)
			yaml = advise(t, before, "-key", "users.id", "-yaml")

			dump := filepath.Join(testkit.Dir(t, "dump"), "old.sql")
			login := fmt.Sprintf(" --no-defaults -h %s -P %s -usluice -psluice ", before.host, before.port)
			shell(t, "mariadb-dump"+login+"-y --single-transaction --hex-blob --routines --triggers --events "+schema+" >"+dump)

			inPlace(t, server, before, yaml, statements, want)
			loaded(t, before, yaml, dump, statements, want)
		})
	}
}

// inPlace: the old server is shard s0, which owns all slots; then half of them move to a new one.
func inPlace(t *testing.T, server *testkit.Server, before *target, yaml string, statements, want []string) {
	on, dba := proxyOver(t, []*testkit.Server{server}, before.schema, yaml)
	owns := func(when string) {
		t.Helper()
		if got := queryRows(t, dba.db(t), "SHOW SLOTS"); len(got) != 1 || !strings.HasPrefix(got[0], "0\t16383\ts0") {
			t.Errorf("%s: SHOW SLOTS says %q", when, got)
		}
		if d := diff(t, strings.Join(want, "\n"), strings.Join(sums(t, on, statements), "\n")); d != "" {
			t.Errorf("%s: through Sluice the tables are others:\n%s", when, d)
		}
	}
	owns("at first")
	db := on.db(t)
	for i, id := range []string{"5000", "5001"} {
		r, err := db.Exec("INSERT INTO users (email, country) VALUES (?, 'de')", fmt.Sprintf("new%d@example.com", i))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.LastInsertId(); err != nil || fmt.Sprint(got) != id {
			t.Errorf("a new user got the id %d, %v; the old server would have given %s", got, err, id)
		}
	}
	on.must(t, "INSERT INTO orders (user_id, total) VALUES (5000, 1)", "CALL set_value('theme', 'light')")
	for query, want := range map[string]string{
		"SELECT name, value FROM recent": "theme\tlight",
		"SELECT COUNT(*) FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 5000":                  "1",
		"SELECT c.name, COUNT(*) FROM users u JOIN countries c ON c.code = u.country GROUP BY 1 ORDER BY 1": "France\t200;Germany\t202",
	} {
		if got := strings.Join(queryRows(t, db, query), ";"); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	want = sums(t, before, statements) // of what has just been written
	owns("after writes")

	extra := testkit.StartServer(t, server.Flavor, testkit.Binlog(2))
	dba.must(t, "ADD SHARD s1 PRIMARY '"+extra.Addr+"'")
	owns("with an empty second shard")
	on.must(t, "INSERT INTO users (id, email, country) VALUES (6000, 'explicit', 'de'), (6001, 'two', 'fr')", "DELETE FROM users WHERE id IN (6000, 6001)", "CALL set_value('theme', 'blue')")
	if got := extra.Value("SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA='" + before.schema + "'"); !strings.Contains(got, "orders,users") {
		t.Errorf("the new shard has the tables %s", got)
	}
	if got := extra.Value("SELECT COUNT(*) FROM " + before.schema + ".users"); got != "0" {
		t.Errorf("the new shard, which owns no slot, has %s users", got)
	}
	r, err := on.db(t).Exec("INSERT INTO users (email, country) VALUES ('last', 'de')")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := r.LastInsertId(); err != nil || id <= 6001 {
		t.Errorf("the id %d after 6001, %v", id, err)
	}
	want = sums(t, on, statements)
	dba.must(t, "MOVE SLOTS 8192-16383 TO s1 AUTO")
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		got := strings.Join(queryRows(t, dba.db(t), "SHOW MIGRATIONS"), "\n")
		if strings.Contains(got, "\tcompleted\t") {
			break
		}
		if strings.Contains(got, "\tfailed\t") || time.Now().After(deadline) {
			t.Fatalf("the slots were not moved: %s", got)
		}
	}
	if d := diff(t, strings.Join(want, "\n"), strings.Join(sums(t, on, statements), "\n")); d != "" {
		t.Errorf("after half of the slots have moved the tables are others:\n%s", d)
	}
	for _, on := range []*testkit.Server{server, extra} {
		if n := on.Value("SELECT COUNT(*) FROM " + before.schema + ".users"); n == "0" || n == "403" {
			t.Errorf("a shard has %s of 403 users", n)
		}
	}
	on.must(t, "CALL set_value('theme', 'red')", "INSERT INTO countries VALUES ('nl', 'Netherlands')")
	if got := extra.Value("SELECT COUNT(*) FROM " + before.schema + ".countries"); got != "3" {
		t.Errorf("the new shard has %s of 3 countries", got)
	}
}

// loaded: the old server's dump goes through Sluice into new shards.
func loaded(t *testing.T, before *target, yaml, dump string, statements, want []string) {
	flavor, schema := before.flavor, before.schema
	var servers []*testkit.Server
	for i := range 3 {
		s := testkit.Shared(t, flavor, i)
		s.Exec("CREATE DATABASE " + schema)
		t.Cleanup(func() { s.Exec("DROP DATABASE " + schema) })
		servers = append(servers, s)
	}
	on, _ := proxyOver(t, servers, schema, yaml)
	login := fmt.Sprintf(" --no-defaults -h %s -P %s -uapp -papp ", on.host, on.port)
	shell(t, "mariadb"+login+schema+" <"+dump)
	if d := diff(t, strings.Join(want, "\n"), strings.Join(sums(t, on, statements), "\n")); d != "" {
		t.Errorf("after the load the tables are others:\n%s", d)
	}
	spread := 0
	for _, s := range servers {
		if s.Value("SELECT COUNT(*) FROM "+schema+".users") != "0" {
			spread++
		}
	}
	if spread != len(servers) {
		t.Errorf("%d of %d shards have users", spread, len(servers))
	}
	r, err := on.db(t).Exec("INSERT INTO users (email, country) VALUES ('first', 'de')")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := r.LastInsertId(); err != nil || id != 5000 {
		t.Errorf("the first id is %d, %v", id, err)
	}
	asAdvised(t, before, on, len(servers))
	on.must(t, "CALL set_value('theme', 'light')")
	if got := queryRows(t, on.db(t), "SELECT name, value FROM recent"); len(got) != 1 || got[0] != "theme\tlight" {
		t.Errorf("procedure, trigger and view say %q", got)
	}
}

// asAdvised: what advise says of a log is what EXPLAIN ROUTE says of its statements later.
func asAdvised(t *testing.T, before, on *target, shards int) {
	t.Helper()
	statements := []string{
		"SELECT * FROM users WHERE id = 5", "SELECT * FROM users WHERE id IN (1, 2, 3, 4, 5)", "SELECT * FROM users WHERE email = 'x'", "SELECT COUNT(*), AVG(score) FROM users",
		"SELECT email FROM users ORDER BY email LIMIT 3", "SELECT u.email, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 7",
		"SELECT u.email, o.total FROM users u JOIN orders o ON o.user_id = u.id ORDER BY o.total, 1", "SELECT country, COUNT(*) FROM users GROUP BY country HAVING COUNT(*) > 1",
		"SELECT c.name, COUNT(*) FROM users u JOIN countries c ON c.code = u.country GROUP BY c.name", "SELECT * FROM settings", "SELECT * FROM countries",
		"SELECT (SELECT MAX(total) FROM orders) > 5", "INSERT INTO users (email, country) VALUES ('a', 'de'), ('b', 'fr'), ('c', 'fr')", "INSERT INTO orders (total) VALUES (1)",
		"UPDATE users SET score = 1 WHERE id = 5", "UPDATE users SET score = 1", "DELETE FROM orders ORDER BY total LIMIT 2",
		"UPDATE users SET id = 9 WHERE id = 8", "SET @a = 1", "BEGIN", "SELECT LAST_INSERT_ID()", "CREATE VIEW v AS SELECT * FROM users",
	}
	want := map[string]int{}
	db := on.db(t)
	for _, s := range statements {
		way := ""
		rows, err := db.Query("EXPLAIN ROUTE " + s)
		if err != nil {
			if way = "refused"; !strings.Contains(err.Error(), "sluice: ") {
				t.Errorf("%s: %v", s, err)
			}
		} else {
			for rows.Next() {
				var shard, sql string
				if err := rows.Scan(&shard, &sql, &way); err != nil {
					t.Fatal(err)
				}
			}
			rows.Close()
		}
		switch way {
		case "relay":
			way = "one shard"
		case "local":
			way = "by Sluice"
		}
		want[way]++
	}
	log := filepath.Join(t.TempDir(), "statements.sql")
	if err := os.WriteFile(log, []byte(strings.Join(statements, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	report := advise(t, before, "-key", "users.id", "-shards", fmt.Sprint(shards), "-log", log)
	got := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-zA-Z -]+?) +([0-9]+) +[0-9.]+ % `).FindAllStringSubmatch(report, -1) {
		if got[m[1]], _ = strconv.Atoi(m[2]); got[m[1]] == 0 {
			delete(got, m[1])
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("advise says %v, EXPLAIN ROUTE %v:\n%s", got, want, report)
	}
}
