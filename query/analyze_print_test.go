package query

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// printer renders a Statement compactly, with the text of its spans.
type printer struct {
	strings.Builder
	sql  []byte
	scan *Scan
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) span(s Span) string {
	if s == (Span{}) {
		return "-"
	}
	return "«" + visible(s.Of(p.sql)) + "»"
}

// visible writes bytes that are no UTF-8 as \xHH.
func visible(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for _, c := range b {
		if c >= 0x80 {
			fmt.Fprintf(&s, "\\x%02x", c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}

func (p *printer) value(v Value) string {
	switch v.Kind {
	case ValNull:
		return "NULL"
	case ValDefault:
		return "DEFAULT"
	case ValOther:
		return "other"
	}
	lit, ok := p.scan.Value(v.Hole, v.Pos)
	if !ok {
		return fmt.Sprintf("BAD %d/%d", v.Hole, v.Pos)
	}
	return fmt.Sprintf("#%d:%s", v.Hole, visible(lit.Of(p.sql)))
}

func (p *printer) values(vs []Value) string {
	var out []string
	for _, v := range vs {
		out = append(out, p.value(v))
	}
	return strings.Join(out, ", ")
}

func (c ColumnRef) text() string {
	s := c.Column
	if c.Table != "" {
		s = c.Table + "." + s
	}
	if c.Schema != "" {
		s = c.Schema + "." + s
	}
	return s
}

// flags prints the fields of plain types that are not zero.
func (p *printer) flags(v reflect.Value) string {
	var out []string
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch name {
		case "Kind", "InnerKind", "Opaque", "Reason", "Verb", "Parent":
			continue
		}
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Bool:
			out = append(out, name)
		case f.Kind() == reflect.String:
			out = append(out, fmt.Sprintf("%s=%q", name, f.String()))
		case f.CanInt():
			out = append(out, fmt.Sprintf("%s=%d", name, f.Int()))
		case f.CanUint():
			out = append(out, fmt.Sprintf("%s=%d", name, f.Uint()))
		case f.Type() == reflect.TypeFor[[]string]():
			out = append(out, fmt.Sprintf("%s=%q", name, f.Interface()))
		}
	}
	return strings.Join(out, " ")
}

var kindNames = [...]string{"Other", "Select", "Insert", "Replace", "Update", "Delete", "Set", "SetNames", "SetTx", "Show", "Use",
	"Begin", "Commit", "Rollback", "Savepoint", "CreateTable", "AlterTable", "DropTable", "TruncateTable", "RenameTable",
	"CreateIndex", "DropIndex", "OtherDDL", "Explain", "ExplainRoute", "Call", "LoadData", "PrepareText", "Kill", "LockTables",
	"XA", "Do", "Values", "Handler", "SetStatement"}

func printStatement(sql []byte, scan *Scan, st *Statement) string {
	p := &printer{sql: sql, scan: scan}
	head := kindNames[st.Kind] + " [" + st.Verb + "]"
	if st.Inner != (Span{}) || st.InnerKind != 0 {
		head += " inner " + kindNames[st.InnerKind] + " " + p.span(st.Inner)
	}
	if st.Opaque {
		head += " OPAQUE " + st.Reason
	}
	p.line("%s", head)
	if s := p.flags(reflect.ValueOf(*st)); s != "" {
		p.line("  %s", s)
	}
	for _, t := range st.Tables {
		p.line("  table %s %s", p.span(t.Span), p.flags(reflect.ValueOf(t)))
	}
	for i := range st.Blocks {
		p.block(i, &st.Blocks[i])
	}
	for _, q := range st.Predicates {
		all := ""
		if q.All {
			all = " all"
		}
		p.line("  where[%d] %s in (%s)%s", q.Block, q.Col.text(), p.values(q.Values), all)
	}
	for _, f := range st.Filters {
		var cols []string
		for _, c := range f.Cols {
			cols = append(cols, c.text())
		}
		p.line("  filter[%d] %s of %s", f.Block, p.span(f.Span), strings.Join(cols, ", "))
	}
	for i, c := range st.CTEs {
		p.line("  cte %d %s %s%s", i, p.span(c.Named), p.span(c.Span), map[bool]string{true: " nested"}[c.Nested])
	}
	for _, r := range st.CTERefs {
		p.line("  cte mention %d %s %s", r.CTE, p.span(r.Span), r.Alias)
	}
	for _, t := range st.Mentions {
		p.line("  mention %s %s", p.span(t.Span), p.flags(reflect.ValueOf(t)))
		if !t.Lock.Empty() {
			p.line("    lock %s", p.span(t.Lock))
		}
	}
	for _, s := range st.MentionItems {
		p.line("  unnamed item %s", p.span(s))
	}
	if !st.MentionLock.Empty() {
		p.line("  lock %s", p.span(st.MentionLock))
	}
	for _, e := range st.Equalities {
		op := "="
		if e.Directed {
			op = "->"
		}
		p.line("  equal[%d] %s %s %s", e.Block, e.A.text(), op, e.B.text())
	}
	p.rest(st)
	return p.String()
}

func (p *printer) block(i int, b *Block) {
	p.line("  block %d of %d: %s", i, b.Parent, p.flags(reflect.ValueOf(*b)))
	for _, it := range b.Items {
		s := p.span(it.Span)
		if it.Agg != NoAgg {
			s += fmt.Sprintf(" agg=%s(%s)", [...]string{"", "count", "sum", "avg", "min", "max", "other"}[it.Agg], p.span(it.Arg))
		}
		if it.Col != nil {
			s += " col=" + it.Col.text()
		}
		p.line("    item %s label=%q alias=%q", s, it.Label, it.Alias)
	}
	for _, s := range []struct {
		name string
		span Span
	}{{"from", b.From}, {"where", b.Where}, {"having", b.HavingSpan}} {
		if s.span != (Span{}) {
			p.line("    %s %s", s.name, p.span(s.span))
		}
	}
	for _, o := range b.GroupBy {
		p.order("group", o)
	}
	for _, o := range b.OrderBy {
		p.order("order", o)
	}
	if b.Limit.Has {
		p.line("    limit %s count=%s offset=%s", p.span(b.Limit.Span), p.value(b.Limit.Count), p.offset(b.Limit))
	}
}

func (p *printer) order(name string, o OrderItem) {
	s := p.span(o.Span)
	if o.Col != nil {
		s += " col=" + o.Col.text()
	}
	if o.Literal != nil {
		s += " literal=" + p.value(*o.Literal)
	}
	p.line("    %s %s item=%d %s", name, s, o.Item, p.flags(reflect.ValueOf(struct {
		Desc, ByAlias bool
		Position      int
	}{o.Desc, o.ByAlias, o.Position})))
}

func (p *printer) rest(st *Statement) {
	if in := st.Insert; in != nil {
		p.line("  insert %s columns=%s rows=%s", p.flags(reflect.ValueOf(*in)), p.span(in.ColumnsSpan), p.span(in.RowsSpan))
		for i, r := range in.Rows {
			var spans []string
			for _, s := range in.ValueSpans[i] {
				spans = append(spans, p.span(s))
			}
			p.line("    row %s | %s", p.values(r), strings.Join(spans, " "))
		}
	}
	for _, s := range st.Sets {
		p.line("  set %s %s = %s %s", s.Col.text(), p.flags(reflect.ValueOf(s)), p.value(s.Value), p.span(s.Text))
	}
	for _, c := range st.Calls {
		p.line("  call %s %s item=%d args=%v", c.Name, p.span(c.Span), c.Item, c.Args)
	}
	for _, c := range st.ColumnDefs {
		p.line("  column %s", p.flags(reflect.ValueOf(c)))
	}
	for _, t := range st.ForeignKeys {
		p.line("  foreign key %s %s", p.span(t.Span), p.flags(reflect.ValueOf(t)))
	}
	if t := st.CreateLike; t != nil {
		p.line("  like %s %s", p.span(t.Span), p.flags(reflect.ValueOf(*t)))
	}
	if st.Kind == PrepareText && st.PrepareFrom.Kind == ValLiteral && st.PrepareOp == "prepare" {
		p.line("  prepare from %s", p.value(st.PrepareFrom))
	}
}

func (p *printer) offset(l Limit) string {
	if !l.HasOffset {
		return "none"
	}
	return p.value(l.Offset)
}
