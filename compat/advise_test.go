package compat

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// logging starts a server of its own that writes the general log and the slow log of
// everything, and makes a schema and the account app on it. done ends the logs.
func logging(t *testing.T, flavor testkit.Flavor, schema string) (on *target, logs map[string]string, done func()) {
	t.Helper()
	dir := testkit.Dir(t, "logs")
	logs = map[string]string{"general": filepath.Join(dir, "general.log"), "slow": filepath.Join(dir, "slow.log")}
	s := testkit.StartServer(t, flavor)
	s.Exec("CREATE DATABASE "+schema, "CREATE USER app@'%' IDENTIFIED BY 'app'", "GRANT ALL ON "+schema+".* TO app@'%'",
		"SET GLOBAL general_log_file='"+logs["general"]+"'", "SET GLOBAL slow_query_log_file='"+logs["slow"]+"'", "SET GLOBAL long_query_time=0",
		"SET GLOBAL slow_query_log=1", "SET GLOBAL general_log=1")
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	on = &target{name: "plain", host: host, port: port, user: "app", password: "app", schema: schema, flavor: flavor}
	return on, logs, func() { s.Exec("SET GLOBAL general_log=0", "SET GLOBAL slow_query_log=0") }
}

// advise runs the command.
func advise(t *testing.T, on *target, args ...string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dsn := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(dsn, []byte(on.user+":"+on.password+"@tcp("+on.addr()+")/"+on.schema+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"advise", "-dsn", "file:" + dsn}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("advise %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// accepted holds that `sluice check` accepts a configuration with the advised schemas.
func accepted(t *testing.T, yaml string) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	config := "cluster:\n  backend: {user: sluice, password: sluice}\n  shards: [{name: s0, primary: 127.0.0.1:3301}, {name: s1, primary: 127.0.0.1:3302}]\n" + yaml
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "check", "-config", file).CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s\n%s", err, out, config)
	}
}

// says holds that each expression is found in a report.
func says(t *testing.T, report string, expressions ...string) {
	t.Helper()
	for _, e := range expressions {
		if !regexp.MustCompile("(?m)" + e).MatchString(report) {
			t.Errorf("nothing like %s in\n%s", e, report)
		}
	}
}

// shop is a schema with everything that is in the way of sharding.
var shop = []string{
	"CREATE TABLE users (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(100) NOT NULL, country_id INT NOT NULL, UNIQUE KEY email (email))",
	"CREATE TABLE countries (id INT NOT NULL PRIMARY KEY, name VARCHAR(100))",
	"CREATE TABLE orders (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id BIGINT NOT NULL, total DECIMAL(10,2), KEY (user_id), CONSTRAINT buyer FOREIGN KEY (user_id) REFERENCES users (id))",
	"CREATE TABLE items (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id BIGINT NOT NULL, name VARCHAR(100), CONSTRAINT item_of FOREIGN KEY (order_id) REFERENCES orders (id))",
	"CREATE TABLE audit (user_id BIGINT NOT NULL, what VARCHAR(100))",
	"CREATE TABLE wishes (id INT NOT NULL PRIMARY KEY, user_id BIGINT, what VARCHAR(100))",
	"CREATE TABLE carts (user_id BIGINT NOT NULL PRIMARY KEY, n INT NOT NULL DEFAULT 0)",
	"CREATE TABLE settings (name VARCHAR(50) NOT NULL PRIMARY KEY, value VARCHAR(100))",
	"CREATE TRIGGER count_order AFTER INSERT ON orders FOR EACH ROW UPDATE settings SET value = value + 1 WHERE name = 'orders'",
	"CREATE VIEW totals AS SELECT user_id, COUNT(*) AS n FROM carts GROUP BY user_id",
	"CREATE PROCEDURE empty_cart (IN u BIGINT) DELETE FROM carts WHERE user_id = u",
	"INSERT INTO users (email, country_id) VALUES ('a@b', 1), ('c@d', 2)",
	"INSERT INTO wishes VALUES (1, NULL, 'no owner'), (2, 1, 'a boat')",
	"INSERT INTO countries VALUES (1, 'Germany'), (2, 'France')",
}

