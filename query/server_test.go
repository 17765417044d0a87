package query

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// These tests ask real servers how they cut a text: the digest that a server keeps of a
// statement is its tokens, as its own lexer saw them.

type serverMode struct {
	Mode
	charset, sqlMode string
}

var serverModes = []serverMode{
	{Mode{}, "utf8mb4", ""},
	{Mode{ANSIQuotes: true}, "utf8mb4", "ANSI_QUOTES"},
	{Mode{NoBackslashEscapes: true}, "utf8mb4", "NO_BACKSLASH_ESCAPES"},
	{Mode{IgnoreSpace: true, PipesAsConcat: true, HighNotPrecedence: true}, "utf8mb4", "IGNORE_SPACE,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE"},
	{Mode{Charset: Latin1}, "latin1", ""},
	{Mode{Charset: GBK}, "gbk", ""},
	{Mode{Charset: GBK, ANSIQuotes: true, NoBackslashEscapes: true}, "gbk", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"},
	{Mode{Charset: Big5}, "big5", ""},
	{Mode{Charset: SJIS}, "sjis", ""},
	{Mode{Charset: SJIS, ANSIQuotes: true}, "cp932", "ANSI_QUOTES"},
	{Mode{Charset: GB18030}, "gb18030", ""}, // MySQL alone
	{Mode{Charset: OneByte}, "latin2", ""},
}

// digests is a connection to a server that keeps digests.
type digests struct {
	conn *sql.Conn
	mode Mode
}

func eachServerMode(t *testing.T, f func(t *testing.T, d *digests)) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			server := testkit.StartServer(t, flavor, testkit.Args("--performance-schema=ON"))
			server.Exec("UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name LIKE 'events_statements_%'")
			cfg := server.Config("")
			cfg.MultiStatements = false
			connector, err := mysql.NewConnector(cfg)
			if err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(connector)
			defer db.Close()
			for _, m := range serverModes {
				if m.charset == "gb18030" && flavor == testkit.MariaDBFlavor {
					continue // a set that MariaDB does not have
				}
				t.Run(m.charset+" "+m.sqlMode, func(t *testing.T) {
					f(t, openDigests(t, db, m))
				})
			}
		})
	}
}

func openDigests(t *testing.T, db *sql.DB, m serverMode) *digests {
	ctx := t.Context()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Raw(func(any) error { return mysql.ErrInvalidConn }); conn.Close() }) // never to be reused
	for _, s := range []string{"SET sql_mode = '" + m.sqlMode + "'", "SET NAMES " + m.charset} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			t.Fatal(s, err)
		}
	}
	d := &digests{conn: conn, mode: m.Mode}
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(version, err)
	}
	d.mode.MariaDB = strings.Contains(version, "MariaDB")
	d.mode.ServerVersion = major*10000 + minor*100 + patch
	return d
}

// tokens runs a statement and gives the tokens of its digest; ok is false when the server
// finds no statement in it.
func (d *digests) tokens(t *testing.T, text string) (tokens string, ok bool) {
	ctx := t.Context()
	rows, err := d.conn.QueryContext(ctx, text)
	if err == nil {
		for rows.Next() {
		}
		rows.Close()
	}
	var digest sql.NullString
	if err := d.conn.QueryRowContext(ctx, `SELECT digest_text FROM performance_schema.events_statements_history
		WHERE thread_id = (SELECT thread_id FROM performance_schema.threads WHERE processlist_id = CONNECTION_ID())
		AND event_name LIKE 'statement/sql/%' ORDER BY event_id DESC LIMIT 1`).Scan(&digest); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return digestTokens(digest.String), digest.Valid
}

// digestTokens brings a digest to the form of scanTokens: names without quotes, "?" for
// literals of any kind and introducers left out.
func digestTokens(d string) string {
	d = strings.NewReplacer("/* , ... */", "", "(_charset)", "", "(unknown)", "?", "@@", "@ @ ", "SQL_TSI_", "").Replace(d)
	var tokens []string
	for i := 0; i < len(d); {
		switch c := d[i]; {
		case c == ' ':
			i++
		case c == '`':
			n := strings.IndexByte(d[i+1:], '`')
			if n < 0 {
				return "unreadable digest: " + d
			}
			tokens = append(tokens, strings.ToUpper(d[i+1:i+1+n]))
			i += n + 2
		case strings.HasPrefix(d[i:], "..."):
			tokens = append(tokens, "?")
			i += 3
		case strings.IndexByte("@(),?", c) >= 0:
			tokens = append(tokens, string(c))
			i++
		default:
			n := strings.IndexAny(d[i:], " (),?`")
			if n < 0 {
				n = len(d) - i
			}
			tokens = append(tokens, strings.ToUpper(d[i:i+n]))
			i += n
		}
	}
	return reduced(tokens)
}

