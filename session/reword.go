package session

import (
	"context"
	"errors"

	"sluice/query"
	"sluice/router"
)

// Statements that are asked of several shards in other words: without executable comments,
// and with sql_select_limit as their LIMIT.

// reworded gives the statement with another text.
func (p *planner) reworded(st *statement, text []byte) (*statement, error) {
	inner := *st
	inner.sql, inner.scan = text, new(query.Scan)
	if err := inner.scan.Run(text, p.state.mode); err != nil {
		return nil, scanError(err)
	}
	return &inner, nil
}

// unwrap plans a statement whose text cannot be changed for several shards because of executable
// comments with what the server runs of them. Otherwise the error stands.
func (p *planner) unwrap(ctx context.Context, st *statement, err error) (*statement, *entry, error) {
	const notSupportedYet = 1235
	var why *router.Refusal
	if !st.scan.ExecutableComment || !errors.As(err, &why) || why.Code != notSupportedYet {
		return st, nil, err
	}
	text, ok := query.Unwrap(st.sql, p.state.mode)
	if !ok {
		return st, nil, err
	}
	inner, serr := p.reworded(st, text)
	if serr != nil || inner.scan.ExecutableComment {
		return st, nil, err
	}
	e, err := p.plan(ctx, inner)
	return inner, e, err
}

// noLimit is the value of sql_select_limit that is none.
const noLimit = "18446744073709551615"

// selectLimit gives sql_select_limit where it would cut short what a shard gives of a
// statement's rows, "" otherwise.
func (r *running) selectLimit() string {
	if !severalShards(&r.bound) && r.bound.Gathering == nil {
		return ""
	}
	if limit := r.state.vars.plain("sql_select_limit"); limit != noLimit {
		return limit
	}
	return ""
}

// limited runs a statement over several shards without sql_select_limit there: as the LIMIT
// of a SELECT that has none (it does not mean subqueries, nor SELECTs that give no rows to the client).
func (s *Session) limited(ctx context.Context, st *statement, e *entry, limit string) error {
	text := st.sql
	switch stmt := e.stmt; {
	case stmt.Kind != query.Select && stmt.Kind != query.Values:
	case stmt.Opaque || stmt.Into || len(stmt.Blocks) == 0 || e.plan.Locking || !isDigits(limit) || stmt.Union && limits(stmt):
		return notBuilt("a SELECT over several shards under sql_select_limit; write LIMIT into the statement instead")
	case !stmt.Blocks[0].Limit.Has:
		text = append(append(append([]byte{}, st.sql...), "\nLIMIT "...), limit...)
	}
	vars := s.state.vars
	s.state.vars = vars.with(map[string]string{"sql_select_limit": noLimit}, s.h.intern)
	defer func() { s.state.vars = vars }()
	inner, err := s.planner.reworded(st, text)
	if err != nil {
		return err
	}
	if e, err = s.planner.plan(ctx, inner); err != nil {
		return err
	}
	return s.run(ctx, inner, e)
}

// limits tells whether a part of a statement has a LIMIT, which could be that of a UNION.
func limits(stmt *query.Statement) bool {
	for i := range stmt.Blocks {
		if stmt.Blocks[i].Limit.Has {
			return true
		}
	}
	return false
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
