package integration

import (
	"regexp"
	"slices"

	"sluice/internal/testkit"
	"sluice/wire"
)

// What is allowed to differ, each as narrowly as it can be said. docs/SQL.md, "Known to differ from one
// server", names what of it a user can see; TestDiffAllows shows what still fails beside each.

// ofRows are the errors of a row that is inserted, or of the row that it is made of: of several such
// rows, on several shards, any may be the first.
var ofRows = []uint16{1048, 1062, 1242, 1264, 1265, 1292, 1364, 1365, 1366, 1406, 1411, 1441, 1451, 1452, 1690, 3819, 4025}

func bothOfRows(want, got *wire.Error) bool {
	return slices.Contains(ofRows, want.Code) && slices.Contains(ofRows, got.Code)
}

// conversion finds the warnings of values that a condition converts: each shard warns of those that it
// looks at, and of a constant each shard does.
var conversion = regexp.MustCompile(`^Warning\t1292\t`)

// ignoring finds what carries conditions out over copies, where Sluice does not see their warnings.
var ignoring = regexp.MustCompile(`(?is)^insert ignore\b.*\bselect\b`)

// unheard leaves of want's warnings out those of conditions that got has not.
func unheard(want, got []string) []string {
	return slices.DeleteFunc(want, func(line string) bool { return conversion.MatchString(line) && !slices.Contains(got, line) })
}

// withoutRepeats leaves of sorted warnings one of each that a condition gave.
func withoutRepeats(lines []string) []string {
	return slices.CompactFunc(lines, func(a, b string) bool { return a == b && conversion.MatchString(a) })
}

// alikeByPlan makes alike how a server describes the values of an expression, which follows from whether its plan has
// a temporary table for them: a text without bound is one of the BLOB types, a truth value of Oracle
// MySQL an INT or a BIGINT.
func alikeByPlan(w, g *wire.Column) {
	if w.Table != "" || g.Table != "" || w.Length != g.Length || w.Type == g.Type {
		return
	}
	switch {
	case isBlob(w.Type) && isBlob(g.Type) && w.Length == 1<<32-1:
		const plan = wire.FlagBlob | wire.FlagBinary
		g.Type, w.Flags, g.Flags = w.Type, w.Flags&^plan, g.Flags&^plan
		w.Decimals, g.Decimals = 0, 0
	case isTruth(w) && isTruth(g):
		g.Type = w.Type
	}
}

func isBlob(t byte) bool {
	return t == wire.TypeTinyBlob || t == wire.TypeMediumBlob || t == wire.TypeLongBlob || t == wire.TypeBlob
}

func isTruth(c *wire.Column) bool {
	return c.Length == 1 && (c.Type == wire.TypeLong || c.Type == wire.TypeLongLong)
}

// typesDiffer tells whether some column has another type, so that rows of the binary protocol are compared
// as the texts of their values.
func typesDiffer(want, got []wire.Column) bool {
	return !slices.EqualFunc(want, got, func(a, b wire.Column) bool { return a.Type == b.Type })
}

// selectIntoP finds what gives rows of p ids of which the server does not know beforehand how many it needs.
var selectIntoP = regexp.MustCompile(`(?is)^(insert|replace)\b.* into p\b.*\bselect\b`)

// isLooseID tells whether a column is that of such ids.
func isLooseID(c *wire.Column) bool { return c.OrgTable == "p" && c.OrgName == "id" }

// stringTable finds a table whose key is a string, with its alias.
var stringTable = regexp.MustCompile(`\b(FROM|JOIN) [sb]\b( AS [a-z]\b| [a-z]\b)?`)

// withoutIndex tells whether the one server contradicts itself: told not to use the key of its tables with strings as keys,
// it gives other rows. MariaDB compares such a key with a number and a string at once by its index
// as it does not without: rows that are there are not found. Each shard chooses by its own rows.
func (p *pair) withoutIndex(s *diffStatement, o *outcome) bool {
	if p.w.flavor != testkit.MariaDBFlavor || !s.how.reads || !s.how.quiet || len(o.want) != 1 || o.want[0].err != nil || len(o.got) != 1 || o.got[0].err != nil {
		return false
	}
	other := *s
	if other.sql = stringTable.ReplaceAllString(s.sql, "$0 IGNORE INDEX (PRIMARY)"); other.sql == s.sql {
		return false
	}
	again, err := p.again(&other)
	return err == nil && len(again) == 1 && again[0].err == nil && (len(again[0].rows) != len(o.want[0].rows) || s.how.differRows(&o.want[0], &again[0]) != "")
}

// asDescribed tells whether all that differs is the length of texts of expressions, of which the one server has changed
// what it said when it prepared the statement, because SET NAMES came between, and Sluice has not:
// what is prepared keeps its meaning on all connections.
func (how comparison) asDescribed(both [2]*prepared, o *outcome) bool {
	if !how.quiet || both[0] == nil || both[1] == nil || len(o.want) != 1 || len(o.got) != 1 {
		return false
	}
	const utf8mb4 = 4 // bytes of a letter
	want, got := o.want[0], o.got[0]
	if n := len(got.cols); n != len(want.cols) || n != len(both[0].cols) || n != len(both[1].cols) {
		return false
	}
	want.cols = slices.Clone(want.cols)
	for i := range want.cols {
		w, g := &want.cols[i], &got.cols[i]
		said := both[0].cols[i]
		if said.Collation != g.Collation { // of letters of UTF-8 now, of what they are converted to then
			said.Length /= utf8mb4
		}
		if w.Table == "" && (isText(w.Type) || isBlob(w.Type)) && g.Length == said.Length && w.Length != said.Length {
			w.Length = g.Length
		}
	}
	return how.differ([]result{want}, []result{got}) == ""
}

// again asks the one server for what it answers to a statement that it has not prepared before.
func (p *pair) again(s *diffStatement) ([]result, error) {
	if !p.binary || s.textOnly {
		return p.one.text(s.sql)
	}
	fresh, e, err := p.one.prepare(s.sql)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return []result{{err: e}}, nil
	}
	return p.one.execute(fresh, s.args)
}