// reduced does what digests do, in the same way for both sides: lists of values are one,
// signs before values are gone, NULL is a value; ! and NOT are one where the mode makes them
// so.
func reduced(tokens []string) string {
	var out []string
	for _, t := range tokens {
		switch t {
		case "NULL":
			t = "?"
		case "<>":
			t = "!="
		case "!":
			t = "NOT"
		}
		if t == "?" {
			for len(out) > 0 && (out[len(out)-1] == "-" || out[len(out)-1] == "+") {
				out = out[:len(out)-1]
			}
			if n := len(out); n > 1 && out[n-1] == "," && out[n-2] == "?" {
				out = out[:n-1]
				continue
			}
		}
		out = append(out, t)
	}
	return strings.Join(out, " ")
}

// scanTokens is the same of Sluice's lexer.
func scanTokens(text string, mode Mode) (string, error) {
	l := newLexer([]byte(text), mode)
	var tokens []string
	var t token
	for l.next(&t); t.kind != tokEnd; l.next(&t) {
		s := strings.ToUpper(text[t.start:t.end])
		switch t.kind {
		case tokWord:
			if s == "_UTF8" || s == "_LATIN1" || s == "_UTF8MB4" || s == "_BINARY" {
				continue
			}
			tokens = append(tokens, s)
		case tokQuoted:
			tokens = append(tokens, s[1:len(s)-1])
		case tokUserVar:
			if s[1] == '`' || s[1] == '"' && mode.ANSIQuotes {
				tokens = append(tokens, "@", s[2:len(s)-1])
			} else {
				tokens = append(tokens, "@", "?")
			}
		case tokSysVar:
			tokens = append(tokens, "@", "@")
		case tokHint, tokExecOpen, tokExecClose:
		case tokVerbatim, tokInt, tokDecimal, tokString, tokHex, tokParam:
			tokens = append(tokens, "?")
		default:
			if s == "||" && mode.MariaDB && mode.PipesAsConcat {
				s = "?" // a token that MariaDB's digests have no name for
			}
			tokens = append(tokens, s)
		}
	}
	return reduced(tokens), l.err
}

// tricky are statements that servers accept and that lexers like to misread.
var tricky = []string{
	"SELECT 1--1", "SELECT 1--\t1", "SELECT 1 -- 1\n+1", "SELECT 1--\x01+1\n", "SELECT 1--\x7f+1\n", "SELECT 1 --", "SELECT 1#1\n+1", "SELECT 1 # 1", "SELECT 1--+1",
	"SELECT 5-5, -5, - 5, 5 -5, 5*-5, -.5, 5-.5", "SELECT 1e5, 1e+5, 1.e5, .5, 1., 1.5e-3, .1e5", "SELECT 0x1F, 0b01, x'4142', X'41', b'01', B'1'",
	"SELECT 1 AS 1e, 2 AS 1ea, 3 AS 0xZZ, 4 AS 0X1F, 5 AS 0x, 6 AS 0b2, 7 AS 1_000", "SELECT x.1t, x.1e5, x.0x1f, x.select FROM (SELECT 1 AS 1t, 2 AS `1e5`, 3 AS `0x1f`, 4 AS `select`) x",
	"SELECT @'x', @`x`, @x.y, @x, @@version, @@global.max_connections, @@session.sql_mode, @a:=5", "SELECT N'x', n'x', _utf8'x', _latin1 'z', _binary 0x41, _utf8 x'41'",
	"SELECT 'a' 'b', 'c'\n'd', 'it''s', '--', '/*', '?'", "SELECT \\N, NULL, TRUE", "SELECT 1 /*! +2 */", "SELECT 1 /*!40101 +2 */", "SELECT 1 /*!50700 +2 */", "SELECT 1 /*!99999 +2 */",
	"SELECT 1 /*!100000 +2 */", "SELECT 1 /*!100119 +2 */", "SELECT 1 /*!101200 +2 */", "SELECT 1 /*!999999 +2 */", "SELECT 1 /*!090100 +2 */", "SELECT 1 /*!090800 +2 */",
	"SELECT 1 /*M! +2 */", "SELECT 1 /*M!100000 +2 */", "SELECT 1 /*M!50700 +2 */", "SELECT 1 /*M!999999 +2 */", "SELECT 1 /*m!50000 +2 */", "SELECT /*!500001+*/2", "SELECT /*!50000 1 /* x */ +2 */",
	"SELECT 1 /*!99999 /* x */ +2 */ +3", "SELECT 1 /* /* */ +2", "SELECT /**/1/***/", "SELECT/*/ */1", "SELECT 1 /*!*/ +2", "SELECT 1 /*!50000*/ +2", "SELECT /*!1+*/2",
	"SELECT 1 IN (1,2,3) OR 1 IN (1) OR ('a') IN ('a', 2)", "SELECT 1<=>1, 1<=1, 1>=1, 1<>1, 1!=1, 1<<1, 1>>1, 1&&1, 1|1, 1&1, 1^1, 1%1, !1, ~1", "SELECT count(*), count(1)",
	"SELECT 1 a$b, 2 $a, 3 `?i`, 4 `a b`", "SELECT x.$a$ FROM (SELECT 1 AS `$a$`) x", "SELECT DATE'2020-01-01', INTERVAL 1 HOUR + '2020-01-01'", "SELECT ''", "SELECT '\\\\'",
}

