package exec

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// items has a column of every kind that can be sorted or aggregated.
const items = `CREATE TABLE items (
	id BIGINT PRIMARY KEY, k INT, u BIGINT UNSIGNED, z INT UNSIGNED ZEROFILL, d DECIMAL(20,5), dd DECIMAL(10,2), f DOUBLE, f2 DOUBLE(10,2), fl FLOAT,
	s VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, b VARBINARY(40), dt DATETIME(3), ts TIMESTAMP NULL, tm TIME(2),
	da DATE, y YEAR, e ENUM('x','y','a'), bi BIT(10), tx TEXT, t8 TINYINT)`

const itemRows = 120

// fill makes rows with many equal values, NULLs and the corners of the types.
func fill(w *world) {
	w.everywhere(items)
	rnd := rand.New(rand.NewPCG(7, 7))
	for id := 1; id <= itemRows; id++ {
		w.insert("items", id, randomItem(rnd))
	}
}

func randomItem(rnd *rand.Rand) string {
	pick := func(of ...string) string {
		if rnd.IntN(8) == 0 {
			return "NULL"
		}
		return of[rnd.IntN(len(of))]
	}
	return strings.Join([]string{
		pick("-5", "0", "3", "7", "2147483647", "-2147483648"),
		pick("0", "18446744073709551615", "9223372036854775808", "12"),
		pick("0", "42", "7"),
		pick("0.00001", "-0.00001", "99999999999999.99999", "-12.50000", "10.10000"),
		pick("1.25", "-1.25", "0.10", "33.33"),
		pick("0.5", "-0.25", "1048576", "-3", "0.125"),
		pick("1.25", "2.5", "-7.75"),
		pick("0.1", "0.5", "-2.25", "3.3333333"),
		pick("'a'", "'A'", "'b'", "'ä'", "'ab '", "'ab'", "''", "'Zebra'", "'zebra'"),
		pick("'a'", "'A'", "x'00'", "x'ff00'", "''"),
		pick("'2024-02-29 10:00:00.125'", "'1999-12-31 23:59:59.999'", "'2024-02-29 10:00:00'"),
		pick("'2024-02-29 10:00:00'", "'2030-01-01 00:00:01'"),
		pick("'-838:59:59'", "'-00:00:00.25'", "'100:00:00'", "'99:59:59.5'", "'00:00:00'", "'-01:00:00'"),
		pick("'2024-02-29'", "'1000-01-01'", "'9999-12-31'"),
		pick("1999", "2024", "0"),
		pick("'x'", "'y'", "'a'"),
		pick("b'0'", "b'1111111111'", "b'101'"),
		pick("'long text'", "'x'", "REPEAT('y', 300)"),
		pick("-128", "0", "127"),
	}, ", ")
}

const itemColumns = "id, k, u, z, d, dd, f, f2, fl, s, b, dt, ts, tm, da, y, e, bi, tx, t8"

// hidden are the keys that are compared in place of a column.
var sortKeys = []struct {
	column, key string
	how         router.Compare
}{
	{"k", "k", router.BySigned}, {"t8", "t8", router.BySigned}, {"u", "u", router.ByUnsigned}, {"z", "z", router.ByUnsigned},
	{"d", "d", router.ByDecimal}, {"dd", "dd", router.ByDecimal}, {"f", "f", router.ByFloat}, {"f2", "f2", router.ByFloat},
	{"fl", "fl+0e0", router.ByFloat}, {"s", "WEIGHT_STRING(s AS CHAR(40))", router.ByBytes}, {"b", "b", router.ByBytes},
	{"dt", "dt", router.ByTime}, {"ts", "ts", router.ByTime}, {"tm", "tm", router.ByTime}, {"da", "da", router.ByTime},
	{"y", "y", router.ByUnsigned}, {"e", "e+0", router.ByUnsigned}, {"bi", "bi+0", router.ByUnsigned},
}

// asPrepared runs a test in both protocols. In the binary one the statement has a
// parameter at its end's WHERE id > ?.
func asPrepared(t *testing.T, test func(t *testing.T, params []wire.Param)) {
	t.Run("text", func(t *testing.T) { test(t, nil) })
	t.Run("binary", func(t *testing.T) {
		test(t, []wire.Param{{Type: wire.TypeLongLong, Value: binary.LittleEndian.AppendUint64(nil, 3)}})
	})
}

