package session

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// remember keeps what later statements may ask about, while the connections that know are
// still held.
func (s *settling) remember(st *statement, e *entry, out *exec.Outcome, runErr error) {
	r := &out.Response
	if r.Err != nil {
		s.answers.failed(r.Err)
	}
	s.fetchWarnings(out, runErr) // first: it leaves the other answers as they are, they not it
	if runErr != nil || r.Err != nil {
		called{s}.brokenOff(e, out)
		return
	}
	ok, before := r.OK, s.answers.insertID
	switch {
	case r.Columns > 0:
		s.answers.selected(s.found(e, out))
		if s.bound.InsertID != 0 { // INSERT … RETURNING
			s.answers.insertID = s.bound.InsertID
		}
	case s.bound.InsertID != 0:
		ok.LastInsertID = s.bound.InsertID
		s.answers.done(ok)
	default:
		if s.held.preset || ok.LastInsertID != 0 && !s.generated(e) {
			ok.LastInsertID = 0 // the protocol reports a value that the statement gave, LAST_INSERT_ID() does not
		}
		s.answers.done(ok)
	}
	if r.Columns == 0 && e.stmt.Insert != nil && e.stmt.Insert.FromSelect {
		s.answers.read(ok.Info)
	}
	called{s}.keepFound(e, out) // first: to ask for the id is a SELECT
	if s.held.preset {
		asked := s.askNumber(out, "SELECT LAST_INSERT_ID()", s.answers.insertID)
		if s.bound.InsertID == 0 || asked != before { // else the server did not see that an id was generated
			s.answers.insertID = asked
		}
	}
	called{s}.keepSettings(e, out)
	s.keepState(st, e, out)
}

// found gives what FOUND_ROWS() is after rows: servers count those that OFFSET skips, too.
// Only the server knows how many there were when none was left.
func (s *settling) found(e *entry, out *exec.Outcome) uint64 {
	rows := out.Response.Rows
	switch s.bound.Strategy {
	case router.Concatenate, router.MergeSort, router.Aggregate:
		if s.bound.Limit == 0 && s.state.mode.MariaDB { // which reads none, then
			return 0
		}
		return rows + out.Skipped
	}
	ask := e.stmt.CalcFoundRows
	if e.stmt.Kind == query.Select && (e.stmt.Union || e.stmt.Opaque) {
		ask = ask || bytes.Contains(bytes.ToLower(s.args.Scan.Fingerprint), []byte("limit"))
	} else if len(e.stmt.Blocks) > 0 && e.stmt.Blocks[0].Limit.HasOffset && !ask {
		offset, ok := s.number(e.stmt.Blocks[0].Limit.Offset)
		if ok && (offset == 0 || rows > 0) {
			return rows + offset
		}
		ask = true
	}
	if ask {
		return s.askNumber(out, "SELECT FOUND_ROWS()", rows)
	}
	return rows
}

