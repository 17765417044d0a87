package compat

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// result is one line of the matrix: what a client saw through Sluice that it saw on the
// plain server, too.
type result struct {
	Client, Server, Mode, What string
	Passed, Of                 int
}

func (r result) key() string { return strings.Join([]string{r.Client, r.Server, r.Mode, r.What}, "\t") }

// difference is one that is meant: a line of a client's output that may be another one
// through Sluice.
type difference struct {
	client string // the beginning of its name
	server string // "" for all
	mode   string // "" for all
	line   string // the beginning of the line, an expression
	why    string // for the reader of docs/COMPATIBILITY.md
}

var meant = []difference{
	{"WordPress", "", "sharded", `$^`, "Where WordPress asks for rows without `ORDER BY` (its export), they come in another order than InnoDB gives by itself."},
	{"Command line tools", "", "", `(mariadb-admin|mysqladmin) processlist`, "`SHOW PROCESSLIST` and `information_schema.PROCESSLIST` list the user's sessions with Sluice; the state of a running statement is `executing`, whatever its shards do, and of its text the first 1024 bytes are shown, with `?` for what is no UTF-8 and, in the table, for letters of four bytes."},
	{"Command line tools", "", "", `(mariadb-|mysql)show table`, "The cardinality of an index is an estimate, sharded that of one shard."},
	{"Command line tools", "", "", `(mariadb-|mysql)dump with tablespaces`, "`mariadb-dump` and `mysqldump` without `-y` (`--no-tablespaces`) say that they may not read them, and go on."},
	{"Command line tools", "", "sharded", `Ctrl-C over shards`, "A killed statement of several shards ends with 1317 as on one server; the client may print it before or after its own line."},
	{"mysqlclient", "", "sharded", `tests\.test_cursor\.(test_cursor_discard_result.*|test_binary_prefix)`,
		"A test expects the order in which InnoDB gives the rows of a `SELECT` without `ORDER BY`; the one after it cleans up what it has left."},
	{"SQLAlchemy", "", "sharded", `test\.dialect\.test_suite\.CTETest`, "The table of these tests has a foreign key from `parent_id` to its own `id`, the shard key; it is refused with 1235, for no shard could check it."},
	{"SQLAlchemy", "", "sharded", `test\.dialect\.test_suite\.ReturningTest.*test_insertmanyvalues_returning`, "The test expects the order in which InnoDB gives the rows of a `SELECT` without `ORDER BY`."},
	{"go-sql-driver/mysql", "", "", `$^`, "The test that dials an address of the internet is left out."},
	{"Node mysql2 3.24.6 and Sequelize 6.37.8, binary", "MySQL 9", "", `SELECT \? \+ 1`, "Oracle MySQL gives an expression of parameters alone the type of another execution."},
	{"MariaDB Connector/J", "MySQL 9", "", `(getTables|getColumns members): `, "Columns of `information_schema` do not say that they come from that schema."},
	{"MariaDB Connector/J", "MySQL 9", "", `getBestRowIdentifier posts`, "Columns of `information_schema` without `ORDER BY` come in another order."},
	{"MySQL Connector/J", "MySQL 9", "", `a join: `, "Whether a column of a join with `GROUP BY` is described as AUTO_INCREMENT follows from the plan: not where it is of a temporary table."},
	{"MariaDB Connector/J", "MySQL 9", "", `a join: `, "The same."},
	{"MariaDB Connector/J", "", "", `$^`, "Compressed, a value of more than 16 MiB ends its connection, one server's too; there the blob has 15 MiB."},
	{"MariaDB Connector/J 2.7.6", "", "", `MultiTest\.(rewriteBatchedStatementsDisabledInsertionTest|rewriteError.*|testMultipleExecuteBatch)$|DriverTest\.parameterMetaDataPreparable|MariaDbPoolDataSourceTest\.ensureClosed`,
		"Counters of `SHOW STATUS` (`Com_insert`, `Prepared_stmt_count`, `Threads_connected`) are those of the connections behind Sluice, which sessions share."},
	{"MariaDB Connector/J 2.7.6", "", "", `BasicBatchTest\.testMultipleStatementBatch|DriverTest\.autoIncTest|MultiTest\.testMultiGeneratedKey|StateChangeTest\.autoIncrementChange`,
		"`SET auto_increment_increment` is refused with 1235: ids are unique over all shards."},
	{"MariaDB Connector/J 2.7.6", "", "", `$^`, "These tests run without rules only: nearly every one makes a table, and asks for its rows without `ORDER BY`. With all that have an `id` sharded by it 689 of 857 passed; the others are of " +
		"that order, or of rows without a key, `XA` by hand, `LOAD XML` and ids without gaps."},
	{"MariaDB Connector/J 2.7.6", "", "", `MariaDbPoolDataSourceTest\.testResetSessionVariable`, "`SET timestamp` is refused with 1235."},
	{"MariaDB Connector/J 2.7.6", "", "", `ExecuteBatchTest\.serverBulk1mTest`, "Sluice does not announce MariaDB's bulk execution: the driver executes for each row, and then knows each one's count."},
	{"PHP 8.2 pdo", "", "sharded", `(prepared )?INSERT INTO posts \(title\) VALUES \(NULL\)`,
		"An `INSERT` without a value for the shard key is always refused with 1364, before anything else that may be wrong with its row."},
}