// where is the condition of a statement in the protocol of params.
func where(params []wire.Param) string {
	if params == nil {
		return " WHERE id > 3"
	}
	return " WHERE id > ?"
}

func request(b *router.Bound, params []wire.Param) *Request {
	req := &Request{Bound: b, SQL: []byte("the client's own"), Status: wire.StatusAutocommit}
	if params != nil {
		req.Execute = &wire.Execute{ID: 99, Params: params}
	}
	return req
}

func TestMerges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		t.Run("concatenate", func(t *testing.T) { asPrepared(t, w.testConcatenate) })
		t.Run("sort", func(t *testing.T) { asPrepared(t, w.testSort) })
		t.Run("aggregate", func(t *testing.T) { asPrepared(t, w.testAggregate) })
		t.Run("groups", func(t *testing.T) { asPrepared(t, w.testGroups) })
		t.Run("distinct", func(t *testing.T) { asPrepared(t, w.testDistinct) })
		t.Run("resort", func(t *testing.T) { asPrepared(t, w.testResort) })
		t.Run("averages", w.testAverages)
		t.Run("types", func(t *testing.T) { asPrepared(t, w.testTypes) })
	})
}

// testTypes: legs whose servers have defined an expression otherwise, as MySQL does out of a
// temporary table, give one column of the widest type.
func (w *world) testTypes(t *testing.T, params []wire.Param) {
	from := " AS c FROM items" + where(params)
	exprs := []string{"t8 IS NULL", "NULL", "DISTINCT t8 IS NULL", "CAST(-9000000000 + t8 * 0 AS SIGNED)"}
	for turn := range exprs {
		legs := allLegs("")
		var want []string
		types, widest := map[byte]bool{}, byte(wire.TypeNull)
		for i := range legs {
			sql := "SELECT " + exprs[(i+turn)%len(exprs)] + from
			legs[i].SQL = []byte(sql)
			alone, _, err := w.run(context.Background(), newLeases(w), request(bound(router.Relay, []router.Leg{legs[i]}, nil), params))
			if err != nil {
				t.Fatal(err)
			}
			if types[alone.cols[0].Type] = true; intSize(alone.cols[0].Type) > intSize(widest) {
				widest = alone.cols[0].Type
			}
			for _, row := range alone.rows {
				want = append(want, show(alone.cols, row, params != nil))
			}
		}
		got, _, err := w.run(context.Background(), newLeases(w), request(bound(router.Concatenate, legs, nil), params))
		if err != nil {
			t.Fatal(err)
		}
		if got.cols[0].Type != widest || len(types) < 2 {
			t.Errorf("type %#x of %v, want the widest of several", got.cols[0].Type, types)
		}
		for i, row := range got.rows {
			if g := show(got.cols, row, params != nil); i >= len(want) || g != want[i] {
				t.Fatalf("row %d is %s, want %q", i, g, want)
			}
		}
		if len(got.rows) != len(want) {
			t.Errorf("%d rows, want %d", len(got.rows), len(want))
		}
	}
}

func (w *world) testConcatenate(t *testing.T, params []wire.Param) {
	sql := "SELECT * FROM items" + where(params)
	got, out, err := w.run(context.Background(), newLeases(w), request(bound(router.Concatenate, allLegs(sql), nil), params))
	if err != nil {
		t.Fatal(err)
	}
	want := w.wholeAnswer(sql, params)
	same(t, got, want, params != nil, false)
	if !out.Answered || !out.Started || out.Legs != shards || out.Response.Rows != uint64(len(want.rows)) || out.Response.Columns != len(want.cols) {
		t.Errorf("outcome: %+v", out)
	}
	b := bound(router.Concatenate, allLegs(sql+" LIMIT 50"), &router.Merge{Visible: 20})
	b.Limit, b.Offset = 45, 5
	got, _, err = w.run(context.Background(), newLeases(w), request(b, params))
	if err != nil || got.err != nil || len(got.rows) != 45 {
		t.Errorf("LIMIT: %d rows, %v, %v", len(got.rows), err, got.err)
	}
}

