package integration

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// rewrite writes docs/SQL.md anew: go test ./integration -run TestDiffCorpus -rewrite
var rewrite = flag.Bool("rewrite", false, "write the lists of docs/SQL.md as the corpus was answered")

const documentPath = "../docs/SQL.md"

// lists are the tested lists of docs/SQL.md: the statements that the corpus marks with
// "#! doc NAME", each with the way that it was seen to take on each kind of server, or the
// refusal that it got. The list "refused" has each kind of refusal that any statement of the
// corpus gets, with the first that gets it. In the document a list stands between
// "<!-- list NAME -->" and "<!-- end -->".
type lists struct {
	scripts []*script
	mu      sync.Mutex
	seen    map[listKey]string
	refused map[listKey]string // rows of "refused" by the kind of the server and of the refusal
	played  int                // scripts, each counted for every kind of server and protocol
}

const refusedList = "refused"

type listKey struct{ flavor, sql string }

func newLists(scripts []*script) *lists {
	return &lists{scripts: scripts, seen: map[listKey]string{}, refused: map[listKey]string{}}
}

// way asks Sluice which way a statement takes.
func (p *pair) way(t *testing.T, sql string) string {
	t.Helper()
	got, err := p.sluice.text("EXPLAIN ROUTE " + strings.TrimSuffix(sql, ";"))
	if err != nil {
		t.Fatal(err)
	}
	if e := got[0].err; e != nil { // the statement itself has to get it as well
		return "EXPLAIN ROUTE: " + e.Message
	}
	shards := map[string]bool{}
	strategy := ""
	for _, row := range got[0].rows {
		shards[row[0]], strategy = true, row[2]
	}
	switch n := len(shards); {
	case strategy == "local":
		return "by Sluice"
	case n == 1:
		return strategy + ", 1 shard"
	default:
		return fmt.Sprintf("%s, %d shards", strategy, n)
	}
}

// saw keeps how a statement of the corpus was answered.
func (l *lists) saw(flavor testkit.Flavor, line *scriptLine, way string, o *outcome) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.refused != "" {
		e := o.got[len(o.got)-1].err
		way = fmt.Sprintf("**%d** %s", e.Code, strings.TrimPrefix(e.Message, "sluice: "))
		if key := (listKey{flavor.String(), o.refused}); l.refused[key] == "" {
			l.refused[key] = fmt.Sprintf("| %s | %s |\n", escape(way), code(shortened(line.statement.sql)))
		}
	}
	if line.list == "" {
		return
	}
	if n := len(o.want); o.refused == "" && n > 0 && o.want[n-1].err != nil {
		way = fmt.Sprintf("error %d, as one server", o.want[n-1].err.Code)
	}
	key := listKey{flavor.String(), line.statement.sql}
	if _, again := l.seen[key]; !again { // (in the binary protocol it is not asked for its way)
		l.seen[key] = way
	}
}

// end counts a script that was run to its end.
func (l *lists) end() {
	if l != nil {
		l.mu.Lock()
		l.played++
		l.mu.Unlock()
	}
}

var listMark = regexp.MustCompile(`(?s)(<!-- list ([a-z ]+) -->\n)(.*?)(<!-- end -->)`)