// TestServersCutTheTrickyAlike: what is known to be misread, in every mode, on every server.
func TestServersCutTheTrickyAlike(t *testing.T) {
	eachServerMode(t, func(t *testing.T, d *digests) {
		for _, text := range tricky {
			if strings.Contains(text, `\N`) && !d.mode.MariaDB {
				continue // MySQL has no \N any more
			}
			if d.mode.Charset == OneByte && strings.Contains(text, "\x7f") {
				continue // refused, see dashComment
			}
			want, ok := d.tokens(t, text)
			if !ok {
				t.Errorf("%q is no statement for the server", text)
				continue
			}
			if got, err := scanTokens(text, d.mode); err != nil || got != want {
				t.Errorf("%q\nserver: %s\nscan:   %s %v", text, want, got, err)
			}
		}
	})
}

var (
	cutOperands = []string{"1", "-1", "1.5", ".5", "1.", "1e5", "1e", "1e+5", "0x1F", "0X1F", "0xZZ", "0x", "0b01", "0b", "0b12", "0x1g", "x'4142'", "X'41'", "x'4'", "x'zz'", "b'01'", "B'1'", "b'2'",
		"'a'", "'a''b'", `'a\'b'`, `"a"`, `"a b"`, `'\\'`, `'\'`, "'a' 'b'", "N'x'", "n'x'", "_utf8'x'", "_latin1'a' 'b'", "_utf8mb4 'x'", "_binary 0x41", "_utf8 x'41'", "_nocharset'x'",
		"a", "a.b", "a.b.c", "a .b", "a. b", "t.1a", "t.1e5", "a.1", "1a", "1ea", "1e5a", "5x", "$a", "a$b", "`a`", "`a b`", "`a`.b", "a.`b`", "@a", "@a.b", "@'x'", "@`x`", `@"x"`,
		"@@version", "@@global.max_connections", "@@session.sql_mode", "@@ version", "count(*)", "count (*)", "f(1,2)", "NULL", `\N`, "TRUE", "(1+a)", "(select 1)", "date'2020-01-01'", "interval 1 hour",
		"-a", "- 1", "--1", "-.5", "+1", "!1", "~1", "not 1", "a.*", "case when 1 then 2 else 3 end", "binary 'a'", "a.select", "x.in", "_a", "_a.b", "N", "x", "b", "n.x", "x.x'41'",
		"1.e5", "1.5e-3", "1..5", "1.a", "a:=1", "@a:=1", "0.5", "00", "0x0", "1_000", ".1e5", ".e5", "`1`", ":a", "$$", "$$x$$", "$a$x$a$", "'$$'",
		"é", "`é`", "@é", "'é'", "\xa0", "\xbf|", "@a\xbf|", "1\xbf|", "0b1\xbf|", "1e\xbf|", "_\xbf|", "t.\xbf|3", "@@version\xbf|2", "\x81\x30\x81\x30",
		"'\xbf\x27'", "'\xbf\x5c'", "'\x81\x30'", "'\x81\x5c'", "'\xa1\x5c'", "'\xb1\x5c'", "'\x81\x30\x81\x5c'", "'\x81\x30\x81\x30\x5c''", `'\` + "\xbf\x5c'", `'\` + "\x81'", "\"\xbf\x5c\""}
	cutOperators = []string{"+", "-", "*", "/", "%", "=", "<=>", "<=", "<", ">", ">=", "!=", "<>", "<<", ">>", "|", "&", "^", " AND ", " OR ", "&&", "||", " LIKE ", " DIV ", " MOD ", ",", " as ", "--", "->", "->>",
		" in (1,2,3) and ", " is null or ", " between 1 and ", "and", "-- ", "--\t", "--\x01", "--\x7f", "#", "!", " xor ", "=-", ">-", "<=-", "*-"}
	cutBlanks = []string{"", "", "", "", " ", " ", "\t", "\n", "\x0b", "\x0c", "\r", "/**/", "/* ' */", "/*' */", "-- '\n", "--\n", "#'\n", "/*!50000 */", "/*! */", "/*!99999 ' */", "/*!50700 1+*/", "/*!100000 1+*/", "/*!999999 1+*/",
		"/*!5000 1+*/", "/*M!100000 1+*/", "/*M! 1+*/", "/*!50701 1+ /* ' */ 2+*/", "/*!50000 1+/* ' */2+*/", "/*!40101 1+*/", "/*!101200 /* a */ 1+*/", "/*!0 1+*/", "/*!500001+*/", "/*!1001191+*/", "/*!100119 1+*/",
		"/*!090100 1+*/", "/*!90100 1+*/", "/*!901001+*/", "/*!", "*/", "/*!40000 ", "/*+ x */", "/*", "/*/ */", "/* /* */", "/*!*/", "/*!50000*/", "/*!99999*/", "/*!/*x*/1+*/", "\xa0", "/*M!50700 1+*/", "/*M! ", "/*m!1+*/"}
)

