package admin

import (
	"fmt"
	"slices"
	"strings"
)

// An admin statement is cut into words; a syntax is matched against them word by word:
//
//	ADD SHARD <name> PRIMARY <'host:port'> [REPLICAS <'host:port,…'>]
//
// Capital words stand for themselves in any case, <…> takes any word or quoted string, and
// […] may be missing. An argument is found under the text between < and >, without quotes,
// and a word that was there under itself.

// words cuts a statement. Quoted strings are one word each, without their quotes; a comment
// in /* */ before the statement is skipped, a trailing semicolon is dropped.
func words(text string) ([]string, error) {
	var out []string
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		switch {
		case text == "" || text == ";":
			return out, nil
		case strings.HasPrefix(text, "/*"):
			end := strings.Index(text, "*/")
			if end < 0 {
				return nil, fmt.Errorf("a comment has no end")
			}
			text = text[end+2:]
		case strings.HasPrefix(text, "--") || text[0] == '#':
			end := strings.IndexByte(text, '\n')
			if end < 0 {
				return out, nil
			}
			text = text[end:]
		case text[0] == '\'' || text[0] == '"' || text[0] == '`':
			end := strings.IndexByte(text[1:], text[0])
			if end < 0 {
				return nil, fmt.Errorf("a quoted string has no end")
			}
			out = append(out, text[1:1+end])
			text = text[end+2:]
		case text[0] == ';':
			return nil, fmt.Errorf("one statement at a time: %q follows the first", strings.TrimSpace(text[1:]))
		default:
			end := strings.IndexAny(text, " \t\r\n;'\"`")
			if end < 0 {
				end = len(text)
			}
			out = append(out, text[:end])
			text = text[end:]
		}
		if len(out) > maxWords {
			return nil, fmt.Errorf("more than %d words", maxWords)
		}
	}
}

const maxWords = 1000

// element is one part of a syntax.
type element struct {
	word     string // in capitals; "" for an argument
	arg      string // an argument's name
	optional []element
}

// parseSyntax reads a syntax. Mistakes in the table are found by its test.
func parseSyntax(s string) []element {
	var out []element
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		switch s[0] {
		case '<':
			end := strings.IndexByte(s, '>')
			out = append(out, element{arg: strings.Trim(s[1:end], "'")})
			s = s[end+1:]
		case '[':
			end := strings.IndexByte(s, ']')
			out = append(out, element{optional: parseSyntax(s[1:end])})
			s = s[end+1:]
		default:
			end := strings.IndexByte(s, ' ')
			if end < 0 {
				end = len(s)
			}
			out = append(out, element{word: s[:end]})
			s = s[end:]
		}
	}
	return out
}

// match fits words to a syntax; args holds what the arguments took. Optional parts that stand together may come in any order.
func match(syntax []element, in []string, args map[string]string) bool {
	for i, e := range syntax {
		switch {
		case e.optional != nil:
			rest := syntax[i:]
			for k, part := range rest {
				if part.optional == nil {
					rest = rest[k:]
					break
				}
				if match(slices.Concat(part.optional, rest[:k], rest[k+1:]), in, args) {
					return true
				}
				if k == len(rest)-1 {
					rest = nil
				}
			}
			return match(rest, in, args)
		case len(in) == 0:
			return false
		case e.arg != "":
			args[e.arg] = in[0]
			for strings.HasSuffix(e.arg, ",…") && len(in) > 1 && (strings.HasSuffix(in[0], ",") || strings.HasPrefix(in[1], ",")) {
				in = in[1:] // a list may be written with spaces
				args[e.arg] += in[0]
			}
		case !strings.EqualFold(e.word, in[0]):
			return false
		default:
			args[e.word] = in[0]
		}
		in = in[1:]
	}
	return len(in) == 0
}

// leading counts how many words at the start are the syntax's own: what was probably meant.
func leading(syntax []element, in []string) (n int) {
	for i, e := range syntax {
		if i >= len(in) || e.word == "" || !strings.EqualFold(e.word, in[i]) {
			return n
		}
		n++
	}
	return n
}
