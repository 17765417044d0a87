package router

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// resolveOrProbe finishes the plan from the catalog where that has all types, else lets a
// shard describe the result first.
func (m *merger) resolveOrProbe() error {
	if m.err != nil {
		return m.err
	}
	plan := m.plan
	w, ok := m.widths()
	for _, k := range m.probed() {
		ok = ok && k.col != nil
	}
	for _, a := range m.aggs {
		ok = ok && a.fn != query.Min && a.fn != query.Max
	}
	if ok {
		visible := 0
		for _, n := range w {
			visible += n
		}
		var cols []shard.Column
		for _, k := range m.probed() {
			cols = append(cols, *k.col)
		}
		return m.finish(visible, w, nil, cols)
	}
	text := ""
	for i, k := range m.probed() {
		text += ", " + k.expr + " AS `sluice_" + strconv.Itoa(i+1) + "`" // as hidden columns have
		if m.hasParam(k.span) {
			return paramInKey()
		}
	}
	sql, err := query.Apply(nil, m.in.SQL, []query.Edit{{Span: query.Span{Start: m.block.ItemsEnd, End: m.block.ItemsEnd}, Text: text}})
	if err != nil {
		return refuse(1105, "HY000", "the statement could not be described: %v", err)
	}
	plan.Probe = string(sql)
	plan.resolver = m
	return nil
}

// probed are the keys whose types are needed.
func (m *merger) probed() []sortSpec {
	return append(append([]sortSpec(nil), m.keys...), m.resort...)
}

func (m *merger) hasParam(s query.Span) bool {
	for _, l := range m.in.Scan.Literals {
		if l.Kind == query.Param && l.Start >= s.Start && l.End <= s.End {
			return true
		}
	}
	return false
}

func (m *merger) hasLiteral(s query.Span) bool {
	for _, l := range m.in.Scan.Literals {
		if l.Start >= s.Start && l.End <= s.End {
			return true
		}
	}
	return false
}

func paramInKey() *Refusal {
	return notOverShards("ORDER BY, GROUP BY, DISTINCT or an aggregate of an expression with a parameter", "write the value into the statement, or "+oneKey)
}

// Resolve finishes a plan that has a Probe with the probe's column definitions (the
// select items first, as the client would see them, then the sort and group keys).
func (p *Plan) Resolve(cols []shard.Column) error {
	m := p.resolver
	if m == nil {
		return nil
	}
	keys := m.probed()
	visible := len(cols) - len(keys)
	if visible < 1 || visible < len(m.block.Items) {
		return refuse(1105, "HY000", "a shard described the statement's result with %d columns, which is too few", len(cols))
	}
	w, ok := m.widths()
	if !ok {
		w = nil
	}
	types := append([]shard.Column(nil), cols[visible:]...)
	for i := range keys {
		if keys[i].col != nil {
			types[i] = *keys[i].col // with the column's own collation; the probe has the connection's
		}
	}
	err := m.finish(visible, w, cols[:visible], types)
	p.resolver, p.Probe = nil, ""
	switch r, refused := err.(*Refusal); {
	case err == nil:
		return nil
	case refused:
		p.dropMany(r) // on one shard it is right all the same
		return reader{m.planner}.gatherInstead()
	}
	return err
}

// finish makes the Merge when all types are known. items are the columns of the select
// items, nil when no aggregate needs them; keys those of probed().
func (m *merger) finish(visible int, widths []int, items, keys []shard.Column) error {
	h := &hiddenColumns{m: m, visible: visible, widths: widths}
	merge := &Merge{Visible: visible, Distinct: m.distinct}
	for i := range m.keys {
		k, used, err := h.sortKey(&m.keys[i], &keys[i])
		if err != nil {
			return err
		}
		if used {
			merge.Sort = append(merge.Sort, k)
		}
	}
	if m.distinct || m.groups {
		merge.Groups = merge.Sort
	}
	for i := range m.aggs {
		a, err := h.aggregate(&m.aggs[i], items)
		if err != nil {
			return err
		}
		merge.Aggs = append(merge.Aggs, a)
	}
	for i := range m.resort {
		k, used, err := h.resortKey(&m.resort[i], &keys[len(m.keys)+i], merge.Aggs)
		if err != nil {
			return err
		}
		if used {
			merge.Resort = append(merge.Resort, k)
		}
	}
	merge.Hidden = len(h.exprs)
	plan := m.plan
	plan.many.merge = merge
	if h.err != nil {
		return h.err
	}
	h.write(&plan.edits, m.hiddenEdit)
	return nil
}

