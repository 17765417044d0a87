package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice/wire"
)

// order says how much of the order of a result's rows is certain.
type order int

const (
	anyOrder order = iota // compared as multisets
	ordered               // ORDER BY makes the order total
	onlySize              // LIMIT without a total order: any rows, as many of them
)

// comparison is how the answers to a statement are compared.
type comparison struct {
	order      order
	fold       bool   // strings of groups: any of those that the collation takes for equal may stand for them
	empty      bool   // there are no rows
	conditions bool   // SHOW WARNINGS and the like: see differWarnings
	names      bool   // SHOW and information_schema: where a server has the rows from, and how long it calls its numbers, is its own affair
	reads      bool   // a SELECT: its warnings come once for each row that was looked at, or each shard that folded a constant
	deprecated bool   // Oracle MySQL warns of the statement's syntax, or does not, as it is parsed once or for each part
	insert     bool   // an INSERT or REPLACE of several rows
	upsert     bool   // INSERT … ON DUPLICATE KEY UPDATE
	outer      bool   // an outer join: whether its columns can be NULL depends on what the optimizer has found out
	uncertain  uint16 // status flags that are not compared
	ignored    bool   // SHOW WARNINGS: of an INSERT IGNORE … SELECT, see ignoring
	ids        bool   // the ids of table p are not compared, see selectIntoP
	quiet      bool   // the warnings of a SELECT are not compared at all: which rows are looked at is the optimizer's choice
}

// comparisonOf gives what the kind of a statement says.
func comparisonOf(sql string, how comparison) comparison {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(sql, "( ")), " ")
	how.names = how.names || word == "show" || word == "desc" || word == "describe" || word == "explain" || strings.Contains(strings.ToLower(sql), "information_schema")
	how.conditions = strings.HasPrefix(strings.ToLower(sql), "show warnings") || strings.HasPrefix(strings.ToLower(sql), "show errors")
	how.outer = how.quiet && strings.Contains(strings.ToLower(sql), " left join ")
	how.reads = word == "select" || word == "with" || word == "table"
	if how.quiet && (word == "update" || word == "delete" || (word == "insert" || word == "replace") && strings.Contains(strings.ToLower(sql), "select ")) {
		how.reads, how.upsert = true, true
	}
	if _, update, ok := strings.Cut(strings.ToLower(sql), "on duplicate key update"); ok {
		// With CLIENT_FOUND_ROWS the part of one row does not tell that it was there before; and
		// Oracle MySQL warns of VALUES().
		how.upsert = true
		how.deprecated = how.deprecated || strings.Contains(update, "values(")
	}
	if word == "savepoint" { // without autocommit it opens a transaction whose flag a server only shows later
		how.uncertain = wire.StatusInTrans
	}
	how.insert = (word == "insert" || word == "replace") && (strings.Contains(sql, "), (") || insertSelect.MatchString(sql))
	return how
}

// statusMask are the status flags that one server and Sluice must agree on.
const statusMask = wire.StatusInTrans | wire.StatusAutocommit | wire.StatusMoreResults | wire.StatusNoBackslashEscapes |
	wire.StatusInTransReadonly | wire.StatusCursorExists | wire.StatusLastRowSent

// differ says what is different between the answers of one server and of Sluice; "" is nothing.
func (how comparison) differ(want, got []result) string {
	for i := range min(len(want), len(got)) {
		if d := how.differOne(&want[i], &got[i]); d != "" {
			return fmt.Sprintf("result %d: %s", i+1, d)
		}
	}
	if len(want) != len(got) {
		return fmt.Sprintf("%d results, want %d", len(got), len(want))
	}
	return ""
}

// noAccess are the errors of naming what is not there or not for this user: which of them it
// is depends on the kind of server, and on what it looks at first.
func noAccess(code uint16) bool { return code == 1044 || code == 1049 || code == 1142 }

