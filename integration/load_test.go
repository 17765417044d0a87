package integration

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// loadSchemas are the rules of the tables that TestLoad fills.
const loadSchemas = `
  schemas:
    - name: shop
      default_shard: s0
      tables:
        t: {shard_key: k}
        s: {shard_key: name}
        a: {shard_key: uid, sequence: id}
        i: {shard_key: id}
        r: {kind: reference}
    - name: plain
      default_shard: s1
`

var loadTables = []string{
	`CREATE TABLE t (k INT NOT NULL, a VARCHAR(60), b VARCHAR(20), n INT, UNIQUE KEY (k, a)) DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE s (name VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, v VARCHAR(60), w BLOB) DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE a (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, uid INT NOT NULL, v VARCHAR(20)) DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE i (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), n INT DEFAULT 3) DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE r (k INT NOT NULL PRIMARY KEY, v VARCHAR(20)) DEFAULT CHARSET=utf8mb4`,
}

// loadPair is one connection through Sluice and one to a plain server.
type loadPair struct {
	t     *testing.T
	conns [2]*sql.Conn // Sluice, one server
}

var loadNames atomic.Int64

// newLoadPair starts a cluster and gives it and a plain server the tables.
func newLoadPair(t *testing.T, flavor testkit.Flavor) (*loadPair, *cluster) {
	t.Helper()
	c := start(t, setup{flavor: flavor, schemas: loadSchemas})
	one := testkit.Shared(t, flavor, 4)
	one.Exec("DROP DATABASE IF EXISTS loadone", "CREATE DATABASE loadone")
	t.Cleanup(func() { one.Exec("DROP DATABASE loadone") })
	for _, s := range append([]*testkit.Server{one}, c.servers...) {
		s.Exec("SET GLOBAL local_infile=1")
	}
	p := &loadPair{t: t}
	for i, db := range []*sql.DB{c.open("shop"), one.DB(t, "loadone")} {
		must(t, db, loadTables...)
		conn, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		p.conns[i] = conn
	}
	return p, c
}

// load loads a text on both sides, and gives what they say: counts, warnings, insert id.
func (p *loadPair) load(text, format string) (sluice, one string, err error) {
	var said [2]string
	var errs [2]error
	for i, c := range p.conns {
		said[i], errs[i] = loadInto(c, text, format)
	}
	if errs[0] != nil && errs[1] != nil {
		said[0], said[1] = "error", "error"
	}
	return said[0], said[1], errs[0]
}

// loadInto loads a text by a statement in which %s stands for INFILE 'name'.
func loadInto(c *sql.Conn, text, format string) (string, error) {
	name := fmt.Sprintf("load%d", loadNames.Add(1))
	mysql.RegisterReaderHandler(name, func() io.Reader { return strings.NewReader(text) })
	defer mysql.DeregisterReaderHandler(name)
	res, err := c.ExecContext(context.Background(), fmt.Sprintf(format, "LOCAL INFILE 'Reader::"+name+"'"))
	if err != nil {
		return "", err
	}
	n, _ := res.RowsAffected()
	id, _ := res.LastInsertId()
	count, err := tryRows(c, "SELECT ROW_COUNT(), LAST_INSERT_ID()")
	if err != nil {
		return "", err
	}
	warnings, err := tryRows(c, "SHOW WARNINGS")
	return fmt.Sprintf("affected %d id %d counts %v warnings %s", n, id, count, strings.Join(warnings, "\n")), err
}

func (p *loadPair) exec(statements ...string) {
	p.t.Helper()
	for _, c := range p.conns {
		for _, s := range statements {
			if _, err := c.ExecContext(context.Background(), s); err != nil {
				p.t.Fatalf("%s: %v", s, err)
			}
		}
	}
}

// alike compares an answer of both sides.
func (p *loadPair) alike(what, query string) {
	p.t.Helper()
	got, want := rows(p.t, p.conns[0], query), rows(p.t, p.conns[1], query)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		p.t.Errorf("%s: %s\n Sluice %q\n server %q", what, query, got, want)
	}
}