// number gives an integer literal, or parameter, of the statement.
func (s *settling) number(v query.Value) (n uint64, ok bool) {
	lit, ok := s.args.Scan.Value(v.Hole, v.Pos)
	if !ok || v.Kind != query.ValLiteral {
		return 0, false
	}
	text := lit.Of(s.args.SQL)
	if lit.Kind == query.Param {
		if s.args.Params == nil {
			return 0, false
		}
		if text, _, ok = s.args.Params.Key(paramNumber(s.args.Scan, lit)); !ok {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	return n, err == nil
}

// askNumber asks the connection that ran the statement about it, before it is given back.
func (s *settling) askNumber(out *exec.Outcome, sql string, otherwise uint64) uint64 {
	l := s.atHome(out)
	if l == nil || !l.done || !l.ok {
		return otherwise
	}
	_, rows, err := l.conn.Query(sql)
	if err != nil && inOrder(err) {
		_, rows, err = l.conn.Query(sql) // the first took a late KILL QUERY upon itself
	}
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		l.ok = false
		return otherwise
	}
	return parseUint(rows[0][0])
}

// fetchWarnings asks the connections of the statement for its warnings, or errors. An ERR
// packet has no status flags: the answer tells whether the transaction is still open, too.
func (s *settling) fetchWarnings(out *exec.Outcome, runErr error) {
	failed := out.Response.Err != nil || isServerError(runErr)
	warned := runErr == nil && out.Response.OK.Warnings > 0
	if out.Conditions != nil {
		s.answers.clear()
		s.reply.diagnosed = failed
		s.answers.warn(out.Conditions)
		s.answers.count = max(s.answers.count, int(out.Response.OK.Warnings))
	}
	var kept bool
	for i := range s.held.list {
		l := &s.held.list[i]
		asked := out.Conditions == nil && (failed || warned && (out.Home == nil || out.Home == l.conn))
		if !l.done || !l.ok || !asked && l.status != 0 {
			continue
		}
		rows, status, err := conditions(l.conn)
		if err != nil && inOrder(err) {
			rows, status, err = conditions(l.conn) // the first took a late KILL QUERY upon itself
		}
		if err != nil {
			l.ok = false
			continue
		}
		if l.status == 0 {
			l.status = status
		}
		if g := s.bound.Gathering; g != nil {
			for _, r := range rows {
				if len(r) == 3 {
					r[2] = []byte(g.Original(string(r[2])))
				}
			}
		}
		if asked && failed && (kept || !hasError(rows)) {
			continue // one server stops at the first error: it has none of what other shards say
		}
		if asked && len(rows) > 0 {
			if !kept {
				s.answers.clear()
				s.reply.diagnosed = failed
			}
			if !kept || s.bound.Strategy != router.Everywhere { // there each shard has the same ones
				s.answers.warn(rows)
			}
			kept = true
		}
	}
	if warned && kept { // the servers keep the first of them only
		s.answers.count = max(s.answers.count, int(out.Response.OK.Warnings))
	}
}

// hasError finds an error among rows of SHOW WARNINGS.
func hasError(rows [][][]byte) bool {
	for _, r := range rows {
		if len(r) > 0 && string(r[0]) == "Error" {
			return true
		}
	}
	return false
}

// isServerError tells whether an error is a server's, or one of the session's own in its shape.
func isServerError(err error) bool {
	if err == nil {
		return false
	}
	var we *wire.Error
	return errors.As(err, &we)
}

// conditions asks a connection for its warnings and its status.
func conditions(c *backend.Conn) (rows [][][]byte, status uint16, err error) {
	if err := c.Command(wire.ComQuery, []byte("SHOW WARNINGS")); err != nil {
		return nil, 0, err
	}
	if err := c.Flush(); err != nil {
		return nil, 0, err
	}
	if _, err := c.ReadResultHeader(); err != nil {
		return nil, 0, err
	}
	for {
		row, end, err := c.ReadRow()
		switch {
		case err != nil:
			return nil, 0, err
		case end != nil:
			return rows, end.Status, nil
		}
		values, err := wire.SplitTextRow(row, nil)
		if err != nil {
			return nil, 0, err
		}
		for i := range values {
			values[i] = bytes.Clone(values[i])
		}
		if len(rows) <= maxWarnings {
			rows = append(rows, values)
		}
	}
}

// generated tells whether the server generated the id that it reports: a row of the bound
// statement has left it to it.
func (s *settling) generated(e *entry) bool {
	if e.ids != idsByValue {
		return e.ids == idsGenerated
	}
	for _, row := range e.stmt.Insert.Rows {
		v := row[e.autoColumn]
		if v.Kind != query.ValLiteral {
			continue
		}
		count, first := int32(1), v.Pos
		if e.stmt.Insert.Collapsed && v.Hole < len(s.args.Scan.Holes) {
			count, first = s.args.Scan.Holes[v.Hole].Count, 0
		}
		for pos := first; pos < first+int(count); pos++ {
			if s.isZero(v.Hole, pos) {
				return true
			}
		}
	}
	return false
}

// isZero tells whether a value is one for which the server generates an id.
func (s *settling) isZero(hole, pos int) bool {
	lit, ok := s.args.Scan.Value(hole, pos)
	if !ok {
		return false
	}
	text := lit.Of(s.args.SQL)
	if lit.Kind == query.Param && s.args.Params != nil {
		n := paramNumber(s.args.Scan, lit)
		if s.args.Params.Null(n) {
			return true
		}
		text, _, _ = s.args.Params.Key(n)
	}
	digits := strings.Trim(string(text), "'\"+- ")
	return digits != "" && strings.Trim(digits, "0.") == "" && !s.state.zeroIsValue
}

// paramNumber counts the parameters before a literal.
func paramNumber(scan *query.Scan, lit query.Literal) (n int) {
	for _, l := range scan.Literals {
		if l.Start >= lit.Start {
			break
		}
		if l.Kind == query.Param {
			n++
		}
	}
	return n
}