func cutStatement(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var b strings.Builder
	b.WriteString("SELECT ")
	for i := range 1 + r.IntN(3) {
		if i > 0 {
			b.WriteString(pick(cutBlanks) + pick(cutOperators) + pick(cutBlanks))
		}
		b.WriteString(pick(cutOperands))
	}
	return b.String() + pick(cutBlanks)
}

// TestServersCutAlike: statements thrown together from what is hard to cut.
func TestServersCutAlike(t *testing.T) {
	const n = 1000
	seed := uint64(0)
	eachServerMode(t, func(t *testing.T, d *digests) {
		seed++
		r := rand.New(rand.NewPCG(5, seed))
		alike := 0
		for range n {
			text := cutStatement(r)
			want, ok := d.tokens(t, text)
			if !ok {
				continue // a syntax error tells nothing
			}
			got, err := scanTokens(text, d.mode)
			switch {
			case err == ErrCharset || err == ErrAmbiguous: // refused, not misread
			case err != nil || got != want:
				t.Errorf("%q\nserver: %s\nscan:   %s %v", text, want, got, err)
			default:
				alike++
			}
		}
		if alike < n/5 {
			t.Errorf("only %d of %d statements were ones for the server: this shows little", alike, n)
		}
	})
}

// TestServersReadStringsAlike: the value that Unquote finds in a literal is the server's, and
// QuoteString's literals have for the server the value that they were made of.
func TestServersReadStringsAlike(t *testing.T) {
	pieces := []string{`'`, `''`, `"`, `\`, `\\`, `\'`, `\"`, "a", "n", "0", "Z", "%", "_", "\n", "\x00", "\xbf", "\x5c", "\x81", "\x30", "\xbf\x5c", "\x81\x30\x81\x30", "\xa4\x5c", "\x95\x5c", "ü", "`"}
	eachServerMode(t, func(t *testing.T, d *digests) {
		r := rand.New(rand.NewPCG(6, uint64(d.mode.Charset)))
		var s Scan
		read, written := 0, 0
		for range 600 {
			var value string
			for range r.IntN(6) {
				value += pieces[r.IntN(len(pieces))]
			}
			text := []byte("SELECT HEX('" + value + "')")
			if s.Run(text, d.mode) == nil && len(s.Literals) == 1 && int(s.Literals[0].End) == len(text)-1 {
				if hex, ok := d.hex(t, string(text)); ok {
					read++
					if want := fmt.Sprintf("%X", Unquote(nil, text, s.Literals[0], d.mode)); hex != want {
						t.Errorf("%q is %s for the server, %s for Unquote", text, hex, want)
					}
				}
			}
			text = append(QuoteString([]byte("SELECT HEX("), value, d.mode), ')')
			if hex, ok := d.hex(t, string(text)); ok {
				written++
				if want := fmt.Sprintf("%X", value); hex != want {
					t.Errorf("%q was made of %s and is %s for the server", text, want, hex)
				}
			}
		}
		if read < 100 || written < 100 {
			t.Errorf("only %d strings read and %d written: this shows little", read, written)
		}
	})
}

// hex runs SELECT HEX('…'); ok is false when the server finds that the string is not sound
// in the character set.
func (d *digests) hex(t *testing.T, text string) (string, bool) {
	var hex string
	err := d.conn.QueryRowContext(context.Background(), text).Scan(&hex)
	if err != nil {
		if e, ok := err.(*mysql.MySQLError); !ok || e.Number != 1300 && e.Number != 3854 && e.Number != 1064 {
			t.Fatalf("%q: %v", text, err)
		}
		return "", false
	}
	return hex, true
}
