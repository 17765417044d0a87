package exec

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// rowColumn is an invisible column of a copy that is written: the number of the row, by
// which it is found again when its key has changed.
const rowColumn = "`sluice_row`"

// changes is what a GatherWrite adds to a gathering.
//
//	… copies ─▶ number the rows, keep them as they were ─▶ the statement ─▶ for each copy:
//	rows that are gone or leave their shard ─▶ rows that changed ─▶ rows that arrive
type changes struct {
	origins [][]origin // by table: the rows came in the order of the shards
	states  []*loadState
	kept    []string // by table: the copy of its copy, as it was before the statement
}

// origin says that rows up to a number came from a shard.
type origin struct {
	last  uint64
	shard int
}

// gatherWrite runs an UPDATE or DELETE over copies of its tables and writes what it has
// changed to the shards. The OK is not written: the session commits first.
func gatherWrite(ctx context.Context, client *wire.Conn, leases Leases, req *Request) (Outcome, error) {
	g := &gathering{ctx: ctx, client: client, leases: leases, req: req, plan: req.Bound.Gathering}
	g.write = &changes{origins: make([][]origin, len(g.plan.Tables)), kept: make([]string, len(g.plan.Tables))}
	err := readOnly(req)
	if err == nil {
		err = g.lease()
	}
	if err == nil {
		err = marker{g}.check()
	}
	if err == nil {
		err = g.fill()
	}
	if err == nil {
		err = marker{g}.run()
	}
	if err == nil {
		if err = (writer{g}).writeAll(); err != nil {
			g.out.Conditions = nil // the statement's own, which is not what failed
		}
	}
	if back := g.write.leave(g); err == nil {
		err = back
	}
	g.out.Legs = len(g.sources)
	err = conclude(ctx, client, &g.out, err)
	g.end()
	return g.out, err
}

// readOnly is the servers' answer to a write in a READ ONLY transaction, which those that
// only read for it would not give.
func readOnly(req *Request) error {
	if req.Status&wire.StatusInTransReadonly == 0 {
		return nil
	}
	end := "." // of Oracle MySQL's text
	if req.MariaDB {
		end = ""
	}
	return &wire.Error{Code: 1792, SQLState: "25006", Message: "Cannot execute statement in a READ ONLY transaction" + end}
}

// locks tells whether the rows that are copied are locked.
func (g *gathering) locks() bool { return g.write != nil || g.req.Bound.Plan.Locking }

// writes tells whether a statement may write on a shard.
func (g *gathering) writes(shard int) bool {
	if stmt := g.req.Bound.Plan.Stmt; stmt != nil && stmt.Insert != nil {
		return slices.Contains(g.targets, shard) || g.targets == nil && shard == g.req.Bound.Legs[0].Shard
	}
	for i := range g.plan.Tables {
		t := &g.plan.Tables[i]
		switch {
		case t.Write == nil:
		case t.Write.Moves != nil, slices.Contains(t.Write.Shards, shard),
			slices.ContainsFunc(t.Legs, func(l router.Leg) bool { return l.Shard == shard }):
			return true
		}
	}
	return false
}

// mostArrivals is the number of shards that rows may move to.
func (g *gathering) mostArrivals() (n int) {
	for i := range g.plan.Tables {
		if w := g.plan.Tables[i].Write; w != nil && w.Moves != nil {
			n = w.Moves.Shards()
		}
	}
	return n
}

// came notes that the rows up to a number came from a leg. A source whose conditions made
// its server warn has left rows out that the statement would have failed for.
func (c *changes) came(table int, l *leg, last uint64) error {
	if l.ok.Warnings == 0 {
		c.origins[table] = append(c.origins[table], origin{last, l.shard})
		return nil
	}
	_, rows, err := l.conn.Query("SHOW WARNINGS")
	if err != nil {
		return l.failed(err)
	}
	const why = "an UPDATE or DELETE over several shards whose conditions have to convert values (%s); compare columns with values of their own types"
	for _, r := range rows {
		if len(r) == 3 && string(r[0]) != "Note" {
			return refuse(1235, "42000", why, r[2])
		}
	}
	if len(rows) < int(l.ok.Warnings) { // max_error_count: the others may say anything
		return refuse(1235, "42000", why, fmt.Sprintf("%d warnings", l.ok.Warnings))
	}
	c.origins[table] = append(c.origins[table], origin{last, l.shard})
	return nil
}

