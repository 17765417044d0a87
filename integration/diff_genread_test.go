package integration

import (
	"fmt"
	"slices"
	"strings"
)

// orderable tells whether rows can be put in a certain order by columns of a class.
func orderable(c class) bool { return c != other }

// orderBy adds ORDER BY with the primary key behind it, and LIMIT.
func (r *generator) orderBy(t *genTable, prefix string) {
	if len(t.primary) > 0 && !r.oneIn(3) {
		r.g.order = r.group()
		r.add(" ORDER BY ", r.g.order)
		for range r.IntN(3) {
			c := pick(r, t.columns...)
			if orderable(c.class) {
				r.add(r.expression(&c, prefix)+pick(r, "", " DESC", " ASC")+", ", r.g.order, r.group())
			}
		}
		direction := pick(r, "", " DESC")
		for i, name := range t.primary {
			if i > 0 {
				r.add(", ", r.g.order)
			}
			r.add(prefix+name+direction, r.g.order)
		}
	}
	r.limits()
}

func (r *generator) limits() {
	if !r.oneIn(3) {
		return
	}
	r.g.limit = r.group()
	n, m := r.literal("int", fmt.Sprint(r.IntN(12))), r.literal("int", fmt.Sprint(r.IntN(20)))
	r.add(" LIMIT "+pick(r, n, n+" OFFSET "+m, m+", "+n), r.g.limit)
}

func (r *generator) selectRows() {
	t := pick(r, genTables...)
	prefix, from := "", t.name
	if r.oneIn(4) {
		prefix, from = "q.", t.name+pick(r, " AS q", " q")
	}
	r.add("SELECT ")
	r.items(&t, prefix)
	r.add(" FROM " + from)
	r.where(&t, prefix)
	r.orderBy(&t, prefix)
	if r.oneIn(20) && r.g.limit == 0 && !r.g.second {
		r.add(pick(r, " FOR UPDATE", " LOCK IN SHARE MODE"), r.group())
	}
}

// aggregate gives an aggregate of a column whose result is certain.
func (r *generator) aggregate(t *genTable) string {
	c := pick(r, t.columns...)
	switch {
	case r.oneIn(3):
		return "COUNT(*)"
	case c.class == ciString || c.class == binString:
		r.g.fold = true
		return pick(r, "COUNT(", "MIN(", "MAX(") + c.name + ")"
	case c.class == integer || c.class == decimal:
		return pick(r, "SUM(", "AVG(", "MIN(", "MAX(", "COUNT(", "COUNT(DISTINCT ") + pick(r, c.name, c.name, c.name+" + 1") + ")"
	case c.class == double || c.class == unsigned:
		return pick(r, "SUM(", "MIN(", "MAX(", "COUNT(") + c.name + ")"
	case c.class == other || c.class == blob || c.class == bits || c.class == enumeration:
		return "COUNT(" + c.name + ")"
	}
	return pick(r, "MIN(", "MAX(", "COUNT(") + c.name + ")"
}

// groupKey gives what is grouped by.
func (r *generator) groupKey(c *genColumn) string {
	if !r.oneIn(5) {
		return c.name
	}
	switch c.class {
	case integer:
		return pick(r, c.name+" % 3", c.name+" > 2", "ABS("+c.name+")", c.name+" + 1")
	case ciString, binString:
		return pick(r, "LENGTH("+c.name+")", "LOWER("+c.name+")", c.name+" IS NULL")
	case date, datetime:
		return pick(r, "YEAR("+c.name+")", "DATE("+c.name+")")
	}
	return c.name
}

// selectGroups is a SELECT with aggregates, or DISTINCT.
func (r *generator) selectGroups() {
	t := pick(r, genTables...)
	var keys []string
	for _, i := range r.Perm(len(t.columns))[:min(len(t.columns), r.IntN(3))] {
		c := t.columns[i]
		if c.class == other || c.class == blob {
			continue
		}
		r.g.fold = r.g.fold || c.class == ciString || c.class == binString
		keys = append(keys, r.groupKey(&c))
	}
	// (MariaDB forgets the OFFSET of a DISTINCT over nothing but a constant, which NOT NULL makes of IS NULL.)
	distinct := len(keys) > 0 && r.oneIn(4) && !strings.HasSuffix(keys[0], " IS NULL")
	r.add("SELECT ")
	switch {
	case distinct:
		r.add("DISTINCT " + strings.Join(keys, ", "))
	default:
		r.add(strings.Join(append(slices.Clone(keys), r.aggregate(&t)), ", "))
		for range r.IntN(3) {
			r.add(", "+r.aggregate(&t), r.group())
		}
	}
	r.add(" FROM " + t.name)
	r.where(&t, "")
	if len(keys) == 0 {
		return
	}
	if !distinct {
		r.add(" GROUP BY " + strings.Join(keys, ", "))
		if r.oneIn(8) {
			r.add(" HAVING COUNT(*) > 1", r.group())
		}
	}
	if !r.oneIn(3) {
		r.g.order = r.group()
		r.add(" ORDER BY ", r.g.order)
		if !distinct && r.oneIn(4) {
			r.add(pick(r, "COUNT(*), ", "COUNT(*) DESC, "), r.g.order, r.group())
		}
		r.add(strings.Join(keys, pick(r, ", ", " DESC, ")), r.g.order)
	}
	r.limits()
}

func textual(c class) bool {
	return c == ciString || c == binString || c == blob || c == other || c == enumeration
}

