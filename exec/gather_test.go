package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// itemForms are the columns of items as the router reads them.
var itemForms = []struct {
	name, expr string
	form       router.Form
}{
	{"id", "id", router.AsNumber}, {"k", "k", router.AsNumber}, {"u", "u", router.AsNumber}, {"z", "z", router.AsNumber},
	{"d", "d", router.AsNumber}, {"dd", "dd", router.AsNumber}, {"f", "f", router.AsFloat}, {"f2", "f2", router.AsFloat}, {"fl", "fl", router.AsFloat},
	{"s", "CAST(s AS BINARY)", router.AsBytes}, {"b", "b", router.AsBytes}, {"dt", "CAST(dt AS BINARY)", router.AsTime},
	{"ts", "UNIX_TIMESTAMP(ts)", router.AsInstant}, {"tm", "CAST(tm AS BINARY)", router.AsTime}, {"da", "CAST(da AS BINARY)", router.AsTime},
	{"y", "y", router.AsNumber}, {"e", "CAST(e AS UNSIGNED)", router.AsNumber}, {"bi", "bi", router.AsBytes},
	{"tx", "CAST(tx AS BINARY)", router.AsBytes}, {"t8", "t8", router.AsNumber},
}

// gathered is a bound Gather of items (as sluice_g1, rows where) and of items again.
func (w *world) gathered(home int, apart bool, sql, where string, params []int) *router.Bound {
	g := &router.Gathering{Apart: apart}
	for n := range 2 {
		t := router.GatherTable{Name: fmt.Sprintf("sluice_g%d", n+1), Schema: w.names[home], Table: "items"}
		if n == 1 && strings.Count(sql, "sluice_g") == 1 {
			break
		}
		var list []string
		for _, c := range itemForms {
			list = append(list, c.expr)
			t.Columns = append(t.Columns, router.GatherColumn{Name: c.name, Form: c.form})
		}
		for i := range shards {
			text := "SELECT " + strings.Join(list, ", ") + " FROM items"
			l := router.Leg{Shard: i, SQL: []byte(text), Params: []int{}}
			if n == 0 && where != "" {
				l.SQL, l.Params = []byte(text+" WHERE "+where), params
			}
			t.Legs = append(t.Legs, l)
		}
		g.Tables = append(g.Tables, t)
	}
	return &router.Bound{Plan: &router.Plan{Stmt: &query.Statement{}}, Strategy: router.Gather, Gathering: g, Limit: -1,
		Legs: []router.Leg{{Shard: home, SQL: []byte(sql)}}}
}

// keptLeases end only after the statement's Cleanup, as a session's do.
type keptLeases struct {
	*leases
	order  []*backend.Conn
	ended  map[*backend.Conn]bool // lease → clean
	killed error
}

func newKept(w *world) *keptLeases {
	return &keptLeases{leases: newLeases(w), ended: map[*backend.Conn]bool{}}
}

func (l *keptLeases) Done(c *backend.Conn, _ uint16, ok bool) {
	if _, twice := l.ended[c]; twice {
		l.w.t.Error("a lease ended twice")
	}
	l.ended[c] = ok
	l.order = append(l.order, c)
}

func (l *keptLeases) Interrupted() error { return l.killed }

func (l *keptLeases) check() {}

// end cleans up and gives the connections back.
func (l *keptLeases) end(out *Outcome) {
	l.w.t.Helper()
	if out.Cleanup != nil {
		if err := out.Cleanup(); err != nil {
			l.ended[out.Home] = false
		}
	}
	for _, c := range l.order {
		if l.ended[c] && c == out.Home {
			if err := atRest(c); err != "" {
				l.w.t.Error(err)
			}
		}
		l.leases.Done(c, 0, l.ended[c])
	}
	l.leases.check()
}

// atRest sees that a home connection is as it was before.
func atRest(c *backend.Conn) string {
	_, rows, err := c.Query("SELECT @@sql_mode, @@time_zone, @@character_set_client")
	if err != nil || string(rows[0][0]) != "NO_ENGINE_SUBSTITUTION" || string(rows[0][1]) != "+00:00" || string(rows[0][2]) == "binary" {
		return fmt.Sprintf("the home connection has %q, %v", rows, err)
	}
	if _, _, err := c.Query("SELECT 1 FROM sluice_g1"); !wire.IsCode(err, 1146) {
		return fmt.Sprintf("a copy is still there: %v", err)
	}
	return ""
}

