package infile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// cutAll cuts a text that comes in pieces of the sizes that next gives.
func cutAll(t *testing.T, f Format, text string, next func() int) (rows []string, err error) {
	t.Helper()
	c, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	have, from := 0, 0
	for {
		b := []byte(text[from:have])
		r, n, err := c.Next(b, have == len(text))
		switch {
		case errors.Is(err, ErrMore):
			have = min(len(text), have+next())
			continue
		case errors.Is(err, ErrEnd):
			return rows, nil
		case err != nil:
			return rows, err
		}
		var fields []string
		for _, fl := range r.Fields {
			v, null := c.Value(nil, b, fl)
			switch {
			case !fl.There:
				fields = append(fields, "-")
			case null:
				fields = append(fields, "NULL")
			default:
				fields = append(fields, fmt.Sprintf("%q", v))
			}
		}
		rows = append(rows, fmt.Sprintf("%q %s", b[r.Start:r.End], strings.Join(fields, " ")))
		from += n
	}
}

func csv(columns int) Format {
	f := Format{FieldEnd: ",", LineEnd: "\n", Enclosed: `"`, Escaped: `\`, Charset: "utf8mb4", Columns: columns}
	for i := range columns {
		f.Wanted = append(f.Wanted, i)
	}
	return f
}

func TestCut(t *testing.T) {
	gbk := csv(2)
	gbk.Charset = "gbk"
	dos := csv(2)
	dos.LineEnd, dos.LineStart = "\r\n", ">>"
	doubled := csv(2)
	doubled.Escaped = `"`
	for _, c := range []struct {
		f    Format
		text string
		want []string
	}{
		{csv(2), "1,a\n2,b", []string{`"1,a\n" "1" "a"`, `"2,b" "2" "b"`}},
		{csv(2), "", nil},
		{csv(2), "\n", []string{`"\n" "" -`}},
		{csv(2), "1", []string{`"1" "1" -`}},
		{csv(2), "1,", []string{`"1," "1" -`}},
		{csv(2), `"a,""b""` + "\n" + `c",\N` + "\n", []string{`"\"a,\"\"b\"\"\nc\",\\N\n" "a,\"b\"\nc" NULL`}},
		{csv(1), "1,\"x\ny\"\nz\n", []string{`"1,\"x\n" "1"`, `"y\"\n" "y\""`, `"z\n" "z"`}}, // quotes mean nothing behind the last column
		{csv(1), "1,x\\\ny\nz\n", []string{`"1,x\\\ny\n" "1"`, `"z\n" "z"`}},                 // escapes do
		{csv(2), `"a"b",c` + "\n", []string{`"\"a\"b\",c\n" "a\"b" "c"`}},
		{csv(2), `"a,b` + "\n", []string{`"\"a,b\n" "\"a,b\n" -`}}, // not closed
		{csv(2), "NULL,\"NULL\"\n", []string{`"NULL,\"NULL\"\n" NULL "NULL"`}},
		{csv(2), "a\\tb\\,c,d\\", []string{`"a\\tb\\,c,d\\" "a\tb,c" "d\\"`}},
		{doubled, `"a""b",c""d` + "\n", []string{`"\"a\"\"b\",c\"\"d\n" "a\"b" "c\"d"`}},
		{dos, "no\r\n>1,2\r\n>>1,a\r\nx>>2,b", []string{`"1,a\r\n" "1" "a"`, `"2,b" "2" "b"`}},
		{gbk, "\x81\x5c,\xbf\x22\x2c\n", nil},
		{gbk, "\x81\x5c,a\n", []string{`"\x81\\,a\n" "\x81\\" "a"`}},
	} {
		got, err := cutAll(t, c.f, c.text, func() int { return 1 })
		if strings.Join(got, ";") != strings.Join(c.want, ";") {
			t.Errorf("%q: %v\n got %s\nwant %s", c.text, err, got, c.want)
		}
	}
}

// TestCutPieces: where a text is torn changes nothing.
func TestCutPieces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 20_000 {
		f := csv(1 + rnd.IntN(3))
		f.FieldEnd, f.LineEnd = []string{",", "||", ",;"}[rnd.IntN(3)], []string{"\n", "\r\n", "END"}[rnd.IntN(3)]
		f.Escaped = []string{`\`, "", `"`}[rnd.IntN(3)]
		f.Charset = []string{"utf8mb4", "gbk", "latin1"}[rnd.IntN(3)]
		var b strings.Builder
		for range rnd.IntN(20) {
			b.WriteString([]string{f.FieldEnd, f.LineEnd, f.Escaped, `"`, "a", "|", "E", "\r", "ü", "\x81\x5c", "N"}[rnd.IntN(11)])
		}
		whole, err1 := cutAll(t, f, b.String(), func() int { return b.Len() })
		torn, err2 := cutAll(t, f, b.String(), func() int { return 1 + rnd.IntN(3) })
		if strings.Join(whole, ";") != strings.Join(torn, ";") || err1 != err2 {
			t.Fatalf("%d: %+v %q:\n whole %s %v\n torn %s %v", n, f, b.String(), whole, err1, torn, err2)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, change := range []func(*Format){
		func(f *Format) { f.FieldEnd = "" }, func(f *Format) { f.LineEnd = "" }, func(f *Format) { f.LineEnd = f.FieldEnd },
		func(f *Format) { f.Charset = "utf16" }, func(f *Format) { f.Enclosed = "xx" }, func(f *Format) { f.FieldEnd = "§" },
		func(f *Format) { f.Escaped = "," },
	} {
		f := csv(2)
		change(&f)
		if _, err := New(f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
}

func BenchmarkCut(b *testing.B) {
	c, err := New(csv(5))
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("1234567,some words of text,\"more, in quotes\",2024-01-01,9.99\n", 4000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for at := 0; ; {
			_, n, err := c.Next(text[at:], true)
			if err != nil {
				break
			}
			at += n
		}
	}
}
