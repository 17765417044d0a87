package session_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// stateRow is a row of docs/SESSIONS.md: what a session leaves behind it with do, why its
// connection is pinned then, what it gets for ask, and what the next client gets for it.
type stateRow struct {
	do           string
	pinned       string
	ask          string
	mine, others string // "" with an error, whose number is then expected
	myErr, error uint16
}

var stateRows = []stateRow{
	{do: "SET SESSION group_concat_max_len = 77", ask: "SELECT @@group_concat_max_len = 77", mine: "1", others: "0"},
	{do: "SET SESSION preload_buffer_size = 40960", pinned: "session variables", ask: "SELECT @@preload_buffer_size = 40960", mine: "1", others: "0"},
	{do: "SET @x = 1", pinned: "user variables", ask: "SELECT @x", mine: "1", others: "NULL"},
	{do: "SELECT 1 INTO @x", pinned: "user variables", ask: "SELECT @x", mine: "1", others: "NULL"},
	{do: "CREATE TEMPORARY TABLE tmp AS SELECT 1 AS a", pinned: "temporary tables", ask: "SELECT a FROM tmp", mine: "1", error: 1146},
	{do: "LOCK TABLES plain WRITE", pinned: "table locks", ask: "SELECT COUNT(*) FROM countries", myErr: 1100, others: "0"},
	{do: "DO GET_LOCK('a', 0)", pinned: "named locks", ask: "SELECT RELEASE_LOCK('a')", mine: "1", others: "NULL"},
	{do: "HANDLER plain OPEN", pinned: "open handlers", ask: "HANDLER plain READ FIRST", mine: "", error: 1109},
	{do: "CALL p()", pinned: "procedure state", ask: "SELECT @secret", mine: "42", others: "NULL"},
	{do: "PREPARE p FROM 'SELECT 5'", ask: "EXECUTE p", mine: "5", error: 1243},
	{do: "INSERT INTO plain (v) VALUES ('a')", ask: "SELECT LAST_INSERT_ID() > 0", mine: "1", others: "0"},
	{do: "UPDATE plain SET id = LAST_INSERT_ID(77) WHERE id = 1", ask: "SELECT LAST_INSERT_ID()", mine: "77", others: "0"},
	{do: "SELECT SQL_CALC_FOUND_ROWS * FROM (SELECT 1 UNION SELECT 2) q LIMIT 1", ask: "SELECT FOUND_ROWS()", mine: "2", others: "0"},
	{do: "DELETE FROM plain", ask: "SELECT ROW_COUNT()", mine: "1", others: "0"},
	{do: "INSERT IGNORE INTO countries VALUES ('abc', NULL)", ask: "SHOW COUNT(*) WARNINGS", mine: "1", others: "0"},
	{do: "USE information_schema", ask: "SELECT DATABASE() = 'information_schema'", mine: "1", others: "0"},
	{do: "SET NAMES latin1", ask: "SELECT @@character_set_client", mine: "latin1", others: "utf8mb4"},
	{do: "SET sql_mode = 'ANSI_QUOTES'", ask: "SELECT \"x\" FROM (SELECT 1 AS x) q", mine: "1", others: "x"},
	{do: "SET autocommit = 0", ask: "SELECT @@autocommit", mine: "0", others: "1"},
	{do: "BEGIN", ask: "ROLLBACK TO SAVEPOINT nosuch", myErr: 1305, error: 1305},
}

// refusedState are statements whose state no session of a proxy may have.
var refusedState = map[string]uint16{
	"SET ROLE NONE": 1235, "SET DEFAULT ROLE NONE TO 'a'": 1235, "SET profiling = 1": 1235, "SET rand_seed1 = 1": 1235, "SET insert_id = 9": 1235,
	"SET timestamp = 1": 1235, "SET GLOBAL sql_mode = ''": 1227, "SET PERSIST sql_mode = ''": 1227, "SET sql_log_bin = 0": 1227,
	"SET gtid_next = 'AUTOMATIC'": 1227, "SET server_id = 2": 1227, "SET skip_replication = 1": 1227, "SET debug = 'd'": 1227,
	"FLUSH TABLES WITH READ LOCK": 1227, "BACKUP STAGE START": 1227, "LOCK INSTANCE FOR BACKUP": 1227, "GET DIAGNOSTICS @n = NUMBER": 1235,
	"EXECUTE IMMEDIATE CONCAT('SELECT', ' 1')": 1235, "SET STATEMENT sql_mode='' FOR SELECT 1": 1235,
}

