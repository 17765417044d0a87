package mover

import (
	"bytes"
	stdjson "encoding/json"
	"math"
	"strconv"
	"strings"
)

// Oracle's JSON has numbers that are DECIMAL, where an application has put such a value in.
// Their text is read as a DOUBLE, which is another number if it has more digits, and another
// text if its last ones are zeros. So these are put into the document one by one, as the
// DECIMALs that they are. What else text does not say (that a string was a date, say) is
// lost, as with mysqldump; it reads the same.

// appendJSON appends a document as an expression.
func appendJSON(dst, doc []byte) []byte {
	exact := decimals(doc)
	if len(exact) == 0 {
		return appendText(dst, doc)
	}
	dst = append(appendText(append(dst, "JSON_SET(CAST("...), doc), " AS JSON)"...)
	for _, d := range exact {
		dst = append(appendText(append(dst, ','), []byte(d.path)), ',')
		dst = append(dst, d.literal...)
	}
	return append(dst, ')')
}

// appendText appends a string of utf8mb4, in ASCII: Oracle MySQL fails every SELECT from
// the process list while a statement's text is not utf8mb3.
func appendText(dst, s []byte) []byte {
	dst = append(dst, "_utf8mb4 "...)
	if ascii(s) {
		return appendQuoted(dst, s)
	}
	return appendHex(dst, s)
}

// inDocument is a number and where it is.
type inDocument struct{ path, literal string }

// decimals gives the numbers of a document that can only be DECIMALs.
func decimals(doc []byte) (list []inDocument) {
	if !hasDecimal(doc) {
		return nil
	}
	// What the server has printed is a document; where it were none, the statement says so.
	d := stdjson.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	type level struct {
		object bool
		key    string // of an object's next value; "" before its key
		named  bool
		n      int // of an array's next value
	}
	var at []level
	path := func() string {
		var b strings.Builder
		b.WriteByte('$')
		for _, l := range at {
			if !l.object {
				b.WriteString("[" + strconv.Itoa(l.n) + "]")
				continue
			}
			var name bytes.Buffer
			e := stdjson.NewEncoder(&name)
			e.SetEscapeHTML(false)
			_ = e.Encode(l.key) // a string, into memory
			b.WriteString("." + strings.TrimSuffix(name.String(), "\n"))
		}
		return b.String()
	}
	for {
		token, err := d.Token()
		if err != nil {
			return list
		}
		top := len(at) - 1
		if s, ok := token.(string); ok && top >= 0 && at[top].object && !at[top].named {
			at[top].key, at[top].named = s, true
			continue
		}
		switch v := token.(type) {
		case stdjson.Delim:
			if v == '{' || v == '[' {
				at = append(at, level{object: v == '{'})
				continue
			}
			at = at[:top]
			top--
		case stdjson.Number:
			if isDecimal([]byte(v)) {
				list = append(list, inDocument{path(), v.String()})
			}
		}
		if top >= 0 {
			at[top].named = false
			at[top].n++
		}
	}
}

// hasDecimal looks for such a number without taking the document apart.
func hasDecimal(doc []byte) bool {
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			for i++; i < len(doc) && doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case c == '-' || c >= '0' && c <= '9':
			from := i
			for i+1 < len(doc) && isNumber(doc[i+1]) {
				i++
			}
			if isDecimal(doc[from : i+1]) {
				return true
			}
		}
	}
	return false
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// isDecimal tells whether a number's text is one that the server prints of no integer and of
// no DOUBLE: of these it prints as few digits as make the number, with an exponent above
// 1e15 and below 1e-14, and ".0" behind a whole one (my_gcvt in strings/dtoa.cc).
func isDecimal(number []byte) bool {
	text := string(number)
	switch {
	case strings.ContainsAny(text, "eE"):
		return false
	case !strings.Contains(text, "."):
		_, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			_, err = strconv.ParseUint(text, 10, 64)
		}
		return err != nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return true
	}
	short := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(short, ".") {
		short += ".0"
	}
	size := math.Abs(f)
	return short != text || size >= 1e15 || size < 1e-14 && size > 0
}
