package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// creating is CREATE TABLE … SELECT, or … LIKE, in several statements (router.Creation):
//
//	home: CREATE TEMPORARY TABLE … LIMIT 0 ─▶ SHOW CREATE TABLE ─▶ CREATE TABLE on its shards
//	─▶ INSERT … SELECT, one atomic commit ─▶ OK; or an error, and DROP TABLE
//
// The rows come all or not at all. Other sessions can see the table before its rows, and a
// proxy that dies between the two leaves it empty.
type creating struct{ *Session }

func (c creating) run(ctx context.Context, st *statement, e *entry) error {
	st, err := c.literal(ctx, st)
	if err != nil {
		return err
	}
	to, home := c.running.bound.Creation, c.args.Map.ShardName(c.running.bound.Legs[0].Shard)
	switch {
	case c.kept.pins.locked():
		return notBuilt("CREATE TABLE … SELECT over several shards under LOCK TABLES; UNLOCK TABLES first")
	case c.kept.pins.temporary():
		return notBuilt("CREATE TABLE … SELECT over several shards while the session has temporary tables; create the table, then INSERT … SELECT the rows")
	}
	if err := c.kept.commit(); err != nil {
		return err
	}
	if exists, err := c.exists(ctx, to); exists || err != nil {
		return c.existing(st, to, err)
	}
	d, err := c.define(ctx, to, home)
	if err != nil {
		return err
	}
	ok, made, err := c.create(ctx, st, to, d, home)
	if err != nil {
		return err
	}
	created := c.answers.warnings
	var notes []warning
	for _, w := range created {
		if strings.HasPrefix(w.message, "sluice: ") {
			notes = append(notes, w)
		}
	}
	c.answers.clear()
	if to.Rows != "" {
		if ok, _, err = c.step(ctx, st, to.Insert+to.Name+" ("+strings.Join(d.columns[len(d.columns)-d.selected:], ", ")+") "+to.Rows); err == nil {
			err = c.kept.commit()
		}
		if err != nil {
			c.kept.rollback()
			return c.drop(to, made, err)
		}
	} else {
		ok.Warnings = 0
	}
	c.answers.warnings = append(c.answers.warnings, notes...)
	c.answers.count += len(notes)
	ok.Warnings += uint16(len(notes))
	return c.reply.writeOK(st, ok)
}

// literal writes the values of a prepared statement into its text, and binds it again.
func (c creating) literal(ctx context.Context, st *statement) (*statement, error) {
	if st.exec == nil {
		return st, nil
	}
	text, err := inline(st, c.state.charset())
	if err != nil {
		return nil, err
	}
	inner, err := c.planner.reworded(st, text)
	if err != nil {
		return nil, err
	}
	inner.exec, inner.long = nil, nil
	e, err := c.planner.plan(ctx, inner)
	if err != nil {
		return nil, err
	}
	return inner, c.running.bind(ctx, inner, e)
}

// exists looks for the table where one server would find it before it looks at the SELECT.
func (c creating) exists(ctx context.Context, to *router.Creation) (bool, error) {
	return c.running.isThere(ctx, to.Schema, to.Table, "")
}

// existing answers for a table that is there.
func (c creating) existing(st *statement, to *router.Creation, err error) error {
	const tableExists = 1050
	text := "Table '" + to.Table + "' already exists"
	switch {
	case err != nil:
		return err
	case !to.IfNotExists:
		return &wire.Error{Code: tableExists, SQLState: "42S01", Message: text}
	}
	c.answers.clear()
	c.answers.warn([][][]byte{{[]byte("Note"), fmt.Append(nil, tableExists), []byte(text)}})
	return c.reply.ok(st, wire.OK{Warnings: 1})
}

