package router

import (
	"errors"
	"slices"
	"strings"

	"sluice/query"
)

// gather plans a SELECT that the parser does not know, such as one with JSON_TABLE or
// an aggregate's own ORDER BY: the tables that its tokens name in FROM are copied whole. It
// gives done = false, and the reason stands, where another name could be a table, too.
func (p opaque) gather() (done bool, err error) {
	st := p.stmt
	if len(st.Mentions) == 0 || st.Into && !st.UserVarAssign || p.words.has("update") && !mentionsLock(st) || p.in.Hints.Shard != "" {
		return false, nil
	}
	known := *st
	known.Tables = st.Mentions
	known.Blocks = nil
	for _, r := range st.Tables {
		if p.isSharded(&r) && !slices.ContainsFunc(st.Mentions, func(m query.TableRef) bool {
			return m.Name == r.Name && (r.Schema == "" || r.Schema == m.Schema || m.Schema == "")
		}) {
			return false, nil
		}
	}
	inner := &planner{in: p.in, stmt: &known, plan: p.plan, words: p.words}
	if err := inner.classify(); err != nil {
		return false, nil
	}
	sharded, _, unsharded, system := inner.count()
	if system > 0 || sharded == 0 && unsharded == 0 {
		return false, nil
	}
	inner.plan.Table = inner.decider()
	inner.plan.usesText = true
	inner.plan.sharded = inner.plan.sharded || sharded > 0
	inner.plan.Target = ToAll
	if called, err := p.calls(inner); !called || err != nil {
		return err != nil, err
	}
	located, err := p.locate(inner)
	if err == nil && st.MentionPast && sharded > 0 {
		inner.plan.oneOnly = notOverShards("FOR SYSTEM_TIME of "+inner.plan.Table, oneKey)
		if !located {
			return true, inner.plan.oneOnly
		}
		return true, nil
	}
	if err == nil {
		err = reader{inner}.gather(!located, nil)
	}
	var why *Refusal
	if errors.As(err, &why) {
		return false, nil
	}
	return true, err
}

// calls sees that what may be stored functions are such, which can run where the copies are.
func (p opaque) calls(inner *planner) (ok bool, err error) {
	inner.stmt.Routines = p.stmt.MentionCalls
	stored, err := programs{inner}.functions(p.in.Apart)
	if err != nil || !stored && len(p.stmt.MentionCalls) > 0 {
		return false, err
	}
	for _, name := range p.stmt.MentionCalls {
		if _, known := p.in.Catalog.Program(p.in.Schema).Routines[name]; !known {
			return false, nil
		}
	}
	u := inner.first((*table).unsharded)
	return !stored || u == nil || u.home == inner.currentHome(), nil
}

// locate gives the plan the key of a statement that has one table, with a value for it: its rows are
// on one shard, where the statement can run as it is.
func (p opaque) locate(inner *planner) (bool, error) {
	t := &inner.tables[0]
	if len(p.stmt.MentionKeys) == 0 || len(inner.tables) != 1 || !t.sharded() || inner.plan.atHome || p.in.Scan.UserVariable || p.in.Map.HasMoves() {
		return false, nil
	}
	if err := inner.loadTable(t); err != nil {
		return false, err
	}
	for _, k := range p.stmt.MentionKeys {
		if strings.EqualFold(k.Column, t.rule.ShardKey) {
			inner.plan.Target, inner.plan.keys = ToKey, []keyUse{{typ: t.typ, table: t.name(), values: []query.Value{k.Value}}}
			return true, nil
		}
	}
	return false, nil
}

// isSharded tells whether a name that could be a table is that of a sharded one.
func (p opaque) isSharded(r *query.TableRef) bool {
	name := r.Schema
	if name == "" {
		name = p.in.Schema
	}
	s := p.in.Map.Schema(name)
	if s == nil || isSystemSchema(name) {
		return false
	}
	rule := s.Rule(r.Name)
	return (&table{rule: rule}).sharded()
}
