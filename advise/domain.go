package advise

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/router"
)

// domain is a set of columns that hold the same kind of id, so that equal values in them mean
// one user, one tenant: sharded by them, the rows that belong together are together.
type domain struct {
	name    string              // of its entity: users.user_id, or the columns' common name
	columns map[node]bool       // all of them
	key     map[tableKey]string // the column by which each table would be sharded
}

// finder finds the domains.
type finder struct{ *world }

// groups is a union-find over columns.
type groups struct{ parent map[node]node }

func (g *groups) find(n node) node {
	p, ok := g.parent[n]
	if !ok {
		g.parent[n] = n
		return n
	}
	if p == n {
		return n
	}
	root := g.find(p)
	g.parent[n] = root
	return root
}

func (g *groups) join(a, b node) { g.parent[g.find(a)] = g.find(b) }

// identity tells whether a column alone is its table's primary key.
func (w *world) identity(n node) bool {
	t := w.byName[n.tableKey]
	return t != nil && len(t.primary) == 1 && strings.EqualFold(t.primary[0], n.column)
}

// domains finds them: by foreign keys, by the joins of the log, by names.
func (w finder) domains() []*domain {
	g := &groups{parent: map[node]node{}}
	for _, t := range w.tables {
		if len(t.primary) == 1 {
			g.find(node{t.tableKey, strings.ToLower(t.primary[0])})
		}
		for _, f := range t.foreign {
			parent := node{f.parent, strings.ToLower(f.pcolumns[0])}
			if len(f.columns) == 1 && w.byName[f.parent] != nil {
				g.join(node{t.tableKey, strings.ToLower(f.columns[0])}, parent)
			}
		}
	}
	for pair := range w.joins {
		if w.identity(pair[0]) || w.identity(pair[1]) { // else columns that happen to be compared
			g.join(pair[0], pair[1])
		}
	}
	w.joinNames(g)
	by := map[node]*domain{}
	var all []*domain
	for _, t := range w.tables { // in order, so that the same server gives the same advice
		for i := range t.info.Columns {
			n := node{t.tableKey, strings.ToLower(t.info.Columns[i].Name)}
			if _, ok := g.parent[n]; !ok {
				continue
			}
			root := g.find(n)
			d := by[root]
			if d == nil {
				d = &domain{columns: map[node]bool{}, key: map[tableKey]string{}}
				by[root] = d
				all = append(all, d)
			}
			d.columns[n] = true
		}
	}
	for _, d := range all {
		w.finish(d)
	}
	return slices.DeleteFunc(all, func(d *domain) bool { return len(d.key) == 0 })
}

// joinNames joins columns of one name that ends with "id" (not "id" itself), those that are
// called after a table with its primary key (user_id and users.id), and the primary keys of tables
// that differ in a number only (sbtest1, sbtest2). Where several tables number their own rows
// under one name, that name means nothing.
func (w finder) joinNames(g *groups) {
	named := map[string][]node{}
	own := map[string][]node{}
	series := map[string]node{}
	for _, t := range w.tables {
		for i := range t.info.Columns {
			name := strings.ToLower(t.info.Columns[i].Name)
			n := node{t.tableKey, name}
			if !strings.HasSuffix(name, "id") || len(name) < 4 {
				continue
			}
			g.find(n)
			key := t.schema + "." + name
			if w.identity(n) {
				own[key] = append(own[key], n)
				continue
			}
			named[key] = append(named[key], n)
			if e := w.entity(t, name); e != nil {
				g.join(n, node{e.tableKey, strings.ToLower(e.primary[0])})
			}
		}
		if stem := strings.TrimRight(t.table, "0123456789"); stem != t.table && len(t.primary) == 1 {
			n := node{t.tableKey, strings.ToLower(t.primary[0])}
			key := t.schema + "." + stem + "." + n.column
			if first, ok := series[key]; ok {
				g.join(n, first)
			} else {
				series[key] = n
			}
		}
	}
	for key, list := range named {
		if len(own[key]) == 1 {
			list = append(list, own[key][0])
		}
		for _, n := range list[1:] {
			g.join(n, list[0])
		}
	}
}

// entity gives the table that a column like user_id is called after, if it has a primary key
// of one column.
func (w *world) entity(of *Table, column string) *Table {
	key := [2]string{of.schema, column}
	t, known := w.entities[key]
	if !known {
		t = w.findEntity(of.schema, column)
		w.entities[key] = t
	}
	return t
}

