package integration

import (
	"slices"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// TestDiffAllows: beside each thing that may differ, a real difference still fails.
func TestDiffAllows(t *testing.T) {
	random := comparison{quiet: true}
	check := func(name string, how comparison, want, got result, alike bool) {
		t.Helper()
		clone := func(r result) []result {
			r.cols, r.raw = slices.Clone(r.cols), slices.Clone(r.raw)
			return []result{r}
		}
		if d := how.differ(clone(want), clone(got)); (d == "") != alike {
			t.Errorf("%s: %q", name, d)
		}
	}
	failed := func(code uint16) result { return result{err: &wire.Error{Code: code, SQLState: "HY000"}} }
	done := func(n uint64) result { return result{ok: wire.OK{AffectedRows: n}} }

	insert := comparisonOf("INSERT INTO x (id, v) SELECT id, v FROM x", random)
	check("errors of rows", insert, failed(1292), failed(1062), true)
	check("an error that is no row's", insert, failed(1292), failed(1213), false)
	check("no error", insert, failed(1062), done(1), false)
	check("an error", insert, done(1), failed(1062), false)
	check("errors of an UPDATE", comparisonOf("UPDATE x SET v = 1", random), failed(1292), failed(1062), false)

	said := func(lines ...[]string) result {
		return result{cols: []wire.Column{{Name: "Level"}, {Name: "Code"}, {Name: "Message"}}, rows: lines}
	}
	empty, other, range1 := []string{"Warning", "1292", "Truncated incorrect DECIMAL value: ''"}, []string{"Warning", "1292", "Truncated incorrect DECIMAL value: 'a'"}, []string{"Warning", "1264", "Out of range value for column 'a' at row 1"}
	show := comparisonOf("SHOW WARNINGS", random)
	check("a condition that warns again", show, said(empty), said(empty, empty, empty), true)
	check("a condition that does not warn", show, said(empty), said(), false)
	check("another value", show, said(empty), said(other), false)
	check("a row that warns again", show, said(range1, empty), said(range1, range1, empty), false)
	ignored := show
	ignored.ignored = true
	check("conditions of an INSERT IGNORE … SELECT", ignored, said(empty, empty, range1), said(range1), true)
	check("rows of an INSERT IGNORE … SELECT", ignored, said(empty, range1), said(empty), false)
	check("a warning of Sluice alone", ignored, said(range1), said(empty, range1), false)
	check("in the corpus, again", comparisonOf("SHOW WARNINGS", comparison{}), said(empty), said(empty, empty), false)
	update := comparisonOf("UPDATE x SET v = 1 WHERE id = ''", random)
	warned := func(affected uint64, n uint16) result {
		return result{ok: wire.OK{AffectedRows: affected, Warnings: n}}
	}
	check("how often an UPDATE warns", update, warned(2, 1), warned(2, 4), true)
	check("rows of an UPDATE that warns", update, warned(2, 1), warned(3, 4), false)

	answer := func(value string, c wire.Column) result {
		return result{cols: []wire.Column{c}, rows: [][]string{{value}}, raw: []string{"\x00" + string(c.Type) + value}}
	}
	text := wire.Column{Name: "q", Type: wire.TypeLongBlob, Length: 1<<32 - 1, Decimals: 39}
	tempText := wire.Column{Name: "q", Type: wire.TypeBlob, Length: 1<<32 - 1, Flags: wire.FlagBlob | wire.FlagBinary}
	check("a text in a temporary table", random, answer("a", tempText), answer("a", text), true)
	check("another text in a temporary table", random, answer("a", tempText), answer("b", text), false)
	check("such a text in the corpus", comparison{}, answer("a", tempText), answer("a", text), false)
	short := text
	short.Length = 65535
	check("a text of another length", random, answer("a", tempText), answer("a", short), false)
	column, tempColumn := text, tempText
	column.Table, tempColumn.Table = "t", "t"
	check("a column's type", random, answer("a", tempColumn), answer("a", column), false)
	truth, long := wire.Column{Name: "q", Type: wire.TypeLong, Length: 1}, wire.Column{Name: "q", Type: wire.TypeLongLong, Length: 1}
	check("a truth value", random, answer("1", truth), answer("1", long), true)
	check("another truth value", random, answer("1", truth), answer("0", long), false)
	number, wide := truth, long
	number.Length, wide.Length = 11, 11
	check("a number's type", random, answer("1", number), answer("1", wide), false)

	ids := random
	ids.ids = true
	given := func(id, name string) result {
		return result{cols: []wire.Column{{Name: "id", OrgName: "id", OrgTable: "p", Table: "p"}, {Name: "name", OrgName: "name", OrgTable: "p", Table: "p"}}, rows: [][]string{{id, name}}, raw: []string{id + name}}
	}
	check("ids of an INSERT … SELECT", ids, given("30", "a"), given("37", "a"), true)
	check("what stands beside such ids", ids, given("30", "a"), given("37", "b"), false)
	check("ids of VALUES", random, given("30", "a"), given("37", "a"), false)
	if !selectIntoP.MatchString("REPLACE INTO p (i) SELECT id FROM x") || selectIntoP.MatchString("INSERT INTO p (i) VALUES (1)") || selectIntoP.MatchString("INSERT INTO x (id) SELECT i FROM p") {
		t.Error("what gives p such ids")
	}

	was := &prepared{cols: []wire.Column{{Name: "q", Type: wire.TypeBlob, Length: 400}}}
	long400, long100 := answer("a", was.cols[0]), answer("a", wire.Column{Name: "q", Type: wire.TypeBlob, Length: 100})
	both := [2]*prepared{was, was}
	for _, c := range []struct {
		name      string
		want, got result
		alike     bool
	}{
		{"Sluice says what was prepared", long100, long400, true},
		{"the one server does", long400, long100, false},
		{"another value beside it", long100, answer("b", was.cols[0]), false},
	} {
		if random.asDescribed(both, &outcome{want: []result{c.want}, got: []result{c.got}}) != c.alike {
			t.Error(c.name)
		}
	}
}

// TestDiffAsksAgain: that the one server answers otherwise without an index allows nothing where it does not.
func TestDiffAsksAgain(t *testing.T) {
	one := testkit.Shared(t, testkit.MariaDBFlavor, 4)
	one.Exec("DROP DATABASE IF EXISTS allows", "CREATE DATABASE allows", "CREATE TABLE allows.s (name VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, n INT) DEFAULT CHARSET=utf8mb4",
		"INSERT INTO allows.s VALUES ('abc', 1), ('e', 2)", "CREATE USER IF NOT EXISTS allows@'%' IDENTIFIED BY ''", "GRANT ALL ON allows.* TO allows@'%'")
	t.Cleanup(func() { one.Exec("DROP DATABASE allows", "DROP USER allows") })
	c, err := dialPeer(one.Addr, "allows", "", "allows", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	answer := func(n string) []result {
		return []result{{cols: []wire.Column{{Catalog: "def", Schema: "allows", Table: "s", OrgTable: "s", Name: "n", OrgName: "n", Collation: 63, Length: 11, Type: wire.TypeLong}}, rows: [][]string{{n}}, ok: wire.OK{Status: wire.StatusAutocommit}}}
	}
	p := &pair{w: &world{flavor: testkit.MariaDBFlavor}, one: c}
	s := diffStatement{sql: "SELECT n FROM s WHERE name = 'abc'"}
	s.how = comparisonOf(s.sql, comparison{quiet: true})
	if p.withoutIndex(&s, &outcome{want: answer("1"), got: answer("2")}) {
		t.Error("an answer is allowed although the server gives its own without an index, too")
	}
	if !p.withoutIndex(&s, &outcome{want: answer("7"), got: answer("1")}) { // as if it had found another by its index
		t.Error("a server that contradicts itself is believed")
	}
	s.sql = "UPDATE s SET n = 1"
	s.how = comparisonOf(s.sql, comparison{quiet: true})
	if p.withoutIndex(&s, &outcome{want: answer("7"), got: answer("1")}) {
		t.Error("a write is carried out again")
	}
}
