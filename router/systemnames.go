package router

import (
	"slices"
	"strings"

	"sluice/query"
)

// keepNames edits what the derived tables in the place of information_schema's change elsewhere in
// a statement: they have no schema by which columns could be called, and on MariaDB a column of
// theirs is called as they call it, not as the statement does. Oracle MySQL calls them in upper case, but for
// rows of several shards. derived are the places of these tables.
func (p access) keepNames(derived []query.Span, several bool) {
	var cut []query.Span
	if p.in.Mode.Charset == query.Plain {
		cut = qualifiers(p.in.SQL[:p.in.Scan.End])
	}
	for _, at := range cut {
		p.addEdit(at, "", noLimitEdit)
	}
	onlySystem := p.first(func(t *table) bool { return !t.system }) == nil
	for b := range p.stmt.Blocks {
		for i := range p.stmt.Blocks[b].Items {
			it := &p.stmt.Blocks[b].Items[i]
			if it.Star || it.Alias != "" || it.Label == "" {
				continue
			}
			label, inside := it.Label, func(s query.Span) bool { return s.Start >= it.Span.Start && s.End <= it.Span.End }
			respelt := it.Col != nil && label != strings.ToUpper(label) && (p.in.Mode.MariaDB || several && onlySystem)
			if respelt && !p.in.Mode.MariaDB {
				label = strings.ToUpper(label)
			}
			if respelt || it.Col == nil && (slices.ContainsFunc(cut, inside) || slices.ContainsFunc(derived, inside)) {
				p.addEdit(query.Span{Start: it.Span.End, End: it.Span.End}, " AS "+string(query.QuoteName(nil, label)), noLimitEdit)
			}
		}
	}
}

// qualifiers finds the "information_schema." of columns: before a table's name and another dot.
func qualifiers(sql []byte) (out []query.Span) {
	for at, w := range eachWord(sql) {
		if !strings.EqualFold(string(w), informationSchema) {
			continue
		}
		i := int(at) + len(w)
		i += blanks(sql[i:])
		if i >= len(sql) || sql[i] != '.' {
			continue
		}
		i++
		name := i + blanks(sql[i:])
		end := name + len(nextWord(sql[name:]))
		if end == name && name < len(sql) {
			end += quotedName(sql[name:])
		}
		if end += blanks(sql[end:]); end < len(sql) && sql[end] == '.' {
			out = append(out, query.Span{Start: at, End: int32(i)})
		}
	}
	return out
}
