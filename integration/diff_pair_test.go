package integration

import (
	"fmt"
	"regexp"
	"strings"

	"sluice/wire"
)

// pair is a session of the same client on both sides.
type pair struct {
	w        *world
	sluice   *peer
	one      *peer
	binary   bool
	lost     bool // the statement before was refused, so that the sides' diagnostics are not alike
	unsure   bool // a statement was refused: whether it has opened a transaction, which one server's would have, is not compared until the sides agree again
	failed   bool // the statement before had an error: what FOUND_ROWS() says then depends on how far a server came
	noID     bool // an INSERT had an error: LAST_INSERT_ID() is undefined then (the MySQL manual, Information Functions), until the next one
	ignored  bool // the last statement but those that ask about it was an INSERT IGNORE … SELECT
	prepared map[string][2]*prepared
}

func (w *world) connect(binary bool, caps uint32) *pair {
	w.t.Helper()
	p := &pair{w: w, binary: binary, prepared: map[string][2]*prepared{}}
	var err error
	if p.sluice, err = dialPeer(w.c.px[0].data, "app", "app", "shop", caps); err != nil {
		w.t.Fatal(err)
	}
	if p.one, err = dialPeer(w.one.Addr, "app", "", "shop", caps); err != nil {
		w.t.Fatal(err)
	}
	p.sluice.charset, p.one.charset = w.charset, w.charset
	return p
}

func (p *pair) close() {
	p.sluice.close()
	p.one.close()
}

// diffStatement is one statement to run on both sides.
type diffStatement struct {
	sql  string
	args []param
	how  comparison
	// textOnly is for what the binary protocol would not show, or not alike.
	textOnly bool
	second   bool // in the second session of the scenario
}

// outcome is what came of a statement.
type outcome struct {
	refused   string // by Sluice, of this kind
	diff      string
	want, got []result
	both      [2]*prepared // what was executed, if it was prepared
}

// userVariable finds statements whose columns have the types that the session's user
// variables have by now; they are certain when it is executed.
var userVariable = regexp.MustCompile(`(^|[^@])@[a-z]`)

// asksBack finds statements that ask about the one before.
var asksBack = regexp.MustCompile(`(?i)\b(row_count|found_rows)\s*\(|^show\s+(warnings|errors|count)|@@(warning|error)_count`)

var (
	lastInsertID = regexp.MustCompile(`(?i)\blast_insert_id\b`)
	insertion    = regexp.MustCompile(`(?i)^(insert|replace)\b`)
)

var foundRows = regexp.MustCompile(`(?i)\bfound_rows\s*\(`)

// run runs a statement on Sluice, and on the one server unless Sluice refused it.
func (p *pair) run(s *diffStatement) (o outcome) {
	if p.lost && asksBack.MatchString(s.sql) || p.failed && foundRows.MatchString(s.sql) || p.noID && lastInsertID.MatchString(s.sql) {
		return o
	}
	var err error
	s.how = comparisonOf(s.sql, s.how)
	s.how.ids, s.how.ignored = p.w.ids, p.ignored
	if !asksBack.MatchString(s.sql) {
		p.ignored = ignoring.MatchString(s.sql)
	}
	if p.unsure {
		s.how.uncertain |= wire.StatusInTrans
	}
	if p.binary && !s.textOnly {
		o, err = p.runBinary(s)
	} else {
		o, err = p.runText(s)
	}
	if err != nil {
		o.diff = err.Error()
	}
	if o.refused != "" {
		p.lost, p.unsure = true, true
		if p.w.refusals[o.refused]++; p.w.refusals[o.refused] == 1 {
			p.w.examples[o.refused] = fmt.Sprintf("%.300s %v", s.sql, s.args)
		}
		if strings.HasPrefix(o.refused, "1105") || strings.Contains(o.refused, "with which the answer would be wrong") {
			o.diff = "an internal error"
		}
		return o
	}
	p.lost = false
	if len(o.want) > 0 && len(o.got) > 0 {
		want, got := &o.want[len(o.want)-1], &o.got[len(o.got)-1]
		p.lost = (want.err == nil) != (got.err == nil) || want.err != nil && want.err.Code != got.err.Code // of several rows' errors either may come first
		p.unsure = p.unsure && (want.err != nil || got.err != nil || (want.ok.Status^got.ok.Status)&wire.StatusInTrans != 0)
	}
	p.failed = len(o.want) > 0 && o.want[len(o.want)-1].err != nil
	if insertion.MatchString(s.sql) {
		p.noID = p.failed || p.noID && o.want[len(o.want)-1].ok.LastInsertID == 0
	}
	p.w.ids = p.w.ids || selectIntoP.MatchString(s.sql)
	p.w.compared++
	if n := len(o.want); n > 0 && len(o.want[n-1].rows) > 0 {
		p.w.withRows++
	}
	if o.diff != "" {
		return o
	}
	if o.diff = s.how.differ(o.want, o.got); o.diff != "" {
		switch {
		case p.stale(s, &o):
			o.diff = ""
			p.w.stale++
		case s.how.asDescribed(o.both, &o):
			o.diff = ""
		case p.withoutIndex(s, &o):
			o.diff = ""
			p.w.indexed++
		case insertSelect.MatchString(s.sql) && looked(o.want, o.got):
			o.diff = ""
		}
		return o
	}
	o.diff = p.warnings(s, &o)
	return o
}

