package session

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/query"
	"sluice/wire"
)

// prepareText carries out PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE. The statements are the
// session's own: EXECUTE writes the values of its user variables into the text and runs
// that as any other, so it may go to another shard than the variables are on.
func (s *Session) prepareText(ctx context.Context, st *statement, stmt *query.Statement) error {
	name := strings.ToLower(stmt.PrepareName)
	switch {
	case stmt.PrepareOp == "prepare":
		return s.preparer.prepareNamed(ctx, st, stmt, name)
	case stmt.PrepareOp == "deallocate":
		if s.handles.named[name] == nil {
			return unknownHandler(stmt.PrepareName, "DEALLOCATE PREPARE")
		}
		delete(s.handles.named, name)
		return s.reply.ok(st, wire.OK{})
	}
	p := s.handles.named[name]
	if stmt.PrepareOp == "execute immediate" {
		text, err := s.preparer.textOf(ctx, stmt)
		if err != nil {
			return err
		}
		if p, err = s.preparer.prepare(ctx, text); err != nil {
			return err
		}
	}
	if p == nil {
		return unknownHandler(stmt.PrepareName, "EXECUTE")
	}
	if len(stmt.PrepareUsing) != p.params {
		return &wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to EXECUTE"}
	}
	if err := s.preparer.rescan(p); err != nil {
		return err
	}
	defer s.state.asPrepared(p)()
	text, err := s.preparer.executeText(ctx, p, stmt.PrepareUsing)
	if err != nil {
		return err
	}
	inner := statement{sql: text, scan: new(query.Scan), more: st.more, started: st.started}
	if err := inner.scan.Run(text, s.state.mode); err != nil {
		return scanError(err)
	}
	return s.query(ctx, &inner)
}

func unknownHandler(name, command string) error {
	return &wire.Error{Code: 1243, SQLState: "HY000", Message: fmt.Sprintf("Unknown prepared statement handler (%s) given to %s", name, command)}
}

// prepareNamed carries out PREPARE name FROM. As on a server an older statement of the name
// is gone even when the new one is refused.
func (pr *preparer) prepareNamed(ctx context.Context, st *statement, stmt *query.Statement, name string) error {
	delete(pr.handles.named, name)
	if len(pr.handles.named) >= maxPrepared {
		return tooManyPrepared()
	}
	text, err := pr.textOf(ctx, stmt)
	if err != nil {
		return err
	}
	p, err := pr.prepare(ctx, text)
	if err != nil {
		return err
	}
	if pr.handles.named == nil {
		pr.handles.named = map[string]*prepared{}
	}
	pr.handles.named[name] = p
	if p.tables {
		pr.answers.clear()
	}
	return pr.reply.ok(st, wire.OK{Info: "Statement prepared"})
}

// textOf gives the text of PREPARE and EXECUTE IMMEDIATE: that of a literal or of a user variable.
func (pr *preparer) textOf(ctx context.Context, stmt *query.Statement) ([]byte, error) {
	if stmt.PrepareFromVar == "" {
		return []byte(stmt.PrepareSQL), nil
	}
	values, err := pr.userVariables(ctx, []string{stmt.PrepareFromVar})
	if err == nil && values[0].text == nil {
		err = pr.state.syntaxError([]byte("NULL"))
	}
	return values[0].text, err
}

// executeText gives a statement's text with the values of user variables for its "?". A
// select item that had a "?" in it keeps its name.
func (pr *preparer) executeText(ctx context.Context, p *prepared, using []string) ([]byte, error) {
	if len(using) == 0 {
		return p.sql, nil
	}
	values, err := pr.userVariables(ctx, using)
	if err != nil {
		return nil, err
	}
	stmt := pr.h.analyzer.Analyze(p.sql, &p.scan, pr.state.mode)
	var edits []query.Edit
	for _, lit := range p.scan.Literals {
		if lit.Kind != query.Param || len(edits) == len(values) {
			continue
		}
		text := values[len(edits)].literal
		if !pr.state.mode.MariaDB && isInteger(text) && orders(p.sql, stmt, lit.Span) {
			text = "(" + text + "+0)"
		}
		edits = append(edits, query.Edit{Span: lit.Span, Text: text})
	}
	return query.Apply(nil, p.sql, named(stmt, edits))
}

// orders tells whether a "?" is an element of ORDER BY or GROUP BY. MySQL takes its value for
// a constant there, and the same integer in the text for the position of a select item. For
// MariaDB both are the position.
func orders(sql []byte, stmt *query.Statement, param query.Span) bool {
	before := bytes.ToLower(bytes.TrimRight(sql[:param.Start], " \t\r\n("))
	if bytes.HasSuffix(before, []byte("by")) { // within a function or OVER, too
		return true
	}
	within := func(o query.OrderItem) bool {
		return o.Literal != nil && o.Span.Start <= param.Start && param.End <= o.Span.End
	}
	return slices.ContainsFunc(stmt.Blocks, func(b query.Block) bool {
		return slices.ContainsFunc(b.OrderBy, within) || slices.ContainsFunc(b.GroupBy, within)
	})
}

// isInteger tells whether a literal, with its sign, is one of digits only.
func isInteger(literal string) bool {
	digits := strings.Trim(literal, "(-)")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// userValue is a user variable's value: as text (nil is NULL) and as a literal.
type userValue struct {
	text    []byte
	literal string
}

// userVariables reads user variables from the connection that has them. Without one none
// was ever set.
func (pr *preparer) userVariables(ctx context.Context, names []string) ([]userValue, error) {
	values := make([]userValue, len(names))
	home := pr.kept.pins.home()
	if home == nil {
		for i := range values {
			values[i].literal = "NULL"
		}
		return values, nil
	}
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = "@" + string(query.QuoteName(nil, strings.TrimPrefix(name, "@")))
	}
	charset := pr.state.charset()
	err := pr.held.onHome(ctx, home.reason, func(c *backend.Conn) error {
		cols, rows, err := c.Query("SELECT " + strings.Join(list, ", ") + " LIMIT 1")
		if err != nil {
			return err
		}
		if len(rows) != 1 || len(rows[0]) != len(names) || len(cols) != len(names) {
			return fmt.Errorf("unexpected answer to a look at user variables")
		}
		for i := range values {
			values[i].text = rows[0][i]
			if values[i].literal, err = userLiteral(&cols[i], rows[0][i], charset); err != nil {
				return err
			}
		}
		return nil
	})
	return values, err
}

// userLiteral writes a user variable's value so that its type stays: a float has an
// exponent, a negative number parentheses.
func userLiteral(col *wire.Column, value []byte, charset string) (string, error) {
	if value == nil {
		return "NULL", nil
	}
	text := string(value)
	switch col.Type {
	case wire.TypeFloat, wire.TypeDouble:
		if !strings.ContainsAny(text, "eE") {
			text += "e0"
		}
	case wire.TypeTiny, wire.TypeShort, wire.TypeInt24, wire.TypeLong, wire.TypeLongLong, wire.TypeDecimal, wire.TypeNewDecimal:
	default:
		if col.Collation == wire.CollationBinary {
			charset = "binary"
		}
		b, err := wire.AppendStringLiteral(nil, value, charset)
		return string(b), err
	}
	if strings.HasPrefix(text, "-") {
		text = "(" + text + ")"
	}
	return text, nil
}
