package session

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/shard"
	"sluice/wire"
)

// eachRow stands before the body of a trigger.
var eachRow = regexp.MustCompile(`(?i)\bFOR\s+EACH\s+ROW\b`)

// programs puts a schema's stored programs, and the names of its tables, into the catalog.
func (p systems) programs(ctx context.Context, version int64, schema string) error {
	all := &shard.Programs{Routines: map[string]shard.Routine{}, Tables: map[string]shard.Name{}}
	of := string(query.QuoteString(nil, schema, p.state.mode))
	err := p.onHome(ctx, schema, func(c *backend.Conn) error {
		_, rows, err := c.Query("SELECT ROUTINE_NAME, ROUTINE_DEFINITION, SQL_MODE, ROUTINE_TYPE, SECURITY_TYPE = 'DEFINER' AND DEFINER <> CURRENT_USER() FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = " + of)
		if err != nil {
			return err
		}
		for _, r := range rows {
			name := strings.ToLower(string(r[0]))
			_, twice := all.Routines[name] // a function and a procedure
			body, seen := string(r[1]), r[1] != nil
			if seen && !twice && !p.state.mode.MariaDB {
				if body, seen, err = p.written(c, schema, string(r[0]), string(r[3]), body); err != nil {
					return err
				}
			}
			all.Routines[name] = shard.Routine{Body: body, Mode: string(r[2]), Unseen: twice || !seen, Definer: string(r[4]) == "1"}
		}
		_, rows, err = c.Query("SELECT SPECIFIC_NAME, PARAMETER_NAME FROM information_schema.PARAMETERS WHERE PARAMETER_NAME IS NOT NULL AND SPECIFIC_SCHEMA = " + of)
		if err != nil {
			return err
		}
		for _, r := range rows {
			name := strings.ToLower(string(r[0]))
			routine := all.Routines[name]
			routine.Parameters = append(routine.Parameters, string(r[1]))
			all.Routines[name] = routine
		}
		_, rows, err = c.Query("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + of)
		for _, r := range rows {
			all.Tables[strings.ToLower(string(r[0]))] = shard.Name{Name: string(r[0]), View: string(r[1]) == "VIEW"}
		}
		return err
	})
	if err == nil {
		p.h.catalog.addPrograms(version, schema, all, time.Now())
	}
	return err
}

// written gives the body of a stored program as it was written: in the ROUTINE_DEFINITION of MySQL the
// texts have lost their escapes, so that their ends cannot be found.
func (p systems) written(c *backend.Conn, schema, name, kind, body string) (text string, ok bool, err error) {
	first := strings.IndexAny(body, `'"_`)
	if !strings.ContainsAny(body, `'"`) || first < 0 {
		return body, true, nil
	}
	_, rows, err := c.Query("SHOW CREATE " + kind + " " + string(query.QuoteName(nil, schema)) + "." + string(query.QuoteName(nil, name)))
	var gone *wire.Error
	if errors.As(err, &gone) { // dropped meanwhile, or not for the proxies' account
		return "", false, nil
	}
	if err != nil || len(rows) != 1 || len(rows[0]) < 3 {
		return "", false, err
	}
	create := string(rows[0][2])
	if kind == "TRIGGER" {
		at := eachRow.FindStringIndex(create)
		if at == nil {
			return "", false, nil
		}
		return create[at[1]:], true, nil
	}
	at := strings.Index(create, "\n"+body[:first]) // the body begins a line; those above are indented
	if at < 0 || first == 0 {
		return "", false, nil
	}
	return create[at+1:], true, nil
}

// views puts the definitions of a schema's views into the catalog.
func (p systems) views(ctx context.Context, version int64, schema string) error {
	all := map[string]string{}
	err := p.onHome(ctx, schema, func(c *backend.Conn) error {
		_, rows, err := c.Query("SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = " + string(query.QuoteString(nil, schema, p.state.mode)))
		for _, r := range rows {
			all[strings.ToLower(string(r[0]))] = string(r[1])
		}
		return err
	})
	if err == nil {
		p.h.catalog.addViews(version, schema, all, time.Now())
	}
	return err
}

// triggers puts the triggers of a schema's tables into the catalog: those of the default shard. Where tables
// that several shards have are among them, it looks whether the others have the same.
func (p systems) triggers(ctx context.Context, version int64, schema string) error {
	home, err := p.triggersOn(ctx, p.shardOf(schema), schema)
	for i := range p.args.Map.Spec.Shards {
		var down *backend.Unavailable
		if !errors.As(err, &down) || !p.hasSpread(schema) {
			break
		}
		home, err = p.triggersOn(ctx, p.args.Map.ShardName(i), schema)
	}
	if err != nil {
		return err
	}
	all, spread := map[string][]shard.Trigger{}, false
	for _, t := range home {
		spread = spread || p.spread(schema, t.table)
	}
	var others [][]tableTrigger
	for i := range p.args.Map.Spec.Shards {
		if name := p.args.Map.ShardName(i); spread && name != p.shardOf(schema) {
			list, err := p.triggersOn(ctx, name, schema)
			var down *backend.Unavailable
			if errors.As(err, &down) { // no row is written there
				continue
			}
			if err != nil {
				return err
			}
			others = append(others, list)
		}
	}
	for _, t := range home {
		if p.spread(schema, t.table) {
			for _, list := range others {
				t.Uneven = t.Uneven || !slices.ContainsFunc(list, t.same)
			}
		}
		all[strings.ToLower(t.table)] = append(all[strings.ToLower(t.table)], t.Trigger)
	}
	p.h.catalog.addTriggers(version, schema, all, time.Now())
	return nil
}

// hasSpread tells whether a schema has tables that several shards have.
func (p systems) hasSpread(schema string) bool {
	s := p.args.Map.Schema(schema)
	return s != nil && (len(s.AutoShardKey) > 0 || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind != shard.Unsharded }))
}