func (p *pair) runText(s *diffStatement) (o outcome, err error) {
	if o.got, err = p.sluice.text(s.sql); err != nil {
		return o, fmt.Errorf("sluice: %w", err)
	}
	if o.refused = refusal(o.got); o.refused != "" {
		return o, nil
	}
	if o.want, err = p.one.text(s.sql); err != nil {
		err = fmt.Errorf("the one server: %w", err)
	}
	return o, err
}

// runBinary prepares a statement once a session and executes it.
func (p *pair) runBinary(s *diffStatement) (o outcome, err error) {
	// Oracle MySQL reads the parameters of a statement as what they were the first time.
	key := s.sql
	for _, a := range s.args {
		key += "\x00" + a.kind
	}
	both, ok := p.prepared[key]
	if !ok {
		if both, o, err = p.prepare(s); err != nil || both[0] == nil && both[1] == nil {
			return o, err
		}
	}
	if both[0] != nil && both[1] != nil {
		p.prepared[key] = both
	}
	o.both = both
	if both[0] != nil {
		if o.got, err = p.sluice.execute(both[0], s.args); err != nil {
			return o, fmt.Errorf("sluice: %w", err)
		}
	}
	if o.refused = refusal(o.got); o.refused != "" {
		return o, nil
	}
	if both[1] != nil {
		if o.want, err = p.one.execute(both[1], s.args); err != nil {
			err = fmt.Errorf("the one server: %w", err)
		}
	}
	return o, err
}

// prepare prepares on both sides. Where only one of them finds a fault now, the other one
// has to find it when it executes. Without statements the outcome is final.
func (p *pair) prepare(s *diffStatement) (both [2]*prepared, o outcome, err error) {
	a, e, err := p.sluice.prepare(s.sql)
	if err != nil {
		return both, o, fmt.Errorf("sluice: prepare: %w", err)
	}
	if e != nil {
		o.got = []result{{err: e}}
		if o.refused = refusal(o.got); o.refused != "" {
			return both, o, nil
		}
	}
	b, other, err := p.one.prepare(s.sql)
	if err != nil {
		return both, o, fmt.Errorf("the one server: prepare: %w", err)
	}
	if other != nil {
		o.want = []result{{err: other}}
	}
	if s.args == nil && (e != nil && e.Code == notPreparable || other != nil && other.Code == notPreparable) {
		return p.asText(s)
	}
	if a != nil && b != nil {
		if a.params != b.params || a.params != len(s.args) {
			return both, o, fmt.Errorf("prepare: %d parameters, want %d", a.params, b.params)
		}
		if d := s.how.differColumns(b.cols, a.cols); d != "" && !s.how.names && !userVariable.MatchString(s.sql) {
			return both, o, fmt.Errorf("prepare: %s", d)
		}
	}
	return [2]*prepared{a, b}, o, nil
}

// stale tells whether the one server answers a SELECT as Sluice does when it is prepared anew: it
// keeps conclusions from the values of earlier executions (MariaDB, of subqueries), and the types that user
// variables had when it was prepared (Oracle MySQL), which Sluice's connections have not seen.
func (p *pair) stale(s *diffStatement, o *outcome) bool {
	if !p.binary || s.textOnly || !s.how.reads || s.args == nil && !userVariable.MatchString(s.sql) {
		return false
	}
	fresh, err := p.again(s)
	return err == nil && s.how.differ(fresh, o.got) == ""
}

// insertSelect finds statements in which Oracle MySQL fails for a number that is compared with text.
var insertSelect = regexp.MustCompile(`(?is)^(insert|replace)\b.*\bselect\b`)

// looked tells whether all that differs is that one side has looked at a row, which is its optimizer's choice, and failed to
// make a number of a text that it is compared with, where the other found nothing to insert (docs/SQL.md, "Known to differ").
func looked(want, got []result) bool {
	if len(want) != 1 || len(got) != 1 {
		return false
	}
	a, b := &want[0], &got[0]
	if a.err == nil {
		a, b = b, a
	}
	return a.err != nil && a.err.Code == 1292 && strings.HasPrefix(strings.TrimPrefix(a.err.Message, "sluice: "), "Truncated incorrect") && b.err == nil && b.ok.AffectedRows == 0
}

// asText runs a statement as text that one of the sides cannot prepare.
func (p *pair) asText(s *diffStatement) (none [2]*prepared, o outcome, err error) {
	o, err = p.runText(s)
	return none, o, err
}

// notPreparable is ER_UNSUPPORTED_PS.
const notPreparable = 1295

// warnings compares what SHOW WARNINGS says when the statement says that there are some.
func (p *pair) warnings(s *diffStatement, o *outcome) string {
	if s.how.deprecated || s.how.reads && s.how.quiet {
		return ""
	}
	if n := len(o.want); n == 0 || o.want[n-1].err == nil && o.want[n-1].ok.Warnings == 0 || o.want[n-1].err != nil {
		return ""
	}
	got, err := p.sluice.text("SHOW WARNINGS")
	if err != nil {
		return "sluice: SHOW WARNINGS: " + err.Error()
	}
	want, err := p.one.text("SHOW WARNINGS")
	if err != nil {
		return "the one server: SHOW WARNINGS: " + err.Error()
	}
	return s.how.differWarnings(want, got)
}
