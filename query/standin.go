package query

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// standIns are names that the parser gets in place of the text's own, of equal length: for
// possibleTables whose bytes it would not read as the client's character set does, and for words
// that it reserves and the servers do not.
type standIns struct {
	given map[string]string // bytes of the name → what the parser gets
	real  map[string]string // and back
	words bool              // also for reserved words
}

// ident gives a name of the tree as it is in the text, in UTF-8.
func (t *text) ident(n ast.CIStr) string {
	if real, ok := t.subst.real[n.O]; ok {
		return decodeName([]byte(real), t.mode.Charset)
	}
	return n.O
}

func (t *text) idents(list []*ast.ColumnName) (out []string) {
	for _, c := range list {
		out = append(out, t.ident(c.Name))
	}
	return out
}

// chooseStandIns finds a name for each that needs one. ok is false when none is free.
func (t *text) chooseStandIns(words bool) (ok bool) {
	t.subst = standIns{given: map[string]string{}, real: map[string]string{}, words: words}
	used := map[string]bool{}
	var need []int
	for i := range t.toks {
		if !t.isName(i) {
			continue
		}
		used[strings.ToLower(string(t.raw(i)))] = true
		if t.needsStandIn(i) {
			need = append(need, i)
		}
	}
	for _, i := range need {
		raw := string(t.quotedBody(i))
		if _, have := t.subst.given[raw]; have {
			continue
		}
		name, ok := freeName(len(raw), used)
		if !ok {
			return false
		}
		used[name] = true
		t.subst.given[raw], t.subst.real[name] = name, string(t.raw(i))
	}
	return true
}

// quotedBody is what stands between the quotes of a name, or the word.
func (t *text) quotedBody(i int) []byte {
	b := t.bytes(i)
	if t.kind(i) == tokQuoted {
		b = b[1 : len(b)-1]
	}
	return b
}

func (t *text) needsStandIn(i int) bool {
	if t.mode.Charset != Plain {
		for _, c := range t.bytes(i) {
			if c >= 0x80 {
				return true
			}
		}
	}
	return t.subst.words && t.kind(i) == tokWord && !t.toks[i].name && isParserWord(lower(t.bytes(i))) && !t.isKeyword(i)
}

// isParserWord: words that the parser reserves and MariaDB 10.11 or MySQL 9 take as names.
func isParserWord(w string) bool {
	switch w {
	case "array", "cume_dist", "database", "dense_rank", "first_value", "generated", "groups", "ilike", "lag", "last_value",
		"lateral", "lead", "nth_value", "ntile", "of", "option", "percent_rank", "rank", "row", "row_number", "stored",
		"tablesample", "until", "virtual", "window":
		return true
	}
	return false
}

// freeName makes a name of n bytes that the text does not use.
func freeName(n int, used map[string]bool) (string, bool) {
	if n < 1 {
		return "", false
	}
	b := []byte(strings.Repeat("q", n))
	for range 1000 {
		if name := string(b); !used[name] {
			return name, true
		}
		for i := n - 1; i >= 0; i-- {
			if b[i]++; b[i] <= 'z' {
				break
			}
			b[i] = 'q'
		}
	}
	return "", false
}

// standIn writes the stand-in of token i, if it has one.
func (t *text) standIn(dst []byte, i int) bool {
	if len(t.subst.given) == 0 || !t.isName(i) || t.kind(i) == tokWord && t.isKeyword(i) {
		return false
	}
	name, ok := t.subst.given[string(t.quotedBody(i))]
	if ok && t.kind(i) == tokQuoted {
		dst[0], dst[len(dst)-1] = t.bytes(i)[0], t.bytes(i)[0]
		dst = dst[1:]
	}
	if ok {
		copy(dst, name)
	}
	return ok
}

// isKeyword: a word of isParserWord that has its meaning in the grammar where it stands.
func (t *text) isKeyword(i int) bool {
	if !isParserWord(lower(t.bytes(i))) {
		return false
	}
	return t.kind(i+1) == tokOpen || t.is(i, "OF") && t.isAny(i-1, "UPDATE", "SHARE") ||
		t.is(i, "WINDOW") && t.isName(i+1) && t.is(i+2, "AS") && t.kind(i+3) == tokOpen
}

// hasParserWord says whether another parse with stand-ins for reserved words can differ.
func (t *text) hasParserWord() bool {
	for i := range t.toks {
		if t.kind(i) == tokWord && isParserWord(lower(t.bytes(i))) {
			return true
		}
	}
	return false
}
