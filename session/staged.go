package session

import (
	"context"
	"errors"

	"sluice/query"
	"sluice/router"
)

// What a session adds to an INSERT whose rows are computed before they go to their shards
// (router.InsertSelect).

// isStaged tells whether a statement has to be planned again, so that its rows are computed
// first.
func isStaged(err error) bool { return errors.Is(err, router.ErrStage) }

// staged plans such a statement. What it reads is the text alone: values of a prepared
// one are written into it.
func (p *planner) staged(ctx context.Context, st *statement) (*statement, *entry, error) {
	if st.exec != nil && len(st.exec.Params) > 0 {
		text, err := inline(st, p.state.charset())
		if err != nil {
			return nil, nil, err
		}
		inner := statement{sql: text, scan: new(query.Scan), more: st.more, binary: st.binary, started: st.started}
		if err := inner.scan.Run(text, p.state.mode); err != nil {
			return nil, nil, scanError(err)
		}
		st = &inner
	}
	*p.args = p.argsOf(st)
	e, err := p.makePlan(ctx, st, false, manner{staged: true})
	return st, e, err
}

// unlocked tells whether the isolation level is one at which INSERT … SELECT locks nothing
// of what it reads.
func (r *running) unlocked() bool {
	level := r.kept.tx.given.isolation
	if !r.kept.tx.Open() {
		level = r.kept.tx.next.isolation
	}
	if level == "" {
		level = r.state.vars.plain(r.h.defaults.isolationVar())
	}
	switch level {
	case "READ COMMITTED", "READ-COMMITTED", "READ UNCOMMITTED", "READ-UNCOMMITTED":
		return true
	}
	return false
}
