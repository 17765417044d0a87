package session

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice/query"
)

// Functions whose answer is the session's and not that of the connection on which the
// statement happens to run are put into its text as values of the same type, and a select
// item without a name of its own keeps the one that it would have had.

// substitutes tells whether a statement has such a function.
func substitutes(stmt *query.Statement) bool {
	switch stmt.Kind {
	case query.Select, query.Insert, query.Replace, query.Update, query.Delete, query.Set, query.Do, query.Call,
		query.Values, query.Explain, query.Kill:
		return slices.ContainsFunc(stmt.Calls, func(c query.FuncCall) bool { return isAnswered(stmt, c) })
	}
	return false
}

// isAnswered leaves LAST_INSERT_ID(expr) to the server: it sets what it gives. So does LAST_INSERT_ID() in a statement with such a
// one, which gives what has been set so far; its connection is told the session's first (held.preset).
func isAnswered(stmt *query.Statement, c query.FuncCall) bool {
	return c.Name != "last_insert_id" ||
		!slices.ContainsFunc(stmt.Calls, func(o query.FuncCall) bool { return o.Name == c.Name && o.Args })
}

// readsInsertID tells whether a statement looks at, or sets, the connection's own idea of
// the last insert id, which then has to be told the session's first.
func readsInsertID(scan *query.Scan, stmt *query.Statement) bool {
	for _, c := range stmt.Calls {
		if c.Name == "last_insert_id" && c.Args {
			return true
		}
	}
	if stmt.Opaque && bytes.Contains(bytes.ToLower(scan.Fingerprint), []byte("last_insert_id")) {
		return true
	}
	return slices.Contains(stmt.SysVars, "last_insert_id") || slices.Contains(stmt.SysVars, "identity")
}

// definedByUser is the default: whoever the connection belongs to.
var definedByUser = regexp.MustCompile(`definer\s*=\s*current_user(\s*\(\s*\))?`)

// unanswered finds a function of the session in a statement that was not understood, where
// the connection's own answer would be another client's. LAST_INSERT_ID() is none of them:
// the connection is told the session's first.
func unanswered(fingerprint []byte) string {
	text := definedByUser.ReplaceAll(bytes.ToLower(fingerprint), nil)
	for _, name := range []string{"connection_id(", "found_rows(", "row_count(", "current_user", "session_user(", "system_user(", " user("} {
		if bytes.Contains(text, []byte(name)) {
			return strings.ToUpper(strings.Trim(name, " ("))
		}
	}
	return ""
}

// values are what such functions give.
type values struct {
	*core
	holders map[string]string // what calls of IS_USED_LOCK() give, by their texts
}

// substituted answers a statement with its functions' values put in.
func (s *Session) substituted(ctx context.Context, st *statement, e *entry) error {
	if err := s.values.findHolders(ctx, st, e.stmt); err != nil {
		return s.reply.fail(err)
	}
	text, err := s.values.put(st.sql, e.stmt)
	if err != nil {
		return s.reply.fail(err)
	}
	inner := *st
	inner.sql, inner.scan = text, new(query.Scan)
	if err := inner.scan.Run(text, s.state.mode); err != nil {
		return s.reply.fail(scanError(err))
	}
	return s.query(ctx, &inner)
}

// put gives the text with the session's answers in place of the calls.
func (v *values) put(sql []byte, stmt *query.Statement) ([]byte, error) {
	var edits []query.Edit
	for _, c := range stmt.Calls {
		switch {
		case c.Name == isUsedLock:
			text := v.holders[string(c.Span.Of(sql))]
			if text == "" { // it is only described
				text = "CAST(1 AS UNSIGNED)"
			}
			edits = append(edits, query.Edit{Span: c.Span, Text: text})
		case c.Name == "found_rows" && v.answers.unsure:
			return nil, errUnsure()
		case isAnswered(stmt, c):
			edits = append(edits, query.Edit{Span: c.Span, Text: v.value(c.Name, stmt.Kind)})
		}
	}
	out, err := query.Apply(nil, sql, named(stmt, edits))
	if err != nil {
		return nil, notBuilt("the functions of this statement could not be answered: %v", err)
	}
	return out, nil
}

// value gives a function's value as SQL of its type: the functions are BIGINT whatever
// their value, which a bit operation is, and a literal is not.
func (v *values) value(name string, kind query.Kind) string {
	switch name {
	case "last_insert_id":
		return "(" + strconv.FormatUint(v.answers.insertID, 10) + "|0)"
	case "connection_id":
		if v.state.mode.MariaDB || kind == query.Kill {
			return strconv.FormatUint(uint64(v.c.ID), 10)
		}
		return "(" + strconv.FormatUint(uint64(v.c.ID), 10) + "|0)"
	case "found_rows":
		return "CAST((" + strconv.FormatUint(v.answers.found, 10) + "|0) AS SIGNED)"
	case "row_count":
		if v.answers.rowCount < 0 {
			return "CAST(~0 AS SIGNED)" // -1, without a note that the cast has wrapped
		}
		return "CAST((" + strconv.FormatInt(v.answers.rowCount, 10) + "|0) AS SIGNED)"
	case "@@warning_count":
		return conditionCount(v.answers.count)
	case "@@error_count":
		return conditionCount(v.answers.errors())
	case "current_user":
		return v.account(v.c.User + "@%")
	default: // user, session_user, system_user
		return v.account(v.c.User + "@" + v.c.Remote.Addr().Unmap().String())
	}
}

// conditionCount gives a number of conditions, which by its type may be NULL.
func conditionCount(n int) string { return "IF(1,(" + strconv.Itoa(n) + "|0),NULL)" }

// account gives an account name with the character set and the coercibility of the servers'
// own names, those of VERSION(); to name utf8mb3 would be a warning on MySQL.
func (v *values) account(account string) string {
	return "CONCAT(LEFT(VERSION(),0)," + string(query.QuoteString(nil, account, v.state.mode)) + ")"
}

// named adds aliases for select items that edits would rename.
func named(stmt *query.Statement, edits []query.Edit) []query.Edit {
	changed := edits
	for i := range stmt.Blocks {
		for j := range stmt.Blocks[i].Items {
			item := &stmt.Blocks[i].Items[j]
			if item.Alias != "" || item.Star || item.Span.Empty() || item.Label == "" {
				continue
			}
			if slices.ContainsFunc(changed, func(e query.Edit) bool { return e.Span.Start >= item.Span.Start && e.Span.End <= item.Span.End }) {
				at := query.Span{Start: item.Span.End, End: item.Span.End}
				edits = append(edits, query.Edit{Span: at, Text: " AS " + string(query.QuoteName(nil, item.Label))})
			}
		}
	}
	return edits
}