// demoShop is the schema of make demo.
func demoShop(t *testing.T) (statements []string) {
	t.Helper()
	b, err := os.ReadFile("../cmd/proxy/demo_shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Split(string(b), ";\n") {
		if strings.TrimSpace(s) != "" {
			statements = append(statements, s)
		}
	}
	return statements
}

const shopLog = `SELECT * FROM users WHERE id = 1;
SELECT * FROM users WHERE id = 2; SELECT 'a;b';
SET @x = 1;
BEGIN;
INSERT INTO carts (user_id, n) VALUES (1, 2), (2, 3),
  (3, 4);
COMMIT;
SELECT u.email, c.name FROM users u JOIN countries c ON c.id = u.country_id WHERE u.id = 7;
SELECT SUM(n) FROM carts;
SELECT * FROM carts ORDER BY n DESC LIMIT 3;
SELECT n, COUNT(*) FROM carts GROUP BY n HAVING COUNT(*) > 1;
INSERT INTO carts (n) VALUES (5);
SELECT * FROM nowhere;
SELECT LAST_INSERT_ID();
`

// TestAdvise looks at a small schema, with and without a log of plain SQL.
func TestAdvise(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		if flavor != testkit.MariaDBFlavor && !full() {
			continue
		}
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			s := testkit.Shared(t, flavor, plainServer)
			schema := testkit.Database(t, s)
			host, port, err := net.SplitHostPort(s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			on := &target{name: "plain", host: host, port: port, user: "sluice", password: "sluice", schema: schema, flavor: flavor}
			on.must(t, shop...)
			log := filepath.Join(t.TempDir(), "queries.sql")
			if err := os.WriteFile(log, []byte(shopLog), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, report := range []string{advise(t, on), advise(t, on, "-log", log)} {
				says(t, report,
					`Shard by users\.id:`,
					`^  users +sharded +id .*the key is its primary key`,
					`^  countries +reference .*used with users`,
					`^  carts +sharded +user_id `,
					`^  audit +sharded +user_id `,
					`^  orders +unsharded .*could be sharded by user_id, but has triggers \(count_order\)`,
					`^  items +unsharded .*its order_id leads to orders|^  items +unsharded .*has no column of the key`,
					`^  wishes +unsharded .*could be sharded by user_id, but it is NULL in some rows`,
					`^  settings +unsharded .*has no column of the key`,
					`audit has no primary key`,
					`the unique key email \(email\) of users does not contain the shard key id: it holds on each shard, not over all of them`,
					`the foreign key buyer of orders to users cannot be checked when orders is unsharded and users sharded: drop it first`,
					`the view totals names carts: it would see the rows of one server only`,
					`the procedure empty_cart names carts`)
			}
			says(t, advise(t, on, "-log", log),
				`The log: 14 statements of 13 kinds, planned over 4 shards`,
				`^  one shard +6 `, `^  by Sluice +3 `, `^  split-insert +1 `, `^  aggregate +1 `, `^  merge-sort +1 `, `^  gather +1 `, `^  refused +1 `,
				`1× +split-insert, [23] shards\n +INSERT INTO carts \(user_id, n\) VALUES \(\?i, \?i\)\+`,
				`Refused:\n +1× +refused\n +INSERT INTO carts \(n\) VALUES \(\?i\)\+?\n +→ 1364 Field 'user_id' doesn't have a default value`)
			yaml := advise(t, on, "-yaml")
			says(t, yaml, `^    - name: `+schema+`\n      default_shard: s0\n      tables:\n`, `^        carts: \{shard_key: user_id\}`, `^        countries: \{kind: reference\}`)
			accepted(t, yaml)
			on.schema = testkit.Database(t, s)
			on.must(t, demoShop(t)...)
			if err := os.WriteFile(log, []byte("SELECT o.item FROM orders o WHERE o.user_id = 5\nSELECT u.name, c.name FROM users u JOIN countries c ON c.code = u.country WHERE u.user_id = 5\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, advise(t, on, "-log", log), `Shard by users\.user_id`, `^  users +sharded +user_id `, `^  orders +sharded +user_id `, `^  countries +reference `, `^  settings +unsharded `, `^  one shard +2 +100`)
			on.schema = schema
			says(t, advise(t, on, "-key", "wishes.id"), `Shard by wishes\.id`, `^  wishes +sharded +id`, `^  users +reference .*used with wishes`)
		})
	}
}

// TestAdviseWordPress looks at a WordPress site that was used, with both of the server's logs.
func TestAdviseWordPress(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			on, logs, done := logging(t, flavor, "wp")
			sites := wordpressSites(t, []*target{on})
			eachSite(sites, func(s *site) {
				s.install()
				s.login("admin", "pw of admin")
				s.people()
				s.articles()
				s.discussion()
				s.reading()
			})
			done()
			if t.Failed() {
				return
			}
			for name, log := range logs {
				report := advise(t, on, "-log", log, "-key", "wp_users.ID,wp_posts.post_author")
				t.Logf("%s\n%s", name, report)
				says(t, report, `^  wp_users +sharded +ID `, `^  wp_usermeta +sharded +user_id `, `^  wp_posts +sharded +post_author `, `^  wp_options +unsharded `,
					`^The log: [67][0-9]{3} statements of [23][0-9]{2} kinds`, `^  one shard +[1-9][0-9]{3} `, `^  gather +[0-9]+ `, `SELECT user_id, meta_key, meta_value FROM wp_usermeta WHERE user_id IN \(\?i\+\)`)
				report = advise(t, on, "-log", log)
				t.Logf("%s, its own choice\n%s", name, report)
				says(t, report, `Shard by wp_posts\.ID`, `^  wp_postmeta +sharded +post_id `, `^  wp_users\.ID +[23] `)
				accepted(t, advise(t, on, "-log", log, "-yaml"))
			}
		})
	}
}