func differs(client, server, mode, line string) bool {
	return slices.ContainsFunc(meant, func(d difference) bool {
		return strings.HasPrefix(client, d.client) && (d.server == "" || d.server == server) && (d.mode == "" || d.mode == mode) &&
			regexp.MustCompile("^(?:"+d.line+")").MatchString(line)
	})
}

const (
	matrixFile   = "testdata/matrix.tsv"
	documentFile = "../docs/COMPATIBILITY.md"
)

type results struct {
	mu   sync.Mutex
	seen []result
}

var matrix results

func (r *results) record(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, one)
}

// write keeps what a full run has seen and renders the document; it gives the exit code.
func (r *results) write() int {
	if !full() || len(r.seen) == 0 {
		return 0
	}
	all, err := readMatrix()
	for _, one := range r.seen {
		all = slices.DeleteFunc(all, func(old result) bool { return old.key() == one.key() })
		all = append(all, one)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].key() < all[j].key() })
	var b bytes.Buffer
	for _, one := range all {
		fmt.Fprintf(&b, "%s\t%d\t%d\n", one.key(), one.Passed, one.Of)
	}
	if err == nil {
		err = os.WriteFile(matrixFile, b.Bytes(), 0o644)
	}
	if err == nil {
		err = os.WriteFile(documentFile, document(all), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func readMatrix() (all []result, err error) {
	b, err := os.ReadFile(matrixFile)
	if os.IsNotExist(err) {
		return nil, nil
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 6 {
			return nil, fmt.Errorf("%s: %q", matrixFile, line)
		}
		one := result{Client: f[0], Server: f[1], Mode: f[2], What: f[3]}
		var err1, err2 error
		one.Passed, err1 = strconv.Atoi(f[4])
		if one.Of, err2 = strconv.Atoi(f[5]); err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s: %q", matrixFile, line)
		}
		all = append(all, one)
	}
	return all, err
}

const preface = `# Compatibility

Written by ` + "`make compat`" + `: nothing stands here that was not run. Applications, drivers and tools that nobody wrote for Sluice run on
one plain server first; that gives the answers that are right. Then they run through Sluice with nothing changed but host and port: in a
schema without rules, and with their tables sharded over four shards. "199 of 201" says how many of the plain server's answers (pages,
printed lines, tests) were the same, to the letter but for secrets, times and what a random number gives. Where a driver's own tests are
not in its releases (PyMySQL, Ruby mysql2, Node mysql2, GORM, MySQL Connector/J), a program uses it in full instead, also prepared,
compressed and under TLS where the driver knows that.

` + "`make test`" + ` runs a short part of it, on MariaDB and sharded: WordPress from its installer to a plugin with tables,
mysqli and native PDO, the tests of go-sql-driver, the slow log, ` + "`sluice advise`" + ` and the two ways of docs/MIGRATE.md.

| client | server | what is compared | without rules | sharded |
| --- | --- | --- | --- | --- |
`

// document renders docs/COMPATIBILITY.md.
func document(all []result) []byte {
	var b bytes.Buffer
	b.WriteString(preface)
	seen := map[string]bool{}
	count := func(of result, mode string) string {
		for _, one := range all {
			if one.Client == of.Client && one.Server == of.Server && one.What == of.What && one.Mode == mode {
				return fmt.Sprintf("%d of %d", one.Passed, one.Of)
			}
		}
		return "–"
	}
	for _, one := range all {
		if line := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", one.Client, one.Server, one.What, count(one, "norules"), count(one, "sharded")); !seen[line] {
			seen[line] = true
			b.WriteString(line)
		}
	}
	b.WriteString("\n## What differs, and why\n\n")
	for _, d := range meant {
		where := []string{strings.TrimSpace(d.client)}
		if d.server != "" {
			where = append(where, d.server)
		}
		if d.mode != "" {
			where = append(where, map[string]string{"norules": "without rules", "sharded": "sharded"}[d.mode])
		}
		fmt.Fprintf(&b, "- %s: %s\n", strings.Join(where, ", "), d.why)
	}
	return b.Bytes()
}

// TestDocument: the document is what the matrix says.
func TestDocument(t *testing.T) {
	all, err := readMatrix()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, document(all)) && !full() { // a full run writes it at its end
		t.Errorf("%s is not what %s gives; make compat writes it", documentFile, matrixFile)
	}
}

// queryRows gives a result as text, values separated by tabs; NULL is "NULL".
func queryRows(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	r, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		values, to := make([]sql.NullString, len(cols)), make([]any, len(cols))
		for i := range values {
			to[i] = &values[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		text := make([]string, len(cols))
		for i, v := range values {
			if text[i] = v.String; !v.Valid {
				text[i] = "NULL"
			}
		}
		out = append(out, strings.Join(text, "\t"))
	}
	if err := r.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}
