package router

import (
	"bytes"
	"fmt"

	"sluice/query"
	"sluice/shard"
)

// aggSpec is an aggregate among the select items.
type aggSpec struct {
	item int
	fn   query.Agg
	arg  string
	span query.Span // of arg
}

// grouper plans aggregates and groups that several shards have a part of.
type grouper struct{ *merger }

// aggregate plans COUNT, SUM, AVG, MIN and MAX over all rows or over groups that several
// shards have a part of.
func (m grouper) aggregate() error {
	b := m.block
	switch {
	case b.Distinct:
		return notOverShards("SELECT DISTINCT of aggregates", "leave DISTINCT out, or "+oneKey)
	case b.Having:
		return notOverShards("HAVING over groups that are on several shards", "GROUP BY the shard key, too, or filter in the application")
	case m.stmt.Kind == query.Values:
		return notOverShards(m.stmt.Verb, oneKey)
	}
	if err := m.aggItems(); err != nil {
		return err
	}
	if err := m.groupKeys(); err != nil {
		return err
	}
	plan := m.plan
	plan.Strategy = Aggregate
	m.hiddenEdit = len(plan.edits)
	m.addEdit(query.Span{Start: b.ItemsEnd, End: b.ItemsEnd}, "", noLimitEdit)
	if len(b.GroupBy) == 0 {
		m.dropLimit()
		return m.resolveOrProbe()
	}
	m.groups = true
	streams, err := m.orderGroups()
	if err != nil {
		return err
	}
	if streams {
		m.limitSum()
	} else {
		m.dropLimit()
	}
	return m.resolveOrProbe()
}

// dropLimit takes LIMIT out of the legs: it counts combined rows.
func (m grouper) dropLimit() {
	if m.block.Limit.Has {
		m.addEdit(m.block.Limit.Span, "", noLimitEdit)
	}
}

// aggItems looks at what is selected.
func (m grouper) aggItems() error {
	b := m.block
	for i := range b.Items {
		it := &b.Items[i]
		switch {
		case it.Agg == query.OtherAgg:
			return notOverShards("the aggregate "+string(it.Span.Of(m.in.SQL)),
				"COUNT, SUM, AVG, MIN and MAX alone as select items are; or GROUP BY the shard key, or "+oneKey)
		case (it.Agg == query.Sum || it.Agg == query.Avg) && bytes.IndexByte(it.Arg.Of(m.in.SQL), '/') >= 0:
			// A quotient is added up with more digits than its sum is printed with (MariaDB).
			return notOverShards("SUM or AVG of a quotient, "+string(it.Span.Of(m.in.SQL)), "sum up first and divide then, or "+oneKey)
		case it.Agg != query.NoAgg:
			m.aggs = append(m.aggs, aggSpec{item: i, fn: it.Agg, arg: string(it.Arg.Of(m.in.SQL)), span: it.Arg})
		case it.Star:
			return notOverShards("* beside aggregates", "name the columns")
		case len(b.GroupBy) == 0 && !m.isConstant(it):
			return notOverShards("a column beside aggregates without GROUP BY", "leave "+it.Label+" out, or add GROUP BY")
		}
	}
	return nil
}

// isConstant tells whether an item is one literal.
func (m grouper) isConstant(it *query.Item) bool {
	i, ok := m.in.Scan.LiteralAt(it.Span.Start)
	return ok && m.in.Scan.Literals[i].End == it.Span.End
}

// groupKeys collects the keys of GROUP BY.
func (m grouper) groupKeys() error {
	b := m.block
	for i := range b.GroupBy {
		o := &b.GroupBy[i]
		switch {
		case o.ByAlias && o.Col != nil && len(m.resolve(0, *o.Col, false)) > 0:
			s := sortSpec{expr: string(o.Span.Of(m.in.SQL)), item: -1, span: o.Span, col: m.columnOf(o.Col)}
			c := b.Items[o.Item].Col
			if c == nil || !m.sameColumn(c, o.Col) { // in ORDER BY the name is the other one
				return notOverShards("GROUP BY a column ("+o.Col.Column+") that has the name of another select item", "give the item another name")
			}
			s.item = o.Item
			m.keys = append(m.keys, s)
		case o.ByAlias && len(m.stmt.Blocks) > 1:
			return notOverShards("GROUP BY an alias in a statement with subqueries", "GROUP BY the expression itself")
		case o.Item >= 0:
			m.keys = append(m.keys, m.itemKey(o.Item))
		case o.Position > 0 || o.Literal != nil:
			return notOverShards("GROUP BY a constant", "name the column")
		default:
			m.keys = append(m.keys, sortSpec{expr: string(o.Span.Of(m.in.SQL)), item: -1, span: o.Span, col: m.columnOf(o.Col)})
		}
	}
	return nil
}

func (m grouper) sameColumn(a, b *query.ColumnRef) bool {
	x, y := m.column(0, *a), m.column(0, *b)
	return x.table >= 0 && x == y
}

// orderGroups makes the legs' groups come in one order, the client's if that is one of
// group keys. streams says that then the first groups of each leg are enough.
func (m grouper) orderGroups() (streams bool, err error) {
	b := m.block
	order, rest, err := m.matchOrder()
	if err != nil {
		return false, err
	}
	if order == nil && rest == nil { // by something else
		if err := m.resortKeys(); err != nil {
			return false, err
		}
		m.replaceOrder(m.keys)
		return false, nil
	}
	given := len(order) > 0
	m.keys = append(order, rest...)
	switch {
	case !given:
		m.replaceOrder(m.keys)
	case len(rest) > 0:
		m.addEdit(query.Span{Start: b.OrderEnd, End: b.OrderEnd}, ", "+m.orderText(rest), noLimitEdit)
	}
	return true, nil
}

