package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// lookUp asks a shard for a table's columns, and puts them into the catalog where that is still of a version.
func (p *planner) lookUp(ctx context.Context, version int64, schema, table string) (info *shard.TableInfo, err error) {
	err = p.onAnyShard(ctx, schema, table, func(c *backend.Conn) (err error) {
		info, err = exec.TableInfo(c, schema, table)
		return err
	})
	if err != nil {
		return nil, temporaryTables{p}.missing(ctx, schema, table, err)
	}
	if !p.h.catalog.passed(p.args.Map.Version) {
		p.h.catalog.add(version, schema, table, info, time.Now())
	}
	return info, nil
}

// info gives what is known of a table, and asks where that is nothing: what the statement was planned with may have been
// forgotten since, for another table's sake.
func (p *planner) info(ctx context.Context, schema, table string) (*shard.TableInfo, error) {
	cat := p.h.catalog.snapshot(p.args.Map.Version, time.Now())
	if info := cat.Table(schema, table); info != nil {
		return info, nil
	}
	return p.lookUp(ctx, cat.Version, schema, table)
}

// onAnyShard looks at a table on its schema's default shard, or, when that is down and all
// shards have the table, on another one.
func (p *planner) onAnyShard(ctx context.Context, schema, table string, f func(*backend.Conn) error) error {
	first := p.shardOf(schema)
	err := p.kept.onShard(ctx, first, true, f)
	sc := p.args.Map.Schema(schema)
	if sc == nil || sc.Rule(table).Kind == shard.Unsharded {
		return err
	}
	for i := range p.args.Map.Spec.Shards {
		var down *backend.Unavailable
		if !errors.As(err, &down) {
			break
		}
		if name := p.args.Map.ShardName(i); name != first {
			err = p.kept.onShard(ctx, name, true, f)
		}
	}
	return err
}

// describe lets a shard say what a plan's result will look like.
func (p *planner) describe(ctx context.Context, plan *router.Plan) (cols []shard.Column, err error) {
	schema, table, _ := strings.Cut(plan.Table, ".")
	err = p.onAnyShard(ctx, schema, table, func(c *backend.Conn) error {
		var err error
		cols, err = exec.Describe(c, plan.Probe)
		return err
	})
	return cols, err
}

// shardOf names a shard that has all tables of a schema.
func (p *planner) shardOf(schema string) string {
	if sc := p.args.Map.Schema(schema); sc != nil {
		return sc.DefaultShard
	}
	return p.state.defaultShard()
}

// errNoIDs is the error of largestID for a table that needs no sequence.
var errNoIDs = errors.New("has no AUTO_INCREMENT column")

// largestID gives the largest id that a table with a sequence has, or that its server
// would not give any more, over all shards.
func (p *planner) largestID(ctx context.Context, seq string) (largest uint64, err error) {
	schema, table, _ := strings.Cut(seq, ".")
	column, err := p.sequenceColumn(ctx, schema, table)
	if err == nil && column == "" {
		err = fmt.Errorf("table %s %w", seq, errNoIDs)
	}
	if err != nil {
		return 0, err
	}
	m := p.args.Map
	name := string(query.QuoteName(nil, schema)) + "." + string(query.QuoteName(nil, table))
	greatest := "SELECT MAX(" + string(query.QuoteName(nil, column)) + ") FROM " + name
	for i := range m.Spec.Shards {
		err := p.kept.onShard(ctx, m.ShardName(i), true, func(c *backend.Conn) error {
			used, err := askUint(c, greatest)
			if err != nil {
				return err
			}
			following, err := nextID(p, c, router.TableName{Schema: schema, Table: table})
			if following > 0 {
				following--
			}
			largest = max(largest, used, following)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("shard %s: %w", m.ShardName(i), err)
		}
	}
	return largest, nil
}

// nextID gives the id that a table's server would give next, 0 where it does not say. Oracle MySQL's information_schema tells one of a day ago.
func nextID(p *planner, c *backend.Conn, t router.TableName) (uint64, error) {
	if p.state.mode.MariaDB {
		return askUint(c, "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA="+
			string(query.QuoteString(nil, t.Schema, p.state.mode))+" AND TABLE_NAME="+string(query.QuoteString(nil, t.Table, p.state.mode)))
	}
	_, rows, err := c.Query("SHOW CREATE TABLE " + quoted(t))
	if err != nil || len(rows) != 1 || len(rows[0]) < 2 {
		return 0, err
	}
	found := tableNumber.FindSubmatch(rows[0][1])
	if found == nil {
		return 0, nil
	}
	return parseUint(found[1]), nil
}

// tableNumber finds the option behind a table's definition.
var tableNumber = regexp.MustCompile("\n\\)[^\n]* ENGINE=[A-Za-z]+ AUTO_INCREMENT=([0-9]+)")

// askUint reads one number; 0 for NULL, no row and negative ones.
func askUint(c *backend.Conn, sql string) (uint64, error) {
	_, rows, err := c.Query(sql)
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 {
		return 0, err
	}
	return parseUint(rows[0][0]), nil
}

// sequenceColumn names the column that a table's sequence feeds, "" where there is none.
func (p *planner) sequenceColumn(ctx context.Context, schema, table string) (string, error) {
	if sc := p.args.Map.Schema(schema); sc != nil {
		if rule := sc.Rule(table); rule.Sequence != "" {
			return rule.Sequence, nil
		}
	}
	info, err := p.info(ctx, schema, table)
	if err != nil {
		return "", err
	}
	for _, c := range info.Columns {
		if c.Flags&wire.FlagAutoIncrement != 0 {
			return c.Name, nil
		}
	}
	return "", nil
}

// targetInfo looks the target of an INSERT up, nil when it is not to be had: the server will
// say why. A temporary table is this session's alone and not looked up.
func (p *planner) targetInfo(ctx context.Context, stmt *query.Statement) (*shard.TableInfo, error) {
	i := slices.IndexFunc(stmt.Tables, func(t query.TableRef) bool { return t.Target })
	if i < 0 || stmt.Opaque {
		return nil, nil
	}
	schema, table := stmt.Tables[i].Schema, stmt.Tables[i].Name
	if schema == "" {
		schema = p.state.schema
	}
	if p.kept.pins.temporary() && !p.spread(schema, table) {
		return nil, nil
	}
	info, err := p.info(ctx, schema, table)
	var we *wire.Error
	if errors.As(err, &we) {
		return nil, nil
	}
	return info, err
}

// spread tells whether a table is on several shards: no temporary table may have its name.
func (p *planner) spread(schema, table string) bool {
	s := p.args.Map.Schema(schema)
	return s != nil && s.Rule(table).Kind != shard.Unsharded
}
