package exec

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// shards is how many shards a world has.
const shards = 3

// world is three shards, each a database on one real server behind a link of its own, and
// a database that holds the rows of all of them: what one server would answer.
type world struct {
	t      testing.TB
	server *testkit.Server
	links  [shards]*testkit.Link
	names  [shards]string // databases
	whole  string
	m      *shard.Map
	pools  *backend.Pools
}

func newWorld(t testing.TB, flavor testkit.Flavor) *world {
	t.Helper()
	w := &world{t: t, server: testkit.Shared(t, flavor, 0)}
	spec := shard.Spec{Backend: shard.Backend{User: "sluice", Password: "sluice", MaxConnections: 8}}
	for i := range shards {
		w.links[i] = testkit.NewLink(t, w.server.Addr)
		w.names[i] = testkit.Database(t, w.server)
		spec.Shards = append(spec.Shards, shard.Shard{Name: fmt.Sprintf("s%d", i), Primary: w.links[i].Addr})
	}
	w.whole = testkit.Database(t, w.server)
	spec.Shards = append(spec.Shards, shard.Shard{Name: "whole", Primary: w.server.Addr})
	spec.Ranges = shard.Deal(spec.Shards[:shards])
	spec.Users = []shard.User{{Name: "app", Password: "app", Schemas: []string{"shop"}}}
	spec.Schemas = []shard.Schema{{Name: "shop", DefaultShard: "s0", Tables: []shard.Table{
		{Name: "items", Kind: shard.Sharded, ShardKey: "id"}, {Name: "avgs", Kind: shard.Sharded, ShardKey: "id"}}}}
	m, err := shard.New(1, spec)
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
	w.pools = backend.Open(backend.Options{}, m)
	t.Cleanup(w.pools.Close)
	return w
}

// each runs a test in a world of every kind of server.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	for _, f := range testkit.Flavors() {
		t.Run(f.String(), func(t *testing.T) { test(t, newWorld(t, f)) })
	}
}

// everywhere runs a statement on all shards and on the whole.
func (w *world) everywhere(sql string) {
	w.t.Helper()
	for _, db := range append(w.names[:], w.whole) {
		w.on(db, sql)
	}
}