// TestAdviseSysbench looks at sysbench's tables, with logs of text and of prepared statements.
func TestAdviseSysbench(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			on, logs, done := logging(t, flavor, "sbtest")
			for _, mode := range []string{"disable", "auto"} {
				sysbench(t, on, "oltp_read_write", "cleanup", mode, 2)
				sysbench(t, on, "oltp_read_write", "prepare", mode, 2)
				sysbench(t, on, "oltp_read_write", "run", mode, 2, "--events=50", "--time=0")
			}
			done()
			for name, log := range logs {
				report := advise(t, on, "-log", log)
				t.Logf("%s\n%s", name, report)
				says(t, report, `^  sbtest1 +sharded +id `, `^  sbtest2 +sharded +id `, `^Shard by sbtest1\.id: 100 %`, `SELECT SUM\(k\) FROM sbtest1 WHERE id BETWEEN \?i AND \?i`)
				accepted(t, advise(t, on, "-log", log, "-yaml"))
			}
		})
	}
}

// sysbench runs one command of a script of sysbench's own.
func sysbench(t *testing.T, on *target, script, command, prepared string, tables int, args ...string) string {
	t.Helper()
	argv := append([]string{script, "--db-driver=mysql", "--mysql-host=" + on.host, "--mysql-port=" + on.port, "--mysql-user=" + on.user, "--mysql-password=" + on.password,
		"--mysql-db=" + on.schema, "--table-size=500", fmt.Sprintf("--tables=%d", tables), "--db-ps-mode=" + prepared, "--mysql-ssl=off"}, args...)
	out, err := exec.Command("sysbench", append(argv, command)...).CombinedOutput()
	if err != nil {
		t.Errorf("%s, sysbench %s %s with db-ps-mode %s: %v\n%s", on.name, script, command, prepared, err, out)
	}
	return string(out)
}