// selectJoin joins tables: on the key, with a reference table, or otherwise.
func (r *generator) selectJoin() {
	l, m := pick(r, genTables[:4]...), pick(r, genTables...)
	a, b := pick(r, *l.column(l.primary[0]), pick(r, l.columns...)), pick(r, m.columns...)
	for textual(a.class) != textual(b.class) { // MariaDB finds '1e1' = 10 by scanning, but not by an index
		a, b = pick(r, l.columns...), pick(r, m.columns...)
	}
	on := fmt.Sprintf("l.%s = m.%s", a.name, b.name)
	if m.key != "" && textual(l.column(l.key).class) == textual(m.column(m.key).class) && r.IntN(4) > 0 {
		on = fmt.Sprintf("l.%s = m.%s", l.key, m.key)
	}
	r.add("SELECT ")
	c := pick(r, m.columns...)
	grouped := r.oneIn(4) && c.class != other && c.class != blob
	switch {
	case grouped:
		r.g.fold = c.class == ciString || c.class == binString
		r.add("m." + c.name + ", COUNT(*)")
	case r.oneIn(4):
		r.add("COUNT(*)")
	default:
		r.add("l." + l.primary[0])
		r.add(", "+r.expression(&c, "m."), r.group())
	}
	r.add(fmt.Sprintf(" FROM %s l %s %s m ON %s", l.name, pick(r, "JOIN", "LEFT JOIN", "INNER JOIN", "STRAIGHT_JOIN"), m.name, on))
	if r.oneIn(5) {
		third := r.group()
		r.add(fmt.Sprintf(" %s r third ON third.n = l.%s", pick(r, "JOIN", "LEFT JOIN"), pick(r, l.columns...).name), third)
	}
	r.where(&l, "l.")
	switch {
	case grouped:
		r.add(" GROUP BY m." + c.name)
		r.g.order = r.group()
		r.add(" ORDER BY m."+c.name+pick(r, "", " DESC"), r.g.order)
		r.limits()
	case l.name == "x" && m.primary != nil && r.oneIn(2):
		r.g.order = r.group()
		r.add(" ORDER BY l.id, m."+strings.Join(m.primary, ", m."), r.g.order)
	}
}

// selectNested has a subquery, a derived table, a UNION, a common table expression or a window.
func (r *generator) selectNested() {
	l, m := pick(r, genTables[:4]...), pick(r, genTables...)
	inner := pick(r, m.columns...).name
	link := inner
	if m.key != "" && !r.oneIn(3) {
		link = m.key
	}
	alike := func(a, b string) bool { // MariaDB finds '1e1' = 10 by scanning, but not by an index
		return textual(l.column(a).class) == textual(m.column(b).class)
	}
	for !alike(l.key, link) {
		link = pick(r, m.columns...).name
	}
	outer := pick(r, l.columns...).name
	for !alike(outer, inner) {
		outer, inner = pick(r, l.columns...).name, pick(r, m.columns...).name
	}
	switch r.IntN(9) {
	case 0:
		r.add(fmt.Sprintf("SELECT l.%s FROM %s l WHERE %s (SELECT 1 FROM %s m WHERE m.%s = l.%s)", l.key, l.name, pick(r, "EXISTS", "NOT EXISTS"), m.name, link, l.key))
		r.add(" AND "+r.condition(&l, "l.", 0), r.group())
	case 1:
		r.add(fmt.Sprintf("SELECT %s FROM %s WHERE %s %s (SELECT %s FROM %s", l.key, l.name, outer, pick(r, "IN", "IN", "NOT IN"), inner, m.name))
		r.where(&m, "")
		r.add(")")
	case 2:
		r.add(fmt.Sprintf("SELECT COUNT(*) FROM (SELECT %s FROM %s", l.key, l.name))
		r.where(&l, "")
		r.add(") q")
	case 3:
		r.add(fmt.Sprintf("SELECT l.%s, (SELECT COUNT(*) FROM %s m WHERE m.%s = l.%s) FROM %s l", l.key, m.name, link, l.key, l.name))
		r.where(&l, "l.")
	case 4:
		r.add(fmt.Sprintf("WITH q AS (SELECT %s, COUNT(*) AS c FROM %s", l.key, l.name))
		r.where(&l, "")
		r.add(fmt.Sprintf(" GROUP BY %s) SELECT SUM(c), MAX(c), COUNT(*) FROM q", l.key))
	case 5:
		r.add(fmt.Sprintf("SELECT %s, ROW_NUMBER() OVER (ORDER BY %s) FROM %s", strings.Join(l.primary, ", "), strings.Join(l.primary, ", "), l.name))
		r.where(&l, "")
	case 6:
		c := pick(r, l.columns...)
		r.add(fmt.Sprintf("SELECT COUNT(DISTINCT %s), COUNT(%[1]s) FROM %s", c.name, l.name))
		r.where(&l, "")
	case 7:
		r.add(fmt.Sprintf("SELECT %s FROM %s WHERE %s = (SELECT MAX(%s) FROM %s)", l.key, l.name, l.key, l.key, l.name))
	default:
		r.add(fmt.Sprintf("SELECT %s FROM %s", l.key, l.name))
		r.where(&l, "")
		r.add(fmt.Sprintf(" %s SELECT %s FROM %s", pick(r, "UNION ALL", "UNION ALL", "UNION"), inner, m.name))
		r.where(&m, "")
	}
}
