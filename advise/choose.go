package advise

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/router"
	"sluice/shard"
)

// What a reference table may be: each write of one is a write on every shard.
const (
	maxReferenceRows   = 100_000
	maxReferenceBytes  = 64 << 20
	maxReferenceWrites = 5        // percent of the log's statements that name it
	leastBytes         = 16 << 10 // what InnoDB takes for an empty table: weight of a small one
)

// What a table that is not connected with the others must be to be sharded by its own
// primary key.
const (
	ownKeyRows    = 100_000
	leastKeyShare = 10 // percent, of a table that has the key
	ownKeyShare   = 50 // percent of the log's statements that give the key a value
	maxCompared   = 8  // keys whose statements are planned
	gatherWeight  = 0.1
	mergeWeight   = 0.3
)

// chooser proposes what becomes of the tables.
type chooser struct{ *world }

// choose compares the keys and proposes a kind for every table.
func (w chooser) choose(a *Advice) error {
	all := finder(w).domains()
	if w.opts.Key != "" {
		d, err := finder(w).asked(all, w.opts.Key)
		if err != nil {
			return err
		}
		all = []*domain{d}
	}
	type rated struct {
		d       *domain
		choices []Choice
		Candidate
	}
	var list []*rated
	for _, d := range all {
		choices, err := w.propose(d)
		if err != nil {
			return err
		}
		r := &rated{d: d, choices: choices, Candidate: Candidate{Name: d.name, OneShard: -1}}
		r.Tables, r.Spread = spread(choices)
		if r.Tables > 0 || w.opts.Key != "" {
			list = append(list, r)
		}
	}
	order := func(x, y *rated) int {
		return cmp.Or(-cmp.Compare(x.score, y.score), -cmp.Compare(x.Tables, y.Tables), strings.Compare(x.Name, y.Name))
	}
	for _, r := range list {
		r.score = r.Spread
	}
	slices.SortFunc(list, order)
	list = list[:min(len(list), maxCompared)]
	if w.opts.Log != nil {
		for _, r := range list {
			share, one, err := w.rate(r.choices)
			if err != nil {
				return err
			}
			r.score, r.OneShard = r.Spread*share, one
		}
		slices.SortFunc(list, order)
	}
	if len(list) == 0 {
		choices, err := w.propose(&domain{})
		a.Choices = choices
		return err
	}
	a.Domain, a.Choices, a.spread = list[0].Name, list[0].choices, list[0].Spread
	for _, r := range list[1:] {
		a.Others = append(a.Others, r.Candidate)
	}
	return nil
}

// spread gives how many tables are sharded, and their share of the bytes.
func spread(choices []Choice) (tables int, share float64) {
	var all, sharded float64
	for _, c := range choices {
		n := float64(max(c.Bytes, leastBytes))
		all += n
		if c.Kind == shard.Sharded {
			tables++
			sharded += n
		}
	}
	return tables, sharded / max(all, 1)
}

// propose gives the tables their kinds when d is the key.
func (w chooser) propose(d *domain) ([]Choice, error) {
	kinds := map[tableKey]*Choice{}
	var choices []Choice
	for _, t := range w.tables {
		c := Choice{Schema: t.schema, Table: t.table, Rows: t.rows, Bytes: t.bytes}
		if err := w.byKey(d, t, &c); err != nil {
			return nil, err
		}
		choices = append(choices, c)
	}
	for i := range choices {
		kinds[tableKey{choices[i].Schema, choices[i].Table}] = &choices[i]
	}
	refers := w.refersTo(d, kinds)
	for _, t := range w.tables {
		c := kinds[t.tableKey]
		if c.Kind == shard.Sharded || c.Why != "" {
			continue
		}
		if by := refers[t.tableKey]; by != "" {
			if why := w.notReference(t); why != "" {
				c.Why = "used with " + by + ", but " + why
				continue
			}
			c.Kind, c.Why = shard.Reference, "small, seldom written, used with "+by
			continue
		}
		if key := w.ownKey(t); key != "" {
			c.Kind, c.Key, c.Why = shard.Sharded, key, "large, used by its primary key and not together with other tables"
			continue
		}
		c.Why = w.why(d, t)
	}
	return choices, nil
}

