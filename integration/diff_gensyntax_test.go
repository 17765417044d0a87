package integration

import "fmt"

// selectUnparsed makes queries that Sluice's parser does not know: their tables are found by their
// places in the text. What one kind of servers does not know, either, is an error on both sides.
func (r *generator) selectUnparsed() {
	x := &genTables[3]
	number := func() string { return fmt.Sprint(1 + r.IntN(9)) }
	order := func(by string) {
		r.g.order = r.group()
		r.add(" ORDER BY "+by, r.g.order)
	}
	switch r.IntN(8) {
	case 0:
		r.add("SELECT JSON_ARRAYAGG(" + pick(r, "DISTINCT v ORDER BY v", "v ORDER BY id", "id ORDER BY id DESC LIMIT 3") + ") FROM x")
		r.where(x, "")
	case 1:
		r.add("SELECT id, v FROM x")
		r.where(x, "")
		r.add(" ORDER BY id " + pick(r, "FETCH FIRST "+number()+" ROWS ONLY", "OFFSET "+number()+" ROWS FETCH NEXT "+number()+" ROWS ONLY", "OFFSET "+number()+" ROWS", "LIMIT 3 ROWS EXAMINED 100000"))
	case 2:
		r.add("SELECT q.k, q.c FROM (SELECT v, COUNT(*) FROM x")
		r.where(x, "")
		r.add(" GROUP BY v) AS q (k, c)" + pick(r, "", " JOIN o ON o.n = q.k AND o.uid = "+number()))
		order("q.k, q.c")
	case 3:
		r.add("SELECT id, v FROM x WHERE " + pick(r, "id", "v") + " IN (VALUES (" + number() + "), (" + number() + "))")
		order("id")
	case 4:
		r.add("SELECT x.id, j.o, j.e FROM x JOIN JSON_TABLE('[1, 2, 3, 3]', '$[*]' COLUMNS (o FOR ORDINALITY, e INT PATH '$')) AS j ON j.e = " + pick(r, "x.v", "x.id"))
		r.where(x, "x.")
		order("x.id, j.o")
	case 5:
		r.add("SELECT x.id, o.uid, o.n FROM {OJ x LEFT OUTER JOIN o ON " + pick(r, "o.uid = x.id", "o.n = x.v", "o.uid = x.id AND o.n > "+number()) + "}")
		r.where(x, "x.")
		order("x.id, o.uid, o.n")
	case 6:
		r.add("SELECT id, MEDIAN(v) OVER (PARTITION BY v % " + number() + ") FROM x")
		r.where(x, "")
		order("id")
	default:
		r.add("SELECT v, COUNT(*) FROM x GROUP BY ROLLUP (v)" + pick(r, "", " HAVING COUNT(*) > 1"))
		order("v, 2")
	}
}