// TestGather: a statement over copies has the answer of one server, byte for byte, wherever
// it runs and in both protocols.
func TestGather(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		for i, sql := range []string{
			"SELECT * FROM items ORDER BY id",
			"SELECT a.*, b.k AS bk FROM items a JOIN items b ON b.k = a.t8 ORDER BY a.id, b.id",
			"SELECT e, GROUP_CONCAT(id ORDER BY id), COUNT(DISTINCT s), STDDEV(d), MIN(fl), MAX(f2) FROM items GROUP BY e WITH ROLLUP",
			"SELECT id, SUM(u) OVER (PARTITION BY k ORDER BY id) FROM items ORDER BY id",
			"SELECT COUNT(*) FROM items WHERE k > 1000000",
			"SELECT s, b, tx, COUNT(*) FROM items GROUP BY s, b, tx HAVING COUNT(*) > 1 ORDER BY MIN(id)",
		} {
			for _, apart := range []bool{false, true} {
				for _, params := range [][]wire.Param{nil, {}} {
					n := 0
					over := sql
					for strings.Contains(over, " items") { // each mention by its own copy
						n++
						over = strings.Replace(over, " items", fmt.Sprintf(" sluice_g%d", n), 1)
					}
					if n == 1 && !strings.Contains(over, "sluice_g1 a") {
						over = strings.Replace(over, "sluice_g1", "sluice_g1 AS items", 1)
					}
					l := newKept(w)
					req := request(w.gathered(i%shards, apart, over, "", nil), params)
					got, out, err := w.run(context.Background(), l, req)
					l.end(&out)
					if err != nil || !out.Answered || out.Home == nil || out.Legs != shards {
						t.Fatalf("%s: %v, %+v", sql, err, out)
					}
					same(t, got, w.wholeAnswer(sql, params), params != nil, true)
				}
			}
		}
	})
}

// TestGatherParams: sources take their parameters out of the client's, and rows only of
// those that match.
func TestGatherParams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		params := []wire.Param{{Type: wire.TypeLong, Value: []byte{3, 0, 0, 0}}, {Type: wire.TypeVarString, Value: []byte("zebra")}}
		l := newKept(w)
		req := request(w.gathered(0, false, "SELECT COUNT(*), ?, MIN(k), MAX(k), SUM(s = ?) FROM sluice_g1 AS items", "s = ? OR k <=> ?", []int{1, 0}), params)
		got, out, err := w.run(context.Background(), l, req)
		l.end(&out)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, w.wholeAnswer("SELECT COUNT(*), ?, MIN(k), MAX(k), SUM(s = ?) FROM items WHERE s = 'zebra' OR k = 3", params), true, true)
	})
}

// TestGatherFails: whatever fails, every lease ends, and connections that are called clean
// are as they were.
func TestGatherFails(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		const sql = "SELECT id, tx FROM sluice_g1 AS items JOIN (SELECT 1) o ORDER BY id"
		try := func(name string, l *keptLeases, b *router.Bound, want uint16) {
			t.Helper()
			_, out, err := w.run(context.Background(), l, request(b, nil))
			l.end(&out)
			var we *wire.Error
			var refusal *router.Refusal
			code := uint16(0)
			switch {
			case errors.As(err, &we):
				code = we.Code
			case errors.As(err, &refusal):
				code = refusal.Code
			}
			if err == nil || want != 0 && code != want {
				t.Errorf("%s: %v, want %d", name, err, want)
			}
		}
		try("a source fails", newKept(w), w.gathered(0, false, sql, "nothing = 1", nil), 1054)
		try("the statement fails", newKept(w), w.gathered(0, true, "SELECT nothing FROM sluice_g1", "", nil), 1054)
		b := w.gathered(1, false, sql, "", nil)
		b.Gathering.Tables[0].Table = "nothing"
		try("no original", newKept(w), b, 1146)
		b = w.gathered(1, false, sql, "", nil)
		b.Gathering.Tables[0].Columns = b.Gathering.Tables[0].Columns[1:]
		try("another number of columns", newKept(w), b, 1412)
		b = w.gathered(2, false, sql, "", nil)
		b.Gathering.Tables[0].Columns[9].Name = "t8"
		b.Gathering.Tables[0].Columns[19].Name = "s"
		try("a value that does not fit", newKept(w), b, 1105)
		l := newKept(w)
		l.killed = &wire.Error{Code: 1317, SQLState: "70100", Message: "Query execution was interrupted"}
		try("killed", l, w.gathered(0, false, sql, "", nil), 1317)
		l = newKept(w)
		l.fail = map[int]error{2: refuse(1105, "HY000", "no connection")}
		try("no connection", l, w.gathered(0, false, sql, "", nil), 1105)
		for _, limits := range []shard.Gather{{MaxRows: 20}, {MaxBytes: 5000}} {
			b = w.gathered(0, false, sql, "", nil)
			b.Gathering.Limits = limits
			try("too much", newKept(w), b, 1104)
			b = w.gathered(0, true, sql, "", nil)
			b.Gathering.Limits = limits
			try("too much, apart", newKept(w), b, 1104)
		}
		for n := range int64(3) {
			w.links[1].CutAfter(2000 + 3000*n)
			try("a shard is cut off", newKept(w), w.gathered(int(n), false, sql, "", nil), 0)
			w.links[1].Resume()
		}
	})
}

