package integration

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// packets gives the packets of the answers to a text of statements, or to another command.
func (c *raw) packets(cmd byte, arg string) (out []string) {
	c.t.Helper()
	c.send(cmd, arg)
	for more := true; more; {
		b := c.packet()
		switch {
		case wire.IsError(b):
			e, err := wire.ParseError(b)
			c.must(err)
			return append(out, fmt.Sprintf("ERR %d (%s) %s", e.Code, e.SQLState, e.Message))
		case wire.IsOK(b):
			ok, err := wire.ParseOK(b)
			c.must(err)
			out, more = append(out, saysOK(ok)), ok.Status&wire.StatusMoreResults != 0
			continue
		}
		columns := int(b[0])
		for range columns {
			col, err := c.ParseColumn(c.packet())
			c.must(err)
			out = append(out, fmt.Sprintf("%+v", col))
		}
		for ends := 0; ends < 2; {
			b := c.packet()
			if !wire.IsEOF(b) {
				out = append(out, fmt.Sprintf("%q", b))
			} else {
				eof, err := wire.ParseEOF(b)
				c.must(err)
				out = append(out, "EOF "+saysOK(eof))
				ends, more = ends+1, eof.Status&wire.StatusMoreResults != 0
			}
		}
	}
	return out
}

// saysOK gives all of an OK, but whether an index was used, which shards do not tell together, and
// with its entries in order: that of MariaDB's is of its memory.
func saysOK(ok wire.OK) string {
	ok.Status &^= wire.StatusNoIndexUsed | wire.StatusNoGoodIndexUsed
	info, n, _ := wire.LenencBytes([]byte(ok.Info))
	changes, m, whole := wire.LenencBytes([]byte(ok.Info)[n:])
	if ok.Status&wire.StatusSessionStateChanged == 0 {
		return fmt.Sprintf("%+v", ok)
	}
	ok.Info = string(info)
	var entries []string
	for len(changes) > 0 {
		size, k, _ := wire.LenencInt(changes[1:])
		end := 1 + k + int(size)
		entries = append(entries, fmt.Sprintf("%q", changes[:end]))
		changes = changes[end:]
	}
	sort.Strings(entries)
	return fmt.Sprintf("%+v %v %v %d", ok, entries, whole, m)
}