// tableTrigger is a trigger of a table.
type tableTrigger struct {
	shard.Trigger
	table string
}

func (t tableTrigger) same(o tableTrigger) bool {
	return t.table == o.table && t.Name == o.Name && t.Event == o.Event && t.Before == o.Before && t.Body == o.Body && t.Mode == o.Mode
}

// triggersOn reads the triggers of a schema's tables on a shard, but for those of a migration.
func (p systems) triggersOn(ctx context.Context, name, schema string) (list []tableTrigger, err error) {
	err = p.on(ctx, name, func(c *backend.Conn) error {
		list = nil
		_, rows, err := c.Query("SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_TIMING, ACTION_STATEMENT, SQL_MODE, DEFINER <> CURRENT_USER() " +
			"FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + string(query.QuoteString(nil, schema, p.state.mode)))
		if err != nil {
			return err
		}
		for _, r := range rows {
			t := tableTrigger{table: string(r[0]), Trigger: shard.Trigger{Name: string(r[1]), Event: string(r[2]), Before: string(r[3]) == "BEFORE",
				Routine: shard.Routine{Body: string(r[4]), Mode: string(r[5]), Unseen: r[4] == nil, Definer: string(r[6]) == "1"}}}
			if strings.HasPrefix(t.Name, "_sluice_m") {
				continue
			}
			if !t.Unseen && !p.state.mode.MariaDB {
				body, seen, err := p.written(c, schema, t.Name, "TRIGGER", t.Body)
				if err != nil {
					return err
				}
				t.Body, t.Unseen = body, !seen
			}
			list = append(list, t)
		}
		return nil
	})
	return list, err
}

// onHome asks the default shard what its information_schema says of a schema, which no temporary table
// of the session hides.
func (p systems) onHome(ctx context.Context, schema string, f func(*backend.Conn) error) error {
	return p.on(ctx, p.shardOf(schema), f)
}

// on is onHome of any shard.
func (p systems) on(ctx context.Context, name string, f func(*backend.Conn) error) error {
	c := p.kept.own(name)
	if c == nil {
		return p.kept.onShard(ctx, name, true, f)
	}
	if err := p.kept.sync(c, name); err != nil {
		return err
	}
	return p.kept.onOwn(c, name, true, f)
}
