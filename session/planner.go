package session

import (
	"bytes"
	"context"
	"errors"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
)

// planner makes plans of texts: it looks into the plan cache, else parses and asks the router,
// having looked up the tables that this needs.
type planner struct {
	*core
	args *router.Args // of the statement planned last

	params params
	key    []byte // scratch: plan-cache key
}

// plan gives the entry of the statement: from the cache, or made now.
func (p *planner) plan(ctx context.Context, st *statement) (*entry, error) {
	*p.args = p.argsOf(st)
	m := p.args.Map
	cat := p.h.catalog.snapshot(m.Version, st.started)
	keep := len(p.state.prefix)+len(st.scan.Fingerprint) <= maxKeptKey
	if keep && !st.scan.Hint.Empty() {
		keep = keptHint(st.scan.Hint.Of(st.sql))
	}
	if keep {
		p.key = append(p.key[:0], p.state.prefix...)
		if !st.scan.Hint.Empty() { // no fingerprint begins with a zero byte
			hint := st.scan.Hint.Of(st.sql)
			p.key = append(append(p.key, 0, byte(len(hint))), hint...)
		}
		p.key = append(p.key, st.scan.Fingerprint...)
		e := p.h.plans.get(p.key, m.Version, cat.Version)
		if e != nil && (e.text == "" || e.text == string(st.sql)) {
			p.h.metrics.PlanCacheHit()
			return e, nil
		}
	}
	p.h.metrics.PlanCacheMiss()
	return p.makePlan(ctx, st, keep, manner{})
}

// keptHint tells whether plans under a hint are kept: of those that a program writes into the text
// of a statement once, not with a value of each.
func keptHint(text []byte) bool { return len(text) <= 64 && !bytes.Contains(text, []byte("key")) }

// argsOf gives what a bind of the statement looks at.
func (p *planner) argsOf(st *statement) router.Args {
	return router.Args{SQL: st.sql, Scan: st.scan, Mode: p.state.mode, Map: p.h.topo.Map(), Held: -1, Params: p.paramsOf(st)}
}

// manner is how a statement is planned that could not be run as it was planned first.
type manner struct {
	apart  bool // a gathering: on a connection outside of the transaction
	sift   bool // MATCH is asked of the shards that have the rows
	homes  bool // information_schema's rows come from several shards
	staged bool // an INSERT: its rows are computed before they go to their shards

	scratch string // copies are tables with FULLTEXT keys, which have this in their names
}

// makePlan parses and plans a statement.
func (p *planner) makePlan(ctx context.Context, st *statement, keep bool, as manner) (*entry, error) {
	p.c.Task.Leave() // a parse takes long, and tables may have to be looked up
	hints, err := query.ParseHints(st.scan.Hint.Of(st.sql))
	if err != nil {
		return nil, refuse(1064, "42000", "%v", err)
	}
	stmt := p.h.analyzer.Analyze(st.sql, st.scan, p.state.mode)
	e := &entry{stmt: stmt, mapVersion: p.args.Map.Version, label: "local"}
	e.action = actionOf(stmt)
	if e.bounds = p.h.limits.For(p.args.Map, p.c.User, p.state.schema, st.scan.Fingerprint); e.bounds != nil {
		p.kept.patience = e.bounds.Wait // of what has to be looked up, too
	}
	if e.action == route {
		e.plan, e.catVersion, err = p.resolve(ctx, st, stmt, hints, as)
		if outdated(ctx, p, stmt, err) {
			e.plan, e.catVersion, err = p.resolve(ctx, st, stmt, hints, as)
		}
		e.mapVersion = p.args.Map.Version
		if err != nil {
			return nil, err
		}
		e.label = e.plan.Strategy.String()
		keep = keep && !e.plan.Momentary()
		if err := p.planInsertID(ctx, e); err != nil {
			return nil, err
		}
		if p.h.cache != nil {
			e.uses = p.h.cache.usesOf(ctx, st, e, hints, p.state.schema, p.args.Map)
			keep = keep && (hints.Cache == "" || e.uses != nil) // the next one asks again for the table
		}
	} else {
		e.catVersion = p.h.catalog.snapshot(e.mapVersion, st.started).Version
	}
	if e.action != route || stmt.TextBound || e.plan.UsesText() {
		if keep = keep && len(st.sql) <= maxKeptText; keep {
			e.text = string(st.sql)
		}
	}
	e.sequences = p.state.mode.MariaDB && namesSequence(st.scan.Fingerprint)
	e.digest = p.h.digests.Slot(p.state.schema, st.scan.Fingerprint)
	if keep {
		p.h.plans.put(p.key, e)
	}
	return e, nil
}