// on runs statements in one database.
func (w *world) on(db string, sql ...string) {
	w.t.Helper()
	for _, s := range sql {
		if err := w.server.Try("USE " + db + "; " + s); err != nil {
			w.t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// insert puts a row on the shard that owns its id, and on the whole.
func (w *world) insert(table string, id int, values string) {
	w.t.Helper()
	sql := fmt.Sprintf("INSERT INTO %s VALUES (%d, %s)", table, id, values)
	w.on(w.names[w.m.Owner(shard.SlotOfInt(int64(id)))], sql)
	w.on(w.whole, sql)
}

// settings are what the tests' sessions have.
var settings = &backend.Settings{Key: "test", Set: "SET SESSION sql_mode='NO_ENGINE_SUBSTITUTION', SESSION time_zone='+00:00'"}

// asStored shows the collations of the columns themselves.
var asStored = &backend.Settings{Key: "as stored", Set: settings.Set + ", SESSION character_set_results=NULL"}

// leases is a session's part: it takes connections from the pools, sees that each lease
// ends once, and that a connection which is called clean is.
type leases struct {
	w      *world
	open   map[*backend.Conn]int // lease → shard
	order  []int
	dirty  []int         // shards whose connection was not clean
	later  string        // goes out with the statement
	setup  string        // runs on every connection first
	fail   map[int]error // Lease of these shards fails
	leased func(sh int)  // called after each
}

func newLeases(w *world) *leases { return &leases{w: w, open: map[*backend.Conn]int{}} }

func (l *leases) Lease(ctx context.Context, sh int, write bool) (*backend.Conn, error) {
	if err := l.fail[sh]; err != nil {
		return nil, err
	}
	c, err := l.w.pools.Get(ctx, fmt.Sprintf("s%d", sh), backend.Class{LocalFile: true}, l.w.names[sh], settings)
	if err != nil {
		return nil, err
	}
	if l.setup != "" {
		if _, err := c.Exec(l.setup); err != nil {
			l.w.t.Fatal(err)
		}
	}
	if l.later != "" {
		if err := c.Later(l.later); err != nil {
			l.w.t.Fatal(err)
		}
	}
	l.open[c] = sh
	l.order = append(l.order, sh)
	if l.leased != nil {
		l.leased(sh)
	}
	return c, nil
}

func (l *leases) Done(c *backend.Conn, status uint16, ok bool) {
	sh, leased := l.open[c]
	if !leased {
		l.w.t.Error("Done for a connection that is not leased")
	}
	delete(l.open, c)
	if !ok {
		l.dirty = append(l.dirty, sh)
		c.Close()
		return
	}
	if n := c.Buffered(); n > 0 {
		l.w.t.Errorf("shard %d: %d bytes left in a clean connection", sh, n)
	}
	_, rows, err := c.Query("SELECT 4711")
	if err != nil || len(rows) != 1 || string(rows[0][0]) != "4711" {
		l.w.t.Errorf("shard %d: a clean connection answers %q, %v", sh, rows, err)
	}
	c.Put()
}

// Apart leases a connection beside those of the legs.
func (l *leases) Apart(ctx context.Context, sh int) (*backend.Conn, error) {
	return l.Lease(ctx, sh, false)
}

// Interrupted says that nothing was killed.
func (l *leases) Interrupted() error { return nil }

// check sees that all leases have ended.
func (l *leases) check() {
	l.w.t.Helper()
	if len(l.open) != 0 {
		l.w.t.Errorf("%d leases were not ended", len(l.open))
	}
}

// answer is what a client received.
type answer struct {
	cols []wire.Column
	rows [][]byte
	end  wire.OK
	err  error // an ERR packet, or what broke the connection
}

// client is a client's connection: its own end and Sluice's.
type client struct {
	peer, front *wire.Conn
}

func newClient(t testing.TB) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return &client{peer: wire.NewConn(a, 64<<20), front: wire.NewConn(b, 64<<20)}
}

// command starts an exchange as a client does.
func (c *client) command(t testing.TB) {
	t.Helper()
	if err := errors.Join(c.peer.Command(wire.ComQuery, []byte("a statement")), c.peer.Flush()); err != nil {
		t.Fatal(err)
	}
	c.front.ResetSequence()
	if _, err := c.front.ReadPacket(); err != nil {
		t.Fatal(err)
	}
}

// read reads one answer as a client does, up to limit rows.
func (c *client) read(limit int) (a answer) {
	h, err := c.peer.ReadResultHeader()
	if a.cols, a.end, a.err = h.Columns, h.OK, err; err != nil || h.Columns == nil {
		return a
	}
	for len(a.rows) < limit {
		row, end, err := c.peer.ReadRow()
		if err != nil || end != nil {
			if a.err = err; end != nil {
				a.end = *end
			}
			return a
		}
		a.rows = append(a.rows, slices.Clone(row))
	}
	return a
}

const allRows = 1 << 30

// run runs a request and gives what the client received of it. What is not answered is
// answered as a session does.
func (w *world) run(ctx context.Context, l testLeases, req *Request) (answer, Outcome, error) {
	w.t.Helper()
	c := newClient(w.t)
	c.command(w.t)
	type result struct {
		out Outcome
		err error
	}
	done := make(chan result)
	go func() {
		out, err := Run(ctx, c.front, l, req)
		var we *wire.Error
		var refusal *router.Refusal
		switch {
		case err == nil && !out.Answered:
			c.front.WriteOK(out.Response.OK)
		case errors.As(err, &we):
			c.front.WriteError(we)
		case errors.As(err, &refusal):
			c.front.WriteError(&wire.Error{Code: refusal.Code, SQLState: refusal.SQLState, Message: refusal.Message})
		case err != nil:
			c.front.WriteError(&wire.Error{Code: 2013, Message: err.Error()})
		}
		c.front.Flush()
		if out.Started && !out.Answered {
			c.front.Close()
		}
		done <- result{out, err}
	}()
	a := c.read(allRows)
	r := <-done
	if n := c.peer.Buffered(); n != 0 {
		w.t.Errorf("%d bytes follow the answer", n)
	}
	l.check()
	return a, r.out, r.err
}

// wholeAnswer asks the database that holds everything.
func (w *world) wholeAnswer(sql string, params []wire.Param) answer {
	w.t.Helper()
	c, err := w.pools.Get(context.Background(), "whole", backend.Class{}, w.whole, settings)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Put()
	if params == nil {
		err = sendQuery(c, []byte(sql))
	} else {
		var stmt *backend.Stmt
		if stmt, err = c.Prepare([]byte(sql)); err == nil {
			req := &Request{Execute: &wire.Execute{Params: params}}
			err = sendExecute(c, stmt, req, &router.Leg{}, 0)
		}
	}
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	a := (&client{peer: c.Conn}).read(allRows)
	if a.err != nil {
		w.t.Fatalf("%s: %v", sql, a.err)
	}
	return a
}

// allLegs are legs with the same SQL on every shard.
func allLegs(sql string) []router.Leg {
	legs := make([]router.Leg, shards)
	for i := range legs {
		legs[i] = router.Leg{Shard: i, SQL: []byte(sql)}
	}
	return legs
}

// bound is a plan for all shards.
func bound(s router.Strategy, legs []router.Leg, m *router.Merge) *router.Bound {
	return &router.Bound{Plan: &router.Plan{Strategy: s, Stmt: &query.Statement{}}, Strategy: s, Legs: legs, Limit: -1, Merge: m}
}

// describeColumns writes definitions for comparison; the schema's name is not compared.
func describeColumns(cols []wire.Column) string {
	var b strings.Builder
	for _, c := range cols {
		fmt.Fprintf(&b, "%s.%s %s.%s type %#x collation %d length %d flags %#x decimals %d\n",
			c.Table, c.Name, c.OrgTable, c.OrgName, c.Type, c.Collation, c.Length, c.Flags, c.Decimals)
	}
	return b.String()
}

// show writes a row for people.
func show(cols []wire.Column, row []byte, isBinary bool) string {
	sh := &shape{cols: cols, visible: len(cols), binary: isBinary}
	vals, err := sh.split(row, nil)
	if err != nil {
		return err.Error()
	}
	var parts []string
	for i, v := range vals {
		if v == nil {
			parts = append(parts, "NULL")
			continue
		}
		text, err := sh.text(nil, v, i)
		if err != nil {
			text = []byte(err.Error())
		}
		parts = append(parts, fmt.Sprintf("%q", text))
	}
	return strings.Join(parts, " ")
}

// same compares a merged answer with that of one server, bytes for bytes.
func same(t *testing.T, got, want answer, isBinary, sorted bool) {
	t.Helper()
	if got.err != nil {
		t.Fatalf("error: %v", got.err)
	}
	if g, w := describeColumns(got.cols), describeColumns(want.cols); g != w {
		t.Errorf("columns:\n%swant:\n%s", g, w)
	}
	render := func(a answer) (lines []string) {
		for _, row := range a.rows {
			lines = append(lines, show(a.cols, row, isBinary))
		}
		if !sorted {
			slices.Sort(lines)
		}
		return lines
	}
	g, w := render(got), render(want)
	if !slices.Equal(g, w) {
		t.Errorf("%d rows:\n%s\nwant %d:\n%s", len(g), strings.Join(g, "\n"), len(w), strings.Join(w, "\n"))
	}
	if !sorted {
		return
	}
	for i := range got.rows {
		if i < len(want.rows) && string(got.rows[i]) != string(want.rows[i]) {
			t.Errorf("row %d is\n%x\nwant\n%x", i, got.rows[i], want.rows[i])
		}
	}
}

// textColumns are n columns of strings.
func textColumns(n int) []wire.Column {
	cols := make([]wire.Column, n)
	for i := range cols {
		cols[i] = wire.Column{Name: string(rune('a' + i)), Type: wire.TypeVarString, Collation: wire.CollationUTF8MB4, Length: 80}
	}
	return cols
}

// testLeases are Leases that can be checked.
type testLeases interface {
	Leases
	check()
}
