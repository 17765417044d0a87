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
	"sluice/wire"
)

// describe gives the columns of a statement's result as its server names them.
func (pr *preparer) describe(ctx context.Context, p *prepared) ([]wire.Column, error) {
	st := statement{sql: p.sql, scan: &p.scan, exec: unknownParams(p.params), binary: true, started: time.Now()}
	e, err := pr.planner.plan(ctx, &st)
	if err != nil {
		var plain *statement
		if plain, e, err = pr.planner.unwrap(ctx, &st, err); err != nil {
			return nil, err
		}
		st, p.sql, p.scan = *plain, plain.sql, *plain.scan
	}
	p.tables, p.defines = len(e.stmt.Tables) > 0, e.stmt.Opaque || e.plan != nil && e.plan.DDL
	if e.action == local {
		return pr.describeLocal(&st, e.stmt)
	}
	if e.action == substitute {
		inner := st
		if inner.sql, err = pr.values.put(st.sql, e.stmt); err != nil {
			return nil, err
		}
		inner.scan = new(query.Scan)
		if err := inner.scan.Run(inner.sql, pr.state.mode); err != nil {
			return nil, scanError(err)
		}
		if e, err = pr.planner.plan(ctx, &inner); err != nil || e.action != route {
			return nil, err
		}
	}
	if cols, done, err := pr.describeGathering(ctx, e, p); done {
		return cols, err
	}
	first := pr.shardToDescribe(e)
	if pr.state.mode.MariaDB && e.plan.Write && !e.plan.Locking && pr.kept.tx.status()&wire.StatusInTransReadonly != 0 && pr.kept.own(first) == nil {
		// MariaDB refuses already to prepare it; the shard has not been told of the transaction yet.
		return nil, &wire.Error{Code: 1792, SQLState: "25006", Message: "Cannot execute statement in a READ ONLY transaction"}
	}
	cols, err := pr.describeOn(ctx, first, p)
	for i := range pr.args.Map.Spec.Shards {
		var down *backend.Unavailable
		if !errors.As(err, &down) || e.plan.Target == router.ToDefault || e.plan.Target == router.ToNamed {
			break
		}
		if name := pr.args.Map.ShardName(i); name != first {
			cols, err = pr.describeOn(ctx, name, p)
		}
	}
	return cols, err
}

// describeGathering gives the columns of a statement whose tables are on no single shard
// together. done is false when one shard can be asked as for others.
func (pr *preparer) describeGathering(ctx context.Context, e *entry, p *prepared) (cols []wire.Column, done bool, err error) {
	if pr.writesApart(e.stmt) {
		return nil, true, nil
	}
	var b router.Bound
	bound, err := e.plan.Bind(pr.args, &b)
	if err != nil || bound.Gathering == nil || bound.Staging != nil {
		return nil, false, nil
	}
	if at := bound.Gathering.Check; at >= 0 {
		cols, err = pr.describeOn(ctx, pr.args.Map.ShardName(at), p)
		return cols, true, err
	}
	for i := range bound.Gathering.Tables {
		if bound.Gathering.Tables[i].Foreign {
			cols, err := exec.DescribeGather(ctx, describers{pr}, &exec.Request{Bound: bound, SQL: p.sql, Execute: unknownParams(p.params)})
			return cols, true, err
		}
	}
	cols, err = pr.describeOn(ctx, pr.args.Map.ShardName(bound.Legs[0].Shard), p)
	return cols, true, err
}

// writesApart tells whether a statement has no columns, and unsharded tables that are on different shards: no server could prepare it.
func (pr *preparer) writesApart(stmt *query.Statement) bool {
	switch stmt.Kind {
	case query.Insert, query.Replace, query.Update, query.Delete:
	default:
		return false
	}
	home := ""
	for i := range stmt.Tables {
		at := pr.homeOf(&stmt.Tables[i])
		if at != "" && home != "" && at != home {
			return !stmt.Returning
		}
		if at != "" {
			home = at
		}
	}
	return false
}

