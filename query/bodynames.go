package query

import "strings"

// Word is a word or name in the body of a stored program.
type Word struct {
	Text   string // a name without its quotes; "@" for a user variable, "@@" for one of the server, "."
	Called bool   // a parenthesis follows
	Mark   byte   // the first byte of an operator, a comma or a semicolon, which have no Text
}

// Words gives the words, names and texts of a stored program's body, without its comments. (A
// text in double quotes may be a name, by the sql_mode that the program was made with.) ok is false
// where the body cannot be read.
func Words(body []byte, mode Mode) (list []Word, ok bool) {
	l := newLexer(body, mode)
	for {
		var t token
		switch l.next(&t); t.kind {
		case tokEnd:
			return list, l.err == nil
		case tokOpen:
			if n := len(list); n > 0 {
				list[n-1].Called = true
			}
		case tokWord:
			list = append(list, Word{Text: string(body[t.start:t.end])})
		case tokString, tokQuoted:
			if body[t.start] == '\'' { // a name is never quoted so
				list = append(list, Word{})
				continue
			}
			list = append(list, Word{Text: strings.Trim(string(body[t.start:t.end]), "`'\"")})
		case tokUserVar:
			list = append(list, Word{Text: "@"})
		case tokSysVar:
			list = append(list, Word{Text: "@@"})
		case tokDot:
			list = append(list, Word{Text: "."})
		default:
			list = append(list, Word{Mark: body[t.start]})
		}
	}
}
