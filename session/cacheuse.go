package session

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"sluice/cache"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
)

// results is the result cache as the sessions of a proxy use it.
type results struct {
	h     *Handler
	c     *cache.Cache
	queue chan shard.CacheTable // that hints ask for

	mu    sync.Mutex
	facts *facts
}

// uses is what the statements of a plan have to do with the result cache; nil for nothing.
type uses struct {
	read   []cache.Table // may be answered from it
	ttl    time.Duration
	stale  time.Duration
	rule   string
	write  *cache.Write // what it changes; its tables' Keyed holds where the bound statement has keys
	inside bool         // it may commit by itself
}

// run turns the cache on where rules or hints ask for it, until ctx ends.
func (r *results) run(ctx context.Context, cluster *CacheCluster) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var wants []shard.CacheTable
		limit, cancel := context.WithTimeout(ctx, 15*time.Second)
		for more := true; more; {
			select {
			case t := <-r.queue:
				wants = append(wants, t)
			default:
				more = false
			}
		}
		if err := cluster.activate(limit, wants); err != nil && ctx.Err() == nil {
			r.h.log.Warn("the result cache could not be turned on yet", "error", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case t := <-r.queue:
			select {
			case r.queue <- t:
			default:
			}
		}
	}
}

// want asks for a table that a hint names.
func (r *results) want(schema, table string) {
	select {
	case r.queue <- shard.CacheTable{Schema: schema, Table: table}:
	default: // the next statement asks again
	}
}

// usesOf tells what statements of a plan have to do with the cache.
func (r *results) usesOf(ctx context.Context, st *statement, e *entry, hints query.Hints, schema string, m *shard.Map) *uses {
	if m.Spec.CacheState.Secret == "" && hints.Cache == "" {
		return nil
	}
	c := caseOf{r: r, ctx: ctx, stmt: e.stmt, plan: e.plan, scan: st.scan, schema: schema, m: m}
	if changes(e) {
		c.f = r.factsOf(ctx, m, e.catVersion)
		if w := c.writes(); !w.Nothing() {
			return &uses{write: w, inside: mayWrite(e)}
		}
		return nil
	}
	if hints.NoCache || c.unreadable() != "" {
		return nil
	}
	u, _ := c.reads(e.catVersion, hints.Cache)
	return u
}

// changes tells whether a statement may change data.
func changes(e *entry) bool {
	return e.plan.Write && !e.plan.Locking || e.plan.DDL || mayWrite(e) || e.stmt.InnerRuns
}

// caseOf is one statement that is looked at.
type caseOf struct {
	r      *results
	ctx    context.Context
	stmt   *query.Statement
	plan   *router.Plan
	scan   *query.Scan
	schema string
	m      *shard.Map
	f      *facts
}

// unreadable says why the answer depends on more than the tables and what is in the key; "" if it does not.
func (c *caseOf) unreadable() string {
	s, scan := c.stmt, c.scan
	for _, r := range []struct {
		so  bool
		why string
	}{
		{s.Kind != query.Select || s.Into, "it is no SELECT that gives rows"},
		{s.Opaque, "it is not understood"},
		{c.plan.Locking || c.locks(), "it locks rows"},
		{c.plan.Write, "it may write"},
		{len(s.Tables) == 0, "it reads no table"},
		{s.Nondeterministic || s.Clock || s.Sleep || s.NamedLock, "a function in it gives something else each time"},
		{s.UserVarAssign || scan.UserVariable || scan.SystemVariable || len(s.SysVars) > 0, "it has variables"},
		{len(s.Routines) > 0 || len(s.Calls) > 0, "it has stored functions, or ones that ask about the session"},
		{s.CalcFoundRows, "it has SQL_CALC_FOUND_ROWS"},
		{bytes.Contains(bytes.ToLower(scan.Fingerprint), []byte("sql_no_cache")), "it has SQL_NO_CACHE"},
		{scan.ExecutableComment, "it has an executable comment"},
		{c.plan.Momentary(), "its plan holds for the moment only"},
	} {
		if r.so {
			return r.why
		}
	}
	return ""
}

func (c *caseOf) locks() bool {
	for i := range c.stmt.Blocks {
		if c.stmt.Blocks[i].Locking {
			return true
		}
	}
	return false
}

// reads gives the tables when all of them are cached, or says why not.
func (c *caseOf) reads(catVersion int64, hint string) (u *uses, why string) {
	u = &uses{rule: hintRule}
	if hint != "" {
		u.ttl, _ = time.ParseDuration(hint) // it was checked
	}
	for i := range c.stmt.Tables {
		schema, table := c.name(&c.stmt.Tables[i])
		if c.m.Schema(schema) == nil {
			return nil, schema + "." + table + " is no table of a schema of this cluster"
		}
		ttl, stale, rule := cacheRule(c.m, schema, table)
		switch {
		case rule != "":
		case hint == "":
			return nil, "no rule names " + schema + "." + table
		default:
			if t := cacheTable(&c.m.Spec.CacheState, schema, table); t == nil || !t.Ready {
				c.r.want(schema, table)
				return nil, "not all proxies know yet that a hint asks for " + schema + "." + table
			}
		}
		if hint == "" && (u.ttl == 0 || ttl < u.ttl) {
			u.ttl, u.rule = ttl, rule
		}
		if i == 0 || stale < u.stale {
			u.stale = stale
		}
		u.read = append(u.read, cache.Table{Schema: schema, Name: table, Keyed: c.sharded(schema, table)})
	}
	if c.m.Spec.CacheState.Secret == "" {
		return nil, "not all proxies mark their writes yet"
	}
	c.f = c.r.factsOf(c.ctx, c.m, catVersion)
	for _, t := range u.read {
		if !c.r.isPlain(c.ctx, c.f, c.m, t.Schema, t.Name) {
			return nil, t.Schema + "." + t.Name + " is no table of InnoDB, or the definitions could not be read (see the log)"
		}
	}
	return u, ""
}

