package integration

import (
	"fmt"
	"slices"
	"strings"
)

// columnOf gives a column of one of the classes, false when the table has none.
func (r *generator) columnOf(t *genTable, classes ...class) (genColumn, bool) {
	for _, i := range r.Perm(len(t.columns)) {
		if slices.Contains(classes, t.columns[i].class) {
			return t.columns[i], true
		}
	}
	return genColumn{}, false
}

// keyed tables have a primary key, which makes an order total.
func (r *generator) withPrimary() *genTable {
	for {
		if t := pick(r, genTables...); t.primary != nil {
			return &t
		}
	}
}

func pk(t *genTable, prefix string) string {
	return prefix + strings.Join(t.primary, ", "+prefix)
}

// selectAggregates has what no merge adds up: DISTINCT, lists, expressions of aggregates,
// ROLLUP, HAVING.
func (r *generator) selectAggregates() {
	t := r.withPrimary()
	key := pick(r, t.columns...)
	grouped := r.IntN(3) > 0 && key.class != other && key.class != blob
	rollup := false
	r.add("SELECT ")
	if grouped {
		r.g.fold = key.class == ciString || key.class == binString
		r.add(key.name + ", ")
	}
	r.add(r.list(t))
	for range r.IntN(3) {
		r.add(", "+r.list(t), r.group())
	}
	r.add(" FROM " + t.name)
	r.where(t, "")
	if !grouped {
		return
	}
	r.add(" GROUP BY " + key.name)
	if r.oneIn(4) {
		rollup = true
		r.add(" WITH ROLLUP", r.group())
	}
	if r.oneIn(4) {
		r.add(" HAVING "+pick(r, "COUNT(*) > 2", "MAX("+t.primary[0]+") IS NOT NULL", "COUNT(*) % 2 = 1"), r.group())
	}
	if !rollup && r.oneIn(2) {
		r.g.order = r.group()
		r.add(" ORDER BY "+key.name, r.g.order)
		r.limits()
	}
}

// list gives an aggregate that needs all rows of a group in one place.
func (r *generator) list(t *genTable) string {
	if c, ok := r.columnOf(t, integer, decimal); ok && r.IntN(3) > 0 {
		n := c.name
		if c.class == integer && r.oneIn(8) { // of large decimals the last digits follow the order of the rows
			return pick(r, "ROUND(STDDEV("+n+"), 4)", "ROUND(VAR_SAMP("+n+"), 4)")
		}
		return pick(r, "COUNT(DISTINCT "+n+")", "SUM(DISTINCT "+n+")", "AVG(DISTINCT "+n+")", "SUM("+n+") / COUNT(*)", "MAX("+n+") - MIN("+n+")", "IFNULL(SUM("+n+"), 0)",
			"BIT_OR("+n+")", "BIT_XOR("+n+")", "BIT_AND("+n+")", "GROUP_CONCAT(DISTINCT "+n+" ORDER BY "+n+" DESC SEPARATOR '/')",
			"JSON_LENGTH(JSON_ARRAYAGG("+n+"))", "SUM(CASE WHEN "+n+" > 2 THEN 1 ELSE 0 END)", "COUNT("+n+") * 2", "SUM("+n+" > 3)")
	}
	if c, ok := r.columnOf(t, ciString, binString); ok && r.oneIn(2) {
		return pick(r, "COUNT(DISTINCT "+c.name+")", "COUNT(DISTINCT "+c.name+", "+t.primary[0]+")", "MAX(LENGTH("+c.name+"))", "GROUP_CONCAT("+c.name+" ORDER BY "+pk(t, "")+")")
	}
	c, _ := r.columnOf(t, integer, unsigned, date, datetime, ciString, binString)
	return pick(r, "GROUP_CONCAT("+c.name+" ORDER BY "+pk(t, "")+")", "GROUP_CONCAT("+c.name+" ORDER BY "+pk(t, "")+" SEPARATOR '')", "COUNT(DISTINCT "+c.name+")")
}