// hiddenColumns collects what is selected beside the client's columns.
type hiddenColumns struct {
	m       *merger
	visible int
	widths  []int
	exprs   []string
	names   []string // of exprs
	err     error
}

// add selects an expression, whose text stands at span, and gives its column.
func (h *hiddenColumns) add(expr string, span query.Span) int {
	if h.m.hasParam(span) && h.err == nil {
		h.err = paramInKey()
	}
	if random(expr) && h.err == nil {
		h.err = notOverShards("ORDER BY, GROUP BY or an aggregate of a random value", "ORDER BY RAND() alone is; or "+oneKey)
	}
	if h.m.hasLiteral(span) {
		h.m.plan.usesText = true // another text of the fingerprint has other values there
	}
	for i, e := range h.exprs {
		if e == expr {
			return h.visible + i
		}
	}
	return h.append(expr, "sluice_"+strconv.Itoa(len(h.exprs)+1))
}

// append selects an expression under a name of its own: ORDER BY could not tell an unnamed
// column from the client's of the same name.
func (h *hiddenColumns) append(expr, name string) int {
	h.exprs, h.names = append(h.exprs, expr), append(h.names, name)
	return h.visible + len(h.exprs) - 1
}

// write puts the hidden columns behind the select items.
func (h *hiddenColumns) write(edits *[]edit, at int) {
	text := ""
	for i, e := range h.exprs {
		text += ", " + e + " AS `" + h.names[i] + "`"
	}
	if text == "" {
		*edits = append((*edits)[:at:at], (*edits)[at+1:]...)
		return
	}
	(*edits)[at].text = text
}

// columnOf gives the result column of a select item, -1 when a star before it hides it.
func (h *hiddenColumns) columnOf(item int) int {
	if item < 0 {
		return -1
	}
	at := 0
	for i := range item {
		if h.widths != nil {
			at += h.widths[i]
			continue
		}
		if h.m.block.Items[i].Star {
			return -1
		}
		at++
	}
	return at
}

// sortKey finds the column that a key is compared by. used is false for a key that is
// always NULL.
func (h *hiddenColumns) sortKey(s *sortSpec, c *shard.Column) (k SortKey, used bool, err error) {
	k.Desc = s.desc
	wrap, compare, refusal := comparisonIn(h.m, c, s.expr, s.col != nil)
	if refusal == nil && (h.m.groups || h.m.distinct) && wrap != "" && (compare == ByBytes || compare.Pad() != "") && c.Native == "" && characters(c) > maxGroupWeight {
		refusal = tooLong(characters(c), s.expr)
	}
	if c.Type == typeBit && (h.m.groups || h.m.distinct) {
		// MariaDB answers SELECT DISTINCT bit with bytes, but with digits once it sorts.
		refusal = notOverShards("GROUP BY or DISTINCT of a BIT column", "use column+0, or "+oneKey)
	}
	switch {
	case refusal != nil:
		return k, false, refusal
	case c.Type == typeNull:
		return k, false, nil
	}
	k.Compare, k.Column, k.Cut = compare, -1, sortCutOf(c, h.m.in.Mode.MariaDB)
	if k.Cut > 0 && (h.m.groups || h.m.distinct) && c.Collation == collationBinary {
		return k, false, tooLong(c.Length, s.expr)
	}
	if wrap == "" {
		k.Column = h.columnOf(s.item)
		wrap = s.expr
	}
	if s.as != "" {
		k.Column = h.append(s.expr, s.as)
		return k, true, nil
	}
	if k.Column < 0 {
		if pad := compare.Pad(); pad != "" && h.m.distinct { // equal rows are to be equal in this, too
			wrap = "TRIM(TRAILING 0x" + hex.EncodeToString([]byte(pad)) + " FROM " + wrap + ")"
		}
		if s.col == nil && (h.m.groups || h.groupedBy(s.expr)) { // MySQL sees that a column depends on its group, but not an expression of it
			wrap = "MIN(" + wrap + ")"
		}
		k.Column = h.add(wrap, s.span)
	}
	return k, true, nil
}

