package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// world is the two sides of the differential test: Sluice before four shards, and one plain
// server of the same kind with the same tables and rows.
type world struct {
	t        *testing.T
	flavor   testkit.Flavor
	c        *cluster
	one      *testkit.Server
	all      []*sql.DB     // root at each shard, then at the one server
	moves    *plantedMoves // slots that move; nil: none do
	charset  map[uint16]uint16
	refusals map[string]int
	examples map[string]string // of refusals
	lists    *lists            // of docs/SQL.md; nil: none are kept
	compared int
	withRows int  // of these
	stale    int  // and of these the one server had kept something of an earlier execution
	indexed  int  // and of these it answers as Sluice without an index
	ids      bool // since the tables were reset, p has got rows of a SELECT, see selectIntoP
}

// diffSchemas are the rules of the test's tables.
const diffSchemas = `
  schemas:
    - name: shop
      default_shard: s1
      auto_shard_key: [tenant_id]
      tables:
        t: {shard_key: id}
        o: {shard_key: uid}
        w: {shard_key: k}
        s: {shard_key: name}
        b: {shard_key: k}
        a: {shard_key: uid, sequence: id}
        x: {shard_key: id}
        r: {kind: reference}
    - name: plain
      default_shard: s2
`

// diffTable is a table of the test.
type diffTable struct {
	name, create string
	key          string // shard key; "": not sharded
	reference    bool
	compare      string // columns whose values both sides must have alike
	padded       bool   // the key's collation pads: its slot is that of the value without trailing spaces
}

var diffTables = []diffTable{
	{name: "t", key: "id", compare: "*", create: `CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, i INT, u BIGINT UNSIGNED,
		sb VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, ci VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci,
		nm VARCHAR(20), d DECIMAL(12,3), f DOUBLE, g FLOAT, dt DATE, ts DATETIME(6), tm TIME, e ENUM('small','medium','large','Big'),
		st SET('a','b','c','d'), bt BIT(8), bl BLOB, tx TEXT, js JSON, yr YEAR, ti TINYINT NOT NULL DEFAULT 7, KEY (i), KEY (ci)) DEFAULT CHARSET=utf8mb4`},
	{name: "o", key: "uid", compare: "*", create: `CREATE TABLE o (uid BIGINT NOT NULL, n INT NOT NULL, amount DECIMAL(10,2), code CHAR(5),
		at TIMESTAMP NULL, PRIMARY KEY (uid, n)) DEFAULT CHARSET=utf8mb4`},
	{name: "w", key: "k", compare: "*", create: `CREATE TABLE w (k INT UNSIGNED NOT NULL PRIMARY KEY, a TINYINT NOT NULL DEFAULT 3,
		b VARCHAR(10) NOT NULL DEFAULT 'x', c SMALLINT UNSIGNED NULL, z INT(5) UNSIGNED ZEROFILL) DEFAULT CHARSET=utf8mb4`},
	{name: "s", key: "name", padded: true, compare: "*", create: `CREATE TABLE s (name VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
		n INT, v VARCHAR(20)) DEFAULT CHARSET=utf8mb4`},
	{name: "b", key: "k", compare: "*", create: `CREATE TABLE b (k VARBINARY(20) NOT NULL PRIMARY KEY, n INT)`},
	{name: "a", key: "uid", compare: "uid, name", create: `CREATE TABLE a (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, uid BIGINT NOT NULL,
		name VARCHAR(20), PRIMARY KEY (id), KEY (uid)) DEFAULT CHARSET=utf8mb4`},
	{name: "x", key: "id", compare: "*", create: `CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT, txt VARCHAR(100)) DEFAULT CHARSET=utf8mb4`},
	{name: "r", reference: true, compare: "*", create: `CREATE TABLE r (code CHAR(2) NOT NULL PRIMARY KEY, name VARCHAR(30) NOT NULL, n INT, UNIQUE KEY (n)) DEFAULT CHARSET=utf8mb4`},
	{name: "p", compare: "i, name", create: `CREATE TABLE p (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, i INT, name VARCHAR(30)) DEFAULT CHARSET=utf8mb4`},
}

// slot is that of a row in SQL.
func (d *diffTable) slot() string {
	key := d.key
	if d.padded {
		key = "TRIM(TRAILING ' ' FROM " + key + ")"
	}
	return "MOD(CRC32(" + key + "), 16384)"
}

func newWorld(t *testing.T, flavor testkit.Flavor) *world {
	return newWorldOf(t, setup{flavor: flavor}, nil)
}