// readOnlyFirst tells whether a server found the transaction read only (1792) before it
// looked for the table (1146), whether it may be read and written in one statement (1093), or at
// the constants that are compared with its columns (1292).
func readOnlyFirst(want, got uint16) bool {
	return want == 1792 && (got == 1146 || got == 1093 || got == 1292)
}

func (how comparison) differOne(want, got *result) string {
	switch {
	case want.err != nil && got.err != nil:
		if how.insert && bothOfRows(want.err, got.err) {
			return ""
		}
		if want.err.Code != got.err.Code || want.err.SQLState != got.err.SQLState {
			if noAccess(want.err.Code) && noAccess(got.err.Code) || readOnlyFirst(want.err.Code, got.err.Code) {
				return ""
			}
			return "another error"
		}
		if w, g := how.errorText(want.err), how.errorText(got.err); w != g {
			return fmt.Sprintf("error %q, want %q", g, w)
		}
		return ""
	case want.err != nil && notEvaluated(want.err, got):
		return ""
	case want.err != nil:
		return "no error"
	case got.err != nil:
		return "an error"
	}
	if how.quiet && len(want.rows) == 0 && len(got.rows) == 0 { // MariaDB describes what it knows to be empty otherwise
		how.empty = true
	}
	if d := how.differColumns(want.cols, got.cols); d != "" {
		return d
	}
	w, g := &want.ok, &got.ok
	switch {
	case len(want.rows) != len(got.rows) && !(how.conditions && how.quiet):
		return fmt.Sprintf("%d rows, want %d", len(got.rows), len(want.rows))
	case w.AffectedRows != g.AffectedRows:
		return fmt.Sprintf("%d rows affected, want %d", g.AffectedRows, w.AffectedRows)
	case (w.LastInsertID != 0) != (g.LastInsertID != 0):
		return fmt.Sprintf("insert id %d, want %d", g.LastInsertID, w.LastInsertID)
	case w.Warnings != g.Warnings && !how.deprecated && !(how.reads && (how.quiet || w.Warnings > 0 && g.Warnings > 0)):
		return fmt.Sprintf("%d warnings, want %d", g.Warnings, w.Warnings)
	case (w.Status^g.Status)&statusMask&^how.uncertain != 0:
		return fmt.Sprintf("status %#x, want %#x", g.Status&statusMask, w.Status&statusMask)
	case w.Info != g.Info && !(how.upsert && numbers.ReplaceAllString(w.Info, "") == numbers.ReplaceAllString(g.Info, "")):
		return fmt.Sprintf("info %q, want %q", g.Info, w.Info)
	}
	if how.conditions {
		return how.differWarnings([]result{*want}, []result{*got})
	}
	return how.differRows(want, got)
}

// errorText is the text of an error as it is compared. A syntax error quotes the statement as the
// shard got it; a row's number is that of its part of the statement; a column that only ORDER BY
// names stands among the columns of the shards' SELECTs.
func (how comparison) errorText(e *wire.Error) string {
	const syntax, unknownColumn = 1064, 1054
	text := strings.TrimSuffix(atRow.ReplaceAllString(e.Message, "$1 row …"), ".") // the kinds of servers end it otherwise
	switch e.Code {
	case syntax, 1044, 1142, 1227: // of rights: user@host, and which of several would do
		return ""
	case unknownColumn:
		text = inClause.ReplaceAllString(text, "")
	}
	if how.quiet { // of several rows at fault any may be the first; and as what a value was to be read follows from the plan
		text = incorrect.ReplaceAllString(quoted.ReplaceAllString(text, "'…'"), "incorrect value")
	}
	return text
}

var quoted = regexp.MustCompile(`'.*'`)

var inClause = regexp.MustCompile(` in '[^']*'$`)

// flagMask are the flags that are of the values; the others tell of indexes, and differ with
// the way in which a server found the rows. FlagBinary is of the values in strings only: numbers
// that come out of a server's temporary table have it, or not.
const flagMask = wire.FlagNotNull | wire.FlagUnsigned | wire.FlagZerofill | wire.FlagBlob | wire.FlagEnum | wire.FlagSet |
	wire.FlagAutoIncrement | wire.FlagTimestamp | wire.FlagOnUpdateNow

