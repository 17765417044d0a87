package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// testModes are the modes that change how a text is cut.
var testModes = []Mode{
	{MariaDB: true, ServerVersion: 101119},
	{ServerVersion: 90704},
	{MariaDB: true, ServerVersion: 101119, ANSIQuotes: true},
	{ServerVersion: 90704, NoBackslashEscapes: true},
	{ServerVersion: 90704, NoBackslashEscapes: true, ANSIQuotes: true, Charset: Big5},
	{MariaDB: true, ServerVersion: 101119, Charset: GBK},
	{ServerVersion: 90704, Charset: SJIS},
	{MariaDB: true, ServerVersion: 101119, Charset: GB18030},
	{ServerVersion: 90704, Charset: Latin1},
	{MariaDB: true, ServerVersion: 101119, Charset: OneByte},
}

// soup are pieces that statements are thrown together from: few, so that fingerprints meet,
// and made to be taken for each other.
var soup = []string{"a", "i", "s", "b", "x", "IN", "VALUES", "VALUE", "SELECT", "SET", "ON", "AS", "AND", "_utf8", "DATE",
	"(", ")", "(", ")", ",", ",", ".", "'x'", "'?i'", "'?s'", "\"?s\"", "`?i`", "`?i+`", "`x", "'a", "1", "2", "-1", "1.5", "0x1", "?", "?i", "+",
	"-", "*", "/", "=", "<", ">", "N'x'", "@a", "@", "@@", "/*!", "/*!50000", "/*!99999", "*/", "/*+ x */", "/* ' */", "-- '\n", "#",
	"b'1'", "x'41'", ";", "$$", "$a$", "\\N", "(1)", "(1,2)", "(1,'a')", "IN (1,2)", "VALUES (1),(2)", "'a' 'b'", "\xbf", "\\", "NULL"}

func randomSoup(r *rand.Rand, most int) []byte {
	var b []byte
	for range 1 + r.IntN(most) {
		b = append(b, soup[r.IntN(len(soup))]...)
		if r.IntN(3) > 0 {
			b = append(b, ' ')
		}
	}
	return b
}

// structure is what a fingerprint must decide: the tokens, each with its text or, for
// literals, its kind; "·" marks a blank that the server could see.
func structure(sql []byte, s *Scan, mode Mode) []string {
	l := newLexer(sql[:s.End], mode)
	var out []string
	var t, last token
	for l.next(&t); t.kind != tokEnd; l.next(&t) {
		text := string(sql[t.start:t.end])
		if _, ok := s.LiteralAt(t.start); ok {
			text = "literal " + t.kind.literal().name()
		}
		dot := t.kind == tokDot || last.kind == tokDot || last.kind == tokSysVar
		call := t.kind == tokOpen && (last.kind == tokWord || last.kind == tokQuoted)
		if w := sql[last.start:last.end]; wordIs(w, "IN") || wordIs(w, "VALUES") || wordIs(w, "VALUE") {
			call = false
		}
		if t.kind == tokClose || t.kind == tokComma || t.kind == tokSemi {
			dot = false // part of no name
		}
		if t.blank && (dot || call) && len(out) > 0 {
			text = "·" + text
		}
		out = append(out, text)
		last = t
	}
	return out
}

// collapsed takes the repetitions out of a structure: more than a fingerprint does, so that
// equal fingerprints must have equal results.
func collapsed(tokens []string) string {
	var out []string
	for _, t := range tokens {
		out = append(out, t)
		for n := len(out); n >= 3 && strings.HasPrefix(out[n-1], "literal") && out[n-2] == "," && out[n-3] == out[n-1]; n = len(out) {
			out = out[:n-2]
		}
		for n := len(out); n > 0 && out[n-1] == ")"; n = len(out) {
			open := groupStart(out, n-1)
			if open < 2 || out[open-1] != "," || out[open-2] != ")" {
				break
			}
			before := groupStart(out, open-2)
			if before < 0 || !slices.Equal(out[before:open-1], out[open:n]) {
				break
			}
			out = out[:open-1]
		}
	}
	return strings.Join(out, " ")
}