func (w *world) testSort(t *testing.T, params []wire.Param) {
	for i, k := range sortKeys {
		t.Run(k.column, func(t *testing.T) {
			word := ""
			if i%2 == 0 {
				word = " DESC"
			}
			limit, offset := int64(-1), int64(0)
			clause, pushed := "", ""
			if i%3 == 0 {
				limit, offset = 20, 7
				clause, pushed = " LIMIT 20 OFFSET 7", " LIMIT 27"
			}
			tail := where(params) + " ORDER BY " + k.column + word + ", id"
			leg := "SELECT " + itemColumns + ", " + k.key + " FROM items" + tail + pushed
			b := bound(router.MergeSort, allLegs(leg), &router.Merge{Visible: 20, Hidden: 1,
				Sort: []router.SortKey{{Column: 20, Desc: word != "", Compare: k.how}, {Column: 0, Compare: router.BySigned}}})
			b.Limit, b.Offset = limit, offset
			got, _, err := w.run(context.Background(), newLeases(w), request(b, params))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, w.wholeAnswer("SELECT "+itemColumns+" FROM items"+tail+clause, params), params != nil, true)
		})
	}
}

// aggregates are all kinds of partial values: visible text, hidden columns, how to combine.
const aggregates = "COUNT(*), COUNT(k), SUM(k), SUM(u), SUM(d), SUM(f), SUM(f2), AVG(k), AVG(d), AVG(dd), AVG(f), MIN(k), MAX(d), MIN(tm), MAX(tm), MIN(s), MAX(s), MIN(dt), MAX(b)"

const aggregatesHidden = ", SUM(k), COUNT(k), SUM(d), COUNT(d), SUM(dd), COUNT(dd), SUM(f), COUNT(f), MIN(WEIGHT_STRING(s AS CHAR(40))), MAX(WEIGHT_STRING(s AS CHAR(40)))"

// aggMerge describes aggregates when they begin at column at.
func aggMerge(at int) []router.AggColumn {
	h := at + 19
	agg := func(i int, fn query.Agg) router.AggColumn { return router.AggColumn{Column: at + i, Fn: fn} }
	avg := func(i, sum int) router.AggColumn {
		return router.AggColumn{Column: at + i, Fn: query.Avg, Sum: h + sum, Count: h + sum + 1}
	}
	ext := func(i int, fn query.Agg, how router.Compare, key int) router.AggColumn {
		return router.AggColumn{Column: at + i, Fn: fn, Compare: how, Key: key}
	}
	return []router.AggColumn{agg(0, query.Count), agg(1, query.Count), agg(2, query.Sum), agg(3, query.Sum), agg(4, query.Sum),
		agg(5, query.Sum), agg(6, query.Sum), avg(7, 0), avg(8, 2), avg(9, 4), avg(10, 6),
		ext(11, query.Min, router.BySigned, at+11), ext(12, query.Max, router.ByDecimal, at+12), ext(13, query.Min, router.ByTime, at+13),
		ext(14, query.Max, router.ByTime, at+14), ext(15, query.Min, router.ByBytes, h+8), ext(16, query.Max, router.ByBytes, h+9),
		ext(17, query.Min, router.ByTime, at+17), ext(18, query.Max, router.ByBytes, at+18)}
}

func (w *world) testAggregate(t *testing.T, params []wire.Param) {
	for _, cond := range []string{"", " AND k IS NULL", " AND id > 1000000", " AND id = 5", " AND id IN (5, 7)"} {
		t.Run("all"+cond, func(t *testing.T) {
			tail := " FROM items" + where(params) + cond
			b := bound(router.Aggregate, allLegs("SELECT "+aggregates+aggregatesHidden+tail), &router.Merge{Visible: 19, Hidden: 10, Aggs: aggMerge(0)})
			got, _, err := w.run(context.Background(), newLeases(w), request(b, params))
			if err != nil {
				t.Fatal(err)
			}
			want := w.wholeAnswer("SELECT "+aggregates+tail, params)
			ci(got, want, params != nil, 15, 16)
			same(t, got, want, params != nil, true)
		})
	}
}