// homeOf names the shard of an unsharded table, "" for others.
func (pr *preparer) homeOf(t *query.TableRef) string {
	schema := t.Schema
	if schema == "" {
		schema = pr.state.schema
	}
	if s := pr.args.Map.Schema(schema); s != nil && s.Rule(t.Name).Kind == shard.Unsharded {
		return s.DefaultShard
	}
	return ""
}

// describeOn lets one shard describe the statement.
func (pr *preparer) describeOn(ctx context.Context, shard string, p *prepared) (cols []wire.Column, err error) {
	err = pr.kept.onShard(ctx, shard, false, func(c *backend.Conn) error {
		stmt, err := c.Prepare(p.sql)
		if err == nil && stmt.Params != p.params {
			err = notBuilt("the server finds %d parameters where there are %d", stmt.Params, p.params)
		}
		if err == nil {
			cols = stmt.Columns
		}
		return err
	})
	return cols, err
}

// describeLocal gives the columns of a statement that the session answers.
func (pr *preparer) describeLocal(st *statement, stmt *query.Statement) ([]wire.Column, error) {
	switch {
	case stmt.Kind == query.PrepareText, stmt.Kind == query.Use, !pr.state.mode.MariaDB && notPreparedByMySQL(stmt):
		return nil, &wire.Error{Code: 1295, SQLState: "HY000", Message: "This command is not supported in the prepared statement protocol yet"}
	case stmt.Kind == query.Show, stmt.Kind == query.Select:
		cols, _, err := pr.shows.rows(st, stmt)
		return pr.state.inResults(cols), err
	case stmt.Kind == query.ExplainRoute:
		return pr.state.inResults(routeColumns()), nil
	}
	return nil, nil
}

// notPreparedByMySQL lists what MySQL does not prepare and MariaDB does.
func notPreparedByMySQL(stmt *query.Statement) bool {
	return stmt.Kind == query.Begin || stmt.Kind == query.Savepoint || stmt.Kind == query.Select && !asksFoundRows(stmt) || showsConditions(stmt)
}

// shardToDescribe names a shard on which the statement can be prepared before its values
// are known: where there is a choice any will do, because all have the tables.
func (pr *preparer) shardToDescribe(e *entry) string {
	if e.plan.Target == router.ToDefault || e.plan.Target == router.ToNamed {
		var b router.Bound
		if bound, err := e.plan.Bind(pr.args, &b); err == nil && len(bound.Legs) > 0 {
			return pr.args.Map.ShardName(bound.Legs[0].Shard)
		}
	}
	for i := range e.stmt.Tables {
		if home := pr.homeOf(&e.stmt.Tables[i]); home != "" {
			return home
		}
	}
	for i := range e.stmt.Tables {
		if schema := e.stmt.Tables[i].Schema; schema != "" {
			return pr.planner.shardOf(schema)
		}
	}
	return pr.state.defaultShard()
}

// unknownParams stands for parameters that have no value yet.
func unknownParams(n int) *wire.Execute {
	e := &wire.Execute{Params: make([]wire.Param, n)}
	for i := range e.Params {
		e.Params[i].Type = wire.TypeNull
	}
	return e
}

// describers are connections on which a statement is only described: they see nothing of
// the session's transaction and go back when that is done.
type describers struct{ *preparer }

func (d describers) Lease(ctx context.Context, shard int, _ bool) (*backend.Conn, error) {
	if d.kept.pins.locked() {
		return nil, waitsForItself("a statement over tables of several shards cannot be prepared")
	}
	c, err := d.h.pools.GetFor(ctx, wants(d.kept), d.args.Map.ShardName(shard), d.state.class, d.state.schema, d.state.vars.backend)
	if err != nil {
		return nil, err
	}
	if err := d.shared.watch(c); err != nil {
		c.Put()
		return nil, err
	}
	return c, nil
}

func (d describers) Apart(ctx context.Context, shard int) (*backend.Conn, error) {
	return d.Lease(ctx, shard, false)
}

func (d describers) Done(c *backend.Conn, _ uint16, ok bool) {
	if killed := d.shared.leave(c); ok && !killed {
		c.Put()
		return
	}
	c.Close()
}

func (d describers) Interrupted() error { return d.shared.killed() }
