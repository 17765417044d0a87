package session

import (
	"context"
	"slices"
	"strings"

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
func (p *planner) planInsertID(ctx context.Context, e *entry) error {
	in := e.stmt.Insert
	if in == nil {
		return nil
	}
	if e.plan.Sequence() != "" || e.plan.Staged() {
		e.ids = idsGiven
		return nil
	}
	info, err := p.targetInfo(ctx, e.stmt)
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
	case in.OnDuplicate, in.Returning, at >= 0 && in.FromSelect: // rows come without an OK that says an id
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