// shardOf gives the shard that a row came from.
func (c *changes) shardOf(table int, row uint64) (int, error) {
	for _, o := range c.origins[table] {
		if row <= o.last {
			return o.shard, nil
		}
	}
	return 0, fmt.Errorf("%w: row %d came from no shard", wire.ErrMalformed, row)
}

// leave brings the client's state back on the shards that were written to.
func (c *changes) leave(g *gathering) (first error) {
	for _, s := range c.states {
		for i := range g.sources {
			l := &g.sources[i]
			if l.conn != s.conn || l.state != legIdle {
				continue
			}
			if err := s.leave(); err != nil {
				l.state = legBroken
				if err = lost(l.conn, err); first == nil {
					first = err
				}
			}
		}
	}
	return first
}

// marker prepares copies for being written, and runs the statement.
type marker struct{ *gathering }

// check lets a server that has all tables look at the statement: its errors are those of
// names and rules, which the copies would give otherwise or not at all.
func (g marker) check() error {
	if l := g.source(g.plan.Check); l != nil {
		stmt, err := prepareOnce(l.conn, g.req.SQL)
		if err == nil {
			err = closeOnce(l.conn, stmt.ID)
		}
		if err != nil {
			return l.failed(err)
		}
	}
	for i := range g.plan.Tables {
		t := &g.plan.Tables[i]
		if t.Write == nil {
			continue
		}
		if err := g.untriggered(t); err != nil {
			return err
		}
	}
	return nil
}

// untriggered refuses what a row's write would set off otherwise than on one server. A
// trigger would not run for rows that are written the value that they have; and a row that
// moves is deleted on one shard, which must not take others with it.
func (g marker) untriggered(t *router.GatherTable) error {
	name := func(s string) string { return fmt.Sprintf("_utf8mb4 0x%x", s) } // whatever the client's character set is
	l, ask, what := g.home, "", ""
	switch {
	case t.Foreign && len(t.Legs) > 0:
		l = g.source(t.Legs[0].Shard)
		ask = "SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + name(t.Schema) + " AND EVENT_OBJECT_TABLE = " + name(t.Table) + " LIMIT 1"
		what = "which has triggers, that reads rows of several shards; read the rows first, then write them"
	case t.Write.Moves != nil:
		ask = "SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = " + name(t.Schema) +
			" AND REFERENCED_TABLE_NAME = " + name(t.Table) + " AND DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION') LIMIT 1"
		what = "which assigns the shard key: foreign keys with ON DELETE CASCADE or SET NULL refer to its rows, which would have to move; " +
			"INSERT the rows with their new key first"
	default:
		return nil
	}
	_, rows, err := l.conn.Query(ask)
	if err != nil {
		return l.failed(err)
	}
	if len(rows) > 0 {
		return refuse(1235, "42000", "a write of %s.%s, %s", t.Schema, t.Table, what)
	}
	return nil
}

// number adds the rows' numbers to a copy.
func (g marker) number(t *router.GatherTable) error {
	l := g.home
	_, err := l.conn.Exec("ALTER TABLE " + tableName(t.Schema, t.Name) + " ADD COLUMN " + rowColumn +
		" BIGINT UNSIGNED INVISIBLE NOT NULL DEFAULT 0, ADD KEY " + rowColumn + " (" + rowColumn + ")")
	if err != nil {
		return l.failed(err)
	}
	return nil
}

// keepAll copies the copies that are written, as they are before the statement, and gives
// them the names of their tables.
func (g marker) keepAll() error {
	for i := range g.plan.Tables {
		if g.plan.Tables[i].Write == nil {
			continue
		}
		if err := g.keep(i); err != nil {
			return err
		}
	}
	return g.rename()
}

