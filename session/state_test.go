package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// conn gives one connection of a handle, which the test keeps.
func conn(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// on makes a *sql.Conn fit execer and queryer.
type on struct{ c *sql.Conn }

func (o on) Exec(q string, args ...any) (sql.Result, error) {
	return o.c.ExecContext(context.Background(), q, args...)
}

func (o on) Query(q string, args ...any) (*sql.Rows, error) {
	return o.c.QueryContext(context.Background(), q, args...)
}

// stateStatements change or show session state. "%d" is a small number.
var stateStatements = []string{
	"SET NAMES utf8mb4", "SET NAMES latin1", "SET NAMES gbk", "SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET CHARACTER SET latin1",
	"SET time_zone = '+0%d:00'", "SET SESSION time_zone = 'SYSTEM'", "SET sql_mode = 'ANSI_QUOTES'", "SET sql_mode = 'STRICT_TRANS_TABLES'",
	"SET sql_mode = ''", "SET sql_mode = 'NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'", "SET sql_mode = CONCAT(@@sql_mode, ',NO_ZERO_DATE')",
	"SET sql_mode = DEFAULT", "SET foreign_key_checks = %d", "SET unique_checks = 0, group_concat_max_len = 1%d00",
	"SET autocommit = 0", "SET autocommit = 1", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE",
	"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET group_concat_max_len = 99999999999999999999999", "SET no_such_variable = 1",
	"SET sql_mode = 'NO_SUCH_MODE'", "SET lc_time_names = 'de_DE'", "SET div_precision_increment = %d", "SET @x = %d", "SET @x = @x + 1, @y = 'text'",
	"SET @z := (SELECT %d + 1)", "SET sql_select_limit = 2", "SET sql_select_limit = DEFAULT", "SET max_sort_length = 1%d00",
	"SET last_insert_id = %d", "SET sql_notes = %d", "SET NAMES nosuchset", "SET wait_timeout = 1%d00", "SET big_tables = 0",
	"USE %s", "BEGIN", "START TRANSACTION READ ONLY", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SAVEPOINT a", "SAVEPOINT b",
	"ROLLBACK TO a", "ROLLBACK TO SAVEPOINT b", "RELEASE SAVEPOINT a",
	"INSERT INTO t (v) VALUES ('a%d')", "INSERT INTO t (v) VALUES ('a%d'), ('b%d')", "INSERT INTO t (id, v) VALUES (5%d, 'c%d')",
	"INSERT IGNORE INTO t (v) VALUES ('a%d')", "INSERT INTO t (v) VALUES ('a%d') ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
	"UPDATE t SET v = CONCAT(v, 'x') WHERE id = %d", "DELETE FROM t WHERE id = %d", "REPLACE INTO t (id, v) VALUES (%d, 'r%d')",
	"UPDATE t SET id = LAST_INSERT_ID(id + 0) WHERE id = %d", "INSERT INTO missing VALUES (1)", "SELEC 1",
	"CREATE TEMPORARY TABLE IF NOT EXISTS tmp (a INT)", "INSERT INTO tmp VALUES (%d)", "DROP TEMPORARY TABLE IF EXISTS tmp", "CREATE TABLE tt%d (a INT)", "DROP TABLE IF EXISTS tt%d",
	"DO GET_LOCK('%s', 0)", "DO RELEASE_LOCK('%s')",
	"PREPARE p FROM 'SELECT ? + %d, ?'", "PREPARE q FROM 'INSERT INTO t (v) VALUES (?)'", "EXECUTE q USING @y", "DEALLOCATE PREPARE p",
	"TRUNCATE TABLE t", "SELECT %d INTO @w", "SELECT @x := 1%d", "DO %d", "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 2",
}

// stateQuestions are asked after every statement. All must be answered alike.
var stateQuestions = []string{
	"SELECT @@character_set_client, @@character_set_results, @@character_set_connection, @@collation_connection",
	"SELECT @@sql_mode, @@time_zone, @@autocommit, @@foreign_key_checks, @@unique_checks, @@group_concat_max_len, @@sql_select_limit",
	"SELECT @@lc_time_names, @@div_precision_increment, @@max_sort_length, @@sql_notes, @@wait_timeout, DATABASE(), @x, @y, @z, @w",
	"SELECT LAST_INSERT_ID(), ROW_COUNT()", "SELECT @@last_insert_id, @@identity",
	"SELECT id, v FROM t ORDER BY id", "SELECT 'a\\\\b' 'c', 1 || 0", "SELECT \"v\" FROM t LIMIT 1", "SELECT a FROM tmp ORDER BY a", "SELECT IS_FREE_LOCK('%s')",
	"EXECUTE p USING @x, @y", "SELECT FOUND_ROWS()", "SHOW VARIABLES LIKE 'collation_connection'", "SELECT COUNT(*) FROM t", "SHOW WARNINGS", "SHOW COUNT(*) WARNINGS",
	"SELECT IFNULL(@x, 0) + 1, LAST_INSERT_ID() + 1", "SHOW TABLES",
}

// TestStateIsolation runs random statements of several clients through a pool of one
// connection a shard and over connections of their own: every answer must be the same, so
// no client's state is lost and none is seen by another.
func TestStateIsolation(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		// Fixed seeds: a run of the tests says something of the change, not of luck.
		seed, runs := uint64(1), 3
		if again, err := strconv.ParseUint(os.Getenv("SLUICE_TEST_SEED"), 10, 64); err == nil {
			seed, runs = again, 1
		}
		for run := range runs {
			t.Run(fmt.Sprintf("seed %d", seed+uint64(run)), func(t *testing.T) { isolationRun(t, flavor, seed+uint64(run)) })
		}
	})
}