// TestGatherClientGone: a client that goes away in the middle of the answer.
func TestGatherClientGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		l := newKept(w)
		c := newClient(t)
		c.command(t)
		c.peer.Close()
		b := w.gathered(0, false, "SELECT a.tx, b.tx, REPEAT('x', 10000) FROM sluice_g1 a, sluice_g2 b", "", nil)
		out, err := Run(context.Background(), c.front, l, request(b, nil))
		l.end(&out)
		var relay *wire.RelayError
		if !errors.As(err, &relay) || !relay.Client {
			t.Errorf("%v", err)
		}
	})
}

// TestGatherNoAnswerRows: SET and SELECT … INTO answer with an OK, which the session writes.
func TestGatherNoAnswerRows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		l := newKept(w)
		_, out, err := w.run(context.Background(), l, request(w.gathered(0, false, "SELECT COUNT(*) INTO @n FROM sluice_g1", "", nil), nil))
		if err != nil || out.Answered || out.Response.OK.AffectedRows != 1 {
			t.Errorf("%v %+v", err, out)
		}
		_, rows, err := out.Home.Query("SELECT @n")
		if err != nil || string(rows[0][0]) != fmt.Sprint(itemRows) {
			t.Errorf("%q %v", rows, err)
		}
		l.end(&out)
	})
}

func TestLoadedLiterals(t *testing.T) {
	str := func(s string) []byte { return wire.AppendLenencString(nil, s) }
	f32 := func(f float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)) }
	f64 := func(f float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)) }
	i64 := func(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }
	for _, c := range []struct {
		v    []byte
		typ  byte
		form router.Form
		want string
	}{
		{str(""), wire.TypeBlob, router.AsBytes, "_binary''"},
		{str(`a'b\c"d`), wire.TypeBlob, router.AsBytes, `_binary'a\'b\\c"d'`},
		{str("\x00\x80\x27\n\x1a\x5c"), wire.TypeBlob, router.AsBytes, "_binary'\x00\x80\\'\n\x1a\\\\'"},
		{str(`{"a":"\\"}`), wire.TypeBlob, router.AsJSON, `_utf8mb4'{"a":"\\\\"}'`},
		{str("2024-02-31"), wire.TypeVarString, router.AsTime, "'2024-02-31'"},
		{i64(-5), wire.TypeLongLong, router.AsNumber, "-5"},
		{str("-1.50"), wire.TypeNewDecimal, router.AsNumber, "-1.50"},
		{f32(0.1), wire.TypeFloat, router.AsFloat, "1.0000000149011612e-01"},
		{f64(0.1), wire.TypeDouble, router.AsFloat, "1e-01"},
		{f64(math.Copysign(0, -1)), wire.TypeDouble, router.AsFloat, "-0e+00"},
		{f64(math.MaxFloat64), wire.TypeDouble, router.AsFloat, "1.7976931348623157e+308"},
		{i64(0), wire.TypeLongLong, router.AsInstant, "'0000-00-00 00:00:00'"},
		{i64(1), wire.TypeLongLong, router.AsInstant, "'1970-01-01 00:00:01'"},
		{str("1729989000.125"), wire.TypeNewDecimal, router.AsInstant, "'2024-10-27 00:30:00.125'"},
		{str("0.000"), wire.TypeNewDecimal, router.AsInstant, "'0000-00-00 00:00:00'"},
	} {
		got, err := appendLoaded(nil, c.v, &wire.Column{Type: c.typ}, c.form)
		if err != nil || string(got) != c.want {
			t.Errorf("%q as form %d: %q, %v; want %q", c.v, c.form, got, err, c.want)
		}
	}
	for _, c := range []struct {
		v    []byte
		typ  byte
		form router.Form
	}{
		{[]byte{5, 'a'}, wire.TypeBlob, router.AsBytes}, {nil, wire.TypeBlob, router.AsBytes}, {[]byte{1}, wire.TypeFloat, router.AsFloat},
		{f64(1), wire.TypeFloat, router.AsFloat}, {str("x"), wire.TypeNewDecimal, router.AsInstant}, {[]byte{1}, wire.TypeLongLong, router.AsNumber},
		{str("x"), wire.TypeBlob, router.Form(99)},
	} {
		if got, err := appendLoaded(nil, c.v, &wire.Column{Type: c.typ}, c.form); err == nil {
			t.Errorf("%q as form %d gave %q", c.v, c.form, got)
		}
	}
}