// withoutNames takes the names of schemas out of MariaDB's warnings.
func withoutNames(said string) string {
	return strings.NewReplacer("`shop`.", "", "`loadone`.", "", "'shop.", "'", "'loadone.", "'").Replace(said)
}

// TestLoad: a file has the effect and the answer that it has on one server.
func TestLoad(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		p, _ := newLoadPair(t, flavor)
		const dump = "SELECT k, a, b, n FROM t ORDER BY k, a, b, n"
		for _, l := range []struct{ name, text, format string }{
			{"plain", "1\tone\tx\t1\n2\ttwo\ty\t2\n3\t\\N\tz\t3\n", "LOAD DATA %s INTO TABLE t"},
			{"no last line end", "1\ta\tx\t1\n20\tb\ty\t2", "LOAD DATA %s INTO TABLE t"},
			{"empty", "", "LOAD DATA %s INTO TABLE t"},
			{"csv", "k,a\n\"1\",\"x, \"\"y\"\"\nz\"\n2,plain\n3,'q'\n", `LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' IGNORE 1 LINES (k, a)`},
			{"dos", "1,a\r\n2,b\r\n5,c", `LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY ',' LINES TERMINATED BY '\r\n' (k, a)`},
			{"starting", "junk xxx1,a\nno row\nxxx2,b\nxxx", `LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY ',' LINES STARTING BY 'xxx' (k, a)`},
			{"long delimiters", "1|--|a|--|bERR2|--|a|-|--|c||ERR", `LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY '|--|' LINES TERMINATED BY 'ERR' (k, a, b)`},
			{"warnings", "1\ta\txxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\t1\n2\tb\tx\tabc\n3\tc\n4\td\tx\t5\tmore\tand\n5\te\tx\t99999999999\n6\tf\tlong enough to be cut here\tq\n", "LOAD DATA %s INTO TABLE t"},
			{"set", "1\thello\tworld\n2\tno\t\\N\n7\tlast\tone\n", "LOAD DATA %s INTO TABLE t (k, @x, @Y) SET a = UPPER(@x), b = @y, n = LENGTH(@x)"},
			{"key last", "x\ta\t4\ny\tb\t5\n", "LOAD DATA %s INTO TABLE t (a, b, k)"},
			{"escaped by quote", `1,"a""b",x` + "\n2,c\"\"d,y\n", `LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY '"' (k, a, b)`},
			{"no escape", "1\ta\\tb\tx\n2\t\\N\ty\n", `LOAD DATA %s INTO TABLE t FIELDS ESCAPED BY '' (k, a, b)`},
			{"latin1", "1\tgr\xfcn\tx\n", `LOAD DATA %s INTO TABLE t CHARACTER SET latin1 (k, a, b)`},
			{"gbk", "1\t\x81\x5c\t\xbf\x7c\n2\t\x81\x5c\tx\n", `LOAD DATA %s INTO TABLE t CHARACTER SET gbk (k, a, b)`},
			{"sjis", "1,\"\x83\x5c\",\x95\x5c\n2,\x83\x7c,x\n", `LOAD DATA %s INTO TABLE t CHARACTER SET sjis FIELDS TERMINATED BY ',' ENCLOSED BY '"' (k, a, b)`},
			{"big5", "1|\xb3\x7c|\xa5\x5c\n2|x|y\n", `LOAD DATA %s INTO TABLE t CHARACTER SET big5 FIELDS TERMINATED BY '|' (k, a, b)`},
			{"utf8", "1\tgrün €\tx\n2\t日本\ty\n", `LOAD DATA %s INTO TABLE t (k, a, b)`},
		} {
			p.exec("DELETE FROM t")
			got, want, err := p.load(l.text, l.format)
			if got, want = withoutNames(got), withoutNames(want); got != want || err != nil {
				t.Errorf("%s: %v\n Sluice %s\n server %s", l.name, err, got, want)
			}
			p.alike(l.name, dump)
			if strings.Contains(l.format, "@x") {
				p.alike(l.name, "SELECT @x, @y, COLLATION(@x)")
			}
		}
		// Rows that are there already.
		p.exec("DELETE FROM t", "INSERT INTO t VALUES (1, 'a', 'old', 1), (2, 'a', 'old', 2), (3, 'a', 'old', 3)")
		for _, how := range []string{"", "IGNORE", "REPLACE"} {
			got, want, err := p.load("1\ta\tnew\n2\ta\tnew\n4\ta\tnew\n", "LOAD DATA %s "+how+" INTO TABLE t (k, a, b)")
			if got, want = withoutNames(got), withoutNames(want); err != nil || got != want && how == "REPLACE" || cutWarnings(got) != cutWarnings(want) {
				t.Errorf("%s: %v\n Sluice %s\n server %s", how, err, got, want)
			}
			p.alike(how, dump)
		}
		// Keys that are strings, a reference table, ids.
		for _, l := range []struct{ name, text, format, dump string }{
			{"strings", "a\tx\tx\nA\ty\ty\na b \tz\tz\n\\\\N\tq\tq\ngrün\tu\tu\n\tempty\tkey\n", "LOAD DATA %s INTO TABLE s", "SELECT name, v, w FROM s ORDER BY name, v"},
			{"reference", "1\tx\n2\ty\n1\tz\n", "LOAD DATA %s INTO TABLE r", "SELECT * FROM r ORDER BY k"},
			{"added ids", "5\tx\n6\ty\n5\tz\n", "LOAD DATA %s INTO TABLE a (uid, v)", "SELECT id, uid, v FROM a ORDER BY id"},
			{"given ids", "\\N\t5\tx\n100\t6\ty\n0\t7\tz\n", "LOAD DATA %s INTO TABLE a", "SELECT uid, v, id=100 FROM a ORDER BY uid, v"},
			{"ids are keys", "x\t1\ny\t2\nz\t\\N\n", "LOAD DATA %s INTO TABLE i (v, n)", "SELECT * FROM i ORDER BY id"},
		} {
			got, want, err := p.load(l.text, l.format)
			if got, want = withoutNames(got), withoutNames(want); err != nil || got != want && l.name != "given ids" {
				t.Errorf("%s: %v\n Sluice %s\n server %s", l.name, err, got, want)
			}
			p.alike(l.name, l.dump)
		}
		for i := range 4 {
			expect(t, p.conns[0], fmt.Sprintf("/*sluice: shard=s%d*/ SELECT * FROM r ORDER BY k", i), "1\tx", "2\ty")
		}
		// In a transaction, and rows that a key finds.
		for _, c := range p.conns {
			if _, err := c.ExecContext(context.Background(), "BEGIN"); err != nil {
				t.Fatal(err)
			}
			if _, err := loadInto(c, "50\ta\tx\t1\n51\tb\ty\t2\n52\tb\ty\t2\n", "LOAD DATA %s INTO TABLE t"); err != nil {
				t.Fatal(err)
			}
		}
		p.alike("in a transaction", dump)
		p.alike("in a transaction", "SELECT a FROM t WHERE k = 51")
		p.exec("ROLLBACK")
		p.alike("rolled back", dump)
	})
}