// matchOrder tries to find ORDER BY among the group keys: those named, in their order, and
// the others.
func (m grouper) matchOrder() (order, rest []sortSpec, err error) {
	used := make([]bool, len(m.keys))
	for i := range m.block.OrderBy {
		o := &m.block.OrderBy[i]
		if m.isConstantOrder(o) {
			continue
		}
		k := m.groupKeyOf(o)
		if k < 0 {
			return nil, nil, nil
		}
		if used[k] {
			continue // once ordered by it, all rows are equal in it
		}
		used[k] = true
		s := m.keys[k]
		s.desc = o.Desc
		order = append(order, s)
	}
	for i := range m.keys {
		if !used[i] {
			rest = append(rest, m.keys[i])
		}
	}
	return order, rest, nil
}

// groupKeyOf gives the group key that an ORDER BY element is.
func (m grouper) groupKeyOf(o *query.OrderItem) int {
	for i := range m.keys {
		k := &m.keys[i]
		switch {
		case o.Item >= 0 && (k.item == o.Item || k.item < 0 && m.block.Items[o.Item].Col != nil && k.col != nil && m.columnOf(m.block.Items[o.Item].Col) == k.col):
			return i
		case o.Item < 0 && o.Col != nil && k.col != nil && m.columnOf(o.Col) == k.col:
			return i
		case o.Item < 0 && o.Col == nil && o.Literal == nil && bytes.Equal(o.Span.Of(m.in.SQL), []byte(k.expr)) && !m.hasLiteral(o.Span):
			return i
		}
	}
	return -1
}

// replaceOrder orders the legs by the group keys alone.
func (m grouper) replaceOrder(keys []sortSpec) {
	b := m.block
	text := m.orderText(keys)
	if len(b.OrderBy) > 0 {
		m.addEdit(query.Span{Start: b.OrderBy[0].Span.Start, End: b.OrderEnd}, text, noLimitEdit)
		return
	}
	m.addEdit(query.Span{Start: b.OrderEnd, End: b.OrderEnd}, " ORDER BY "+text, noLimitEdit)
}

func (m grouper) orderText(keys []sortSpec) string {
	text := ""
	for i, k := range keys {
		if i > 0 {
			text += ", "
		}
		switch {
		case k.item >= 0:
			text += fmt.Sprint(k.item + 1) // an alias of the same name could be another item
		default:
			text += k.expr
			if m.hasLiteral(k.span) {
				m.plan.usesText = true
			}
		}
		if k.desc {
			text += " DESC"
		}
	}
	return text
}

// resortKeys collects an ORDER BY that is not one of group keys: selected columns only.
func (m grouper) resortKeys() error {
	for i := range m.block.OrderBy {
		o := &m.block.OrderBy[i]
		switch {
		case m.isConstantOrder(o):
		case o.Item >= 0:
			s := m.itemKey(o.Item)
			s.desc = o.Desc
			m.resort = append(m.resort, s)
		default:
			k := m.groupKeyOf(o)
			if k < 0 {
				return notOverShards("ORDER BY something of a group that is not selected", "select it, too")
			}
			s := m.keys[k]
			s.desc = o.Desc
			m.resort = append(m.resort, s)
		}
	}
	return nil
}

// aggregate makes the executor's instruction for an aggregate. items are the types of the
// select items; nil when only COUNT, SUM and AVG are there.
func (h *hiddenColumns) aggregate(s *aggSpec, items []shard.Column) (AggColumn, error) {
	a := AggColumn{Column: s.item, Fn: s.fn, Key: s.item}
	switch s.fn {
	case query.Avg:
		a.Sum = h.add("SUM("+s.arg+")", s.span)
		a.Count = h.add("COUNT("+s.arg+")", s.span)
	case query.Min, query.Max:
		expr := string(h.m.block.Items[s.item].Span.Of(h.m.in.SQL))
		wrap, by, refusal := comparisonIn(h.m, &items[s.item], expr, false)
		if refusal != nil {
			return a, refusal
		}
		if items[s.item].Flags&(flagEnum|flagSet) != 0 {
			return a, notOverShards("MIN or MAX of an ENUM or SET", "use MIN(column+0), or "+oneKey)
		}
		a.Compare = by
		if wrap != "" {
			a.Key = h.add(wrap, h.m.block.Items[s.item].Span)
		}
	}
	return a, nil
}

// resortKey finds the column that combined groups are sorted by.
func (h *hiddenColumns) resortKey(s *sortSpec, c *shard.Column, aggs []AggColumn) (SortKey, bool, error) {
	for i := range h.m.aggs {
		if h.m.aggs[i].item != s.item {
			continue
		}
		wrap, by, refusal := comparisonIn(h.m, c, s.expr, false)
		if refusal != nil {
			return SortKey{}, false, refusal
		}
		if wrap != "" && aggs[i].Key == aggs[i].Column {
			return SortKey{}, false, notOverShards("ORDER BY an aggregate that is a FLOAT or a string", oneKey)
		}
		return SortKey{Column: aggs[i].Key, Desc: s.desc, Compare: by, Cut: sortCutOf(c, h.m.in.Mode.MariaDB)}, true, nil
	}
	return h.sortKey(s, c)
}
