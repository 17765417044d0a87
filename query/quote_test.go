package query

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestUnquote(t *testing.T) {
	plain, noBackslash := Mode{}, Mode{NoBackslashEscapes: true}
	for _, c := range []struct {
		text string
		mode Mode
		want string
	}{
		{`'abc'`, plain, "abc"},
		{`''`, plain, ""},
		{`'it''s'`, plain, "it's"},
		{`"it's ""x"""`, plain, `it's "x"`},
		{`'a""b'`, plain, `a""b`},
		{`'\n\t\r\b\0\Z\\\'\"'`, plain, "\n\t\r\b\x00\x1a\\'\""},
		{`'\%\_\x\N'`, plain, `\%\_xN`},
		{`'\n\\'`, noBackslash, `\n\\`},
		{"'\xbf\x5c'", Mode{Charset: GBK}, "\xbf\x5c"},
		{"'\xbf\x5cn'", plain, "\xbf\n"},
		{"'\\\xbf\x5cn'", Mode{Charset: GBK}, "\xbf\n"},
		{"'\x95\x5c\x5cn'", Mode{Charset: SJIS}, "\x95\x5c\n"},
		{"'\x81\x30\x81\x30\x5cn'", Mode{Charset: GB18030}, "\x81\x30\x81\x30\n"},
	} {
		var s Scan
		sql := []byte("SELECT " + c.text)
		if err := s.Run(sql, c.mode); err != nil || len(s.Literals) != 1 {
			t.Errorf("%q: %v, %d literals", c.text, err, len(s.Literals))
			continue
		}
		if got := Unquote([]byte("before"), sql, s.Literals[0], c.mode); string(got) != "before"+c.want {
			t.Errorf("%q is %q, not %q", c.text, got, c.want)
		}
	}
}

func TestUnquoteOtherKinds(t *testing.T) {
	sql := []byte("SELECT -42, 1.5e3, x'41', ?")
	var s Scan
	if err := s.Run(sql, Mode{}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"-42", "1.5e3", "x'41'", "?"} {
		if got := Unquote(nil, sql, s.Literals[i], Mode{}); string(got) != want {
			t.Errorf("literal %d is %q, not %q", i, got, want)
		}
	}
	if got := Unquote(nil, sql, Literal{Span{20, 200}, String}, Mode{}); len(got) != 0 {
		t.Errorf("a span outside of the text is %q", got)
	}
}

// TestQuoteString: whatever the value, sound in the character set or not, its literal is one
// token with that value, also when more text follows it.
func TestQuoteString(t *testing.T) {
	pieces := []string{"'", "''", `"`, `\`, `\\`, "`", "a", "n", "0", "%", "_", "\x00", "\n", "\x1a", "\xbf", "\x5c", "\x27", "\x81", "\x30",
		"\xbf\x5c", "\x81\x30\x81\x30", "\xa4\x5c", "\x95\x5c", "\xe9", "ü", "日本", "-- ", "/*", "?", ";", "\xff", "\xfe"}
	for i, mode := range testModes {
		r := rand.New(rand.NewPCG(4, uint64(i)))
		for range 20_000 {
			var value []byte
			for range r.IntN(6) {
				value = append(value, pieces[r.IntN(len(pieces))]...)
			}
			checkQuoting(t, value, mode)
			text := append(QuoteString([]byte("("), string(value), mode), "|`a`,\"b\",'c',1)"...)
			var s Scan
			if err := s.Run(text, mode); err != nil || s.Literals[0].Start != 1 || !bytes.HasPrefix(text[s.Literals[0].End:], []byte("|`a`")) {
				t.Fatalf("%+v: %q runs on in %q: %v", mode, value, text, err)
			}
		}
	}
}

func TestQuoteName(t *testing.T) {
	for _, name := range []string{"a", "a b", "a`b", "``", "", "sélect", `"`, `\`} {
		text := append(QuoteName([]byte("SELECT "), name), " FROM t"...)
		l := newLexer(text, Mode{})
		var tok token
		l.next(&tok)
		l.next(&tok)
		if got := string(text[tok.start:tok.end]); tok.kind != tokQuoted || string(unquoteName([]byte(got))) != name {
			t.Errorf("%q became %s", name, text)
		}
	}
}