func maskedFlags(c *wire.Column) uint16 {
	switch c.Type {
	case wire.TypeString, wire.TypeVarString, wire.TypeVarchar, wire.TypeBlob:
		return c.Flags & (flagMask | wire.FlagBinary)
	}
	return c.Flags & flagMask
}

func (how comparison) differColumns(want, got []wire.Column) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d columns, want %d", len(got), len(want))
	}
	for i := range want {
		w, g := want[i], got[i]
		w.Flags, g.Flags = maskedFlags(&w), maskedFlags(&g)
		if how.outer {
			w.Flags &^= wire.FlagNotNull
			g.Flags &^= wire.FlagNotNull
		}
		if w.Table == "" && g.Table == "" {
			w.OrgName, g.OrgName = "", "" // servers name what they have put into a temporary table to sort it
			if how.quiet {                // whether an expression can be NULL depends on what the optimizer has seen before
				w.Flags &^= wire.FlagNotNull
				g.Flags &^= wire.FlagNotNull
				if w.Type == wire.TypeDouble { // nor is it certain how MariaDB prints the length of one
					w.Length, g.Length = 0, 0
				}
				if w.Type == wire.TypeYear { // Oracle MySQL's MIN of one has the flag by one plan and not by another
					w.Flags, g.Flags = w.Flags&^wire.FlagZerofill, g.Flags&^wire.FlagZerofill
				}
			}
		}
		if how.quiet {
			alikeByPlan(&w, &g)
		}
		if isText(w.Type) { // MariaDB says 0, 31 or 39 of strings, as it has them in a temporary table or not
			w.Decimals, g.Decimals = 0, 0
		}
		if how.empty {
			w.Length, g.Length, w.Flags, g.Flags = 0, 0, w.Flags&^wire.FlagZerofill, g.Flags&^wire.FlagZerofill
		}
		if how.names {
			for _, c := range []*wire.Column{&w, &g} {
				if c.Schema, c.Table, c.OrgTable, c.OrgName, c.Decimals = "", "", "", "", 0; c.Type != wire.TypeVarString {
					c.Length = 0
				}
				if c.Type == wire.TypeLong { // of rows that several shards gave
					c.Type = wire.TypeLongLong
				}
				c.Flags &^= wire.FlagBinary // names are compared by bytes in the one's dictionary tables only
			}
		}
		if how.names && w.Flags&wire.FlagEnum != 0 && g.Type == wire.TypeVarString { // so is this
			w.Type, w.Flags, w.Length = g.Type, w.Flags&^wire.FlagEnum, g.Length
		}
		if w != g {
			return fmt.Sprintf("column %d is %+v,\nwant %+v", i+1, g, w)
		}
	}
	return ""
}

func isText(t byte) bool { return t == wire.TypeString || t == wire.TypeVarString }

func (how comparison) differRows(want, got *result) string {
	if how.order == onlySize {
		return ""
	}
	if how.quiet && typesDiffer(want.cols, got.cols) {
		want.raw, got.raw = nil, nil
	}
	w, g := how.lines(want), how.lines(got)
	if how.order == anyOrder {
		slices.Sort(w)
		slices.Sort(g)
	}
	for i := range w {
		if w[i] != g[i] {
			return fmt.Sprintf("row %d is %q, want %q", i+1, g[i], w[i])
		}
	}
	return ""
}

// lines gives the rows as texts to compare: those of the binary protocol as they came.
func (how comparison) lines(r *result) []string {
	loose := how.ids && slices.ContainsFunc(r.cols, func(c wire.Column) bool { return isLooseID(&c) })
	if len(r.raw) > 0 && !how.fold && !loose {
		return slices.Clone(r.raw)
	}
	lines := make([]string, len(r.rows))
	for i, row := range r.rows {
		if loose {
			row = slices.Clone(row)
			for j := range row {
				if isLooseID(&r.cols[j]) {
					row[j] = "…"
				}
			}
		}
		lines[i] = strings.Join(row, "\t")
		if how.fold {
			for j := range row {
				row[j] = folded(row[j])
			}
			lines[i] = strings.Join(row, "\t")
		}
	}
	return lines
}

