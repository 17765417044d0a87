package query

import "strings"

// MentionKey is a comparison with a value that every row of an opaque SELECT's only table has to
// fulfil: column = value.
type MentionKey struct {
	Column string
	Value  Value
}

// findKeys fills MentionKeys of a SELECT with one table and nothing beside it: the parts of its WHERE
// are joined by AND alone, so that each holds.
func (m *mentions) findKeys(lo int) {
	st := m.st
	if len(st.Mentions) != 1 || st.Subquery || st.Union || st.CTE || !m.is(lo, "SELECT") || m.has("JSON_TABLE", "JOIN", "STRAIGHT_JOIN", "PROCEDURE") {
		return
	}
	from := m.find(lo, len(m.toks), "FROM")
	where := m.find(from, len(m.toks), "WHERE")
	end := len(m.toks)
	for i := where; i < len(m.toks); i = m.next(i) {
		if m.isAny(i, "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "FETCH", "OFFSET", "INTO", "FOR", "LOCK") && m.kind(i-1) != tokDot {
			end = i
			break
		}
	}
	for i := from; i < where; i++ {
		if m.kind(i) == tokComma {
			return
		}
	}
	var parts [][2]int
	at := where + 1
	for i := at; i < end; i = m.next(i) {
		switch {
		case m.isAny(i, "OR", "XOR", "BETWEEN", "CASE", "NOT") || m.isOp(i, "||") || m.isOp(i, "&&") || m.isOp(i, ":=") || m.isOp(i, "!"):
			return
		case m.is(i, "AND"):
			parts, at = append(parts, [2]int{at, i}), i+1
		}
	}
	if at < end {
		parts = append(parts, [2]int{at, end})
	}
	for _, p := range parts {
		if k, ok := m.key(p[0], p[1]); ok {
			st.MentionKeys = append(st.MentionKeys, k)
		}
	}
}

// key reads [table.]column = value, which is exactly the tokens [lo, hi).
func (m *mentions) key(lo, hi int) (k MentionKey, ok bool) {
	if hi == lo+5 && m.kind(lo+1) == tokDot && m.isName(lo) {
		t := &m.st.Mentions[0]
		if name := m.name(lo); !(t.Alias != "" && name == t.Alias || t.Alias == "" && name == t.Name) {
			return k, false
		}
		lo += 2
	}
	if hi != lo+3 || !m.isName(lo) || !m.isOp(lo+1, "=") || !m.kind(lo+2).isLiteral() {
		return k, false
	}
	k = MentionKey{Column: m.name(lo), Value: m.literal(lo + 2)}
	return k, k.Value.Kind == ValLiteral
}

// has tells whether one of the words stands in the text.
func (m *mentions) has(words ...string) bool {
	for i := range m.toks {
		if m.kind(i) == tokWord {
			for _, w := range words {
				if strings.EqualFold(string(m.bytes(i)), w) {
					return true
				}
			}
		}
	}
	return false
}
