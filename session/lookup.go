package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// onShard runs f on a connection of a shard, outside of the statement: the session's own
// where it keeps one (it may see temporary tables there, and the pool may be no larger),
// else one of the pool. With raw, f looks at tables for all sessions: the results' columns
// have their own collations, no transaction stays open and no temporary table is in the way.
func (s *Session) onShard(ctx context.Context, name string, raw bool, f func(*backend.Conn) error) error {
	if c := s.own(name); c != nil && !(raw && s.hasTemporary()) {
		if err := s.sync(c, name); err != nil {
			return err
		}
		return s.onOwn(c, name, raw, f)
	}
	vars := s.vars
	if raw {
		vars = vars.with(map[string]string{"character_set_results": "NULL", "autocommit": "1"}, s.h.intern)
	}
	c, err := s.h.pools.Get(ctx, name, s.class, s.schema, vars.backend)
	if err != nil {
		return err
	}
	if err = f(c); inOrder(err) {
		c.Put()
	} else {
		c.Close()
	}
	return err
}

// own gives the connection of a shard that the session keeps, or nil.
func (s *Session) own(name string) *backend.Conn {
	if c := s.tx.Leg(name); c != nil {
		return c
	}
	return s.pinned(name)
}

func (s *Session) onOwn(c *backend.Conn, name string, raw bool, f func(*backend.Conn) error) error {
	set := func(value string) (err error) {
		if raw {
			_, err = c.Exec("SET SESSION character_set_results=" + value)
		}
		return err
	}
	err := set("NULL")
	if err == nil {
		err = f(c)
	}
	if raw && inOrder(err) && s.tx.Leg(name) == nil && !s.autocommit() {
		if _, end := c.Exec("ROLLBACK"); end != nil {
			err = fmt.Errorf("what the look-up opened could not be closed: %v", end)
		}
	}
	if inOrder(err) {
		if back := set(s.vars.values["character_set_results"]); back != nil {
			err = fmt.Errorf("character_set_results could not be set back: %v", back)
		}
	}
	if !inOrder(err) {
		s.lose(&lease{conn: c, shard: name})
		s.txLost()
	}
	return err
}

// inOrder tells whether the connection that gave err is between commands.
func inOrder(err error) bool {
	var we *wire.Error
	var refusal *router.Refusal
	return err == nil || errors.As(err, &we) || errors.As(err, &refusal)
}

// lookUp puts a table's columns into the catalog, looked at under a version of it.
func (s *Session) lookUp(ctx context.Context, version int64, schema, table string) error {
	return s.onAnyShard(ctx, schema, table, func(c *backend.Conn) error {
		info, err := exec.TableInfo(c, schema, table)
		if err == nil {
			s.h.catalog.add(version, schema, table, info, time.Now())
		}
		return err
	})
}

// onAnyShard looks at a table on its schema's default shard, or, when that is down and all
// shards have the table, on another one.
func (s *Session) onAnyShard(ctx context.Context, schema, table string, f func(*backend.Conn) error) error {
	first := s.shardOf(schema)
	err := s.onShard(ctx, first, true, f)
	sc := s.args.Map.Schema(schema)
	if sc == nil || sc.Rule(table).Kind == shard.Unsharded {
		return err
	}
	for i := range s.args.Map.Spec.Shards {
		var down *backend.Unavailable
		if !errors.As(err, &down) {
			break
		}
		if name := s.args.Map.ShardName(i); name != first {
			err = s.onShard(ctx, name, true, f)
		}
	}
	return err
}

// describe lets a shard say what a plan's result will look like.
func (s *Session) describe(ctx context.Context, p *router.Plan) (cols []shard.Column, err error) {
	schema, table, _ := strings.Cut(p.Table, ".")
	err = s.onAnyShard(ctx, schema, table, func(c *backend.Conn) error {
		var err error
		cols, err = exec.Describe(c, p.Probe)
		return err
	})
	return cols, err
}

// shardOf names a shard that has all tables of a schema.
func (s *Session) shardOf(schema string) string {
	if sc := s.args.Map.Schema(schema); sc != nil {
		return sc.DefaultShard
	}
	return s.defaultShard()
}

// largestID gives the largest id that a table with a sequence has, or that its server
// would not give any more, over all shards.
func (s *Session) largestID(ctx context.Context, seq string) (largest uint64, err error) {
	schema, table, _ := strings.Cut(seq, ".")
	column := s.sequenceColumn(schema, table)
	if column == "" {
		return 0, fmt.Errorf("table %s has no AUTO_INCREMENT column", seq)
	}
	m := s.args.Map
	name := string(query.QuoteName(nil, schema)) + "." + string(query.QuoteName(nil, table))
	greatest := "SELECT MAX(" + string(query.QuoteName(nil, column)) + ") FROM " + name
	next := "SELECT /*+ SET_VAR(information_schema_stats_expiry=0) */ AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA=" +
		string(query.QuoteString(nil, schema, s.mode)) + " AND TABLE_NAME=" + string(query.QuoteString(nil, table, s.mode))
	for i := range m.Spec.Shards {
		err := s.onShard(ctx, m.ShardName(i), true, func(c *backend.Conn) error {
			used, err := askUint(c, greatest)
			if err != nil {
				return err
			}
			following, err := askUint(c, next)
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

// askUint reads one number; 0 for NULL, no row and negative ones.
func askUint(c *backend.Conn, sql string) (uint64, error) {
	_, rows, err := c.Query(sql)
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 {
		return 0, err
	}
	return parseUint(rows[0][0]), nil
}

// sequenceColumn names the column that a table's sequence feeds.
func (s *Session) sequenceColumn(schema, table string) string {
	if sc := s.args.Map.Schema(schema); sc != nil {
		if rule := sc.Rule(table); rule.Sequence != "" {
			return rule.Sequence
		}
	}
	cat := s.h.catalog.snapshot(s.args.Map.Version, time.Now())
	if info := cat.Table(schema, table); info != nil {
		for _, c := range info.Columns {
			if c.Flags&wire.FlagAutoIncrement != 0 {
				return c.Name
			}
		}
	}
	return ""
}
