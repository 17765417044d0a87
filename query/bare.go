package query

import "bytes"

// Bare gives a fingerprint with the strings emptied that it keeps because they are more than a
// value (_binary'…', N'…', @'…'): what looks for words in it must not find them there, nor take
// a quote within one for its end.
func Bare(fingerprint []byte, mode Mode) []byte {
	if bytes.IndexByte(fingerprint, '\'') < 0 && bytes.IndexByte(fingerprint, '"') < 0 {
		return fingerprint
	}
	out := make([]byte, 0, min(len(fingerprint), 4096))
	l := newLexer(fingerprint, mode)
	for end := int32(0); ; {
		var t token
		l.next(&t)
		if l.err != nil {
			return fingerprint
		}
		if t.kind == tokEnd {
			return append(out, fingerprint[end:]...)
		}
		out, end = append(out, fingerprint[end:t.start]...), t.end
		text := fingerprint[t.start:t.end]
		quote := bytes.IndexAny(text, `'"`)
		if quote < 0 || t.kind != tokString && t.kind != tokVerbatim && t.kind != tokUserVar {
			out = append(out, text...)
			continue
		}
		out = append(append(out, text[:quote+1]...), text[quote])
	}
}