// create makes the table. One that lives on the home shard alone is made there from the SELECT,
// as the definition was.
func (c creating) create(ctx context.Context, st *statement, to *router.Creation, d *definition, home string) (ok wire.OK, made *entry, err error) {
	inner, err := c.planner.reworded(st, []byte(d.text))
	if err != nil {
		return ok, nil, err
	}
	if made, err = c.planner.plan(ctx, inner); err != nil {
		return ok, nil, err
	}
	if made.plan.Target != router.ToAll {
		c.answers.clear()
		err = c.kept.onShard(ctx, home, true, func(conn *backend.Conn) error {
			_, err := conn.Exec("CREATE TABLE " + to.Name + d.rest)
			return err
		})
		if err == nil {
			c.settle.afterDDL(ctx, made, false)
		}
		return ok, made, err
	}
	if ok, made, err = c.step(ctx, st, d.text); err != nil {
		return ok, nil, err
	}
	warnings, count := c.answers.warnings, c.answers.count
	if err := c.same(ctx, st, to, d); err != nil {
		return ok, nil, c.drop(to, made, err)
	}
	c.answers.warnings, c.answers.count = warnings, count
	return ok, made, nil
}

// definition is what one server would make of the statement.
type definition struct {
	text     string   // CREATE TABLE …
	rest     string   // what follows the name in the statement that has made it
	columns  []string // all, quoted; each has a line of its own in text, after the first
	selected int      // the last of them, which the SELECT fills
}

