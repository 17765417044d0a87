package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sluice/query"
	"sluice/shard"
	"sluice/wire"
)

// insertIDs says how LAST_INSERT_ID() follows from an INSERT. The id in an OK packet is the
// first that the server generated, or else the last that the statement gave itself; the
// function only knows the former (sql_insert.cc, mysql_insert).
type insertIDs uint8

const (
	idsGenerated insertIDs = iota // an id in the OK was generated
	idsGiven                      // it was not: the cluster's sequence gives all ids
	idsByValue                    // it was, when a row gives NULL or 0 for the column
	idsAsked                      // only the connection knows, if it is told the session's first
)

// planInsertID finds out which of them an INSERT is.
func (s *Session) planInsertID(ctx context.Context, e *entry) error {
	in := e.stmt.Insert
	if in == nil {
		return nil
	}
	if e.plan.Sequence() != "" {
		e.ids = idsGiven
		return nil
	}
	info, err := s.targetInfo(ctx, e.stmt)
	if err != nil {
		return err
	}
	if info == nil {
		e.ids = idsAsked
		return nil
	}
	auto := slices.IndexFunc(info.Columns, func(c shard.Column) bool { return c.Flags&wire.FlagAutoIncrement != 0 })
	if auto < 0 {
		return nil
	}
	at := auto
	if in.Columns != nil {
		at = slices.IndexFunc(in.Columns, func(name string) bool { return strings.EqualFold(name, info.Columns[auto].Name) })
	}
	switch {
	case in.OnDuplicate, at >= 0 && in.FromSelect:
		e.ids = idsAsked
	case at >= 0:
		e.ids, e.autoColumn = valuesOf(in, at), at
	}
	return nil
}

// valuesOf looks at what the rows give for a column.
func valuesOf(in *query.InsertInfo, at int) insertIDs {
	ids := idsByValue
	for _, row := range in.Rows {
		switch {
		case at >= len(row):
			return idsGenerated // no row, or one of a wrong length: the server's own affair
		case row[at].Kind == query.ValNull, row[at].Kind == query.ValDefault:
			return idsGenerated // at least one is
		case row[at].Kind == query.ValOther:
			ids = idsAsked
		}
	}
	return ids
}

// targetInfo looks the target of an INSERT up, nil when it is not to be had: the server will
// say why. A temporary table is this session's alone and not looked up.
func (s *Session) targetInfo(ctx context.Context, stmt *query.Statement) (*shard.TableInfo, error) {
	i := slices.IndexFunc(stmt.Tables, func(t query.TableRef) bool { return t.Target })
	if i < 0 || stmt.Opaque || s.hasTemporary() {
		return nil, nil
	}
	schema, table := stmt.Tables[i].Schema, stmt.Tables[i].Name
	if schema == "" {
		schema = s.schema
	}
	for range 3 { // again when the catalog is renewed meanwhile
		cat := s.h.catalog.snapshot(s.args.Map.Version, time.Now())
		if info := cat.Table(schema, table); info != nil {
			return info, nil
		}
		err := s.lookUp(ctx, cat.Version, schema, table)
		var we *wire.Error
		if errors.As(err, &we) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// generated tells whether the server generated the id that it reports: a row of the bound
// statement has left it to it.
func (s *Session) generated(e *entry) bool {
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
func (s *Session) isZero(hole, pos int) bool {
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
	return digits != "" && strings.Trim(digits, "0.") == "" && !s.zeroIsValue
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
