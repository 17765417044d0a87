package router

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// Merge tells the executor how to combine rows. Columns of the legs are: the client's
// columns first, then hidden ones that are cut off.
type Merge struct {
	Visible  int // columns that the client sees; 0: all (Concatenate)
	Hidden   int // columns behind them
	Sort     []SortKey
	Groups   []SortKey   // legs come ordered by these; equal ones are combined
	Aggs     []AggColumn // for Aggregate
	Distinct bool        // rows that are equal in all Groups keys are one (SELECT DISTINCT)
	// Resort, when not empty, is the order of the combined groups, which is not that of the
	// legs: all groups are sorted by it before offset and limit.
	Resort []SortKey
	// Reports: the rows are of CHECK TABLE and the like, by table in their first column: what the
	// shards say alike of a table is said once.
	Reports bool
	// Checksums: the rows are of CHECKSUM TABLE, which are added up by table.
	Checksums bool
}

// SortKey is one key of an ordered merge.
type SortKey struct {
	Column  int // column of the leg's rows that holds the comparable value
	Desc    bool
	Compare Compare
	// Cut, when not 0, is how many bytes of the value servers are certain to sort by: of values
	// that are alike in them and differ behind, they may sort the one before the other or not
	// tell them apart.
	Cut int
}

// Compare says how values of a key column are ordered. NULL is always the smallest.
type Compare uint8

const (
	ByBytes  Compare = iota // memcmp: WEIGHT_STRING at its full length, binary strings
	BySigned                // integers
	ByUnsigned
	ByDecimal
	ByFloat
	ByTime // dates and times (text forms that order as text, negative TIME excepted)
	// WEIGHT_STRING as long as the string is, followed by the weights of spaces: of the
	// Unicode collations 4.0.0 and 14.0.0, of 5.2.0, and of latin1_german2_ci.
	ByWeights0209
	ByWeights020A
	ByWeights20
)

// Pad is the weight of a space, "" where none follows a shorter value.
func (c Compare) Pad() string {
	switch c {
	case ByWeights0209:
		return "\x02\x09"
	case ByWeights020A:
		return "\x02\x0a"
	case ByWeights20:
		return " "
	}
	return ""
}

// Known tells whether it is one of these.
func (c Compare) Known() bool { return c <= ByWeights20 }

func (c Compare) String() string {
	return [...]string{"bytes", "signed", "unsigned", "decimal", "float", "time", "weights 0209", "weights 020a", "weights 20"}[c]
}

// AggColumn says how visible column Column is computed from the legs' partial values.
type AggColumn struct {
	Column  int
	Fn      query.Agg
	Sum     int     // AVG: hidden column with the partial sum
	Count   int     // AVG: hidden column with the partial count
	Compare Compare // MIN, MAX
	Key     int     // MIN, MAX of strings: hidden column to compare by, else Column
}

// many is how the answers of several legs become one.
type many struct {
	merge *Merge
	limit query.Limit
}

// bind gives every leg its text and the merge its limit.
func (m *many) bind(a *Args, b *Bound) error {
	count, offset, err := b.scratch.limits(&m.limit, a)
	if err != nil {
		return err
	}
	if m.limit.Has {
		b.Limit, b.Offset = clampInt(count), clampInt(offset)
	}
	b.Merge = m.merge
	if len(b.Plan.edits) == 0 && !filters(b.Plan, a, b) {
		return nil
	}
	return b.Plan.editLegs(a, b, limitText(count, offset))
}

// sortSpec is a key that legs are ordered by, before its type is known.
type sortSpec struct {
	expr string // its text
	item int    // the select item that it is, -1 for none
	desc bool
	as   string        // alias that the legs order by; "" for the expression itself
	col  *shard.Column // its type, when the catalog has it
	span query.Span    // of expr
}

// merger plans how several shards' answers to a SELECT become one.
type merger struct {
	*planner
	graph  *graph
	anchor int
	block  *query.Block

	keys       []sortSpec // legs are ordered by these
	groups     bool       // they are group keys
	distinct   bool
	resort     []sortSpec
	aggs       []aggSpec
	hiddenEdit int // index in Plan.edits of the insertion behind the select items
}