// cutWarnings leaves the warnings out: those of duplicates have no row number to order them by.
func cutWarnings(said string) string {
	before, _, _ := strings.Cut(said, " warnings ")
	return before
}

// TestLoadRefused: what is not certain is refused with its row, and nothing of the file is
// there afterwards, in a transaction only what was there before.
func TestLoadRefused(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		p, _ := newLoadPair(t, flavor)
		c := p.conns[0]
		good := strings.Repeat("1\ta\tb\t1\n2\ta\tb\t1\n3\ta\tb\t1\n", 3000)
		for _, l := range []struct{ text, format, want string }{
			{"\\N\ta\tb\t1\n", "LOAD DATA %s INTO TABLE t", "Error 1048 (23000): sluice: Column 'k' cannot be null at row 9001"},
			{"\ta\tb\t1\n", "LOAD DATA %s INTO TABLE t", `Error 1235 (42000): sluice: the value "" of column 'k' at row 9001 is not a plain integer`},
			{"5abc\ta\tb\t1\n", "LOAD DATA %s INTO TABLE t", `the value "5abc" of column 'k' at row 9001`},
			{"5 \ta\tb\t1\n", "LOAD DATA %s INTO TABLE t", `the value "5 "`},
			{"99999999999\ta\tb\t1\n", "LOAD DATA %s INTO TABLE t", "Error 1264 (22003)"},
			{"a\n", "LOAD DATA %s INTO TABLE t (n, @x, @x, @x, k)", "Error 1261 (HY000): sluice: row 1 does not contain data for column 'k'"},
			{"4\t\x81", "LOAD DATA %s INTO TABLE t CHARACTER SET gbk", "Error 1300 (HY000): sluice: row 9001 has bytes that are no characters"},
			{"", "LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY ''", "Error 1235 (42000): sluice: FIELDS TERMINATED BY ''"},
			{"", "LOAD DATA %s INTO TABLE t CHARACTER SET eucjpms", "Error 1235 (42000): sluice: a file in CHARACTER SET eucjpms"},
			{"", "LOAD DATA %s INTO TABLE missing", "Error 1146"},
			{"", "LOAD DATA %s INTO TABLE t (k, nosuch)", "Error 1054"},
		} {
			_, err := loadInto(c, good+l.text, l.format)
			if err == nil || !strings.Contains(err.Error(), l.want) {
				t.Errorf("%q %s: %v, want %s", l.text, l.format, err, l.want)
			}
			expect(t, c, "SELECT COUNT(*) FROM t", "0")
		}
		// A line that never ends.
		if _, err := loadInto(c, "1,\""+strings.Repeat("x", 20<<20), `LOAD DATA %s INTO TABLE t FIELDS TERMINATED BY ',' ENCLOSED BY '"'`); err == nil || !strings.Contains(err.Error(), "the line after row 0 has more than") {
			t.Error(err)
		}
		if _, err := c.ExecContext(context.Background(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		// (Oracle MySQL takes long to replace a row for the thousandth time in a transaction.)
		if _, err := loadInto(c, good[:len(good)/10], "LOAD DATA %s REPLACE INTO TABLE t"); err != nil {
			t.Fatal(err)
		}
		if _, err := loadInto(c, "7\ta\n8\ta\n\\N\ta\n", "LOAD DATA %s INTO TABLE t (k, a)"); err == nil {
			t.Error("no error")
		}
		expect(t, c, "SELECT COUNT(*) FROM t", "3")
		if _, err := c.ExecContext(context.Background(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "SELECT COUNT(*) FROM t", "3")
	})
}

// TestLoadFuzz: random texts are read through Sluice as one server reads them.
func TestLoadFuzz(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		p, _ := newLoadPair(t, flavor)
		seed := uint64(1)
		if env := os.Getenv("SLUICE_SEED"); env != "" {
			n, err := strconv.ParseUint(env, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			seed = n
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		loaded, refused := 0, 0
		reasons := map[string]int{}
		files := 150
		if env := os.Getenv("SLUICE_SOAK"); env != "" {
			files, _ = strconv.Atoi(env)
		}
		for n := range files {
			f := randomFile(rnd)
			p.exec("DELETE FROM s")
			got, want, err := p.load(f.text, f.statement)
			if err != nil && strings.Contains(err.Error(), "sluice:") {
				refused++
				reasons[err.Error()[:30]]++
				continue
			}
			got, want = withoutNames(got), withoutNames(want)
			if got != want || err != nil {
				t.Errorf("seed %d file %d: %v\n%s\n%q\n Sluice %s\n server %s", seed, n, err, f.statement, f.text, got, want)
			}
			p.alike(fmt.Sprintf("seed %d file %d\n%s\n%q", seed, n, f.statement, f.text), "SELECT HEX(name), HEX(v), HEX(w) FROM s ORDER BY 1, 2, 3")
			loaded++
			if t.Failed() {
				return
			}
		}
		t.Logf("%d loaded, %d refused %v", loaded, refused, reasons)
		if loaded < files/3 {
			t.Errorf("only %d files were loaded, %d refused", loaded, refused)
		}
	})
}

type loadFile struct{ text, statement string }

// randomFile makes a text of pieces that matter, and a statement that reads it.
func randomFile(rnd *rand.Rand) loadFile {
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	fieldEnd, lineEnd := pick(",", "\t", "||", ",;"), pick("\n", "\r\n", ";\n", "END")
	enclosed, escaped := pick("", `"`, `'`), pick("\\", "\\", "", "^", `"`)
	charset := pick("utf8mb4", "utf8mb4", "latin1", "gbk", "sjis", "big5", "binary")
	quote := func(s string) string {
		return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'", "\n", "\\n", "\r", "\\r", "\t", "\\t").Replace(s) + "'"
	}
	var st strings.Builder
	st.WriteString("LOAD DATA %s INTO TABLE s CHARACTER SET " + charset + " FIELDS TERMINATED BY " + quote(fieldEnd))
	if enclosed != "" {
		st.WriteString(pick(" OPTIONALLY", "") + " ENCLOSED BY " + quote(enclosed))
	}
	st.WriteString(" ESCAPED BY " + quote(escaped) + " LINES TERMINATED BY " + quote(lineEnd))
	ignore := rnd.IntN(3)
	if ignore > 0 {
		fmt.Fprintf(&st, " IGNORE %d LINES", ignore)
	}
	columns := rnd.IntN(3)
	st.WriteString([]string{"", " (name, v)", " (v, @x, name)"}[columns])
	wide := map[string][]string{"utf8mb4": {"ü", "€", "日", "𝄞"}, "latin1": {"\xfc"}, "gbk": {"\x81\x5c", "\xbf\x7c", "\xc4\xe3"},
		"sjis": {"\x83\x5c", "\x83\x7c", "\xb1"}, "big5": {"\xb3\x7c", "\xa5\x5c"}, "binary": {"b"}}[charset]
	piece := func() string {
		switch rnd.IntN(12) {
		case 0:
			return enclosed
		case 1:
			return enclosed + enclosed
		case 2:
			return escaped
		case 3:
			return escaped + pick("n", "N", "0", "x", enclosed, fieldEnd, lineEnd, escaped)
		case 4:
			return fieldEnd[:1]
		case 5:
			return lineEnd[:1]
		case 6:
			return pick(wide...)
		}
		return pick("a", "b", "key", "7", " ", "x y", "NULL")
	}
	field := func() string {
		var b bytes.Buffer
		for range rnd.IntN(4) {
			b.WriteString(piece())
		}
		if enclosed != "" && rnd.IntN(2) == 0 {
			if rnd.IntN(3) == 0 {
				b.WriteString(pick(fieldEnd, lineEnd))
			}
			return enclosed + b.String() + enclosed
		}
		return b.String()
	}
	var text strings.Builder
	for range rnd.IntN(12) {
		for i := range []int{1, 2, 2, 2, 3, 3, 3, 4}[rnd.IntN(8)] + columns/2 {
			if i > 0 {
				text.WriteString(fieldEnd)
			}
			text.WriteString(field())
		}
		text.WriteString(lineEnd)
	}
	out := text.String()
	if rnd.IntN(4) == 0 {
		out = strings.TrimSuffix(out, lineEnd)
	}
	return loadFile{out, st.String()}
}
