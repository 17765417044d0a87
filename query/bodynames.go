package query

import "strings"

// Word is a word or name in the body of a stored program.
type Word struct {
	Text   string // a name without its quotes; "@" for a user variable, "@@" for one of the server, "."
	Called bool   // a parenthesis follows
	Quoted bool   // it is a name, or a text in double quotes
	Mark   byte   // the first byte of an operator, a comma or a semicolon, which have no Text
	Sets   bool   // the operator is :=
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
			list = append(list, Word{Text: strings.Trim(string(body[t.start:t.end]), "`'\""), Quoted: true})
		case tokUserVar:
			list = append(list, Word{Text: "@"})
		case tokSysVar:
			list = append(list, Word{Text: "@@"})
		case tokDot:
			list = append(list, Word{Text: "."})
		case tokExecOpen, tokExecClose: // what is between them is carried out
		default:
			list = append(list, Word{Mark: body[t.start], Sets: string(body[t.start:t.end]) == ":="})
		}
	}
}

// Native tells whether a word before a parenthesis is a function of the servers' own, or a word of their grammar, and
// can be no stored function.
func (w Word) Native(mode Mode) bool {
	if w.Mark != 0 || w.Text == "" {
		return true
	}
	if w.Quoted {
		return false
	}
	name := strings.ToLower(w.Text)
	if isBuiltin(name, mode) {
		return true
	}
	switch name {
	case "@", "@@", ".", "and", "or", "xor", "not", "in", "on", "using", "as", "any", "all", "some", "over", "by", "within", "from", "join", "into", "straight_join",
		"select", "distinct", "where", "having", "union", "except", "intersect", "minus", "limit", "order", "group", "partition", "range", "rows", "window", "with", "lateral",
		"case", "when", "then", "else", "between", "like", "rlike", "regexp", "is", "div", "mod", "binary", "interval", "collate", "separator", "against", "escape", "of",
		"if", "elseif", "while", "until", "return", "do", "begin", "set", "values", "value", "call", "cursor", "default", "declare", "exists", "for",
		"index", "key", "primary", "unique", "fulltext", "spatial", "foreign", "references", "check", "columns", "path", "generated", "always", "ignore", "force", "use",
		"char", "varchar", "character", "varying", "nchar", "nvarchar", "varchar2", "varbinary", "raw", "clob", "blob", "text", "enum", "bit", "bool", "boolean", "decimal", "dec", "numeric", "number", "fixed",
		"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "float", "double", "precision", "real", "datetime", "time", "timestamp", "year", "signed", "unsigned", "vector":
		return true
	}
	return false
}