// check holds the document against what was seen, or writes it. What was not seen now, when only
// a part of the tests is run, stands as it does.
func (l *lists) check(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	document := string(b)
	before := listed(document)
	names := map[string]bool{}
	fresh := listMark.ReplaceAllStringFunc(document, func(part string) string {
		m := listMark.FindStringSubmatch(part)
		names[m[2]] = true
		return m[1] + l.table(t, m[2], before) + m[4]
	})
	for _, s := range l.scripts {
		for _, line := range s.lines {
			if line.list != "" && !names[line.list] {
				t.Errorf("%s:%d: docs/SQL.md has no %q", s.name, line.number, "<!-- list "+line.list+" -->")
			}
		}
	}
	if fresh != document && *rewrite {
		if err := os.WriteFile(documentPath, []byte(fresh), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if fresh != document {
		t.Errorf("docs/SQL.md does not say what was seen; write it with\n  go test ./integration -run TestDiffCorpus -rewrite\nand review the change:\n%s", firstChange(document, fresh))
	}
}

// table renders a list.
func (l *lists) table(t *testing.T, name string, before map[listKey]string) string {
	t.Helper()
	if name == refusedList {
		return l.refusals(before)
	}
	var b strings.Builder
	b.WriteString("| statement | way |\n| --- | --- |\n")
	n, done := 0, map[string]bool{}
	for _, s := range l.scripts {
		for _, line := range s.lines {
			sql := line.statement.sql
			if line.list != name || done[sql] {
				continue
			}
			done[sql] = true
			n++
			ways := map[string]string{}
			for _, flavor := range testkit.Flavors() {
				key := listKey{flavor.String(), sql}
				way, ok := l.seen[key]
				if !ok && (line.only == "" || line.only == key.flavor) {
					way, ok = before[listKey{key.flavor, code(sql)}]
				}
				if ok {
					ways[key.flavor] = escape(way)
				}
			}
			fmt.Fprintf(&b, "| %s | %s |\n", code(sql), cell(ways))
		}
	}
	if n == 0 {
		t.Errorf("docs/SQL.md: no statement of the corpus is in the list %q", name)
	}
	return b.String()
}

// refusals renders the list of refusals. When only a part of the corpus is run, those that the
// document has stay.
func (l *lists) refusals(before map[listKey]string) string {
	kinds := map[string]string{}
	for _, flavor := range slices.Backward(testkit.Flavors()) { // the first kind of server has the last word
		for key, row := range l.refused {
			if key.flavor == flavor.String() {
				kinds[key.sql] = row
			}
		}
	}
	if l.played < len(l.scripts)*2*len(testkit.Flavors()) {
		for key, row := range before {
			if key.flavor == refusedList {
				kinds[key.sql] = row
			}
		}
	}
	b := strings.Builder{}
	b.WriteString("| refusal | for example |\n| --- | --- |\n")
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		b.WriteString(kinds[k])
	}
	return b.String()
}

func escape(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }

// shortened leaves out the middle of a long statement.
func shortened(sql string) string {
	if r := []rune(sql); len(r) > 160 {
		return string(r[:100]) + " … " + string(r[len(r)-40:])
	}
	return sql
}

// The column of ways names a kind of server only where they differ.
const onMariaDB, onMySQL = "MariaDB: ", "MySQL: "

func cell(ways map[string]string) string {
	a, hasA := ways["mariadb"]
	b, hasB := ways["mysql"]
	switch {
	case hasA && hasB && a == b:
		return a
	case hasA && hasB:
		return onMariaDB + a + "<br>" + onMySQL + b
	case hasA:
		return onMariaDB + a
	case hasB:
		return onMySQL + b
	}
	return ""
}

// code renders a statement for a table.
func code(sql string) string {
	sql = escape(sql)
	if strings.Contains(sql, "`") {
		return "`` " + sql + " ``"
	}
	return "`" + sql + "`"
}

var listRow = regexp.MustCompile("(?m)^\\| (`.*`) \\| (.*) \\|$")

var refusedRow = regexp.MustCompile(`(?m)^\| \*\*(\d+)\*\* (.*?) \| ` + "`.*` \\|\n")

// listed reads the ways of the statements of a document, by kind of server and rendered
// statement, and the rows of its refusals by their kind.
func listed(document string) map[listKey]string {
	ways := map[listKey]string{}
	for _, part := range listMark.FindAllStringSubmatch(document, -1) {
		if part[2] == refusedList {
			for _, m := range refusedRow.FindAllStringSubmatch(part[3], -1) {
				n, _ := strconv.ParseUint(m[1], 10, 16)
				e := wire.Error{Code: uint16(n), Message: "sluice: " + strings.ReplaceAll(m[2], `\|`, "|")}
				ways[listKey{refusedList, kind(&e)}] = m[0]
			}
			continue
		}
		for _, m := range listRow.FindAllStringSubmatch(part[3], -1) {
			a, b, both := strings.Cut(m[2], "<br>"+onMySQL)
			switch {
			case both:
				a = strings.TrimPrefix(a, onMariaDB)
			case strings.HasPrefix(a, onMariaDB):
				a = a[len(onMariaDB):]
			case strings.HasPrefix(a, onMySQL):
				a, b = "", a[len(onMySQL):]
			default:
				b = a
			}
			unescape := strings.NewReplacer(`\|`, "|")
			if a != "" {
				ways[listKey{"mariadb", m[1]}] = unescape.Replace(a)
			}
			if b != "" {
				ways[listKey{"mysql", m[1]}] = unescape.Replace(b)
			}
		}
	}
	return ways
}

func firstChange(old, fresh string) string {
	a, b := strings.Split(old, "\n"), strings.Split(fresh, "\n")
	var out strings.Builder
	for _, line := range missing(a, b) {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	for _, line := range missing(b, a) {
		fmt.Fprintf(&out, "+ %s\n", line)
	}
	return out.String()
}

// TestLists: a document that says otherwise than what was seen is found out, and statements
// that were not run keep what the document says.
func TestLists(t *testing.T) {
	s := &script{name: "x.sql", lines: []scriptLine{
		{list: "one", statement: diffStatement{sql: "SELECT 1 | 2"}}, {list: "one", statement: diffStatement{sql: "SELECT `a`"}}, {statement: diffStatement{sql: "SELECT 3"}}}}
	l := newLists([]*script{s})
	o := outcome{}
	l.saw(testkit.MariaDBFlavor, &s.lines[0], "relay, 1 shard", &o)
	l.saw(testkit.MariaDBFlavor, &s.lines[2], "relay, 1 shard", &o)
	kept := map[listKey]string{{"mysql", code("SELECT 1 | 2")}: "gather, 4 shards", {"mariadb", code("SELECT `a`")}: "a | b", {"mysql", code("SELECT `a`")}: "a | b"}
	got := l.table(t, "one", kept)
	want := "| statement | way |\n| --- | --- |\n| `SELECT 1 \\| 2` | MariaDB: relay, 1 shard<br>MySQL: gather, 4 shards |\n| `` SELECT `a` `` | a \\| b |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	refused := outcome{refused: kind(&wire.Error{Code: 1235, Message: "sluice: table `a` | b; do c"}), got: []result{{err: &wire.Error{Code: 1235, Message: "sluice: table `a` | b; do c"}}}}
	l.saw(testkit.MariaDBFlavor, &s.lines[2], "", &refused)
	other := newLists([]*script{s})
	kept = listed("<!-- list refused -->\n" + l.refusals(nil) + "<!-- end -->")
	if a, b := l.refusals(nil), other.refusals(kept); a != b || !strings.Contains(a, "do c | `SELECT 3`") {
		t.Errorf("refusals that were not seen again are\n%s\nwant\n%s", b, a)
	}
	if other.played = 4; other.refusals(kept) == l.refusals(nil) {
		t.Error("a refusal that is gone stays in the document")
	}
	again := listed("<!-- list one -->\n" + got + "<!-- end -->")
	if again[listKey{"mysql", code("SELECT 1 | 2")}] != "gather, 4 shards" || again[listKey{"mariadb", code("SELECT 1 | 2")}] != "relay, 1 shard" || again[listKey{"mysql", code("SELECT `a`")}] != "a | b" {
		t.Errorf("read back: %q", again)
	}
}