type pair struct {
	direct, proxy on
	directSchema  string
	proxySchema   string
	unwarned      bool
}

func isolationRun(t *testing.T, flavor testkit.Flavor, seed uint64) {
	f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
	table := "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50) UNIQUE)"
	exec(t, f.open(""), table)
	home := testkit.Shared(t, flavor, 1)
	direct := testkit.Database(t, home)
	home.Exec("CREATE TABLE " + direct + "." + strings.TrimPrefix(table, "CREATE TABLE "))
	r := rand.New(rand.NewPCG(seed, 1))
	var log []string
	// One client after the other: with one connection a second one would have to wait for
	// what the first has pinned.
	for client := range 4 {
		proxyDB := f.open("interpolateParams=true")
		cfg := home.Config(direct)
		directDB := openDB(t, cfg.FormatDSN())
		p := pair{direct: on{conn(t, directDB)}, proxy: on{conn(t, proxyDB)}, directSchema: direct, proxySchema: f.db}
		for range 25 {
			text := stateStatements[r.IntN(len(stateStatements))]
			n := r.IntN(4)
			log = append(log, fmt.Sprintf("client %d: %s", client, fill(text, n, "db")))
			p.compare(t, text, n, &log)
			for range 3 {
				question := stateQuestions[r.IntN(len(stateQuestions))]
				log = append(log, "\t"+question)
				if question == "SELECT FOUND_ROWS()" { // defined after a SELECT only
					p.compare(t, "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 2", n, &log)
				}
				p.compare(t, question, n, &log)
			}
			if t.Failed() {
				t.Fatalf("statements:\n%s", strings.Join(log[max(0, len(log)-trail()):], "\n"))
			}
		}
		p.proxy.c.Close()
		p.direct.c.Close()
		proxyDB.Close()
		directDB.Close()
	}
}

// fill puts the number and the schema into a statement.
func fill(text string, n int, schema string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "%d", fmt.Sprint(n)), "%s", schema)
}

// compare runs a statement on both sides.
func (p *pair) compare(t *testing.T, text string, n int, log *[]string) {
	t.Helper()
	a, errA := tryRows(p.direct, fill(text, n, p.directSchema))
	b, errB := tryRows(p.proxy, fill(text, n, p.proxySchema))
	b = strings.ReplaceAll(b, p.proxySchema, p.directSchema)
	// The session answers FOUND_ROWS() itself, without MySQL's warning that it is deprecated.
	switch {
	case strings.Contains(text, "FOUND_ROWS()"):
		p.unwarned = true
	case strings.HasPrefix(text, "SHOW COUNT") || strings.HasPrefix(text, "SHOW WARNINGS"):
		if p.unwarned {
			return
		}
	default:
		p.unwarned = false
	}
	if codeOf(errA) != codeOf(errB) || (errA == nil) != (errB == nil) || a != b {
		p.differ(t, text, n, a, errA, b, errB)
	}
	if codeOf(errA) == 1062 { // the insert id of an INSERT that failed is undefined
		exec(t, p.direct, "SET last_insert_id = 3")
		exec(t, p.proxy, "SET last_insert_id = 3")
	}
}

func (p *pair) differ(t *testing.T, text string, n int, a string, errA error, b string, errB error) {
	t.Helper()
	t.Errorf("%s\ndirect: %q %v\nsluice: %q %v", fill(text, n, p.proxySchema), a, errA, b, errB)
}

// trail is how many statements a failure shows.
func trail() int {
	if os.Getenv("SLUICE_TEST_LOG") != "" {
		return 1000
	}
	return 12
}
