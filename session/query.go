package session

import (
	"bytes"
	"context"
	"errors"
	"time"

	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// statement is one statement on its way: its text and, when it was prepared, its
// parameters.
type statement struct {
	sql     []byte
	exec    *wire.Execute // nil for text
	long    map[int][]byte
	scan    *query.Scan
	more    bool // further statements of the same packet follow
	binary  bool // answer rows in the binary protocol
	started time.Time
}

// queries runs the statements of a COM_QUERY one after the other.
func (s *Session) queries(ctx context.Context, sql []byte, started time.Time) error {
	if err := s.prepareState(ctx); err != nil {
		return s.fail(err)
	}
	for first := true; ; first = false {
		st := statement{sql: sql, scan: &s.scan, started: started}
		rest, err := s.cut(&st)
		if err != nil {
			if !first && codeOf(err) == emptyQuery {
				return s.writeOK(&st, wire.OK{}) // a comment behind the last semicolon
			}
			return s.fail(err)
		}
		st.more = len(rest) > 0
		if st.more && loads(st.scan.Fingerprint) {
			rest = bytes.Clone(rest) // the file comes through the buffer that holds it
		}
		if err := s.query(ctx, &st); err != nil || s.failed || !st.more || s.gone {
			return err
		}
		sql, started = rest, time.Now()
	}
}

// emptyQuery is ER_EMPTY_QUERY.
const emptyQuery = 1065

func codeOf(err error) uint16 {
	var we *wire.Error
	if errors.As(err, &we) {
		return we.Code
	}
	return 0
}

// loads tells whether a statement may ask the client for a file.
func loads(fingerprint []byte) bool {
	return len(fingerprint) >= 4 && bytes.EqualFold(fingerprint[:4], []byte("load"))
}

// query is the life of a statement. An error is the end of the connection; a statement that
// was answered an error sets failed.
func (s *Session) query(ctx context.Context, st *statement) error {
	s.failed, s.diagnosed, s.rows, s.bound.Legs = false, false, 0, s.bound.Legs[:0]
	s.bound.Gathering = nil
	s.preset, s.localFile = false, false
	entry, err := s.plan(ctx, st) // fingerprint → plan cache, or parse and plan
	if err != nil {
		return s.fail(err)
	}
	if s.clearsWarnings(entry.stmt) {
		s.answers.clear()
	}
	switch entry.action {
	case local:
		err = s.local(ctx, st, entry)
	case substitute:
		return s.substituted(ctx, st, entry)
	default:
		err = s.routed(ctx, st, entry)
	}
	if err != nil {
		err = s.fail(err)
	}
	s.observe(st, entry)
	return err
}

// routed runs a statement on its shards. A plan that was made from a table's definition
// which has changed since is made again, once: nothing has been answered then.
func (s *Session) routed(ctx context.Context, st *statement, e *entry) error {
	err := s.run(ctx, st, e)
	if isApart(err) {
		if e, err = s.planApart(ctx, st, e); err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if err == nil || !isStale(err) {
		return err
	}
	s.h.catalog.forget()
	if e, err = s.plan(ctx, st); err != nil || e.action != route {
		return err
	}
	return s.run(ctx, st, e)
}

// isStale tells whether the executor has found another definition than the plan knows.
func isStale(err error) bool {
	const tableDefChanged = 1412 // ER_TABLE_DEF_CHANGED
	var refusal *router.Refusal
	return errors.As(err, &refusal) && refusal.Code == tableDefChanged
}

// run binds a plan to the statement's values, runs it and closes what it opened.
func (s *Session) run(ctx context.Context, st *statement, e *entry) error {
	if err := s.bind(ctx, st, e); err != nil {
		return err
	}
	// cache: a stored result would be looked up here, between binding and running.
	if err := s.beforeRun(ctx, st, e); err != nil {
		return err
	}
	outcome, err := exec.Run(ctx, s.c.Conn, s, s.request(st, e))
	return s.afterRun(ctx, st, e, &outcome, err)
}

// cut scans the first statement of sql and gives the text behind its semicolon.
func (s *Session) cut(st *statement) (rest []byte, err error) {
	if err := st.scan.Run(st.sql, s.mode); err != nil {
		return nil, scanError(err)
	}
	end := int(st.scan.End)
	empty := len(st.scan.Fingerprint) == 0
	if empty && end < len(st.sql) && len(bytes.TrimLeft(st.sql[end:], " \t\n\v\f\r;")) > 0 {
		return nil, syntaxError(st.sql)
	}
	if end < len(st.sql) {
		rest = st.sql[end+1:]
		st.sql = st.sql[:end]
	}
	multi := s.c.Capabilities&wire.ClientMultiStatements != 0
	switch {
	case empty:
		return nil, &wire.Error{Code: emptyQuery, SQLState: "42000", Message: "Query was empty"}
	case len(bytes.TrimLeft(rest, " \t\n\v\f\r;")) == 0, !multi && s.blank(rest):
		return nil, nil
	case !multi:
		return nil, syntaxError(rest)
	}
	return rest, nil
}

// plan gives the entry of the statement: from the cache, or made now.
func (s *Session) plan(ctx context.Context, st *statement) (*entry, error) {
	m := s.h.topo.Map()
	cat := s.h.catalog.snapshot(m.Version, st.started)
	s.args = router.Args{SQL: st.sql, Scan: st.scan, Mode: s.mode, Map: m, Held: -1, Params: s.paramsOf(st)}
	keep := st.scan.Hint.Empty() && len(s.prefix)+len(st.scan.Fingerprint) <= maxKeptKey
	if keep {
		s.key = append(append(s.key[:0], s.prefix...), st.scan.Fingerprint...)
		e := s.h.plans.get(s.key, m.Version, cat.Version)
		if e != nil && (e.text == "" || e.text == string(st.sql)) {
			s.h.metrics.PlanCacheHit()
			return e, nil
		}
	}
	s.h.metrics.PlanCacheMiss()
	return s.makePlan(ctx, st, keep)
}

// makePlan parses and plans a statement, looking up the tables that the plan needs.
func (s *Session) makePlan(ctx context.Context, st *statement, keep bool) (*entry, error) {
	hints, err := query.ParseHints(st.scan.Hint.Of(st.sql))
	if err != nil {
		return nil, refuse(1064, "42000", "%v", err)
	}
	stmt := s.h.analyzer.Analyze(st.sql, st.scan, s.mode)
	e := &entry{stmt: stmt, mapVersion: s.args.Map.Version, label: "local"}
	e.action = actionOf(stmt)
	if e.action == route {
		if e.plan, e.catVersion, err = s.resolve(ctx, st, stmt, hints); err != nil {
			return nil, err
		}
		e.label = e.plan.Strategy.String()
		if err := s.planInsertID(ctx, e); err != nil {
			return nil, err
		}
	} else {
		e.catVersion = s.h.catalog.snapshot(e.mapVersion, st.started).Version
	}
	if e.action != route || stmt.TextBound || e.plan.UsesText() {
		if keep = keep && len(st.sql) <= maxKeptText; keep {
			e.text = string(st.sql)
		}
	}
	e.digest = s.h.digests.Slot(s.schema, st.scan.Fingerprint)
	if keep {
		s.h.plans.put(s.key, e)
	}
	return e, nil
}

// Bounds of a cached plan: the text that it may hold, and its key.
const (
	maxKeptText = 2 << 10
	maxKeptKey  = 16 << 10
)

// resolve plans with tables looked up as they turn out to be needed, then lets a shard
// describe what the plan wants to know of its result.
func (s *Session) resolve(ctx context.Context, st *statement, stmt *query.Statement, hints query.Hints) (*router.Plan, int64, error) {
	in := &router.Input{
		SQL: st.sql, Scan: st.scan, Mode: s.mode, Schema: s.schema, User: s.args.Map.User(s.c.User), Map: s.args.Map, Hints: hints,
		Charset: s.literals, NoAutoValueOnZero: s.zeroIsValue, Apart: s.apart,
	}
	if in.User == nil {
		return nil, 0, refuse(1045, "28000", "the user %s was removed", s.c.User)
	}
	const maxTables = 64 // more tables than a join may have
	for range maxTables {
		in.Catalog = s.h.catalog.snapshot(in.Map.Version, time.Now())
		plan, err := router.New(stmt, in)
		var need *router.NeedTable
		if errors.As(err, &need) {
			if err := s.lookUp(ctx, in.Catalog.Version, need.Schema, need.Table); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err != nil || plan.Probe == "" {
			return plan, in.Catalog.Version, err
		}
		cols, err := s.describe(ctx, plan)
		if err != nil {
			return nil, 0, err
		}
		return plan, in.Catalog.Version, plan.Resolve(cols)
	}
	return nil, 0, refuse(1105, "HY000", "the statement names too many tables, or they change all the time")
}

// bind computes what goes to which shard, with ids of the table's sequence taken first.
func (s *Session) bind(ctx context.Context, st *statement, e *entry) error {
	if legs := s.tx.Legs(); len(legs) > 0 {
		if i, ok := s.args.Map.ShardIndex(legs[0].Shard); ok {
			s.args.Held = i
		}
	}
	s.holdFor(st)
	seq := e.plan.Sequence()
	if seq != "" {
		if n := e.plan.IDs(&s.args); n > 0 {
			first, err := s.h.topo.NextIDs(ctx, seq, n, func(ctx context.Context) (uint64, error) { return s.largestID(ctx, seq) })
			if err != nil {
				return refuse(1105, "HY000", "no ids of sequence %s could be had: %v", seq, err)
			}
			s.args.FirstID = first
		}
	}
	b, err := e.plan.Bind(&s.args, &s.bound)
	if err != nil {
		return err
	}
	if b != &s.bound {
		s.bound = *b
	}
	if s.bound.MaxExplicitID > 0 {
		if err := s.h.topo.RaiseRange(ctx, seq, s.bound.MinExplicitID, s.bound.MaxExplicitID); err != nil {
			return refuse(1105, "HY000", "the sequence %s could not be moved past %d: %v", seq, s.bound.MaxExplicitID, err)
		}
	}
	return s.placePinned(st, e)
}

// request describes the bound statement to the executor.
func (s *Session) request(st *statement, e *entry) *exec.Request {
	s.req = exec.Request{
		Bound: &s.bound, SQL: st.sql, Execute: st.exec, Long: st.long, More: st.more, LocalFile: s.localFile,
		Charset: s.vars.plain("character_set_client"), Status: s.status(), HoldError: s.tx.Open(),
	}
	return &s.req
}