// ci makes values equal that differ in case only: of strings that the collation calls
// equal, MIN and MAX may give any.
func ci(got, want answer, isBinary bool, columns ...int) {
	for i := range got.rows {
		if i >= len(want.rows) {
			return
		}
		sh := &shape{cols: want.cols, visible: len(want.cols), binary: isBinary}
		g, err1 := sh.split(got.rows[i], nil)
		v, err2 := sh.split(want.rows[i], nil)
		if err1 != nil || err2 != nil {
			return
		}
		for _, c := range columns {
			if fold(g[c]) == fold(v[c]) {
				g[c] = v[c]
			}
		}
		got.rows[i] = sh.join(nil, g)
	}
}

func fold(v []byte) string {
	s := strings.NewReplacer("ä", "a", "Ä", "a").Replace(strings.ToLower(string(v)))
	if v != nil && len(s) > 0 && s[0] < ' ' { // the length of the binary protocol
		s = s[1:]
	}
	return strings.TrimRight(s, " ")
}

func (w *world) testGroups(t *testing.T, params []wire.Param) {
	for _, k := range sortKeys {
		for _, word := range []string{"", " DESC"} {
			t.Run(k.column+word, func(t *testing.T) {
				tail := " FROM items" + where(params) + " GROUP BY " + k.column
				order := " ORDER BY " + k.column + word
				key := k.key
				if k.column != k.key {
					key = "MIN(" + k.key + ")"
				}
				leg := "SELECT " + k.column + ", " + aggregates + aggregatesHidden + ", " + key + tail + order
				keys := []router.SortKey{{Column: 30, Compare: k.how}}
				m := &router.Merge{Visible: 20, Hidden: 11, Groups: keys, Sort: []router.SortKey{{Column: 30, Compare: k.how, Desc: word != ""}}, Aggs: aggMerge(1)}
				b := bound(router.Aggregate, allLegs(leg), m)
				b.Offset, b.Limit = 1, 4
				got, _, err := w.run(context.Background(), newLeases(w), request(b, params))
				if err != nil {
					t.Fatal(err)
				}
				want := w.wholeAnswer("SELECT "+k.column+", "+aggregates+tail+order+" LIMIT 4 OFFSET 1", params)
				ci(got, want, params != nil, 0, 16, 17)
				same(t, got, want, params != nil, true)
			})
		}
	}
}

func (w *world) testDistinct(t *testing.T, params []wire.Param) {
	tail := " FROM items" + where(params) + " ORDER BY k, e"
	keys := []router.SortKey{{Column: 0, Compare: router.BySigned}, {Column: 2, Compare: router.ByUnsigned}}
	b := bound(router.MergeSort, allLegs("SELECT DISTINCT k, e, e+0"+tail), &router.Merge{Visible: 2, Hidden: 1, Sort: keys, Groups: keys, Distinct: true})
	got, _, err := w.run(context.Background(), newLeases(w), request(b, params))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, w.wholeAnswer("SELECT DISTINCT k, e"+tail, params), params != nil, true)
}

func (w *world) testResort(t *testing.T, params []wire.Param) {
	for _, limit := range []int64{-1, 3, 0} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			tail := " FROM items" + where(params) + " GROUP BY k"
			leg := "SELECT k, COUNT(*), AVG(d), SUM(d), COUNT(d)" + tail + " ORDER BY k"
			keys := []router.SortKey{{Column: 0, Compare: router.BySigned}}
			m := &router.Merge{Visible: 3, Hidden: 2, Groups: keys, Sort: keys,
				Resort: []router.SortKey{{Column: 2, Compare: router.ByDecimal, Desc: true}, {Column: 1, Compare: router.BySigned}, {Column: 0, Compare: router.BySigned}},
				Aggs: []router.AggColumn{{Column: 1, Fn: query.Count}, {Column: 2, Fn: query.Avg, Sum: 3, Count: 4},
					{Column: 3, Fn: query.Sum}, {Column: 4, Fn: query.Count}}}
			b := bound(router.Aggregate, allLegs(leg), m)
			clause := ""
			if limit >= 0 {
				b.Limit, b.Offset = limit, 1
				clause = fmt.Sprintf(" LIMIT %d OFFSET 1", limit)
			}
			got, _, err := w.run(context.Background(), newLeases(w), request(b, params))
			if err != nil {
				t.Fatal(err)
			}
			sql := "SELECT k, COUNT(*), AVG(d)" + tail + " ORDER BY AVG(d) DESC, COUNT(*), k"
			want := w.wholeAnswer(sql+clause, params)
			if limit == 0 { // MariaDB plans it otherwise, which shows in some flags
				want.cols = w.wholeAnswer(sql+" LIMIT 1", params).cols
			}
			same(t, got, want, params != nil, true)
		})
	}
}