// samePackets are statements to which every packet of the answer is the same, to the bit. Those
// of a list run one after the other on one connection.
var samePackets = []struct {
	name      string
	extended  bool
	caps      uint32
	collation byte
	schema    string
	only      string // of one kind of server
	texts     []string
}{
	{name: "a client that tracks its session", caps: wire.ClientSessionTrack | wire.ClientMultiStatements, schema: "shop", texts: []string{
		"INSERT INTO orders (order_id, user_id, note) VALUES (1, 1, 'a')", "INSERT INTO orders (order_id, user_id, note) VALUES (2, 2, 'b'), (3, 3, 'c'), (4, 1, 'd')",
		"UPDATE orders SET note = 'x' WHERE user_id = 1", "UPDATE orders SET note = 'y'", "DELETE FROM orders WHERE user_id = 2",
		"USE plain", "USE plain", "SET NAMES latin1", "SET autocommit = 0", "SET autocommit = 1", "SET autocommit = 1", "SET time_zone = '+01:00', @x = 5", "SET @y = 1", "SET sql_mode = ''",
		"SET character_set_results = NULL", "SET CHARACTER SET utf8mb4", "SET time_zone = 'nonsense'", "SET collation_connection = utf8mb4_unicode_ci",
		"SET time_zone = '+03:00'; USE shop; SELECT 1; SET NAMES utf8mb4", "PREPARE p FROM 'SET time_zone=''+04:00'''", "EXECUTE p", "SET time_zone = DEFAULT",
		"SET session_track_system_variables = 'sql_mode,foreign_key_checks,lc_time_names'", "SET sql_mode = DEFAULT, foreign_key_checks = 0, time_zone = '+05:00', lc_time_names = de_DE",
		"SET foreign_key_checks = ON", "SET session_track_schema = OFF", "USE plain", "SET session_track_schema = ON", "USE shop",
	}},
	{name: "isolation", only: "mariadb", caps: wire.ClientSessionTrack, texts: []string{"SET session_track_system_variables = 'tx_isolation'", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET tx_isolation = 'SERIALIZABLE'"}},
	{name: "isolation", only: "mysql", caps: wire.ClientSessionTrack, texts: []string{
		"SET session_track_system_variables = 'transaction_isolation'", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET transaction_isolation = 'SERIALIZABLE'"}},
	{name: "without a schema", caps: wire.ClientSessionTrack, texts: []string{"SELECT DATABASE()"}},
	{name: "collations of columns", collation: 224, schema: "shop", texts: []string{
		"SELECT 'a'", "SELECT note FROM orders WHERE user_id = 1", "SELECT note, UPPER(note) AS u FROM orders ORDER BY note DESC LIMIT 2", "SELECT MAX(note) AS m FROM orders", "SET NAMES utf8mb4",
		"SELECT note FROM orders WHERE user_id = 1", "SELECT note FROM orders ORDER BY note", "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci", "SELECT note FROM orders WHERE user_id = 1",
		"SELECT 1/0", "SHOW WARNINGS", "SHOW ERRORS", "SET character_set_results = utf8mb4", "SELECT note FROM orders WHERE user_id = 1", "SELECT 1/0", "SHOW WARNINGS",
	}},
	{name: "the session's own results", schema: "shop", texts: []string{
		"SELECT 1/0", "SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SHOW DATABASES", "SHOW DATABASES LIKE 's%'", "SELECT 1 UNION SELECT 2", "SELECT FOUND_ROWS()", "SHOW WARNINGS",
		"SELECT FOUND_ROWS() AS n", "SELECT @@warning_count",
	}},
	{name: "extended metadata", only: "mariadb", extended: true, schema: "shop", texts: []string{
		"SELECT j, i, g FROM orders WHERE user_id = 1", "SELECT user_id, j, g FROM orders ORDER BY order_id LIMIT 3", "SELECT j FROM orders UNION ALL SELECT j FROM orders ORDER BY 1 LIMIT 1", "SHOW DATABASES LIKE 's%'",
		"SELECT COUNT(*) AS n FROM orders", "SELECT 1/0", "SHOW WARNINGS", "SHOW COLUMNS FROM orders", "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'", "SELECT FOUND_ROWS()",
	}},
	{name: "what was offered, not taken", only: "mariadb", schema: "shop", texts: []string{"SELECT j, i, g FROM orders WHERE user_id = 1", "SELECT user_id, j FROM orders ORDER BY order_id LIMIT 3"}},
	{name: "ids of the statement's own", schema: "shop", texts: []string{
		"INSERT INTO orders (order_id, user_id, note) VALUES (50, 5, ''), (30, 6, ''), (40, 7, ''), (35, 8, '')", "SELECT LAST_INSERT_ID()",
		"REPLACE INTO orders (order_id, user_id, note) VALUES (31, 6, ''), (36, 7, ''), (61, 5, '')", "INSERT INTO orders (order_id, user_id, note) SELECT 99, 9, ''",
	}},
	{name: "schemas that are not there", schema: "shop", texts: []string{
		"DESCRIBE nowhere.t", "DESCRIBE nowhere.t a", "EXPLAIN nowhere.t", "SHOW COLUMNS FROM t FROM nowhere", "SHOW FULL COLUMNS FROM nowhere.t", "SHOW INDEX FROM nowhere.t",
		"SHOW CREATE TABLE nowhere.t", "SELECT * FROM nowhere.t", "INSERT INTO nowhere.t VALUES (1)", "SHOW TABLES FROM nowhere", "SHOW TABLE STATUS FROM nowhere", "SHOW TRIGGERS FROM nowhere",
		"USE nowhere", "USE mysql", "USE performance_schema", "SHOW TABLES FROM mysql", "FLUSH TABLES WITH READ LOCK", "EXPLAIN SELECT * FROM nowhere.t",
	}},
}

var accountText = regexp.MustCompile(`'(app|packets)'@'[^']*'`)

// TestPackets: the packets of one server and of four shards.
func TestPackets(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		plain := testkit.StartServer(t, flavor)
		plain.Exec("CREATE DATABASE shop", "CREATE DATABASE plain", "CREATE USER packets@'%' IDENTIFIED BY ''", "GRANT ALL ON shop.* TO packets@'%'", "GRANT ALL ON plain.* TO packets@'%'")
		c := start(t, setup{flavor: flavor, own: true})
		more := ""
		if flavor == testkit.MariaDBFlavor {
			more = " j JSON, i INET6, g POINT,"
		}
		table := "CREATE TABLE shop.orders (order_id BIGINT NOT NULL AUTO_INCREMENT, user_id BIGINT NOT NULL, note VARCHAR(20)," + more + " PRIMARY KEY (user_id, order_id), KEY (order_id)) DEFAULT CHARSET=utf8mb4"
		plain.Exec(table)
		must(t, c.open("shop"), table)
		dial := func(l rawLogin) [2]*raw {
			one := dialRaw(t, plain.Addr)
			p := l
			p.user, p.response = "packets", []byte{}
			if flavor == testkit.MySQLFlavor {
				p.plugin = "caching_sha2_password"
			}
			one.say(p)
			want := one.packet()
			if flavor == testkit.MySQLFlavor && len(want) > 0 && want[0] == 1 { // the plugin's word
				want = one.packet()
			}
			four := dialRaw(t, c.px[0].data)
			four.say(l)
			if got := four.packet(); string(got) != string(want) {
				t.Errorf("the login's OK: got %q, want %q", got, want)
			}
			return [2]*raw{one, four}
		}
		for _, list := range samePackets {
			if list.only != "" && list.only != flavor.String() {
				continue
			}
			both := dial(rawLogin{caps: list.caps, schema: list.schema, collation: list.collation, extended: list.extended})
			for _, text := range list.texts {
				var said [2]string
				for i, r := range both {
					said[i] = accountText.ReplaceAllString(strings.Join(r.packets(wire.ComQuery, text), "\n"), "'app'@HOST")
				}
				if list.extended && strings.Contains(text, "j, i, g") && !strings.Contains(said[1], "json") {
					t.Errorf("%s: nothing of JSON in %s", text, said[1])
				}
				if said[0] != said[1] {
					t.Errorf("%s: %s:\none server  %s\nfour shards %s", list.name, text, said[0], said[1])
				}
			}
		}
		both := dial(rawLogin{caps: wire.ClientSessionTrack})
		for _, schema := range []string{"plain", "shop"} {
			if one, four := both[0].packets(wire.ComInitDB, schema)[0], both[1].packets(wire.ComInitDB, schema)[0]; one != four {
				t.Errorf("COM_INIT_DB: got %s, want %s", four, one)
			}
		}
		// Of the process list, which is each one's own, the definitions and the warnings at its end.
		for _, text := range []string{"SHOW PROCESSLIST", "SHOW FULL PROCESSLIST"} {
			var said [2]string
			for i, r := range both {
				lines := r.packets(wire.ComQuery, text)
				for _, line := range lines {
					if strings.HasPrefix(line, "{") {
						said[i] += line + "\n"
					}
				}
				said[i] += lines[len(lines)-1] + "\n"
				said[i] += strings.Join(r.packets(wire.ComQuery, "SHOW WARNINGS"), "\n")
			}
			if said[0] != said[1] {
				t.Errorf("%s:\none server  %s\nfour shards %s", text, said[0], said[1])
			}
		}
	})
}