func (m *merger) run() error {
	b := m.block
	aggregated := len(b.GroupBy) > 0
	for i := range b.Items {
		aggregated = aggregated || b.Items[i].Agg != query.NoAgg
	}
	m.plan.many = &many{limit: b.Limit}
	switch {
	case outward{m.planner}.aggregate():
		return notOverShards("an aggregate within a subquery of columns that are not the subquery's", oneKey)
	case m.words.calls("st_collect"):
		return notOverShards("the aggregate ST_COLLECT", oneKey)
	}
	if b.Rollup {
		return notOverShards("GROUP BY … WITH ROLLUP", "add the totals in the application, or "+oneKey)
	}
	if err := (grouper{m}).limitsEach(); err != nil {
		return err
	}
	directed := func(o query.OrderItem) bool { return o.Directed }
	if m.in.Mode.MariaDB && len(b.OrderBy) == 0 && slices.ContainsFunc(b.GroupBy, directed) {
		return notOverShards("GROUP BY … ASC or DESC without ORDER BY", "say the order by ORDER BY")
	}
	if !aggregated || m.groupsByKey() {
		return m.rows(aggregated)
	}
	return grouper{m}.aggregate()
}

// groupsByKey tells whether each group is on one shard.
func (m *merger) groupsByKey() bool {
	for i := range m.block.GroupBy {
		if c := m.groupColumn(&m.block.GroupBy[i]); c != nil && m.graph.isKeyOf(m.anchor, c) {
			return true
		}
	}
	return false
}

// groupColumn gives the plain column that an element of GROUP BY is, nil when it is none.
func (m *merger) groupColumn(o *query.OrderItem) *query.ColumnRef {
	if o.ByAlias && o.Col != nil && len(m.resolve(0, *o.Col, false)) > 0 {
		return o.Col // GROUP BY takes a column of the tables before an alias of that name
	}
	if o.ByAlias && len(m.stmt.Blocks) > 1 {
		return nil // it could be a column of a derived table
	}
	if o.Item >= 0 {
		return m.block.Items[o.Item].Col
	}
	if o.Literal != nil {
		return nil
	}
	return o.Col
}

// rows plans a SELECT whose rows are each made by one shard: concatenated, merged in
// order, or with equal ones made one.
func (m *merger) rows(aggregated bool) error {
	b := m.block
	if b.Having && !aggregated && aggregates(b.HavingSpan.Of(m.in.SQL)) {
		return notOverShards("HAVING with an aggregate of all rows", oneKey)
	}
	m.distinct = b.Distinct && !m.distinctByKey()
	if err := m.orderKeys(aggregated); err != nil {
		return err
	}
	if m.distinct {
		if err := m.distinctKeys(); err != nil {
			return err
		}
	}
	plan := m.plan
	if len(m.keys) == 0 {
		plan.Strategy = Concatenate
		plan.many.merge = &Merge{}
		m.limitSum()
		return m.err
	}
	if m.stmt.Kind == query.Values {
		return notOverShards("TABLE … ORDER BY", "write SELECT * FROM …")
	}
	plan.Strategy = MergeSort
	m.hiddenEdit = len(plan.edits)
	m.addEdit(query.Span{Start: b.ItemsEnd, End: b.ItemsEnd}, "", noLimitEdit)
	m.limitSum()
	return m.resolveOrProbe()
}

// limitSum makes the legs give the rows that the offset skips, too.
func (m *merger) limitSum() {
	if l := &m.block.Limit; l.Has && l.HasOffset {
		m.addEdit(l.Span, "", limitToSum)
	}
}

// distinctByKey tells whether DISTINCT's rows have the shard key, so that equal rows are on
// one shard.
func (m *merger) distinctByKey() bool {
	for i := range m.block.Items {
		it := &m.block.Items[i]
		if it.Star && m.starHasAnchor(it) || it.Col != nil && m.graph.isKeyOf(m.anchor, it.Col) {
			return true
		}
	}
	return false
}

// starHasAnchor tells whether * or t.* includes the anchor's columns.
func (m *merger) starHasAnchor(it *query.Item) bool {
	w := wordsOf(it.Span.Of(m.in.SQL))
	if m.stmt.Kind == query.Values || len(w) == 1 && w[0] == "*" {
		return true
	}
	t := &m.tables[m.anchor]
	name := t.ref.Name
	if t.ref.Alias != "" {
		name = t.ref.Alias
	}
	text := string(it.Span.Of(m.in.SQL))
	return text == name+".*" || text == string(query.QuoteName(nil, name))+".*"
}

// orderKeys collects the keys of ORDER BY.
func (m *merger) orderKeys(aggregated bool) error {
	for i := range m.block.OrderBy {
		o := &m.block.OrderBy[i]
		if m.isConstantOrder(o) {
			continue
		}
		s, err := m.orderKey(o, aggregated)
		if err != nil {
			return err
		}
		s.desc = o.Desc
		m.keys = append(m.keys, s)
	}
	return nil
}

