package query

import "slices"

// UserVariables gives the user variables that a statement names, as its text writes them
// (@name, @'name'), each spelling once.
func UserVariables(sql []byte, mode Mode) (names []string) {
	l := newLexer(sql, mode)
	for {
		var t token
		if l.next(&t); t.kind == tokEnd {
			return names
		}
		if t.kind != tokUserVar {
			continue
		}
		if name := string(sql[t.start:t.end]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
}