func (w *world) findEntity(schema, column string) *Table {
	stem := strings.TrimRight(strings.TrimSuffix(column, "id"), "_")
	if stem == "" {
		return nil
	}
	plurals := []string{stem, stem + "s", stem + "es", strings.TrimSuffix(stem, "y") + "ies"}
	for _, t := range w.tables {
		if t.schema != schema || len(t.primary) != 1 {
			continue
		}
		name := strings.ToLower(t.table)
		for _, p := range plurals {
			if name == p || strings.HasSuffix(name, "_"+p) {
				return t
			}
		}
	}
	return nil
}

// finish names a domain and chooses a column of each table.
func (w finder) finish(d *domain) {
	of := map[tableKey][]node{}
	var order []tableKey
	for _, t := range w.tables {
		for i := range t.info.Columns {
			n := node{t.tableKey, strings.ToLower(t.info.Columns[i].Name)}
			if d.columns[n] {
				if len(of[t.tableKey]) == 0 {
					order = append(order, t.tableKey)
				}
				of[t.tableKey] = append(of[t.tableKey], n)
			}
		}
	}
	names := map[string]int{}
	var entity node
	for _, k := range order {
		t := w.byName[k]
		best := slices.MinFunc(of[k], func(a, b node) int {
			return cmp.Or(-cmp.Compare(w.fitness(t, a), w.fitness(t, b)), cmp.Compare(t.info.Index(a.column), t.info.Index(b.column)))
		})
		c := t.info.Columns[t.info.Index(best.column)]
		if w.identity(best) && (entity.column == "" || w.parenthood(best) > w.parenthood(entity)) {
			entity = best
		}
		names[best.column]++
		if router.CheckKey(k.schema, k.table, &c) == nil {
			d.key[k] = c.Name
		}
	}
	if entity.column != "" {
		t := w.byName[entity.tableKey]
		d.name = t.table + "." + t.info.Columns[t.info.Index(entity.column)].Name
		return
	}
	for _, k := range order {
		if name := of[k][0].column; d.name == "" || names[name] > names[d.name] {
			d.name = name
		}
	}
}

// parenthood says how likely it is that other columns are called after a primary key.
func (w finder) parenthood(n node) int {
	rank := 0
	if w.byName[n.tableKey].auto != "" {
		rank = 1
	}
	for _, t := range w.tables {
		for _, f := range t.foreign {
			if f.parent == n.tableKey {
				rank = max(rank, 3)
			}
		}
		for i := range t.info.Columns {
			name := strings.ToLower(t.info.Columns[i].Name)
			if strings.HasSuffix(name, "id") && len(name) > 3 && w.entity(t, name) == w.byName[n.tableKey] {
				rank = max(rank, 2)
			}
		}
	}
	return rank
}

// fitness says which of a table's columns of one domain is its key: the primary key, else the
// one that most statements give a value.
func (w finder) fitness(t *Table, n node) int {
	fit := 0
	if w.identity(n) {
		fit = 1 << 40
	}
	if u := w.use[t.tableKey]; u != nil {
		fit += 2 * u.eq[n.column]
	}
	if !t.nullable[n.column] {
		fit++
	}
	return fit
}

// asked gives the domain that the DBA names: TABLE.COLUMN or a column's name, or several of
// them, which then are one. An error says what is not there.
func (w finder) asked(all []*domain, keys string) (*domain, error) {
	d := &domain{columns: map[node]bool{}, key: map[tableKey]string{}}
	for _, key := range strings.Split(keys, ",") {
		one := w.askedOne(all, strings.TrimSpace(key))
		if len(one.columns) == 0 {
			return nil, fmt.Errorf("no table has a column %s", key)
		}
		d.name = cmp.Or(d.name, one.name)
		for n := range one.columns {
			d.columns[n] = true
		}
		for k, column := range one.key {
			d.key[k] = column // the one that was named last
		}
	}
	return d, nil
}

func (w finder) askedOne(all []*domain, key string) *domain {
	table, column, qualified := strings.Cut(key, ".")
	if !qualified {
		table, column = "", key
	}
	for _, d := range all {
		for n := range d.columns {
			if strings.EqualFold(n.column, column) && (table == "" || n.table == table) {
				return d
			}
		}
	}
	// A column that nothing connects with another table's: it alone, wherever it is.
	d := &domain{name: key, columns: map[node]bool{}, key: map[tableKey]string{}}
	for _, t := range w.tables {
		if i := t.info.Index(column); i >= 0 && (table == "" || t.table == table) {
			d.columns[node{t.tableKey, strings.ToLower(column)}] = true
			if router.CheckKey(t.schema, t.table, &t.info.Columns[i]) == nil {
				d.key[t.tableKey] = t.info.Columns[i].Name
			}
		}
	}
	return d
}