// groupedBy tells whether the statement groups by an expression.
func (h *hiddenColumns) groupedBy(expr string) bool {
	m := h.m
	for i := range m.block.GroupBy {
		span := m.block.GroupBy[i].Span
		if item := m.block.GroupBy[i].Item; item >= 0 {
			span = m.block.Items[item].Span
		}
		if strings.EqualFold(string(span.Of(m.in.SQL)), expr) {
			return true
		}
	}
	return false
}

// comparisonIn is that of a value that is a column of the catalog, or an expression, of which
// servers say less: MariaDB calls values of its own types strings, and its uca1400 collations by
// the number of another one.
func comparisonIn(m *merger, c *shard.Column, expr string, isColumn bool) (wrap string, by Compare, refusal *Refusal) {
	if !isColumn && m.in.Mode.MariaDB && isText(c.Type) && c.Collation != collationBinary && c.Flags&(flagEnum|flagSet) == 0 && disguised(m, c.Type == typeString) {
		return "", 0, notOverShards("ORDER BY, GROUP BY, DISTINCT, MIN or MAX of an expression beside columns of the type INET4, INET6 or UUID or of a collation uca1400_as or _cs", oneKey)
	}
	if m.in.ShortSort && isText(c.Type) && c.Flags&(flagEnum|flagSet) == 0 {
		return "", 0, notOverShards("ORDER BY, GROUP BY, DISTINCT, MIN or MAX of a string under a max_sort_length below 1024", "SET SESSION max_sort_length = DEFAULT")
	}
	return comparison(c, expr)
}

// disguised tells whether an expression may have a type that its description does not tell:
// with fixed, that of an address.
func disguised(m *merger, fixed bool) bool {
	for i := range m.tables {
		info := m.tables[i].info
		if info == nil {
			continue
		}
		for _, list := range [][]shard.Column{info.Columns, info.Hidden} {
			for j := range list {
				if c := &list[j]; fixed && c.Native != "" || isText(c.Type) && weighingOf(c.Collation).other {
					return true
				}
			}
		}
	}
	text := bytes.ToLower(m.in.SQL)
	return bytes.Contains(text, []byte("uca1400_")) || fixed && (bytes.Contains(text, []byte("inet")) || bytes.Contains(text, []byte("uuid")))
}

// comparison says how values of a column are ordered; wrap is the expression to compare by,
// "" for the value itself.
func comparison(c *shard.Column, expr string) (wrap string, by Compare, refusal *Refusal) {
	switch c.Native {
	case "inet4":
		return "CAST(" + expr + " AS BINARY(4))", ByBytes, nil
	case "inet6":
		return "CAST(" + expr + " AS BINARY(16))", ByBytes, nil
	case "uuid": // their order depends on their versions, and that of the server
		return "", 0, notOverShards("ORDER BY, GROUP BY, DISTINCT, MIN or MAX of a UUID", oneKey)
	}
	switch c.Type {
	case typeTiny, typeShort, typeLong, typeLongLong, typeInt24, typeYear:
		if c.Flags&flagUnsigned != 0 || c.Type == typeYear {
			return "", ByUnsigned, nil
		}
		return "", BySigned, nil
	case typeDecimal, typeNewDecimal:
		return "", ByDecimal, nil
	case typeDouble:
		return "", ByFloat, nil
	case typeFloat: // prints fewer digits than it orders by
		return "(" + expr + ")+0E0", ByFloat, nil
	case typeTimestamp, typeDate, typeTime, typeDatetime, typeNewDate:
		return "", ByTime, nil
	case typeBit: // MariaDB gives it as a number out of a temporary table, else as bytes
		return "(" + expr + ")+0", ByUnsigned, nil
	case typeNull:
		return "", ByBytes, nil
	}
	if isText(c.Type) {
		return stringComparison(c, expr)
	}
	return "", 0, notOverShards("ORDER BY, GROUP BY or DISTINCT of a value that is neither number, date nor string", oneKey)
}