// folded makes strings alike that the test's collations take for equal.
func folded(s string) string {
	if !utf8.ValidString(s) { // SET NAMES latin1
		var latin1 []rune
		for _, b := range []byte(s) {
			latin1 = append(latin1, rune(b))
		}
		s = string(latin1)
	}
	s = strings.TrimRight(strings.ToLower(s), " ")
	return strings.NewReplacer("é", "e", "è", "e", "ä", "a", "ö", "o", "ü", "u").Replace(s)
}

var numbers = regexp.MustCompile(`\d+`)

var atRow = regexp.MustCompile(`(at|for) row \d+`)

// differWarnings compares the answers to SHOW WARNINGS. The order is that of the shards,
// and a row's number that of its part of the statement.
func (how comparison) differWarnings(want, got []result) string {
	if len(want) != 1 || len(got) != 1 || want[0].err != nil || got[0].err != nil {
		return comparison{}.differ(want, got)
	}
	const kept = 64 // of MariaDB's default max_error_count
	if len(want[0].rows) >= kept && len(got[0].rows) >= kept {
		return ""
	}
	lines := func(r *result) []string {
		all := comparison{}.lines(&result{rows: r.rows})
		for i := range all {
			all[i] = atRow.ReplaceAllString(all[i], "$1 row …")
			if how.quiet { // of several rows at fault any may be the first; and as what a value was to be read follows from the plan
				all[i] = duplicate.ReplaceAllString(incorrect.ReplaceAllString(all[i], "incorrect value"), "Duplicate entry")
			}
		}
		slices.Sort(all)
		switch {
		case how.reads:
			all = slices.Compact(all)
		case how.quiet:
			all = withoutRepeats(all)
		}
		return all
	}
	w, g := lines(&want[0]), lines(&got[0])
	if how.ignored {
		w = unheard(w, g)
	}
	if !slices.Equal(w, g) {
		return fmt.Sprintf("warnings %q, want %q", g, w)
	}
	return ""
}

var (
	duplicate = regexp.MustCompile(`Duplicate entry '.*' for`)
	incorrect = regexp.MustCompile(`incorrect [A-Z]+ value`)
)

// show renders an answer for a report.
func show(results []result) string {
	var b strings.Builder
	for _, r := range results {
		switch {
		case r.err != nil:
			fmt.Fprintf(&b, "    error %d (%s): %s\n", r.err.Code, r.err.SQLState, r.err.Message)
			continue
		case r.cols == nil:
			fmt.Fprintf(&b, "    ok: affected %d, insert id %d, warnings %d, status %#x, info %q\n",
				r.ok.AffectedRows, r.ok.LastInsertID, r.ok.Warnings, r.ok.Status, r.ok.Info)
			continue
		}
		for i, c := range r.cols {
			if i > 0 {
				b.WriteString(" | ")
			} else {
				b.WriteString("    ")
			}
			fmt.Fprintf(&b, "%s (%#x)", c.Name, c.Type)
		}
		b.WriteByte('\n')
		for i, row := range r.rows {
			if i == 6 {
				fmt.Fprintf(&b, "    … %d rows\n", len(r.rows))
				break
			}
			fmt.Fprintf(&b, "    %.300q\n", row)
		}
		fmt.Fprintf(&b, "    end: warnings %d, status %#x\n", r.ok.Warnings, r.ok.Status)
	}
	return b.String()
}

// notEvaluated finds a write that no row qualified for, whose conditions the one server has
// evaluated and found a value in them that it must convert. Whether a server does is decided
// by its plan, with the rows that are there: it may know before that there will be none.
func notEvaluated(want *wire.Error, got *result) bool {
	const truncatedWrongValue = 1292
	return want.Code == truncatedWrongValue && got.cols == nil && got.ok.AffectedRows == 0 && got.ok.Warnings == 0
}
