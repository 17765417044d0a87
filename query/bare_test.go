package query

import "testing"

func TestBare(t *testing.T) {
	for _, c := range []struct {
		in, want string
		mode     Mode
	}{
		{`SELECT ?i FROM t`, `SELECT ?i FROM t`, Mode{}},
		{`SELECT _binary'\'.x(', N'\'' INTO OUTFILE ?s`, `SELECT _binary'', N'' INTO OUTFILE ?s`, Mode{}},
		{`SELECT _latin1 "a\"b" , @'it\'s', '' FROM t`, `SELECT _latin1 "" , @'', '' FROM t`, Mode{}},
		{`SELECT _binary'\', x`, `SELECT _binary'', x`, Mode{NoBackslashEscapes: true}},
		{`SELECT "a.b(" , _binary'a''b'`, `SELECT "a.b(" , _binary''`, Mode{ANSIQuotes: true}},
		{"SELECT `it's`, _utf8'a'", "SELECT `it's`, _utf8''", Mode{}},
		{"SELECT _gbk'\xbf\\' , x", "SELECT _gbk'' , x", Mode{Charset: GBK}},
	} {
		if got := string(Bare([]byte(c.in), c.mode)); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}