func TestTemporaryDefinition(t *testing.T) {
	text := "CREATE TABLE `a``b` (\n  `id` int(11) NOT NULL,\n  `x` int(11) DEFAULT NULL COMMENT 'FULLTEXT KEY `x` (`y`),\\n) ENGINE=',\n" +
		"  `g` int(11) GENERATED ALWAYS AS (`id` + 1) VIRTUAL,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u``1` (`x`,`g`),\n  FULLTEXT KEY `t` (`t`) /*!50100 WITH PARSER `ngram` */ ,\n" +
		"  CONSTRAINT `a FOREIGN KEY ` CHECK (`x` > 0),\n  CONSTRAINT `fk` FOREIGN KEY (`x`) REFERENCES `o` (`id`)\n" +
		") ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=COMPRESSED COMMENT='x'\n/*!50100 PARTITION BY HASH (`id`)\nPARTITIONS 3 */"
	want := "CREATE TEMPORARY TABLE `s`.`g` (\n  `id` int(11) NOT NULL,\n  `x` int(11) DEFAULT NULL COMMENT 'FULLTEXT KEY `x` (`y`),\\n) ENGINE=',\n" +
		"  `g` int(11) GENERATED ALWAYS AS (`id` + 1) VIRTUAL,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u``1` (`x`,`g`),\n  CONSTRAINT `a FOREIGN KEY ` CHECK (`x` > 0)\n" +
		") DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
	if got, ok := temporaryDefinition(text, "`s`.`g`"); !ok || got != want {
		t.Errorf("%v\n%s\nwant\n%s", ok, got, want)
	}
	for _, bad := range []string{"", "CREATE", "CREATE TABLE x (\n)", "CREATE VIEW x AS SELECT 1", "a (\n b\n) ENGINE=x"} {
		if got, ok := temporaryDefinition(bad, "x"); ok {
			t.Errorf("%q became %q", bad, got)
		}
	}
	if got, ok := scratchDefinition(text, "`s`.`g`"); !ok || !hasTextKey(text) || got != "CREATE TABLE `s`.`g` (\n"+strings.Join(strings.Split(text, "\n")[1:6], "\n")+
		"\n  FULLTEXT KEY `t` (`t`) /*!50100 WITH PARSER `ngram` */ \n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci" {
		t.Errorf("%v\n%s", ok, got)
	}
	plain, changed := plainKeys(text, true)
	if want := strings.NewReplacer("  PRIMARY KEY (", "  KEY `sluice_primary` (", "UNIQUE KEY `u``1`", "KEY `u``1`").Replace(text); !changed || plain != want {
		t.Errorf("%v %s", changed, plain)
	}
	if plain, changed := plainKeys(plain, true); changed {
		t.Errorf("changed again: %s", plain)
	}
	hash := "CREATE TABLE `a` (\n  `b` text,\n  UNIQUE KEY `b` (`b`) USING HASH\n)"
	for isMariaDB, want := range map[bool]string{true: "CREATE TABLE `a` (\n  `b` text\n)", false: strings.Replace(hash, "UNIQUE ", "", 1)} {
		if plain, changed := plainKeys(hash, isMariaDB); !changed || strings.Replace(plain, "text,\n)", "text\n)", 1) != want {
			t.Errorf("MariaDB %v: %s", isMariaDB, plain)
		}
	}
}
