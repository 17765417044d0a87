package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// planner makes bound plans of statements as a session does.
type planner struct {
	w    *world
	mode query.Mode
	cat  *shard.Catalog
}

func newPlanner(w *world) *planner {
	p := &planner{w: w, cat: &shard.Catalog{Version: 1, Tables: map[[2]string]*shard.TableInfo{}}}
	p.mode = query.Mode{MariaDB: w.server.Flavor == testkit.MariaDBFlavor, ServerVersion: 90100}
	if p.mode.MariaDB {
		p.mode.ServerVersion = 101100
	}
	return p
}

// on runs f with a connection to the first shard.
func (p *planner) on(f func(c *backend.Conn) error) {
	p.w.t.Helper()
	c, err := p.w.pools.Get(context.Background(), "s0", backend.Class{}, p.w.names[0], asStored)
	if err == nil {
		err = f(c)
		c.Put()
	}
	if err != nil {
		p.w.t.Fatal(err)
	}
}

// bind plans and binds a statement. A refusal is the error.
func (p *planner) bind(sql string) (*router.Bound, error) {
	p.w.t.Helper()
	var scan query.Scan
	if err := scan.Run([]byte(sql), p.mode); err != nil {
		return nil, err
	}
	stmt := query.Analyze([]byte(sql), &scan, p.mode)
	in := &router.Input{SQL: []byte(sql), Scan: &scan, Mode: p.mode, Schema: "shop", User: p.w.m.User("app"), Map: p.w.m, Catalog: p.cat, Charset: "utf8mb4"}
	plan, err := router.New(stmt, in)
	var need *router.NeedTable
	for errors.As(err, &need) {
		p.on(func(c *backend.Conn) error {
			info, err := TableInfo(c, p.w.names[0], need.Table)
			p.cat.Tables[[2]string{need.Schema, need.Table}] = info
			return err
		})
		plan, err = router.New(stmt, in)
	}
	if err != nil {
		return nil, err
	}
	if plan.Probe != "" {
		p.on(func(c *backend.Conn) error {
			cols, err := Describe(c, plan.Probe)
			if err == nil {
				err = plan.Resolve(cols)
			}
			return err
		})
	}
	return plan.Bind(&router.Args{SQL: []byte(sql), Scan: &scan, Mode: p.mode, Map: p.w.m, Held: -1}, nil)
}

// TestPlanned: statements that the router plans are answered as by one server, byte for
// byte: columns and rows.
func TestPlanned(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		p := newPlanner(w)
		statements := []string{
			"SELECT * FROM items WHERE id = 7",
			"SELECT id, s FROM items WHERE id IN (7, 8, 9, 10) ORDER BY id",
			"SELECT * FROM items ORDER BY id DESC LIMIT 9 OFFSET 3",
			"SELECT id, fl FROM items ORDER BY fl, id",
			"SELECT id FROM items WHERE k > 0 ORDER BY e DESC, tm, id LIMIT 30",
			"SELECT COUNT(*), SUM(d), AVG(dd), MIN(tm), MAX(k), MIN(fl), MAX(dt) FROM items",
			"SELECT k, COUNT(*) AS n, AVG(d) FROM items GROUP BY k ORDER BY k DESC",
			"SELECT k, COUNT(*) AS n FROM items GROUP BY k ORDER BY n DESC, k LIMIT 3",
			"SELECT e, k, SUM(u), MAX(k) FROM items GROUP BY k, e ORDER BY e, k",
			"SELECT e, SUM(dd) FROM items GROUP BY e ORDER BY SUM(dd), e",
			"SELECT DISTINCT k FROM items ORDER BY k",
			"SELECT DISTINCT e, y FROM items ORDER BY y DESC, e",
			"SELECT id, COUNT(*) FROM items GROUP BY id ORDER BY id LIMIT 5",
			"SELECT AVG(d) AS a FROM items WHERE id IN (1, 2, 3)",
			"SELECT id + 1 AS next, s FROM items ORDER BY s DESC, id",
			"SELECT COUNT(*) FROM items WHERE s = 'zebra'",
		}
		rnd := rand.New(rand.NewPCG(11, 11))
		for range 60 {
			statements = append(statements, randomStatement(rnd))
		}
		planned := 0
		for _, sql := range statements {
			b, err := p.bind(sql)
			var refusal *router.Refusal
			if errors.As(err, &refusal) {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			planned++
			for _, params := range [][]wire.Param{nil, {}} { // as text, and prepared without parameters
				t.Run(fmt.Sprintf("%v %v %s", params != nil, b.Strategy, sql), func(t *testing.T) {
					req := request(b, params)
					req.SQL = []byte(sql)
					got, _, err := w.run(context.Background(), newLeases(w), req)
					if err != nil {
						t.Fatalf("%v; legs %s", err, b.Legs[0].SQL)
					}
					same(t, got, w.wholeAnswer(sql, params), params != nil, strings.Contains(sql, "ORDER BY") || len(got.rows) == 1)
				})
			}
		}
		if planned < 60 {
			t.Errorf("only %d of %d statements were planned", planned, len(statements))
		}
	})
}

// randomStatement makes a statement whose answer has one order only.
func randomStatement(rnd *rand.Rand) string {
	columns := []string{"k", "u", "z", "d", "dd", "f", "f2", "fl", "b", "dt", "ts", "tm", "da", "y", "e", "t8"}
	column := func() string { return columns[rnd.IntN(len(columns))] }
	desc := func() string { return []string{"", " DESC"}[rnd.IntN(2)] }
	where := []string{"", " WHERE id > 40", " WHERE k IS NOT NULL", " WHERE dd < 5 AND id <> 12", " WHERE id IN (3, 5, 8, 13, 21)"}[rnd.IntN(5)]
	limit := []string{"", "", " LIMIT 4", " LIMIT 3 OFFSET 2"}[rnd.IntN(4)]
	a, b := column(), column()
	switch rnd.IntN(4) {
	case 0:
		return "SELECT id, " + a + ", s FROM items" + where + " ORDER BY " + a + desc() + ", " + b + desc() + ", id" + limit
	case 1:
		return "SELECT " + a + ", COUNT(*), SUM(dd), AVG(k), MIN(" + b + "), MAX(d) FROM items" + where + " GROUP BY " + a + " ORDER BY " + a + desc() + limit
	case 2:
		return "SELECT DISTINCT " + a + ", t8 FROM items" + where + " ORDER BY " + a + desc() + ", t8" + desc() + limit
	}
	return "SELECT COUNT(" + a + "), SUM(dd), AVG(d), MIN(" + b + "), MAX(" + b + ") FROM items" + where
}