func (r *generator) selectWindow() {
	t := r.withPrimary()
	c := pick(r, t.columns...)
	part := pick(r, t.columns...)
	over := "ORDER BY " + pk(t, "")
	if part.class != other && part.class != blob && r.oneIn(2) {
		over = "PARTITION BY " + part.name + " " + over
		r.g.fold = false
	}
	call := pick(r, "ROW_NUMBER()", "RANK()", "DENSE_RANK()", "COUNT(*)", "NTILE(3)", "LAG("+c.name+")", "LEAD("+c.name+", 2)", "FIRST_VALUE("+c.name+")", "COUNT("+c.name+")")
	if n, ok := r.columnOf(t, integer, decimal); ok && r.oneIn(2) {
		call = pick(r, "SUM(", "AVG(", "MIN(", "MAX(") + n.name + ")"
		over += pick(r, "", "", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING")
	}
	r.add("SELECT " + pk(t, ""))
	r.add(", "+c.name, r.group())
	r.add(", " + call + " OVER (" + over + ")")
	r.add(" FROM " + t.name)
	r.where(t, "")
	if r.oneIn(2) {
		r.g.order = r.group()
		r.add(" ORDER BY "+pk(t, ""), r.g.order)
	}
	r.limits()
}

// selectSet is UNION, EXCEPT and INTERSECT of columns of one class.
func (r *generator) selectSet() {
	classes := pick(r, []class{integer}, []class{integer}, []class{decimal, integer}, []class{ciString}, []class{ciString, binString}, []class{date, datetime}, []class{unsigned})
	var parts []func()
	for len(parts) < 2+r.IntN(2) {
		t := pick(r, genTables...)
		c, ok := r.columnOf(&t, classes...)
		if !ok {
			continue
		}
		parts = append(parts, func() {
			r.add("SELECT " + pick(r, "", "", "DISTINCT ") + c.name)
			r.add(" FROM " + t.name)
			r.where(&t, "")
		})
	}
	r.g.fold = classes[0] == ciString
	derived := r.oneIn(5)
	if derived {
		r.add("SELECT COUNT(*) FROM (")
	}
	for i, part := range parts {
		if i > 0 {
			r.add(pick(r, " UNION ", " UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT "))
		}
		part()
	}
	switch {
	case derived:
		r.add(") q")
		r.g.fold = false
	case r.oneIn(2):
		r.g.order = r.group()
		r.add(" ORDER BY 1"+pick(r, "", " DESC"), r.g.order)
		r.limits()
	}
}

// selectWith has common table expressions.
func (r *generator) selectWith() {
	t := r.withPrimary()
	switch r.IntN(4) {
	case 0:
		m := pick(r, genTables[:4]...)
		c, _ := r.columnOf(&m, integer, unsigned)
		r.add("WITH RECURSIVE n AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM n WHERE k < " + r.literal("int", fmt.Sprint(2+r.IntN(6))) + ")")
		r.add(fmt.Sprintf(" SELECT n.k, COUNT(m.%s) FROM n LEFT JOIN %s m ON m.%s = n.k", m.primary[0], m.name, c.name))
		r.where(&m, "m.")
		r.g.order = r.group()
		r.add(" GROUP BY n.k")
		r.add(" ORDER BY n.k", r.g.order)
	case 1:
		r.add("WITH RECURSIVE q AS (SELECT id, v FROM x WHERE id < " + r.literal("int", fmt.Sprint(r.IntN(30))) + " UNION SELECT x.id, x.v FROM q JOIN x ON x.id = q.v + " + r.literal("int", "1") + ") SELECT * FROM q")
		r.g.order = r.group()
		r.add(" ORDER BY id", r.g.order)
	case 2:
		r.add("WITH q AS (SELECT " + pk(t, "") + " FROM " + t.name)
		r.where(t, "")
		r.add("), z AS (SELECT " + t.primary[0] + ", COUNT(*) AS c FROM q GROUP BY " + t.primary[0] + ")")
		r.add(fmt.Sprintf(" SELECT q.%s, z.c FROM q JOIN z ON z.%[1]s = q.%[1]s", t.primary[0]))
		r.add(" WHERE z.c > 0", r.group())
	default:
		c := pick(r, t.columns...)
		r.add("WITH q (a, b) AS (SELECT " + t.primary[0] + ", " + r.expression(&c, "") + " FROM " + t.name)
		r.where(t, "")
		r.add(") SELECT a, b FROM q")
		r.add(" WHERE a IN (SELECT id FROM x)", r.group())
		r.limits()
	}
}

// selectSubquery has subqueries in every place.
func (r *generator) selectSubquery() {
	t, m := *r.withPrimary(), pick(r, genTables...)
	inner, ok := r.columnOf(&m, integer, unsigned)
	outer, also := r.columnOf(&t, integer, unsigned)
	if !ok || !also {
		t, m = genTables[3], genTables[1]
		inner, outer = m.columns[0], t.columns[0]
	}
	if t.key != "" && r.oneIn(2) && t.column(t.key).class != binString {
		outer = *t.column(t.key)
	}
	if signed, ok := r.columnOf(&m, integer); ok && inner.class == unsigned && outer.class == integer { // MariaDB: -3 NOT IN (unsigned with NULL) follows the plan
		inner = signed
	}
	sub := func(columns string) {
		r.add("(SELECT " + columns + " FROM " + m.name + " m")
		r.where(&m, "m.")
		r.add(")")
	}
	correlated := fmt.Sprintf("FROM %s m WHERE m.%s = l.%s", m.name, inner.name, outer.name)
	switch r.IntN(9) {
	case 0:
		r.add(fmt.Sprintf("SELECT %s, (SELECT %s %s)", pk(&t, "l."), pick(r, "COUNT(*)", "MAX(m."+inner.name+")", "SUM(m."+inner.name+")"), correlated))
		r.add(", (SELECT MAX("+inner.name+") FROM "+m.name+")", r.group())
		r.add(" FROM " + t.name + " l")
		r.where(&t, "l.")
	case 1:
		r.add(fmt.Sprintf("SELECT %s FROM %s l WHERE l.%s %s ", pk(&t, "l."), t.name, outer.name, pick(r, "= ANY", "> ALL", "<= ANY", "IN", "NOT IN", "<> ALL")))
		sub("m." + inner.name)
	case 2:
		r.add(fmt.Sprintf("SELECT %s FROM %s l WHERE l.%s %s ", pk(&t, "l."), t.name, outer.name, pick(r, "=", ">", "<", "<=>")))
		sub(pick(r, "MIN", "MAX", "COUNT") + "(m." + inner.name + ")")
	case 3:
		r.add(fmt.Sprintf("SELECT %s FROM %s l WHERE ", pk(&t, "l."), t.name))
		r.add(r.condition(&t, "l.", 0))
		r.add(fmt.Sprintf(" %s %s (SELECT 1 %s)", pick(r, "AND", "OR"), pick(r, "EXISTS", "NOT EXISTS"), correlated))
	case 4:
		r.add(fmt.Sprintf("SELECT %s FROM %s l", pk(&t, "l."), t.name))
		r.where(&t, "l.")
		r.g.order = r.group()
		r.add(fmt.Sprintf(" ORDER BY (SELECT COUNT(*) %s), ", correlated), r.g.order)
		r.add(pk(&t, "l."), r.g.order)
		r.limits()
	case 5:
		r.add(fmt.Sprintf("SELECT l.%s, COUNT(*) FROM %s l", outer.name, t.name))
		r.where(&t, "l.")
		r.add(fmt.Sprintf(" GROUP BY l.%s HAVING COUNT(*) %s ", outer.name, pick(r, ">", "<", "<>")))
		sub("COUNT(*) / 10")
	case 6:
		r.add(fmt.Sprintf("SELECT %s, q.c FROM %s l %s (SELECT m.%s AS k, COUNT(*) AS c FROM %s m", pk(&t, "l."), t.name, pick(r, "JOIN", "LEFT JOIN"), inner.name, m.name))
		r.where(&m, "m.")
		r.add(fmt.Sprintf(" GROUP BY m.%s) q ON q.k = l.%s", inner.name, outer.name))
	case 7:
		r.add(fmt.Sprintf("SELECT uid, n FROM o WHERE (uid, n) %s (SELECT ", pick(r, "IN", "IN", "NOT IN")) + pick(r, "id, v FROM x", "id, i FROM t", "k, c FROM w"))
		r.add(")")
	default:
		r.add("SELECT COUNT(*), MAX(q.a) FROM (SELECT " + t.primary[0] + " AS a FROM " + t.name)
		r.where(&t, "")
		r.add(") q WHERE q.a NOT IN ")
		sub("m." + inner.name)
	}
}

// selectCollated compares, orders and groups strings by other collations than their own.
func (r *generator) selectCollated() {
	t := pick(r, genTables[0], genTables[0], genTables[3], genTables[4])
	c, _ := r.columnOf(&t, ciString)
	name := c.name + " COLLATE " + pick(r, "utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci")
	switch r.IntN(5) {
	case 0:
		r.add("SELECT " + pk(&t, "") + ", " + c.name + " FROM " + t.name)
		r.where(&t, "")
		r.g.order = r.group()
		r.add(" ORDER BY "+name+pick(r, "", " DESC")+", "+pk(&t, ""), r.g.order)
		r.limits()
	case 1:
		r.g.fold = true
		r.add("SELECT " + name + ", COUNT(*) FROM " + t.name)
		r.where(&t, "")
		r.add(" GROUP BY " + name)
	case 2:
		r.g.fold = true
		r.add("SELECT DISTINCT " + name + " FROM " + t.name)
		r.where(&t, "")
	case 3:
		d, _ := r.columnOf(&t, ciString, binString)
		r.add("SELECT " + pk(&t, "") + " FROM " + t.name + " WHERE " + name + pick(r, " = ", " < ", " >= ", " <> ") + pick(r, d.name, r.value(&c)))
	default:
		r.g.fold = true
		r.add("SELECT MIN(" + name + "), MAX(" + name + "), COUNT(DISTINCT " + name + ") FROM " + t.name)
		r.where(&t, "")
	}
}
