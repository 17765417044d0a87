package session

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
)

// noSchema is ER_BAD_DB_ERROR.
const noSchema = 1049

// askTime is how long a shard that may not be the statement's is waited for.
const askTime = 3 * time.Second

// triggers puts the triggers of a schema's tables into the catalog: those of the default shard. Where the schema has tables
// that several shards have, it looks whether all have the same ones of those.
func (p systems) triggers(ctx context.Context, version int64, schema string) error {
	p.kept.asking = true
	defer func() { p.kept.asking = false }()
	several := p.hasSpread(schema)
	var lists [][]tableTrigger
	var unasked, hidden []string
	for i := range p.args.Map.Spec.Shards {
		name := p.args.Map.ShardName(i)
		home := name == p.shardOf(schema)
		if !home && !several {
			continue
		}
		kept := p.kept.own(name) != nil
		limit := time.Duration(0)
		if !home && !kept {
			limit = askTime
		}
		list, sees, err := p.triggersOn(ctx, name, schema, limit)
		if err == nil && !sees {
			hidden = append(hidden, name)
		}
		switch {
		case err == nil && home:
			lists = append([][]tableTrigger{list}, lists...)
		case err == nil:
			lists = append(lists, list)
		case !home && codeOf(err) == noSchema: // a shard that has just been added: no row of the schema is there, nor a trigger
		case several && !kept && !inOrder(err) && ctx.Err() == nil: // it is down, or has too much to do; the statement may be for others
			unasked = append(unasked, name)
		default:
			return err
		}
	}
	all := map[string][]shard.Trigger{}
	for _, t := range p.together(schema, lists) {
		table := strings.ToLower(t.table)
		all[table] = append(all[table], t.Trigger)
	}
	p.h.catalog.addTriggers(version, schema, all, unasked, hidden, time.Now())
	return nil
}

// together gives the triggers of the first shard that was asked, and of tables that several shards have those that others have
// and it has not.
func (p systems) together(schema string, lists [][]tableTrigger) (all []tableTrigger) {
	for i, list := range lists {
		for _, t := range list {
			if i == 0 || p.spread(schema, t.table) && !slices.ContainsFunc(all, t.same) {
				all = append(all, t)
			}
		}
	}
	for i := range all {
		t := &all[i]
		t.Uneven = p.spread(schema, t.table) && slices.ContainsFunc(lists, func(list []tableTrigger) bool { return !slices.ContainsFunc(list, t.same) })
	}
	return all
}

// unasked refuses a write to a shard that could not be asked for its triggers when they were looked up: while it is down, as it
// refuses itself; when it is back, as one that was planned on what is out of date.
func (p systems) unasked(ctx context.Context, plan *router.Plan, b *router.Bound) error {
	every := b.Gathering != nil || b.Load != nil || b.Staging != nil // their rows may go anywhere
	back := ""
	for _, name := range plan.Unasked {
		if !every && !slices.ContainsFunc(b.Legs, func(l router.Leg) bool { return p.args.Map.ShardName(l.Shard) == name }) {
			continue
		}
		p.kept.asking = true
		err := p.on(ctx, name, func(c *backend.Conn) error { return nil })
		p.kept.asking = false
		if err != nil {
			return err
		}
		back = name
	}
	if back == "" {
		return nil
	}
	return &router.Refusal{Code: staleCode, SQLState: "HY000", Message: "sluice: shard " + back + " could not be asked for its triggers; run the statement again"}
}

// hasSpread tells whether a schema has tables that several shards have.
func (p systems) hasSpread(schema string) bool {
	s := p.args.Map.Schema(schema)
	return s != nil && (len(s.AutoShardKey) > 0 || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind != shard.Unsharded }))
}

// tableTrigger is a trigger of a table on one shard.
type tableTrigger struct {
	shard.Trigger
	table   string
	definer string
	order   int // among those of the table that the same sets off
}

// same tells whether another shard's trigger is this one.
func (t tableTrigger) same(o tableTrigger) bool {
	return t.table == o.table && t.Name == o.Name && t.Event == o.Event && t.Before == o.Before && t.Body == o.Body && t.Mode == o.Mode &&
		t.definer == o.definer && t.order == o.order
}

// triggersOn reads the triggers of a schema's tables on a shard, but for those of a migration. sees tells whether all are shown.
// limit bounds the wait for each of its questions; 0: nothing does.
func (p systems) triggersOn(ctx context.Context, name, schema string, limit time.Duration) (list []tableTrigger, sees bool, err error) {
	bound := func(*backend.Conn) error { return nil }
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
		bound = func(c *backend.Conn) error { return c.SetDeadline(time.Now().Add(limit)) } // Put takes it back
	}
	err = p.on(ctx, name, func(c *backend.Conn) (err error) {
		if err = bound(c); err != nil {
			return err
		}
		if sees, err = p.may(c, "TRIGGER", schema); err != nil {
			return err
		}
		list = nil
		_, rows, err := c.Query("SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_TIMING, ACTION_STATEMENT, SQL_MODE, DEFINER <> CURRENT_USER(), DEFINER " +
			"FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + string(query.QuoteString(nil, schema, p.state.mode)) +
			" ORDER BY EVENT_OBJECT_TABLE, ACTION_ORDER")
		for _, r := range rows {
			t := tableTrigger{table: string(r[0]), definer: string(r[7]), Trigger: shard.Trigger{Name: string(r[1]), Event: string(r[2]), Before: string(r[3]) == "BEFORE",
				Routine: shard.Routine{Body: string(r[4]), Mode: string(r[5]), Unseen: r[4] == nil, Definer: string(r[6]) == "1"}}}
			if strings.HasPrefix(t.Name, "_sluice_m") {
				continue
			}
			for _, o := range list {
				if o.table == t.table && o.Event == t.Event && o.Before == t.Before {
					t.order++
				}
			}
			list = append(list, t)
		}
		return err
	})
	if err != nil || p.state.mode.MariaDB || !slices.ContainsFunc(list, func(t tableTrigger) bool { return rewritten(t.Body) }) {
		return list, sees, err
	}
	texts := func(c *backend.Conn) error {
		if err := bound(c); err != nil {
			return err
		}
		for i := range list {
			t := &list[i]
			if t.Unseen {
				continue
			}
			body, seen, err := p.written(c, schema, t.Name, "TRIGGER", t.Body)
			if err != nil {
				return err
			}
			t.Body, t.Unseen = body, !seen
		}
		return nil
	}
	show := func(c *backend.Conn) error { return p.inUTF8(c, func() error { return texts(c) }) }
	if p.kept.pins.locked() { // SHOW CREATE TRIGGER opens the table, which may be none of those that are locked
		return list, sees, onPool(ctx, p.kept, name, true, show)
	}
	return list, sees, p.on(ctx, name, show)
}