// newWorldOf has the flavor and the kind of proxy from s.
func newWorldOf(t *testing.T, s setup, moves *plantedMoves) *world {
	t.Helper()
	flavor := s.flavor
	s.schemas = diffSchemas
	if moves != nil {
		s.etcd = moves.etcd
	}
	w := &world{t: t, flavor: flavor, moves: moves, c: start(t, s), one: testkit.Shared(t, flavor, 4), refusals: map[string]int{}, examples: map[string]string{}}
	for _, schema := range []string{"shop", "plain"} {
		w.one.Exec("DROP DATABASE IF EXISTS "+schema, "CREATE DATABASE "+schema)
		t.Cleanup(func() { w.one.Exec("DROP DATABASE IF EXISTS " + schema) })
	}
	w.one.Exec("DROP USER IF EXISTS app", "CREATE USER app@'%' IDENTIFIED BY ''", "GRANT ALL ON shop.* TO app@'%'", "GRANT ALL ON plain.* TO app@'%'")
	t.Cleanup(func() { w.one.Exec("DROP USER app") })
	for _, s := range append(slices.Clone(w.c.servers), w.one) {
		w.all = append(w.all, s.DB(t, ""))
	}
	w.charset = map[uint16]uint16{}
	first := map[string]uint16{}
	for _, row := range w.one.Query("SELECT CHARACTER_SET_NAME, ID FROM information_schema.COLLATIONS WHERE ID IS NOT NULL ORDER BY ID") {
		id, err := strconv.ParseUint(row[1], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := first[row[0]]; !ok {
			first[row[0]] = uint16(id)
		}
		w.charset[uint16(id)] = first[row[0]]
	}
	w.fill()
	return w
}

// fill makes the tables and their rows on both sides, through Sluice on the one, and keeps
// a copy of them on every server.
func (w *world) fill() {
	w.t.Helper()
	proxy, one := w.c.open("shop", interpolated), w.one.DB(w.t, "shop")
	for _, table := range diffTables {
		must(w.t, proxy, table.create)
		must(w.t, one, table.create)
	}
	for _, insert := range diffRows() {
		must(w.t, proxy, insert)
		must(w.t, one, insert)
	}
	if w.moves != nil {
		w.plant()
	}
	w.everywhere(func(db *sql.DB) error {
		if _, err := db.Exec("DROP DATABASE IF EXISTS kept; CREATE DATABASE kept"); err != nil {
			return err
		}
		for _, table := range tablesOf(w.t, db) {
			if _, err := db.Exec(fmt.Sprintf("CREATE TABLE kept.%s LIKE shop.%[1]s; INSERT INTO kept.%[1]s SELECT * FROM shop.%[1]s", table)); err != nil {
				return err
			}
		}
		return nil
	})
	w.t.Cleanup(func() {
		w.everywhere(func(db *sql.DB) error { _, err := db.Exec("DROP DATABASE kept"); return err })
	})
	if d := w.compare(diffTables); d != "" {
		w.t.Fatalf("the rows are not alike at the start: %s", d)
	}
}

func tablesOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return rows(t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'")
}

// everywhere runs f for each server at once.
func (w *world) everywhere(f func(*sql.DB) error) {
	w.t.Helper()
	var group sync.WaitGroup
	errs := make([]error, len(w.all))
	for i, db := range w.all {
		group.Add(1)
		go func() {
			defer group.Done()
			errs[i] = f(db)
		}()
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

// reset gives every table the rows of the start, and takes other tables away.
func (w *world) reset() {
	w.t.Helper()
	w.ids = false
	known := map[string]bool{}
	for _, table := range diffTables {
		known[table.name] = true
	}
	w.everywhere(func(db *sql.DB) error {
		changed, err := changedOf(db)
		if err != nil {
			return err
		}
		tables, err := tryRows(db, "SHOW TABLES FROM shop")
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, table := range tables {
			if !known[table] {
				if _, err := db.Exec("DROP TABLE shop." + table); err != nil {
					return err
				}
			} else if changed[table] {
				fmt.Fprintf(&b, "DELETE FROM shop.%s;INSERT INTO shop.%[1]s SELECT * FROM kept.%[1]s;", table)
			}
		}
		if b.Len() > 0 {
			if _, err := db.Exec("BEGIN;" + b.String() + "COMMIT"); err != nil {
				return err
			}
		}
		if !slices.Contains(tables, "p") { // it is on one shard only
			return nil
		}
		// How many ids a statement reserves is its server's affair; which come next must be alike again.
		_, err = db.Exec("ALTER TABLE shop.p AUTO_INCREMENT = 1")
		return err
	})
}

// changedOf gives a server's tables that have not the rows of the start, by their checksums.
func changedOf(db *sql.DB) (map[string]bool, error) {
	var list []string
	for _, table := range diffTables {
		list = append(list, "shop."+table.name, "kept."+table.name)
	}
	sums, err := tryRows(db, "CHECKSUM TABLE "+strings.Join(list, ", "))
	if err != nil {
		return nil, err
	}
	sum := map[string]string{}
	for _, row := range sums {
		table, value, _ := strings.Cut(row, "\t")
		sum[table] = value
	}
	changed := map[string]bool{}
	for _, table := range diffTables {
		changed[table.name] = sum["shop."+table.name] != sum["kept."+table.name]
	}
	return changed, nil
}

// holding is what a server has of a table: its rows, and the keys of those that belong to
// slots of another shard.
type holding struct{ rows, strays []string }

// holdings reads tables of all servers at once.
func (w *world) holdings(tables []diffTable) []map[string]holding {
	w.t.Helper()
	all := make([]map[string]holding, len(w.all))
	var group sync.WaitGroup
	errs := make([]error, len(w.all))
	for i := range w.all {
		group.Add(1)
		go func() {
			defer group.Done()
			all[i], errs[i] = w.held(i, tables)
		}()
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// held reads the tables of the i-th server; the last is the one server.
func (w *world) held(i int, tables []diffTable) (map[string]holding, error) {
	all := map[string]holding{}
	for _, table := range tables {
		shard := i < len(w.all)-1
		if shard && i != 1 && !table.reference && table.key == "" {
			continue // another is the default shard
		}
		var h holding
		var err error
		where := ""
		if shard && table.key != "" && w.moves != nil {
			where = " WHERE " + w.moves.owned(i, table.slot())
		}
		if h.rows, err = tryRows(w.all[i], fmt.Sprintf("SELECT %s FROM shop.%s%s", table.compare, table.name, where)); err != nil {
			return nil, err
		}
		sort.Strings(h.rows)
		if shard && table.key != "" {
			stray := fmt.Sprintf("%s NOT BETWEEN %d AND %d", table.slot(), i*16384/4, (i+1)*16384/4-1)
			if w.moves != nil {
				stray = w.moves.stray(i, &table)
			}
			if h.strays, err = tryRows(w.all[i], fmt.Sprintf("SELECT %s FROM shop.%s WHERE %s", table.key, table.name, stray)); err != nil {
				return nil, err
			}
		}
		all[table.name] = h
	}
	return all, nil
}

// contents compares all rows of all tables, and where they are. Tables that everywhere have the rows of the start are alike.
func (w *world) contents() string {
	w.t.Helper()
	var mu sync.Mutex
	changed := map[string]bool{}
	w.everywhere(func(db *sql.DB) error {
		here, err := changedOf(db)
		mu.Lock()
		defer mu.Unlock()
		for table := range here {
			changed[table] = changed[table] || here[table]
		}
		return err
	})
	return w.compare(slices.DeleteFunc(slices.Clone(diffTables), func(d diffTable) bool { return !changed[d.name] }))
}

// compare is contents for some tables.
func (w *world) compare(tables []diffTable) string {
	w.t.Helper()
	all := w.holdings(tables)
	shards, one := all[:len(all)-1], all[len(all)-1]
	for _, table := range tables {
		want := one[table.name].rows
		var got []string
		for i, shard := range shards {
			part := shard[table.name].rows
			if table.reference {
				if !slices.Equal(part, want) {
					return fmt.Sprintf("table %s, copy on shard s%d has %q,\nwant %q", table.name, i, missing(part, want), missing(want, part))
				}
				got = part
				continue
			}
			got = append(got, part...)
			if strays := shard[table.name].strays; len(strays) > 0 {
				return fmt.Sprintf("table %s has on shard s%d rows of slots of others: %q", table.name, i, strays)
			}
		}
		if sort.Strings(got); !slices.Equal(got, want) {
			return fmt.Sprintf("table %s: rows only in Sluice %q,\nonly in the one server %q", table.name, missing(got, want), missing(want, got))
		}
	}
	return ""
}

// missing gives what of a is not in b.
func missing(a, b []string) (only []string) {
	count := map[string]int{}
	for _, s := range b {
		count[s]++
	}
	for _, s := range a {
		if count[s]--; count[s] < 0 {
			only = append(only, s)
		}
	}
	return only
}

// refusal gives the kind of Sluice's own refusal, "" when the answer is none.
func refusal(results []result) string {
	// Oracle MySQL has no temporary tables in a branch of a distributed transaction.
	const temporaryInXA = 4091
	for _, r := range results {
		if r.err != nil && r.err.Code == temporaryInXA {
			return kind(r.err)
		}
		if r.err != nil && strings.HasPrefix(r.err.Message, "sluice:") {
			return kind(r.err)
		}
	}
	return ""
}

var particulars = regexp.MustCompile("'[^']*'|`[^`]*`|\\b[a-z0-9_]+(\\.[a-z0-9_]+)+\\b|\\d+|(shard key|value for) \\w+")

// kind is a refusal without its statement's names and numbers.
func kind(e *wire.Error) string {
	text, _, _ := strings.Cut(e.Message, ";")
	return fmt.Sprintf("%d %s", e.Code, particulars.ReplaceAllString(text, "…"))
}

// report lists what was refused, the most frequent first, and what the proxy itself complains of.
func (w *world) report() {
	log := w.c.px[0].Log()
	for _, word := range []string{"DATA RACE", "panic"} {
		if i := strings.Index(log, word); i >= 0 {
			w.t.Errorf("the proxy's log: %.3000s", log[max(0, i-200):])
		}
	}
	kinds := make([]string, 0, len(w.refusals))
	total := 0
	for k, n := range w.refusals {
		kinds = append(kinds, k)
		total += n
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if w.refusals[a] != w.refusals[b] {
			return w.refusals[b] - w.refusals[a]
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&b, "\n%6d  %.160s\n            %s", w.refusals[k], k, w.examples[k])
	}
	w.t.Logf("%d statements compared (%d gave rows; of %d the one server kept something of earlier executions, to %d it answers alike without an index), %d refused:%s",
		w.compared, w.withRows, w.stale, w.indexed, total, b.String())
}