// byKey shards a table that has a column of the domain, or says why it cannot be sharded.
func (w chooser) byKey(d *domain, t *Table, c *Choice) error {
	key, ok := d.key[t.tableKey]
	if !ok {
		for i := range t.info.Columns {
			col := &t.info.Columns[i]
			if !d.columns[node{t.tableKey, strings.ToLower(col.Name)}] {
				continue
			}
			if err := router.CheckKey(t.schema, t.table, col); err != nil {
				c.Why = strings.TrimPrefix(err.Error(), "sluice: ")
				return nil
			}
		}
		return nil
	}
	if len(t.triggers) > 0 {
		c.Why = fmt.Sprintf("could be sharded by %s, but has triggers (%s), and only unsharded tables may; do in the application what they do", key, strings.Join(t.triggers, ", "))
		return nil
	}
	if t.nullable[strings.ToLower(key)] {
		null, err := w.src.hasNull(t.tableKey, key)
		if err != nil {
			return err
		}
		if null {
			c.Why = fmt.Sprintf("could be sharded by %s, but it is NULL in some rows, and the key says where a row lives; give these rows a key", key)
			return nil
		}
	}
	n := node{t.tableKey, strings.ToLower(key)}
	c.Why = "holds the key"
	if w.identity(n) {
		c.Why = "the key is its primary key"
	}
	if u := w.use[t.tableKey]; u != nil && u.reads+u.writes > 0 {
		share := percent(u.eq[n.column], u.reads+u.writes)
		if share < leastKeyShare && u.reads+u.writes >= 20 && w.opts.Key == "" {
			c.Why = fmt.Sprintf("could be sharded by %s, but only %d %% of its statements give that a value", key, share)
			return nil
		}
		c.Why += fmt.Sprintf(", which %d %% of its statements give a value", share)
	}
	c.Kind, c.Key = shard.Sharded, key
	return nil
}

// refersTo gives the tables that sharded ones are used with, each with one of these.
func (w chooser) refersTo(d *domain, kinds map[tableKey]*Choice) map[tableKey]string {
	refers := map[tableKey]string{}
	add := func(from, to tableKey) {
		if c := kinds[from]; c != nil && c.Kind == shard.Sharded && from != to && refers[to] == "" {
			refers[to] = from.table
		}
	}
	for _, t := range w.tables {
		for _, f := range t.foreign {
			add(t.tableKey, f.parent)
		}
		for i := range t.info.Columns {
			if e := w.entity(t, strings.ToLower(t.info.Columns[i].Name)); e != nil && strings.HasSuffix(strings.ToLower(t.info.Columns[i].Name), "id") {
				add(t.tableKey, e.tableKey)
			}
		}
	}
	for pair := range w.joins {
		add(pair[0].tableKey, pair[1].tableKey)
		add(pair[1].tableKey, pair[0].tableKey)
	}
	return refers
}

// notReference says why a table that others are used with is no reference table.
func (w chooser) notReference(t *Table) string {
	u := w.use[t.tableKey]
	switch {
	case len(t.triggers) > 0:
		return "has triggers, which would run on every shard"
	case t.rows > maxReferenceRows || t.bytes > maxReferenceBytes:
		return fmt.Sprintf("has some %d rows, of which every shard would have a copy", t.rows)
	case u != nil && percent(u.writes, u.reads+u.writes) > maxReferenceWrites:
		return fmt.Sprintf("%d %% of its statements write, and each would write on every shard", percent(u.writes, u.reads+u.writes))
	}
	return ""
}

// ownKey gives the primary key of a large table that stands alone.
func (w chooser) ownKey(t *Table) string {
	u := w.use[t.tableKey]
	if t.rows < ownKeyRows || len(t.primary) != 1 || u == nil || len(t.triggers) > 0 || len(t.foreign) > 0 {
		return ""
	}
	key := strings.ToLower(t.primary[0])
	i := t.info.Index(key)
	if i < 0 || router.CheckKey(t.schema, t.table, &t.info.Columns[i]) != nil || percent(u.eq[key], u.reads+u.writes) < ownKeyShare {
		return ""
	}
	for pair := range w.joins {
		if pair[0].tableKey != pair[1].tableKey && (pair[0].tableKey == t.tableKey || pair[1].tableKey == t.tableKey) {
			return ""
		}
	}
	return t.info.Columns[i].Name
}

// why says why a table stays unsharded, and what would change that.
func (w chooser) why(d *domain, t *Table) string {
	if len(d.key) == 0 {
		return "no key was found"
	}
	why := "has no column of the key " + d.name
	for _, f := range t.foreign {
		if key := d.key[f.parent]; key != "" && f.parent != t.tableKey {
			return fmt.Sprintf("%s; its %s leads to %s: with a column %s of its own it could be sharded, too", why, f.columns[0], f.parent.table, key)
		}
	}
	for i := range t.info.Columns {
		name := strings.ToLower(t.info.Columns[i].Name)
		if e := w.entity(t, name); e != nil && e != t && d.key[e.tableKey] != "" && strings.HasSuffix(name, "id") {
			return fmt.Sprintf("%s; its %s leads to %s: with a column %s of its own it could be sharded, too", why, t.info.Columns[i].Name, e.table, d.key[e.tableKey])
		}
	}
	return why
}

func percent(n, of int) int {
	if of == 0 {
		return 0
	}
	return min(n*100/of, 100) // a statement may name a table twice
}
