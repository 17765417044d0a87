package router

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/query"
	"sluice/shard"
)

// fixture is the world of testdata/keys.txt.
func fixture(t testing.TB) *world {
	t.Helper()
	w := &world{cat: &shard.Catalog{Version: 1, Tables: map[[2]string]*shard.TableInfo{}}}
	text, err := os.ReadFile("testdata/keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "\n----\n")
	if got := w.cluster(strings.TrimPrefix(blocks[0], "cluster\n")); got != "ok" {
		t.Fatal(got)
	}
	_, catalog, _ := strings.Cut(blocks[1], "catalog\n")
	if got := w.catalog(catalog); got != "ok" {
		t.Fatal(got)
	}
	return w
}

// prepare plans a statement and gives what a bind needs.
func (w *world) prepare(t testing.TB, sql string, params Params) (*Plan, *Args) {
	t.Helper()
	in := Input{SQL: []byte(sql), Scan: new(query.Scan), Schema: "shop", User: w.m.User("app"), Map: w.m, Catalog: w.cat, Charset: "utf8mb4"}
	in.Mode = query.Mode{MariaDB: true, ServerVersion: 101119}
	if err := in.Scan.Run(in.SQL, in.Mode); err != nil {
		t.Fatal(err)
	}
	p, err := New(query.Analyze(in.SQL, in.Scan, in.Mode), &in)
	if err != nil {
		t.Fatal(err)
	}
	return p, &Args{SQL: in.SQL, Scan: in.Scan, Mode: in.Mode, Map: w.m, Params: params, Held: -1, FirstID: 1000}
}

// oneParam is a parameter whose bytes are there already, as in an execute packet.
type oneParam []byte

func (p oneParam) Key(int) (key []byte, isString, ok bool) { return p, false, true }
func (p oneParam) Null(int) bool                           { return false }
func (p oneParam) Temporal(int) bool                       { return false }

// TestHotPathAllocatesNothing: a statement that one shard answers unchanged costs no memory.
func TestHotPathAllocatesNothing(t *testing.T) {
	w := fixture(t)
	for _, c := range []struct {
		sql    string
		params Params
	}{
		{"SELECT c FROM sbtest1 WHERE id=5047", nil},
		{"SELECT * FROM users WHERE user_id = 42 ORDER BY name LIMIT 5", nil},
		{"SELECT * FROM users WHERE user_id = '42'", nil},
		{"SELECT * FROM codes WHERE code = 'a''b'", nil},
		{"SELECT * FROM users WHERE user_id = ?", oneParam("42")},
		{"UPDATE sbtest1 SET k=k+1 WHERE id=5047", nil},
		{"DELETE FROM sbtest1 WHERE id=5047", nil},
		{"INSERT INTO users (user_id, name) VALUES (1, 'a')", nil},
		{"INSERT INTO sbtest1 (id, k, c, pad) VALUES (5047, 5, 'x', 'y')", nil},
		{"SELECT * FROM settings", nil},
		{"SELECT * FROM countries", nil},
	} {
		p, a := w.prepare(t, c.sql, c.params)
		b, err := p.Bind(a, nil)
		if err != nil {
			t.Fatal(c.sql, err)
		}
		if len(b.Legs) != 1 || b.Legs[0].SQL != nil || b.Merge != nil || b.Strategy != Relay {
			t.Errorf("%s is not relayed as it is: %+v", c.sql, b.Legs)
		}
		if n := testing.AllocsPerRun(100, func() { b, _ = p.Bind(a, b) }); n != 0 {
			t.Errorf("%s: %v allocations", c.sql, n)
		}
	}
}

func BenchmarkBindPointSelect(b *testing.B) {
	p, a := fixture(b).prepare(b, "SELECT c FROM sbtest1 WHERE id=5047", nil)
	var bound *Bound
	b.ReportAllocs()
	for b.Loop() {
		bound, _ = p.Bind(a, bound)
	}
}

func BenchmarkBindBatchInsert(b *testing.B) {
	p, a := fixture(b).prepare(b, "INSERT INTO users (user_id, name) VALUES "+strings.Repeat("(17, 'abc'), (18, 'abc'), ", 500)+"(1, 'x')", nil)
	var bound *Bound
	b.ReportAllocs()
	for b.Loop() {
		bound, _ = p.Bind(a, bound)
	}
}

// TestSlots: a bind sends a key where SlotOf says.
func TestSlots(t *testing.T) {
	w := fixture(t)
	for _, c := range []struct{ literal, key string }{
		{"5", "5"}, {"-5", "-5"}, {"0005", "5"}, {"-0", "0"}, {"'5'", "5"}, {"'-007'", "-7"}, {"-9223372036854775808", "-9223372036854775808"},
	} {
		p, a := w.prepare(t, "SELECT * FROM users WHERE user_id = "+c.literal, nil)
		b, err := p.Bind(a, nil)
		if err != nil || len(b.Legs) != 1 || b.Legs[0].Shard != w.m.Owner(shard.SlotOf([]byte(c.key))) {
			t.Errorf("%s went to %+v, %v", c.literal, b, err)
		}
	}
	for _, c := range []struct{ literal, key string }{{"'abc'", "abc"}, {"'abc  '", "abc"}, {`'a\tb'`, "a\tb"}, {"'é'", "é"}, {"''", ""}, {"'  '", ""}} {
		p, a := w.prepare(t, "SELECT * FROM codes WHERE code = "+c.literal, nil)
		b, err := p.Bind(a, nil)
		if err != nil || len(b.Legs) != 1 || b.Legs[0].Shard != w.m.Owner(shard.SlotOf([]byte(c.key))) {
			t.Errorf("%s went to %+v, %v", c.literal, b, err)
		}
	}
}

// TestSplitKeepsRows: the legs of a split INSERT have every row once, on the shard of its key.
func TestSplitKeepsRows(t *testing.T) {
	w := fixture(t)
	var sql bytes.Buffer
	sql.WriteString("INSERT INTO users (user_id, name) VALUES ")
	const n = 400
	for i := range n {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(" + string(appendInt(nil, i%2 == 1, uint64(i*i))) + ", 'it''s, (x)')")
	}
	p, a := w.prepare(t, sql.String(), nil)
	b, err := p.Bind(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, l := range b.Legs {
		var scan query.Scan
		if err := scan.Run(l.SQL, a.Mode); err != nil {
			t.Fatalf("%v in %s", err, l.SQL)
		}
		rows += len(scan.Rows)
		for i := range scan.Rows {
			key := scan.Literals[2*i].Of(l.SQL)
			if got := w.m.Owner(shard.SlotOf(key)); got != l.Shard {
				t.Errorf("row with key %s is on shard %d, not %d", key, l.Shard, got)
			}
		}
	}
	if rows != n || len(b.Legs) != 4 {
		t.Errorf("%d rows on %d shards", rows, len(b.Legs))
	}
}

// TestOneShardCluster: with one shard everything that a sharded table can be asked is its own.
func TestOneShardCluster(t *testing.T) {
	w := fixture(t)
	spec := w.m.Spec.Clone()
	spec.Shards = spec.Shards[:1]
	spec.Ranges = shard.Deal(spec.Shards)
	for i := range spec.Schemas {
		spec.Schemas[i].DefaultShard = "s0"
	}
	m, err := shard.New(2, spec)
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
	for _, sql := range []string{
		"SELECT * FROM users u JOIN orders o ON o.item_no = u.age",
		"SELECT name FROM users UNION SELECT status FROM orders",
		"SELECT COUNT(DISTINCT name) FROM users",
		"UPDATE users SET name = 'x' WHERE age = 3",
		"DELETE FROM users",
		"INSERT INTO users (user_id, name) VALUES (1, 'a'), (2, 'b')",
		"INSERT INTO users (user_id, name) SELECT user_id, qty FROM items",
		"SELECT name FROM users ORDER BY name LIMIT 3 OFFSET 4",
	} {
		p, a := w.prepare(t, sql, nil)
		b, err := p.Bind(a, nil)
		if err != nil || len(b.Legs) != 1 || b.Legs[0].SQL != nil || b.Strategy != Relay {
			t.Errorf("%s: %+v, %v", sql, b, err)
		}
	}
}

// TestIdleShardIsNotAsked: a shard without slots has no rows that count.
func TestIdleShardIsNotAsked(t *testing.T) {
	w := fixture(t)
	spec := w.m.Spec.Clone()
	for i := range spec.Ranges {
		if spec.Ranges[i].Shard == "s3" {
			spec.Ranges[i].Shard = "s2"
		}
	}
	m, err := shard.New(2, spec)
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
	for sql, want := range map[string]int{"SELECT * FROM users": 3, "ALTER TABLE users ADD COLUMN x INT": 4, "DELETE FROM rates": 4} {
		p, a := w.prepare(t, sql, nil)
		b, err := p.Bind(a, nil)
		if err != nil || len(b.Legs) != want {
			t.Errorf("%s goes to %d shards, %v", sql, len(b.Legs), err)
		}
	}
}

// TestTablesThatMoveAreChangedVisibly: a migration that begins waits for whoever touches all
// slots, and so for DDL that was planned before it.
func TestTablesThatMoveAreChangedVisibly(t *testing.T) {
	w := fixture(t)
	for sql, all := range map[string]bool{
		"CREATE TABLE sbtest9 (id INT PRIMARY KEY)":   true,
		"CREATE TABLE countries (id INT PRIMARY KEY)": true,
		"ALTER TABLE countries ADD COLUMN n INT":      true,
		"DROP TABLE users":                            true,
		"CREATE TABLE plain (id INT PRIMARY KEY)":     false,
		"DROP TABLE plain":                            false,
	} {
		p, a := w.prepare(t, sql, nil)
		if b, err := p.Bind(a, nil); err != nil || b.All != all {
			t.Errorf("%s: %+v, %v", sql, b, err)
		}
	}
}

// TestGatheredTouchesAll: a statement that is gathered because its keys are on different shards
// touches all slots, and no keys are known of it.
func TestGatheredTouchesAll(t *testing.T) {
	w := fixture(t)
	for i := range 64 {
		p, a := w.prepare(t, fmt.Sprintf("SELECT u.email, o.user_id FROM users u, orders o WHERE u.user_id = 1 AND o.user_id = %d", i+2), nil)
		b, err := p.Bind(a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b.Gathering == nil {
			continue
		}
		if !b.All || len(b.Slots) != 0 || len(b.Keys) != 0 {
			t.Errorf("all: %v, slots %v, keys %v", b.All, b.Slots, b.Keys)
		}
		return
	}
	t.Fatal("none was gathered")
}

func TestDeclare(t *testing.T) {
	p := &Plan{Declares: &shard.Table{Name: "a", Kind: shard.Sharded, ShardKey: "k"}, declareSchema: "shop"}
	spec := &shard.Spec{Schemas: []shard.Schema{{Name: "crm"}, {Name: "shop"}}}
	for i := range int64(2) { // a lost race runs it again
		added, err := p.Declare(spec, 5+i)
		tables := spec.Schemas[1].Tables
		if err != nil || added != (i == 0) || len(tables) != 1 || !tables[0].SameRule(*p.Declares) || tables[0].Auto != 5+i {
			t.Fatalf("%+v, %v, %v", spec, added, err)
		}
	}
	if Withdraw(p, spec, 5); len(spec.Schemas[1].Tables) != 1 {
		t.Error("the rule that another CREATE TABLE counts on was taken away")
	}
	drop := &Plan{undeclares: []ruled{{"shop", spec.Schemas[1].Tables[0]}}}
	if Undeclare(drop, spec); len(spec.Schemas[1].Tables) != 0 {
		t.Errorf("a dropped table's rule stays: %+v", spec)
	}
	var refusal *Refusal
	there := &Plan{Declares: p.Declares, declareSchema: "shop", declared: true}
	if _, err := there.Declare(spec, 7); !errors.As(err, &refusal) || refusal.Code != 1412 || len(spec.Schemas[1].Tables) != 0 {
		t.Errorf("the rule of a table that was dropped at another proxy was stored again: %v, %+v", err, spec)
	}
	if _, err := p.Declare(spec, 7); err != nil {
		t.Fatal(err)
	}
	if Undeclare(drop, spec); len(spec.Schemas[1].Tables) != 1 {
		t.Errorf("the rule of a table that was made again was taken away: %+v", spec)
	}
	spec.Schemas[1].Tables[0].ShardKey = "other"
	if _, err := p.Declare(spec, 8); err == nil {
		t.Error("a rule that another proxy has stored was overlooked")
	}
	if _, err := p.Declare(&shard.Spec{}, 9); err == nil {
		t.Error("a schema that was removed was overlooked")
	}
	if _, err := new(Plan).Declare(spec, 10); err != nil {
		t.Error(err)
	}
}

func TestFollow(t *testing.T) {
	for _, c := range []struct {
		gap, text string
		at        int32
		end       int
	}{
		{"SELECT a", "SELECT a FROM", 0, 8},
		{"SELECT a", "SELECT /* x */\n a FROM", 0, 17},
		{" -- x\n AND b", " AND   b", 0, 8},
		{" AND `a -- b` ", " # c\nAND `a -- b`  , 5", 0, 19},
		{" , ", " /*M x*/ , 5", 0, 11},
		{" , ", " /*!50000 , 5 */", 0, -1},
		{"SELECT a", "SELECT b", 0, -1},
		{"SELECT a", "SELECT ", 0, -1},
		{"", "x", 0, 0},
	} {
		got, ok := follow(c.gap, []byte(c.text), c.at, false)
		if ok != (c.end >= 0) || ok && int(got) != c.end {
			t.Errorf("%q in %q: %d %v, not %d", c.gap, c.text, got, ok, c.end)
		}
	}
}

// FuzzPlan: no text makes planning or binding panic, and legs are statements for shards
// that exist.
func FuzzPlan(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if len(line) > 8 && line[0] >= 'A' && line[0] <= 'Z' {
				f.Add(line)
			}
		}
	}
	w := fixture(f)
	f.Fuzz(func(t *testing.T, sql string) {
		in := Input{SQL: []byte(sql), Scan: new(query.Scan), Schema: "shop", User: w.m.User("app"), Map: w.m, Catalog: w.cat}
		in.Mode = query.Mode{MariaDB: true, ServerVersion: 101119}
		if in.Scan.Run(in.SQL, in.Mode) != nil {
			return
		}
		p, err := New(query.Analyze(in.SQL, in.Scan, in.Mode), &in)
		if err != nil || p.Probe != "" {
			return
		}
		a := &Args{SQL: in.SQL[:in.Scan.End], Scan: in.Scan, Mode: in.Mode, Map: w.m, Held: -1, FirstID: 7}
		p.IDs(a)
		b, err := p.Bind(a, nil)
		if err != nil {
			return
		}
		if len(b.Legs) == 0 && p.lock == nil {
			t.Fatalf("%s has no legs", sql)
		}
		for _, l := range b.Legs {
			var scan query.Scan
			if l.Shard < 0 || l.Shard >= len(w.m.Spec.Shards) {
				t.Fatalf("%s goes to shard %d", sql, l.Shard)
			}
			if l.SQL != nil && scan.Run(l.SQL, in.Mode) != nil {
				t.Fatalf("%s became %s", sql, l.SQL)
			}
		}
	})
}

// A comment for another server stands anywhere, in one text of a fingerprint or in another.
func TestFollowOverInertComments(t *testing.T) {
	for _, c := range [][2]string{{"SELECT a FROM", "SELECT /*!99999 b */ a /*M!999999 c*/ FROM"}, {"SELECT /*!99999 b */ a FROM", "SELECT a FROM"}} {
		if got, ok := follow(c[0], []byte(c[1]), 0, true); !ok || int(got) != len(c[1]) {
			t.Errorf("%q in %q: %d %v", c[0], c[1], got, ok)
		}
		if _, ok := follow(c[0], []byte(c[1]), 0, false); ok {
			t.Errorf("%q was found in %q, where such a comment is carried out", c[0], c[1])
		}
	}
}