// groupStart finds the "(" of the ")" at i.
func groupStart(tokens []string, i int) int {
	depth := 0
	for ; i >= 0; i-- {
		switch tokens[i] {
		case ")":
			depth++
		case "(", "·(":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// TestFingerprintDecidesStructure: no two statements with different tokens share a
// fingerprint, but for the lengths of collapsed lists and rows.
func TestFingerprintDecidesStructure(t *testing.T) {
	type seen struct {
		sql       string
		tokens    []string
		collapsed string
	}
	n := 60_000
	if testing.Short() {
		n = 6_000
	}
	for i, mode := range testModes {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		byFingerprint := map[string]seen{}
		met := 0
		var s Scan
		for range n {
			sql := randomSoup(r, 7)
			if s.Run(sql, mode) != nil {
				continue
			}
			tokens := structure(sql, &s, mode)
			now := seen{string(sql), tokens, collapsed(tokens)}
			was, ok := byFingerprint[string(s.Fingerprint)]
			if !ok {
				byFingerprint[string(s.Fingerprint)] = now
				continue
			}
			if was.sql != now.sql {
				met++
			}
			if was.collapsed != now.collapsed || len(was.tokens) == len(now.tokens) && !slices.Equal(was.tokens, now.tokens) {
				t.Fatalf("%+v: %q and %q share %q:\n%v\n%v", mode, was.sql, now.sql, s.Fingerprint, was.tokens, now.tokens)
			}
		}
		if met < n/100 {
			t.Errorf("%+v: only %d of %d statements met another one's fingerprint: this shows nothing", mode, met, n)
		}
	}
}

// revalued gives a literal's text another value of the same kind and form.
func revalued(r *rand.Rand, lit []byte, kind LiteralKind) []byte {
	out := slices.Clone(lit)
	switch kind {
	case Int, Decimal, Hex:
		binary := len(out) > 1 && (out[0] == 'b' || out[0] == 'B' || out[1] == 'b')
		for i, c := range out {
			if isDigit(c) && (i > 0 || kind != Hex) {
				out[i] = '0' + byte(r.IntN(10))
				if binary {
					out[i] = '0' + byte(r.IntN(2))
				}
			}
		}
		if kind == Hex && (out[1] == 'x' || out[1] == 'b') {
			out[0] = '0'
		}
	case String:
		inside := [...]string{"", "?i", ") AND (", "), (", "/*!", "-- ", "x, y", "''", `""`, "?s+", ";", "#"}
		body := inside[r.IntN(len(inside))]
		if lit[0] == '"' && body == "''" || lit[0] == '\'' && body == `""` {
			body = ""
		}
		out = append(append([]byte{lit[0]}, body...), lit[0])
	}
	return out
}

// TestFingerprintForgetsValues: other values of the same kinds give the same fingerprint and
// lie in the same holes.
func TestFingerprintForgetsValues(t *testing.T) {
	for i, mode := range testModes {
		r := rand.New(rand.NewPCG(2, uint64(i)))
		checked := 0
		var s, other Scan
		for range 5_000 {
			sql := randomSoup(r, 20)
			if s.Run(sql, mode) != nil || len(s.Literals) == 0 {
				continue
			}
			var edits []Edit
			for _, lit := range s.Literals {
				edits = append(edits, Edit{lit.Span, string(revalued(r, lit.Of(sql), lit.Kind))})
			}
			changed, err := Apply(nil, sql, edits)
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Run(changed, mode); err != nil {
				t.Fatalf("%+v: %q became %q: %v", mode, sql, changed, err)
			}
			if string(s.Fingerprint) != string(other.Fingerprint) || !slices.Equal(s.Holes, other.Holes) {
				t.Fatalf("%+v: %q became %q:\n%q %v\n%q %v", mode, sql, changed, s.Fingerprint, s.Holes, other.Fingerprint, other.Holes)
			}
			for k, lit := range other.Literals {
				if string(lit.Of(changed)) != edits[k].Text {
					t.Fatalf("%q: literal %d is %q, not %q", changed, k, lit.Of(changed), edits[k].Text)
				}
			}
			checked++
		}
		if checked < 1000 {
			t.Errorf("%+v: only %d statements had literals", mode, checked)
		}
	}
}

// checkScan holds what is true of every Scan.
func checkScan(sql []byte, s *Scan, mode Mode) error {
	if s.End < 0 || int(s.End) > len(sql) || int(s.End) < len(sql) && sql[s.End] != ';' {
		return fmt.Errorf("end %d", s.End)
	}
	at, params := int32(0), 0
	for i, lit := range s.Literals {
		if lit.Start < at || lit.End <= lit.Start || lit.End > s.End {
			return fmt.Errorf("literal %d at %v", i, lit.Span)
		}
		at = lit.End
		if lit.Kind == Param {
			params++
		}
		var alone Scan
		text := append(append([]byte("("), lit.Of(sql)...), ')')
		if err := alone.Run(text, mode); err != nil || len(alone.Literals) != 1 || alone.Literals[0].Kind != lit.Kind || string(alone.Fingerprint) != "(?"+kindLetters[lit.Kind:lit.Kind+1]+")" {
			return fmt.Errorf("literal %q alone is %q, %v", lit.Of(sql), alone.Fingerprint, err)
		}
	}
	if params != s.Params {
		return fmt.Errorf("%d parameters, not %d", params, s.Params)
	}
	at = 0
	for i, row := range s.Rows {
		if row.Start < at || row.End > s.End || sql[row.Start] != '(' || sql[row.End-1] != ')' {
			return fmt.Errorf("row %d at %v", i, row)
		}
		at = row.End
	}
	return checkHoles(s)
}

// checkHoles: every literal is in one hole, and holes are in the order of the placeholders.
func checkHoles(s *Scan) error {
	held := make([]bool, len(s.Literals))
	for i, h := range s.Holes {
		if i > 0 && h.First <= s.Holes[i-1].First {
			return fmt.Errorf("hole %d begins before the one before it", i)
		}
		for pos := range int(h.Count) {
			n := int(h.First) + pos*int(h.Stride)
			if n >= len(held) || held[n] {
				return fmt.Errorf("hole %d has literal %d", i, n)
			}
			held[n] = true
			if s.Literals[n].Kind != s.Literals[h.First].Kind {
				return fmt.Errorf("hole %d has literals of several kinds", i)
			}
			if hole, p := s.HoleOf(n); hole != i || p != pos {
				return fmt.Errorf("literal %d is in hole %d at %d, found in %d at %d", n, i, pos, hole, p)
			}
		}
	}
	if i := slices.Index(held, false); i >= 0 {
		return fmt.Errorf("literal %d is in no hole", i)
	}
	return nil
}