// hintRule counts what hints ask for.
const hintRule = "hint"

func (c *caseOf) name(t *query.TableRef) (schema, table string) {
	if t.Schema == "" {
		return c.schema, t.Name
	}
	return t.Schema, t.Name
}

func (c *caseOf) sharded(schema, table string) bool {
	sc := c.m.Schema(schema)
	return sc != nil && sc.Rule(table).Kind == shard.Sharded
}

// cacheRule gives the first rule for a table.
func cacheRule(m *shard.Map, schema, table string) (ttl, stale time.Duration, rule string) {
	for _, r := range m.Spec.Cache {
		if r.Schema == schema && (r.Table == table || shard.IsGlob(r.Table) && shard.Match(r.Table, table)) {
			ttl, _ = time.ParseDuration(r.TTL) // they were checked
			stale, _ = time.ParseDuration(r.Stale)
			return ttl, stale, r.Schema + "." + r.Table
		}
	}
	return 0, 0, ""
}

// writes gives what a statement changes: nothing is guessed, what is not known is everything.
func (c *caseOf) writes() *cache.Write {
	s, all := c.stmt, &cache.Write{All: true}
	switch {
	case s.Temporary:
		return &cache.Write{}
	case c.plan.DDL, c.f.unknown, s.InnerRuns, c.scan.ExecutableComment:
		return all
	case s.Opaque:
		return c.opaque()
	case len(s.Routines) > 0 || s.Kind == query.Call || byView(c.plan):
		if c.f.programs {
			return all
		}
		if s.Kind == query.Call || s.Kind == query.Select {
			return &cache.Write{}
		}
	}
	switch s.Kind {
	case query.Insert, query.Replace, query.Update, query.Delete, query.LoadData:
	case query.Select, query.Do, query.Set, query.Values, query.Show, query.Explain, query.LockTables, query.Handler:
		return &cache.Write{}
	default:
		return all
	}
	w, named := &cache.Write{}, false
	for i := range s.Tables {
		if t := &s.Tables[i]; t.Target || s.MultiTable {
			named = true
			if !c.target(w, t) {
				return all
			}
		}
	}
	if !named {
		return all
	}
	return w
}

// target adds a table that is written; false: it may be any other as well.
func (c *caseOf) target(w *cache.Write, ref *query.TableRef) bool {
	schema, table := c.name(ref)
	name := [2]string{schema, table}
	if c.f.views[name] || c.f.triggers[name] {
		return false
	}
	s := c.stmt
	keyed := !s.MultiTable && c.sharded(schema, table)
	if in := s.Insert; in != nil {
		keyed = keyed && s.Kind == query.Insert && !in.FromSelect && !in.OnDuplicate // else rows with other keys may give way
	} else {
		keyed = keyed && (s.Kind == query.Update || s.Kind == query.Delete)
	}
	c.add(w, schema, table, keyed)
	for _, child := range c.f.children[name] {
		if c.f.triggers[child] {
			return false
		}
		c.add(w, child[0], child[1], false)
	}
	return true
}

func (c *caseOf) add(w *cache.Write, schema, table string, keyed bool) {
	_, _, rule := cacheRule(c.m, schema, table)
	if rule == "" && cacheTable(&c.m.Spec.CacheState, schema, table) != nil {
		rule = hintRule
	}
	if rule != "" {
		w.Add(&cache.Write{Tables: []cache.Table{{Schema: schema, Name: table, Keyed: keyed, Rule: rule}}})
	}
}

// opaque gives what a statement that was not understood may change: the tables of the schemas
// that it can mean, if it begins as one that changes rows.
func (c *caseOf) opaque() *cache.Write {
	verb, _, _ := strings.Cut(c.stmt.Verb, " ")
	if c.f.programs || len(c.f.triggers) > 0 || len(c.f.views) > 0 || len(c.f.children) > 0 {
		return &cache.Write{All: verb != "show" && verb != "explain" && verb != "describe" && verb != "desc"}
	}
	switch verb {
	case "select", "with", "values", "table", "show", "explain", "describe", "desc":
		return &cache.Write{}
	case "insert", "update", "delete", "replace", "load":
	default:
		return &cache.Write{All: true}
	}
	if c.stmt.AnyTable {
		return &cache.Write{All: true}
	}
	w := &cache.Write{Schemas: []string{c.schema}}
	for i := range c.stmt.Tables {
		schema, _ := c.name(&c.stmt.Tables[i])
		w.Add(&cache.Write{Schemas: []string{schema}})
	}
	return w
}