// TestSessionTable goes through docs/SESSIONS.md with one connection a shard: what a client leaves
// is its own, is said to be pinned where it is, and is not seen by the next.
func TestSessionTable(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		f.tables()
		f.servers[0].Exec("CREATE PROCEDURE " + f.db + ".p() SET @secret = 42")
		rowsOf := stateRows
		if flavor == testkit.MariaDBFlavor {
			rowsOf = append(rowsOf[:len(rowsOf):len(rowsOf)], stateRow{do: "CREATE TEMPORARY SEQUENCE sq", pinned: "temporary tables", ask: "SELECT NEXTVAL(sq)", mine: "1", error: 4091})
		}
		for _, r := range rowsOf {
			db := f.open("")
			c := on{conn(t, db)}
			var id uint32
			fmt.Sscan(rows(t, c, "SELECT CONNECTION_ID()"), &id)
			if _, err := tryRows(c, r.do); err != nil {
				t.Errorf("%s: %v", r.do, err)
			}
			info, pinned := f.server.Find(id).Session().Info(), r.pinned
			if pinned != "" {
				pinned += " on s0"
			}
			if info.Pinned != pinned || (pinned != "") == info.PinnedSince.IsZero() {
				t.Errorf("%s: pinned %q since %v, want %q", r.do, info.Pinned, info.PinnedSince, pinned)
			}
			r.expect(t, "its own session", c, r.mine, r.myErr)
			c.c.Close()
			db.Close()
			db = f.open("")
			c = on{conn(t, db)}
			r.expect(t, "the next client", c, r.others, r.error)
			c.c.Close()
			db.Close()
		}
		db := f.open("")
		defer db.Close()
		for sql, code := range refusedState {
			if _, err := tryRows(db, sql); codeOf(err) != code {
				t.Errorf("%s: %v, want %d", sql, err, code)
			}
		}
	})
}

func (r *stateRow) expect(t *testing.T, who string, c queryer, answer string, code uint16) {
	t.Helper()
	if got, err := tryRows(c, r.ask); codeOf(err) != code || err == nil && got != answer {
		t.Errorf("after %s, %s to %s: %q %v, want %q %d", r.do, r.ask, who, got, err, answer, code)
	}
}

// TestImplicitCommits: what commits by itself ends the transaction on all shards.
func TestImplicitCommits(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2, conns: 3})
	f.tables()
	c, other := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
	for i, sql := range []string{"CREATE TABLE made (a INT)", "ALTER TABLE plain COMMENT 'x'", "CREATE INDEX i ON countries (name)", "TRUNCATE TABLE countries",
		"LOCK TABLES plain READ", "BEGIN", "SET autocommit = 1", "DROP TABLE made"} {
		exec(t, c, "SET autocommit = 0")
		exec(t, c, fmt.Sprintf("INSERT INTO users VALUES (%d, 'a'), (%d, 'b'), (%d, 'c')", 10*i+1, 10*i+2, 10*i+3))
		exec(t, c, sql)
		if sql == "LOCK TABLES plain READ" {
			exec(t, c, "UNLOCK TABLES")
		}
		exec(t, c, "ROLLBACK")
		want(t, rows(t, other, fmt.Sprintf("SELECT COUNT(*) FROM users WHERE user_id > %d", 10*i)), "3")
	}
}

// TestSessionsDoc: every test that docs/SESSIONS.md names is there.
func TestSessionsDoc(t *testing.T) {
	doc, err := os.ReadFile("../docs/SESSIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "../integration/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
	}
	names := regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(string(doc), -1)
	if len(names) < 30 {
		t.Errorf("it names %d tests", len(names))
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
}