// isConstantOrder tells whether an element orders nothing: a literal that is no position,
// or NULL, by which old applications turn the implicit order of GROUP BY off.
func (m *merger) isConstantOrder(o *query.OrderItem) bool {
	return o.Literal != nil && o.Position == 0 || strings.EqualFold(string(o.Span.Of(m.in.SQL)), "NULL")
}

func (m *merger) orderKey(o *query.OrderItem, aggregated bool) (sortSpec, error) {
	switch {
	case isRandomOrder(o.Span.Of(m.in.SQL)) && !m.block.Distinct:
		return m.randomKey(o), nil
	case o.Item >= 0:
		return m.itemKey(o.Item), nil
	case o.Position > 0:
		return sortSpec{}, notOverShards("ORDER BY "+strconv.Itoa(o.Position)+" where that is not a column named in the select list", "name the column")
	case m.block.Distinct:
		return sortSpec{}, notOverShards("SELECT DISTINCT with ORDER BY something that is not selected", "select it, too")
	}
	text := o.Span.Of(m.in.SQL)
	if !aggregated && aggregates(text) {
		return sortSpec{}, notOverShards("ORDER BY an aggregate of all rows", oneKey)
	}
	if o.Col == nil {
		for i := range m.block.Items {
			if alias := m.block.Items[i].Alias; alias != "" && mentions(text, alias) {
				return sortSpec{}, notOverShards("ORDER BY an expression of the alias "+alias, "select the expression and order by its alias")
			}
		}
	}
	return sortSpec{expr: string(text), item: -1, span: o.Span, col: m.columnOf(o.Col)}, nil
}

// randomKey is ORDER BY RAND(): the legs order by the very numbers that they report.
func (m *merger) randomKey(o *query.OrderItem) sortSpec {
	const as = "sluice_order"
	m.addEdit(o.Span, "`"+as+"`", noLimitEdit)
	return sortSpec{expr: "RAND()", item: -1, as: as, span: o.Span, col: &shard.Column{Type: typeDouble, Collation: collationBinary}}
}

// itemKey is a select item as a key.
func (m *merger) itemKey(item int) sortSpec {
	it := &m.block.Items[item]
	s := sortSpec{expr: string(it.Span.Of(m.in.SQL)), item: item, span: it.Span, col: m.columnOf(it.Col)}
	if it.Agg == query.Count {
		s.col = &shard.Column{Type: typeLongLong, Collation: collationBinary}
	}
	return s
}

// columnOf gives the catalog's column of a plain column of the top block.
func (m *merger) columnOf(c *query.ColumnRef) *shard.Column {
	if c == nil {
		return nil
	}
	at := m.graph.coalesced(m.resolve(0, *c, false))
	if at.table < 0 {
		return nil
	}
	return &m.tables[at.table].info.Columns[at.column]
}

// distinctKeys orders the legs by all selected columns, so that equal rows of different
// legs meet.
func (m *merger) distinctKeys() error {
	b := m.block
	text := ""
	for i := range b.Items {
		if b.Items[i].Star {
			return notOverShards("SELECT DISTINCT * without the shard key", "name the columns, or select the shard key, too")
		}
		if b.Items[i].Agg != query.NoAgg {
			return notOverShards("SELECT DISTINCT of aggregates", "leave DISTINCT out, or "+oneKey)
		}
		known := false
		for _, k := range m.keys {
			known = known || k.item == i
		}
		if known {
			continue
		}
		m.keys = append(m.keys, m.itemKey(i))
		if text != "" {
			text += ", "
		}
		text += fmt.Sprint(i + 1)
	}
	if text == "" {
		return nil
	}
	if len(b.OrderBy) > 0 {
		text = ", " + text
	} else {
		text = " ORDER BY " + text
	}
	m.addEdit(query.Span{Start: b.OrderEnd, End: b.OrderEnd}, text, noLimitEdit)
	return nil
}

// widths gives how many columns each select item is; ok is false when only a server knows.
func (m *merger) widths() (w []int, ok bool) {
	for i := range m.block.Items {
		if !m.block.Items[i].Star {
			w = append(w, 1)
			continue
		}
		if len(m.tables) != 1 || len(m.stmt.Blocks) != 1 || m.tables[0].info == nil {
			return nil, false
		}
		w = append(w, len(m.tables[0].info.Columns))
	}
	return w, true
}