// testAverages: how an average is cut or rounded depends on the digits of its type.
func (w *world) testAverages(t *testing.T) {
	w.everywhere("CREATE TABLE avgs (id INT PRIMARY KEY, a BIGINT, b DECIMAL(30,1), c DECIMAL(30,4), d DECIMAL(30,5), e DECIMAL(30,6), f DECIMAL(38,14), g DECIMAL(38,28), h DECIMAL(60,0))")
	rnd := rand.New(rand.NewPCG(5, 5))
	for id := 1; id <= 60; id++ {
		var vals []string
		for _, scale := range []int{0, 1, 4, 5, 6, 14, 28, 0} {
			v := fmt.Sprint(rnd.IntN(2000) - 1000)
			if scale > 0 {
				v += "." + fmt.Sprint(rnd.IntN(10))
				for range scale - 1 {
					v += fmt.Sprint(rnd.IntN(10))
				}
			}
			vals = append(vals, v)
		}
		w.insert("avgs", id, strings.Join(vals, ", "))
	}
	for mod := 2; mod < 12; mod++ {
		var show, hidden []string
		m := &router.Merge{Visible: 8, Hidden: 16}
		for i, c := range strings.Split("abcdefgh", "") {
			show = append(show, "AVG("+c+")")
			hidden = append(hidden, "SUM("+c+")", "COUNT("+c+")")
			m.Aggs = append(m.Aggs, router.AggColumn{Column: i, Fn: query.Avg, Sum: 8 + 2*i, Count: 9 + 2*i})
		}
		tail := fmt.Sprintf(" FROM avgs WHERE id %% %d > 0", mod)
		leg := "SELECT " + strings.Join(show, ", ") + ", " + strings.Join(hidden, ", ") + tail
		got, _, err := w.run(context.Background(), newLeases(w), request(bound(router.Aggregate, allLegs(leg), m), nil))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, w.wholeAnswer("SELECT "+strings.Join(show, ", ")+tail, nil), false, true)
	}
}

// TestAgreeYear: whether a computed YEAR has the flags of its column follows from a shard's plan.
func TestAgreeYear(t *testing.T) {
	column := func(table string, flags uint16) []wire.Column {
		return []wire.Column{{Name: "MAX(y)", OrgTable: table, Type: wire.TypeYear, Flags: flags}}
	}
	if _, err := agree([]leg{{cols: column("", wire.FlagUnsigned|wire.FlagZerofill)}, {cols: column("", wire.FlagUnsigned)}}, true); err != nil {
		t.Error(err)
	}
	a, b := column("t", wire.FlagZerofill), column("t", 0)
	if why := differ(&a[0], &b[0]); why != "attribute" {
		t.Errorf("columns of tables: %q", why)
	}
}

// TestDigits: BIN() of a BIT column says on one shard that it is unsigned and on another, where the optimizer has found no
// rows, that it is not: a string has no sign.
func TestDigits(t *testing.T) {
	digits := wire.Column{Name: "BIN(bt)", Type: wire.TypeVarString, Collation: 45, Length: 256, Decimals: 39}
	other := digits
	other.Flags = wire.FlagUnsigned
	if why := differ(&digits, &other); why != "" {
		t.Errorf("another %s", why)
	}
	other.Flags = wire.FlagEnum
	if why := differ(&digits, &other); why != "attribute" {
		t.Errorf("an ENUM has %q", why)
	}
}
