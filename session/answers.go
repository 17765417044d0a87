package session

import (
	"strconv"
	"strings"

	"sluice/wire"
)

// answers is what the session remembers of its last statements, for the functions and
// SHOW statements that ask about them.
type answers struct {
	insertID uint64 // LAST_INSERT_ID()
	rowCount int64  // ROW_COUNT()
	found    uint64 // FOUND_ROWS()
	unsure   bool   // found is not certain: a program may have selected, or not
	warnings []warning
	count    int // warnings reported, also those beyond what is kept
}

// warning is a row of SHOW WARNINGS.
type warning struct {
	level   string
	code    int
	message string
}

// maxWarnings is the server's own default of max_error_count.
const maxWarnings = 64

// done notes a statement that changed or set something.
func (a *answers) done(ok wire.OK) {
	a.rowCount = int64(ok.AffectedRows)
	if ok.LastInsertID != 0 {
		a.insertID = ok.LastInsertID
	}
}

// errUnsure is the answer to FOUND_ROWS() where it is not known.
func errUnsure() error {
	return notBuilt("FOUND_ROWS() after a program that may have changed it, or not; select it in the program, or count the rows")
}

// selected notes a statement that returned rows.
func (a *answers) selected(rows uint64) {
	a.rowCount = -1
	a.found, a.unsure = rows, false
}

// read notes the rows that the SELECT of an INSERT … SELECT gave, by what its answer says of them.
func (a *answers) read(info string) {
	if records, ok := strings.CutPrefix(info, "Records: "); ok {
		records, _, _ = strings.Cut(records, " ")
		if n, err := strconv.ParseUint(records, 10, 64); err == nil {
			a.found, a.unsure = n, false
		}
	}
}

// failed notes an error.
func (a *answers) failed(e *wire.Error) {
	a.rowCount = -1
	a.warnings = []warning{{"Error", int(e.Code), e.Message}}
	a.count = 1
}

// clear forgets the warnings.
func (a *answers) clear() { a.warnings, a.count = nil, 0 }

// warn adds rows of a server's SHOW WARNINGS.
func (a *answers) warn(rows [][][]byte) {
	for _, r := range rows {
		if len(r) < 3 {
			continue
		}
		a.count++
		if len(a.warnings) < maxWarnings {
			code, _ := strconv.Atoi(string(r[1])) // a server's number; 0 if it were none
			a.warnings = append(a.warnings, warning{string(r[0]), code, string(r[2])})
		}
	}
}

// note adds a note of Sluice's own, with the number of those of EXPLAIN (ER_YES).
func (a *answers) note(text string) {
	a.count++
	if len(a.warnings) < maxWarnings {
		a.warnings = append(a.warnings, warning{"Note", 1003, "sluice: " + text})
	}
}

// errors counts the warnings of level Error.
func (a *answers) errors() (n int) {
	for _, w := range a.warnings {
		if w.level == "Error" {
			n++
		}
	}
	return n
}
