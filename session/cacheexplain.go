package session

import (
	"context"
	"fmt"
	"strings"

	"sluice/cache"
	"sluice/query"
)

// explain says what the result cache has to do with a statement that EXPLAIN ROUTE has bound.
func (s caching) explain(ctx context.Context, st *statement, e *entry) string {
	if s.h.cache == nil {
		return "not cached: this proxy has no result cache"
	}
	hints, err := query.ParseHints(st.scan.Hint.Of(st.sql))
	if err != nil {
		return "not cached: " + err.Error()
	}
	c := caseOf{r: s.h.cache, ctx: ctx, stmt: e.stmt, plan: e.plan, scan: st.scan, schema: s.state.schema, m: s.args.Map}
	if changes(e) {
		c.f = c.r.factsOf(ctx, c.m, e.catVersion)
		w := c.writes()
		out := s.bound(w)
		return "drops " + dropped(&out)
	}
	why := c.unreadable()
	if hints.NoCache {
		why = "a hint says so"
	}
	var u *uses
	if why == "" {
		u, why = c.reads(e.catVersion, hints.Cache)
	}
	if why == "" {
		if state := c.r.c.Status().State; state != "on" {
			why = "the result cache is " + state + " (SHOW CACHE on the admin port)"
		} else if s.kept.tx.Open() || !s.state.autocommit() {
			why = "a transaction is open"
		} else if len(s.kept.pins.list) > 0 {
			why = "the session has state on a shard's connection"
		}
	}
	if why != "" {
		return "not cached: " + why
	}
	own := *e // the plan's may be all sessions'
	own.uses = u
	q := s.query(st, &own)
	by := "all of its tables' rows"
	if len(q.Keys) > 0 {
		by = fmt.Sprintf("%d shard keys", len(q.Keys))
	}
	return fmt.Sprintf("cached: rule %s, ttl %v, depends on %s", u.rule, u.ttl, by)
}

// dropped lists what a write drops.
func dropped(w *cache.Write) string {
	switch {
	case w.All:
		return "everything"
	case w.Nothing():
		return "nothing that is cached"
	}
	var list []string
	for _, s := range w.Schemas {
		list = append(list, "all tables of "+s)
	}
	for _, t := range w.Tables {
		if t.Keyed {
			list = append(list, fmt.Sprintf("%d shard keys of %s.%s", len(w.Keys), t.Schema, t.Name))
		} else {
			list = append(list, "all of "+t.Schema+"."+t.Name)
		}
	}
	return strings.Join(list, ", ")
}