// define lets the home shard make the table's definition.
func (c creating) define(ctx context.Context, to *router.Creation, home string) (*definition, error) {
	if strings.Contains(strings.ToUpper(c.state.vars.plain("sql_mode")), "_OPTIONS") {
		return nil, notBuilt("CREATE TABLE … SELECT over several shards with an sql_mode that leaves options out of definitions; SET sql_mode = DEFAULT first")
	}
	var d definition
	define := string(c.running.bound.Legs[0].SQL)
	err := c.kept.onShard(ctx, home, true, func(conn *backend.Conn) error {
		if _, err := conn.Exec(define); err != nil {
			return err
		}
		err := d.look(conn, to)
		if _, end := conn.Exec("DROP TEMPORARY TABLE " + to.Temporary); end != nil {
			return fmt.Errorf("the table that shows the definition could not be removed: %v", end) // its connection is closed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	_, body, found := strings.Cut(d.text, " (")
	if !found {
		return nil, refuse(1105, "HY000", "shard %s shows no definition of the new table", home)
	}
	body = strings.ReplaceAll(body, "sluice_c1_chk_", to.Table+"_chk_") // as MySQL calls CHECKs without a name
	d.rest = strings.TrimPrefix(define, "CREATE TEMPORARY TABLE "+to.Temporary)
	d.text = "CREATE TABLE " + to.Name + " (" + body
	if c.state.charset() != "utf8mb4" && !isASCII(body) {
		return nil, notBuilt("CREATE TABLE … SELECT over several shards with letters beyond ASCII in a definition, in this connection's character set; SET NAMES utf8mb4 first")
	}
	return &d, nil
}

// look reads what a temporary table has come to.
func (d *definition) look(conn *backend.Conn, to *router.Creation) error {
	_, rows, err := conn.Query("SHOW CREATE TABLE " + to.Temporary)
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) < 2 {
		return fmt.Errorf("unexpected answer to SHOW CREATE TABLE")
	}
	d.text = string(rows[0][1])
	if _, rows, err = conn.Query("SHOW COLUMNS FROM " + to.Temporary); err != nil {
		return err
	}
	for _, row := range rows {
		d.columns = append(d.columns, string(query.QuoteName(nil, string(row[0]))))
	}
	if to.Rows == "" {
		return nil
	}
	stmt, err := conn.Prepare([]byte(to.Rows))
	if err != nil {
		return err
	}
	if d.selected = len(stmt.Columns); d.selected == 0 || d.selected > len(d.columns) {
		return fmt.Errorf("a SELECT of %d columns made a table of %d", d.selected, len(d.columns))
	}
	return nil
}

// same makes the new table what its definition says, which the text alone cannot where a column
// can be NULL and has no default: those of the optional side of an outer join. MariaDB has no
// words for them at all. Other differences are refused.
func (c creating) same(ctx context.Context, st *statement, to *router.Creation, d *definition) error {
	var shown string
	err := c.kept.onShard(ctx, c.planner.shardOf(to.Schema), true, func(conn *backend.Conn) error {
		_, rows, err := conn.Query("SHOW CREATE TABLE " + to.Name)
		if err == nil && len(rows) == 1 && len(rows[0]) > 1 {
			shown = string(rows[0][1])
		}
		return err
	})
	if err != nil {
		return err
	}
	want, got := strings.Split(d.text, "\n"), strings.Split(shown, "\n")
	if len(want) != len(got) {
		return refuse(1235, "42000", "the definition that the SELECT makes cannot be written as a CREATE TABLE; create the table, then INSERT … SELECT the rows")
	}
	for i := 1; i < len(want); i++ {
		line, plain := strings.TrimSuffix(want[i], ","), strings.TrimSuffix(got[i], ",")
		if line == plain {
			continue
		}
		if plain != line+" DEFAULT NULL" || i > len(d.columns) {
			return refuse(1235, "42000", "the definition that the SELECT makes cannot be written as a CREATE TABLE (%s becomes %s); create the table, then INSERT … SELECT the rows",
				strings.TrimSpace(line), strings.TrimSpace(plain))
		}
		if c.state.mode.MariaDB {
			return notBuilt("CREATE TABLE … SELECT over several shards with the column %s, which MariaDB makes without a default here only; "+
				"write the column out before the SELECT", d.columns[i-1])
		}
		if _, _, err := c.step(ctx, st, "ALTER TABLE "+to.Name+" ALTER COLUMN "+d.columns[i-1]+" DROP DEFAULT"); err != nil {
			return err
		}
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// step runs a statement of the session's own and gives its OK. The entry is that of its plan.
func (c creating) step(ctx context.Context, st *statement, text string) (ok wire.OK, e *entry, err error) {
	inner, err := c.planner.reworded(st, []byte(text))
	if err != nil {
		return ok, nil, err
	}
	c.running.start()
	c.reply.part = &ok
	defer func() { c.reply.part = nil }()
	if e, err = c.planner.plan(ctx, inner); err != nil {
		return ok, nil, err
	}
	if e.action == substitute {
		if slices.ContainsFunc(e.stmt.Calls, func(c query.FuncCall) bool { return c.Name == isUsedLock }) {
			return ok, nil, notBuilt("IS_USED_LOCK() in CREATE TABLE … SELECT; select it first")
		}
		if inner.sql, err = c.values.put(inner.sql, e.stmt); err != nil {
			return ok, nil, err
		}
		if inner, err = c.planner.reworded(inner, inner.sql); err != nil {
			return ok, nil, err
		}
		if e, err = c.planner.plan(ctx, inner); err != nil {
			return ok, nil, err
		}
	}
	return ok, e, c.routed(ctx, inner, e)
}

// drop takes the new table away where its rows could not be written: one server leaves none.
func (c creating) drop(to *router.Creation, made *entry, why error) error {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout) // also for a client that has gone, or a statement that was killed
	defer cancel()
	shards := []string{c.planner.shardOf(to.Schema)}
	if made.plan.Target == router.ToAll {
		shards = shards[:0]
		for i := range c.args.Map.Spec.Shards {
			shards = append(shards, c.args.Map.ShardName(i))
		}
	}
	for _, name := range shards {
		if err := c.dropOn(ctx, name, to); err != nil {
			c.h.log.Error("a new table whose rows could not be written was not removed", "connection", c.c.ID, "shard", name, "table", to.Schema+"."+to.Table, "error", err)
			why = refuse(1105, "HY000", "%s; the new table %s.%s is left on shard %s: DROP it", strings.TrimPrefix(why.Error(), "sluice: "), to.Schema, to.Table, name)
		}
	}
	c.settle.afterDDL(ctx, made, false)
	if err := c.h.topo.DropIDs(ctx, to.Schema+"."+to.Table); err != nil {
		c.h.log.Warn("a dropped table's sequence could not be removed", "sequence", to.Schema+"."+to.Table, "error", err)
	}
	return why
}

// dropTimeout bounds the wait for connections to drop a table on.
const dropTimeout = 10 * time.Second

func (c creating) dropOn(ctx context.Context, name string, to *router.Creation) error {
	vars := c.state.vars.with(map[string]string{"autocommit": "1", "lock_wait_timeout": "10"}, c.h.intern)
	conn, err := c.h.pools.Get(ctx, name, c.state.class, c.state.schema, vars.backend)
	if err != nil {
		return err
	}
	if _, err = conn.Exec("DROP TABLE IF EXISTS " + to.Name); inOrder(err) {
		conn.Put()
	} else {
		conn.Close()
	}
	return err
}