// namesSequence tells whether a text may have NEXTVAL (…), NEXT VALUE FOR, SETVAL (…) or, in Oracle's mode, s.nextval.
func namesSequence(fingerprint []byte) bool {
	text := bytes.ToLower(fingerprint)
	return bytes.Contains(text, []byte("nextval")) || bytes.Contains(text, []byte("setval")) || bytes.Contains(text, []byte("next value"))
}

// Bounds of a cached plan: the text that it may hold, and its key.
const (
	maxKeptText = 2 << 10
	maxKeptKey  = 16 << 10
)

// resolve plans with tables looked up as they turn out to be needed, then lets a shard
// describe what the plan wants to know of its result.
func (p *planner) resolve(ctx context.Context, st *statement, stmt *query.Statement, hints query.Hints, as manner) (*router.Plan, int64, error) {
	in := &router.Input{
		SQL: st.sql, Scan: st.scan, Mode: p.state.mode, Schema: p.state.schema, User: p.args.Map.User(p.c.User), Map: p.args.Map, Hints: hints,
		Charset: p.state.literals, NoAutoValueOnZero: p.state.zeroIsValue, ShortSort: p.state.shortSort, Strict: p.state.vars.hasMode("STRICT_TRANS_TABLES") || p.state.vars.hasMode("STRICT_ALL_TABLES"), Apart: as.apart, Sift: as.sift, Homes: as.homes, Staged: as.staged, Scratch: as.scratch,
	}
	if in.User == nil {
		return nil, 0, removedUser(p.c.User)
	}
	const maxTables = 64            // more tables than a join may have
	const others = 10 * time.Second // how long DDL of others may take away what has been looked up
	began, version := time.Now(), int64(0)
	for rounds := 0; rounds < maxTables; {
		in.Catalog = p.h.catalog.snapshot(in.Map.Version, time.Now())
		if m := p.h.topo.Map(); m.Version > in.Map.Version && p.h.catalog.passed(in.Map.Version) { // what would be looked up by the older one is not the catalog's
			p.args.Map, in.Map, in.User = m, m, m.User(p.c.User)
			if in.User == nil {
				return nil, 0, removedUser(p.c.User)
			}
			continue
		}
		if in.Catalog.Version == version || time.Since(began) > others {
			rounds++
		}
		version = in.Catalog.Version
		plan, err := router.New(stmt, in)
		var sizes *router.NeedSizes
		if errors.As(err, &sizes) {
			if in.Sizes == nil {
				in.Sizes = map[string][]router.Size{}
			}
			if in.Sizes[sizes.Of.Name], err = p.sizes(ctx, sizes.Of); err != nil {
				return nil, 0, err
			}
			continue
		}
		var others *router.NeedRows
		if errors.As(err, &others) {
			if in.Rows == nil {
				in.Rows = map[string][][][]byte{}
			}
			if in.Rows[others.Name], err = (systems{p}).rows(ctx, others); err != nil {
				return nil, 0, err
			}
			continue
		}
		var programs *router.NeedRoutines
		if errors.As(err, &programs) {
			if err = (systems{p}).once(ctx, look{in.Catalog.Version, "programs", programs.Schema, ""}, func() error { return (systems{p}).programs(ctx, in.Catalog.Version, programs.Schema) }); err != nil {
				return nil, 0, err
			}
			continue
		}
		var views *router.NeedViews
		if errors.As(err, &views) {
			if err = (systems{p}).once(ctx, look{in.Catalog.Version, "views", views.Schema, ""}, func() error { return (systems{p}).views(ctx, in.Catalog.Version, views.Schema) }); err != nil {
				return nil, 0, err
			}
			continue
		}
		var triggers *router.NeedTriggers
		if errors.As(err, &triggers) {
			if err = (systems{p}).once(ctx, look{in.Catalog.Version, "triggers", triggers.Schema, ""}, func() error { return (systems{p}).triggers(ctx, in.Catalog.Version, triggers.Schema) }); err != nil {
				return nil, 0, err
			}
			continue
		}
		var need *router.NeedTable
		if errors.As(err, &need) {
			if err = (systems{p}).once(ctx, look{in.Catalog.Version, "table", need.Schema, need.Table}, func() error {
				_, err := p.lookUp(ctx, in.Catalog.Version, need.Schema, need.Table)
				return err
			}); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err != nil && stmt.Opaque {
			return nil, 0, (faults{p}).faulty(ctx, st, stmt, err)
		}
		if stmt.TableForm && p.state.mode.MariaDB {
			if err := (faults{p}).faulty(ctx, st, stmt, nil); err != nil {
				return nil, 0, err
			}
		}
		if err != nil || plan.Probe == "" {
			return plan, in.Catalog.Version, err
		}
		cols, err := p.describe(ctx, plan)
		if codeOf(err) == 1064 { // of the words that were put around the client's
			if own := (faults{p}).faulty(ctx, st, stmt, nil); own != nil {
				err = own
			}
		}
		if err != nil {
			return nil, 0, err
		}
		return plan, in.Catalog.Version, plan.Resolve(cols)
	}
	return nil, 0, refuse(1105, "HY000", "the statement names too many tables, or they change all the time")
}

func removedUser(name string) error { return refuse(1045, "28000", "the user %s was removed", name) }

// once has one session look up what several need. One that keeps connections asks by itself: they may be what another waits for.
func (p systems) once(ctx context.Context, what look, ask func() error) error {
	if c, _ := p.kept.any(); c != nil {
		return ask()
	}
	return p.h.looks.do(ctx, what, p.kept.patience, ask)
}

// faults finds the errors of queries that no shard is asked.
type faults struct{ *planner }

// faulty gives what a server says of a query that Sluice does not understand and refuses, or knows better
// than the server, as far as it is an error of the query itself. Otherwise why stands.
func (p faults) faulty(ctx context.Context, st *statement, stmt *query.Statement, why error) error {
	var refusal *router.Refusal
	if why != nil && (!errors.As(why, &refusal) || refusal.Code != 1235) || stmt.Kind != query.Select && stmt.Kind != query.Values {
		return why
	}
	const syntax, noFunction, notVersioned = 1064, 1305, 4124
	err := p.kept.onShard(ctx, p.state.defaultShard(), false, func(c *backend.Conn) error {
		_, err := c.Prepare(st.sql[:st.scan.End])
		return err
	})
	if code := codeOf(err); code == syntax || code == noFunction || code == notVersioned {
		return err
	}
	return why
}

// apart plans a gathering again, outside of the transaction, which allows no temporary
// tables.
func (p *planner) apart(ctx context.Context, st *statement, e *entry) (*entry, error) {
	if e.stmt.NamedLock {
		return nil, notBuilt("a function of named locks in a SELECT over several shards, in a transaction which is read only or has " +
			"written on several shards; ask for the lock in a statement of its own")
	}
	return p.makePlan(ctx, st, false, manner{apart: true, staged: e.plan.Staged()})
}

// isApart tells whether a statement has to be planned again, outside of the transaction.
func isApart(err error) bool { return errors.Is(err, exec.ErrApart) }

// paramsOf gives the statement's parameters, nil for text.
func (p *planner) paramsOf(st *statement) router.Params {
	if st.exec == nil {
		return nil
	}
	p.params.exec, p.params.long = st.exec, st.long
	return &p.params
}
