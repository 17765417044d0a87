package router

import (
	"bytes"
	"strings"

	"sluice/query"
)

// outward looks from subqueries at the queries around them.
type outward struct{ *planner }

// aggregate tells whether an aggregate function that stands in a subquery is one of a
// query around it, as MAX in SELECT (SELECT MAX(t.id)) FROM t: then all columns in it are
// that query's, whose rows it makes one of.
func (p outward) aggregate() bool {
	for b := 1; b < len(p.stmt.Blocks); b++ {
		for _, span := range regions(&p.stmt.Blocks[b]) {
			text := span.Of(p.in.SQL)
			escaped := bytes.IndexByte(text, '\\') >= 0 // what is quoted is not certain then
			w := spelledWords(text)
			for i := range w {
				if isAggregate(strings.ToLower(w[i])) && w.at(i+1) == "(" && (escaped || p.isOuter(b, w.inside(i+1))) {
					return true
				}
			}
		}
	}
	return false
}

// regions are the parts of a block in which expressions stand.
func regions(b *query.Block) []query.Span {
	spans := []query.Span{b.From, b.Where, b.HavingSpan}
	for i := range b.Items {
		spans = append(spans, b.Items[i].Span)
	}
	for _, list := range [][]query.OrderItem{b.GroupBy, b.OrderBy} {
		for i := range list {
			spans = append(spans, list[i].Span)
		}
	}
	return spans
}

// isOuter tells whether the columns of an expression within a block are those of blocks
// around it. One that is the block's own, or of a subquery below it, makes it the block's.
func (p outward) isOuter(block int, w words) bool {
	outer := false
	for i := 0; i < len(w); i++ {
		var c query.ColumnRef
		c, i = w.column(i)
		if c.Column == "" {
			continue
		}
		own, around := p.owners(block, c)
		switch {
		case own && !(around && c.Table != ""):
			return false
		case around:
			outer = true
		}
	}
	return outer
}

// owners tells whether a column can be one of a block or of a subquery below it, and of a
// block around it. Names of tables are compared without their case.
func (p outward) owners(block int, c query.ColumnRef) (own, around bool) {
	for i := range p.tables {
		t := &p.tables[i]
		if c.Table != "" && !t.isNamed(c.Table) || c.Table == "" && (t.info == nil || t.info.Index(c.Column) < 0) {
			continue
		}
		if p.within(t.ref.Block, block) {
			own = true
		} else {
			around = true
		}
	}
	return own, around
}

// within tells whether a block is another one, or below it.
func (p outward) within(inner, outer int) bool {
	for inner >= 0 && inner != outer {
		inner = p.stmt.Blocks[inner].Parent
	}
	return inner == outer
}

// column reads a column's name at i: [[schema.]table.]column. It gives the index of its
// last word; a function's name is none.
func (w words) column(i int) (c query.ColumnRef, last int) {
	if !isName(w[i]) {
		return c, i
	}
	parts := []string{unquoted(w[i])}
	for w.at(i+1) == "." && i+2 < len(w) && isName(w[i+2]) {
		i += 2
		parts = append(parts, unquoted(w[i]))
	}
	if w.at(i+1) == "(" {
		return c, i
	}
	c.Column = parts[len(parts)-1]
	if len(parts) > 1 {
		c.Table = parts[len(parts)-2]
	}
	return c, i
}

func isName(word string) bool { return isWordByte(word[0]) || word[0] == '`' || word[0] == '"' }

func unquoted(word string) string { return strings.Trim(word, "`\"") }

// inside gives the words within the parenthesis that opens at i.
func (w words) inside(i int) words {
	depth := 0
	for j := i; j < len(w); j++ {
		switch w[j] {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return w[i+1 : j]
			}
		}
	}
	return w[i+1:]
}
