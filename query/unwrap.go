package query

// Unwrap gives a statement in which what the server runs of executable comments (/*! … */)
// is plain text: the same tokens, so the same statement to a server of the mode's version.
// ok is false where the text cannot be read.
func Unwrap(sql []byte, mode Mode) (plain []byte, ok bool) {
	l := newLexer(sql, mode)
	plain = make([]byte, 0, len(sql))
	var t token
	at := 0
	for l.next(&t); t.kind != tokEnd; l.next(&t) {
		if t.kind != tokExecOpen && t.kind != tokExecClose {
			continue
		}
		plain = append(append(plain, sql[at:t.start]...), ' ')
		at = l.pos
	}
	return append(plain, sql[at:]...), l.err == nil
}