// rename gives the copies that are written the names of their tables, which hides these
// from the home connection.
func (g marker) rename() error {
	for i := range g.plan.Tables {
		t := &g.plan.Tables[i]
		if t.Write == nil {
			continue
		}
		name, own := tableName(t.Schema, t.Name), tableName(t.Schema, t.Table)
		err := definer(g).make(own, "ALTER TABLE "+name+" RENAME TO "+own)
		if wire.IsCode(err, 3822) {
			if err = g.unchecked(name); err == nil {
				err = definer(g).make(own, "ALTER TABLE "+name+" RENAME TO "+own)
			}
		}
		if err != nil {
			return g.home.failed(err)
		}
		g.made = slices.DeleteFunc(g.made, func(s string) bool { return s == name })
	}
	return nil
}

var checkName = regexp.MustCompile("(?m)^  CONSTRAINT (`(?:[^`]|``)*`) CHECK ")

// unchecked drops a copy's CHECK constraints. MySQL names them by the table, and the name of
// the original is taken by its own: these check the rows when they come back.
func (g marker) unchecked(name string) error {
	_, rows, err := g.home.conn.Query("SHOW CREATE TABLE " + name)
	if err != nil {
		return err
	}
	var drops []string
	for _, r := range rows {
		for _, m := range checkName.FindAllSubmatch(r[1], -1) {
			drops = append(drops, "DROP CHECK "+string(m[1]))
		}
	}
	_, err = g.home.conn.Exec("ALTER TABLE " + name + " " + strings.Join(drops, ", "))
	return err
}

func (g marker) keep(i int) error {
	t, l := &g.plan.Tables[i], g.home
	name, kept := tableName(t.Schema, t.Name), tableName(t.Schema, t.Name+"_before")
	if err := definer(g).make(kept, "CREATE TEMPORARY TABLE "+kept+" LIKE "+name); err != nil {
		return l.failed(err)
	}
	g.write.kept[i] = kept
	list := rowColumn
	for _, c := range t.Columns {
		list += ", " + quoteName(c.Name)
	}
	if _, err := l.conn.Exec("INSERT INTO " + kept + " (" + list + ") SELECT " + list + " FROM " + name); err != nil {
		return l.failed(err)
	}
	return nil
}

// run runs the client's statement over the copies.
func (g marker) run() error {
	l := g.home
	l.part = &g.req.Bound.Legs[0]
	err := g.sendAnswer()
	if err == nil {
		err = l.header()
	}
	if wire.IsCode(err, noTextKey) {
		return scratcher(g).unmatched()
	}
	if err == nil && l.cols != nil { // RETURNING
		_, err = g.relayRows()
		g.out.Unended = err == nil
	}
	if err != nil && l.state != legIdle {
		return err
	}
	if err == nil {
		g.out.Response.OK = l.ok
	}
	var we *wire.Error
	if errors.As(err, &we) {
		err = &wire.Error{Code: we.Code, SQLState: we.SQLState, Message: g.plan.Original(we.Message)}
	}
	if err != nil || l.ok.Warnings > 0 {
		if asked := g.conditions(); err == nil {
			err = asked
		}
	}
	return err
}

// conditions notes the statement's warnings, or error.
func (g marker) conditions() error {
	_, rows, err := g.home.conn.Query("SHOW WARNINGS")
	if err != nil {
		return g.home.failed(err)
	}
	for _, r := range rows {
		if len(r) == 3 {
			r[2] = []byte(g.plan.Original(string(r[2])))
		}
	}
	g.out.Conditions = rows
	return nil
}

// openRows runs a SELECT on the home connection, whose rows come in the binary protocol.
func (g marker) openRows(sql string) (close func() error, err error) {
	l := g.home
	var stmt *backend.Stmt
	if stmt, err = prepareOnce(l.conn, []byte(sql)); err != nil {
		return nil, l.failed(err)
	}
	l.part = &router.Leg{}
	if err := sendExecute(l.conn, stmt, &Request{Bound: g.req.Bound, Execute: &wire.Execute{}}, &router.Leg{Params: []int{}}, wire.CursorNone); err != nil {
		return nil, l.failed(err)
	}
	l.state, l.known = legSent, false
	if err := l.header(); err != nil {
		return nil, err
	}
	return func() error {
		if err := closeOnce(l.conn, stmt.ID); err != nil {
			return l.failed(err)
		}
		return nil
	}, nil
}
