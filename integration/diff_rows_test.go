package integration

import (
	"fmt"
	"strings"
)

// diffRows are INSERTs of the test's rows: every type, with NULLs, duplicates, strings that
// collations take for equal, and numbers whose sums are exact.
func diffRows() (inserts []string) {
	add := func(table string, rows []string) {
		inserts = append(inserts, "INSERT INTO "+table+" VALUES "+strings.Join(rows, ","))
	}
	var t, o, w, x []string
	for i := range 48 {
		id := i - 4
		pick := func(every int, values ...string) string {
			if every > 0 && i%every == 0 {
				return "NULL"
			}
			return values[i%len(values)]
		}
		t = append(t, fmt.Sprintf("(%d,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%d)", id,
			pick(7, fmt.Sprint(i%9-3)), pick(11, "18446744073709551615", "0", "5", "9223372036854775808", fmt.Sprint(i)),
			pick(9, "'abc'", "'ABC'", "'abc '", "''", "'é'", "'e'", "'z'", "'Zoë'"),
			pick(8, "'abc'", "'ABC'", "'abc '", "'b'", "'é'", "'e'", "'E'", "'zz'", "''"),
			pick(10, "'one'", "'two'", "'Three'", "'4'", "'two '", "'TWO'"),
			pick(6, "1.005", "-2.500", "0.000", "123456789.125", "99.990", "2.5", fmt.Sprintf("%d.250", i)),
			pick(13, "0.5", "-0.25", "1e10", "3", "0", fmt.Sprintf("%d.75", i)), pick(12, "0.5", "-1.25", "16777216", "2.5"),
			pick(14, "'2020-01-01'", "'1999-12-31'", "'2024-02-29'", "'1000-01-01'"),
			pick(15, "'2020-01-01 00:00:00'", "'2020-01-01 00:00:00.000001'", "'2021-06-15 12:34:56.789'", "'1999-12-31 23:59:59.999999'"),
			pick(16, "'00:00:00'", "'-12:30:00'", "'23:59:59'", "'838:59:59'", "'-838:59:59'", "'100:00:00'"),
			pick(9, "'small'", "'medium'", "'large'", "'Big'"), pick(10, "''", "'a'", "'a,c'", "'b,d'", "'a,b,c,d'"),
			pick(11, "b'0'", "b'1'", "b'11111111'", "b'101'"), pick(12, "x''", "x'00ff'", "'blob'", "x'80'"), pick(13, "'text'", "'long text'", "''", "'TEXT'"),
			pick(14, `'{"a": 1}'`, `'[1, 2, 3]'`, `'"s"'`, `'null'`), pick(15, "2020", "1999", "1901", "2155"), i%5))
		for n := range i % 4 {
			o = append(o, fmt.Sprintf("(%d,%d,%s,%s,%s)", id, n+1, pick(5, fmt.Sprintf("%d.%02d", i*7%50, i*13%100)), pick(6, "'aa'", "'bb'", "'AA'", "'c'"),
				pick(9, "'2020-01-01 10:00:00'", "'2023-05-05 05:05:05'")))
		}
		w = append(w, fmt.Sprintf("(%d,%d,%s,%s,%s)", i*i*i*1000, i%3-1, pick(0, "'x'", "'y'", "'Y'", "'zz'"), pick(4, fmt.Sprint(i*10)), pick(5, fmt.Sprint(i))))
		if i < 24 {
			x = append(x, fmt.Sprintf("(%d,%s,%s)", i, pick(5, fmt.Sprint(i%4)), pick(7, "'one'", "'two'", "'three words here'", "'one '", "'TWO'")))
		}
	}
	add("t", t)
	add("o", o)
	add("w", w)
	add("x", x)
	add("s", []string{"('abc',1,'a')", "('ABC',2,'b')", "('',3,NULL)", "('é',4,'a')", "('e',5,'A')", "('5',6,'five')", "('05',7,'zero five')", "('5abc',8,NULL)",
		"(' 5',9,'x')", "('a b',10,'y')", "('a''b',11,'quote')", "('a\\\\b',12,'backslash')", "('ü',13,'u')", "('u',14,'u')", "('日本',15,'j')", "('😀',16,'s')",
		"('0',17,NULL)", "('-1',18,'neg')", "('1e1',19,'e')", "('NULL',20,'null')"})
	add("b", []string{"('',1)", "('abc',2)", "('ABC',3)", "('abc ',4)", "('a',5)", "('a ',6)", "('5',7)", "('é',8)", "('abcdefghij',9)", "('a\\0b',10)"})
	add("r", []string{"('de','Germany',1)", "('fr','France',2)", "('nl','Netherlands',NULL)", "('it','Italy',4)", "('aa','small',5)", "('bb','Big',NULL)"})
	inserts = append(inserts, "INSERT INTO a (uid, name) VALUES (1,'a'),(2,'b'),(3,'c'),(4,'d'),(5,NULL),(1,'aa'),(2,'bb'),(9,'z')",
		"INSERT INTO p (i, name) VALUES (1,'p1'),(2,'p2'),(3,NULL),(NULL,'p4'),(2,'P2')")
	return inserts
}
