package session

import (
	"context"
	"errors"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
)

// stands says that CREATE TABLE would shard a table that is there and has no rule: it lives on
// the schema's default shard.
type stands struct{ schema, table string }

func (s *stands) Error() string { return "Table '" + s.table + "' already exists" }

// declare stores the rule of a table that CREATE TABLE shards by its columns, before the table is
// made: no proxy may ever see the table without it.
func (r *running) declare(ctx context.Context, e *entry) error {
	p := e.plan
	r.declared = 0
	if p.Declares == nil {
		return nil
	}
	table := e.stmt.Tables[0]
	if table.Schema == "" {
		table.Schema = r.state.schema
	}
	if sc := r.args.Map.Schema(table.Schema); sc != nil && sc.Rule(p.Declares.Name).Kind == shard.Unsharded && !e.stmt.OrReplace {
		there, err := r.isThere(ctx, table.Schema, p.Declares.Name, "")
		if there {
			err = &stands{table.Schema, p.Declares.Name}
		}
		if err != nil {
			return err
		}
	}
	stamp, added := time.Now().UnixNano(), false
	m, err := r.h.topo.Update(ctx, func(spec *shard.Spec) (err error) {
		added, err = p.Declare(spec, stamp)
		return err
	})
	if isStale(err) {
		if _, err := r.h.topo.Refresh(ctx); err != nil {
			return refuse(1105, "HY000", "the rule of the table could not be read: %v", err)
		}
		return err
	}
	if err != nil {
		return refuse(1105, "HY000", "the rule of the table could not be stored: %v", err)
	}
	if added {
		r.declared = stamp
	}
	r.args.Map = m
	return nil
}

// isThere looks for a table on its schema's default shard, under a condition more.
func (r *running) isThere(ctx context.Context, schema, table, more string) (there bool, err error) {
	err = r.kept.onShard(ctx, r.planner.shardOf(schema), true, func(c *backend.Conn) error {
		_, rows, err := c.Query("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA=" + string(query.QuoteString(nil, schema, r.state.mode)) +
			" AND TABLE_NAME=" + string(query.QuoteString(nil, table, r.state.mode)) + more)
		there = len(rows) > 0
		return err
	})
	return there, err
}

// outdated tells whether CREATE TABLE was refused under a rule that a statement had made, where there is a newer map, which p has then: the
// table may have been dropped at another proxy.
func outdated(ctx context.Context, p *planner, stmt *query.Statement, why error) bool {
	if why == nil || stmt.Kind != query.CreateTable || len(stmt.Tables) == 0 {
		return false
	}
	n := temporaryTables{p}.nameOf(stmt.Tables[0])
	if s := p.args.Map.Schema(n.Schema); s == nil || s.Rule(n.Table).Auto == 0 {
		return false
	}
	m, err := p.h.topo.Refresh(ctx)
	if err != nil || m.Version == p.args.Map.Version {
		return false
	}
	p.args.Map = m
	return true
}

// settleRule takes the rules of dropped tables away, and that of a table which no shard would make.
func (s *settling) settleRule(ctx context.Context, e *entry, err error) {
	stamp := s.declared
	s.declared = 0
	var partly *exec.Partly
	var change func(*shard.Spec) error
	switch {
	case err == nil && router.Undeclares(e.plan):
		change = func(spec *shard.Spec) error { router.Undeclare(e.plan, spec); return nil }
	case stamp != 0 && e.plan.Declares != nil && isServerError(err) && !errors.As(err, &partly):
		change = func(spec *shard.Spec) error { router.Withdraw(e.plan, spec, stamp); return nil }
	default:
		return
	}
	if _, err := s.h.topo.Update(ctx, change); err != nil {
		s.h.log.Warn("the rule of a table that is not there could not be removed", "connection", s.c.ID, "table", e.plan.Table, "error", err)
	}
}

// standing answers CREATE TABLE for a table that is there. Other errors stay.
func (s creating) standing(st *statement, e *entry, err error) error {
	var is *stands
	if !errors.As(err, &is) {
		return err
	}
	return s.existing(st, &router.Creation{Table: is.table, IfNotExists: e.stmt.IfExists}, nil)
}
