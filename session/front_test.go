package session_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"sluice/backend"
	"sluice/engine"
	"sluice/internal/testkit"
	"sluice/metrics"
	"sluice/server"
	"sluice/session"
	"sluice/shard"
	"sluice/topo"
	"sluice/txn"
	"sluice/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// memory is a Topology without etcd.
type memory struct {
	mu       sync.Mutex
	m        *shard.Map
	pools    *backend.Pools
	ids      map[string]uint64
	told     []func(*shard.Map)
	acks     chan [2]int64 // of migration and attempt; nil: nobody is interested
	keepsIDs error         // of PassIDs
	asks     func()        // called before the largest id of a table is asked for, if there is one

	cluster string
}

func (t *memory) OnChange(f func(*shard.Map)) {
	t.mu.Lock()
	t.told = append(t.told, f)
	t.mu.Unlock()
	f(t.Map())
}

func (t *memory) Refresh(context.Context) (*shard.Map, error) { return t.Map(), nil }

func (t *memory) Ack(move, attempt int64) {
	if t.acks != nil {
		t.acks <- [2]int64{move, attempt}
	}
}

func (t *memory) Long([]topo.Long) {}

func (t *memory) Proxies(context.Context) ([]topo.Proxy, error) { return nil, nil }

func (t *memory) SureUntil() time.Time { return time.Now().Add(time.Minute) }

func (t *memory) Map() *shard.Map {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m
}

func (t *memory) Update(_ context.Context, change func(*shard.Spec) error) (*shard.Map, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	spec := t.m.Spec.Clone()
	if err := change(&spec); err != nil {
		return nil, err
	}
	m, err := shard.New(t.m.Version+1, spec)
	if err != nil {
		return nil, err
	}
	t.m = m
	t.pools.SetMap(m)
	for _, f := range t.told {
		f(m)
	}
	return m, nil
}

func (t *memory) NextIDs(ctx context.Context, seq string, n int, user topo.IDUser) (uint64, error) {
	t.mu.Lock()
	next, known := t.ids[seq]
	t.mu.Unlock()
	if !known {
		user.Leave()
		if t.asks != nil {
			t.asks()
		}
		largest, err := user.Floor(ctx)
		if err != nil {
			return 0, err
		}
		next = largest + 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next = max(next, t.ids[seq])
	t.ids[seq] = next + uint64(n)
	return next, nil
}

func (t *memory) RaiseRange(_ context.Context, seq string, _, id uint64, _ topo.IDUser) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if next, known := t.ids[seq]; known && next <= id {
		t.ids[seq] = id + 1
	}
	return nil
}

func (t *memory) DropIDs(_ context.Context, seq string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.ids, seq)
	return nil
}

func (t *memory) PassIDs(_ context.Context, from, to string, _ topo.IDUser) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keepsIDs != nil {
		return t.keepsIDs
	}
	if next, known := t.ids[from]; known {
		t.ids[to] = max(t.ids[to], next)
	}
	return nil
}

func (t *memory) Process() string { return "0123456789ab" }

func (t *memory) Processes(context.Context) ([]string, error) { return []string{t.Process()}, nil }

func (t *memory) Cluster(context.Context) (string, error) { return t.cluster, nil }

func (t *memory) Claim(context.Context, string) (bool, error) { return true, nil }

// accounts are the map's users.
type accounts struct{ topo *memory }

func (a accounts) Account(name string) (server.Account, bool) {
	u := a.topo.Map().User(name)
	if u == nil {
		return server.Account{}, false
	}
	return server.Account{Name: u.Name, Password: u.Password}, true
}

func (a accounts) MayUse(name, schema string) error {
	m := a.topo.Map()
	if u := m.User(name); schema != "" && (u == nil || !u.May(schema)) {
		return &wire.Error{Code: 1044, SQLState: "42000", Message: fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", name, schema)}
	}
	return nil
}

// front is a whole data port before real servers.
type front struct {
	t       testing.TB
	addr    string
	db      string // name of the schema, on the shards too
	servers []*testkit.Server
	links   []*testkit.Link
	topo    *memory
	pools   *backend.Pools
	server  *server.Server

	decisions *txn.Decisions
}

type frontOptions struct {
	flavor testkit.Flavor
	shards int
	conns  int  // per shard
	links  bool // between the proxy and the shards
}

// newFront starts a data port with a schema of its own: users and orders sharded by
// user_id, countries a reference table, everything else on the first shard.
func newFront(t testing.TB, opts frontOptions) *front {
	t.Helper()
	f := &front{t: t}
	spec := shard.Spec{Backend: shard.Backend{User: "sluice", Password: "sluice", MaxConnections: max(opts.conns, 1)}}
	if opts.conns == 0 {
		spec.Backend.MaxConnections = 16
	}
	for i := range max(opts.shards, 1) {
		s := testkit.Shared(t, opts.flavor, i)
		f.servers = append(f.servers, s)
		addr := s.Addr
		if opts.links {
			f.links = append(f.links, testkit.NewLink(t, addr))
			addr = f.links[i].Addr
		}
		spec.Shards = append(spec.Shards, shard.Shard{Name: fmt.Sprintf("s%d", i), Primary: addr})
	}
	f.db = testkit.Database(t, f.servers...)
	other := testkit.Database(t, f.servers...)
	spec.Ranges = shard.Deal(spec.Shards)
	spec.Schemas = []shard.Schema{
		{Name: f.db, DefaultShard: "s0", Tables: []shard.Table{
			{Name: "users", Kind: shard.Sharded, ShardKey: "user_id"},
			{Name: "orders", Kind: shard.Sharded, ShardKey: "user_id", Sequence: "order_id"},
			{Name: "countries", Kind: shard.Reference},
		}},
		{Name: other, DefaultShard: spec.Shards[len(spec.Shards)-1].Name},
	}
	spec.Users = []shard.User{
		{Name: "app", Password: "app", Schemas: []string{f.db, other}},
		{Name: "guest", Password: "guest", Schemas: []string{other}},
	}
	m, err := shard.New(1, spec)
	if err != nil {
		t.Fatal(err)
	}
	f.topo = &memory{m: m, ids: map[string]uint64{}, cluster: fmt.Sprintf("%08x", rand.Uint32())}
	log := slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	driver, err := engine.New(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(driver.Close)
	f.pools = backend.Open(backend.Options{Log: log, Engine: driver, WaitTimeout: 3 * time.Second}, m)
	f.topo.pools = f.pools
	f.decisions = txn.NewDecisions(txn.Options{Topology: f.topo, Shards: f.pools, Log: log})
	h := session.New(session.Options{Topology: f.topo, Pools: f.pools, Decisions: f.decisions, Metrics: metrics.New(), Digests: metrics.NewDigests(1000), Log: log})
	version := f.servers[0].Value("SELECT VERSION()")
	f.server = server.New(server.Options{Name: "data", ServerVersion: func() string { return version }, AuthPlugin: "mysql_native_password", LocalFiles: true, Engine: driver, Log: log}, accounts{f.topo}, h)
	h.Bind(f.server)
	if err := f.server.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.addr = f.server.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(context.Background()) }()
	t.Cleanup(func() {
		f.server.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		f.pools.Close()
	})
	return f
}

type logWriter struct{ t testing.TB }

func (w logWriter) Write(p []byte) (int, error) {
	if os.Getenv("SLUICE_TEST_LOG") != "" {
		fmt.Fprint(os.Stderr, string(p))
	}
	return len(p), nil
}

// open gives a driver's handle of one connection.
func (f *front) open(params string) *sql.DB {
	f.t.Helper()
	return openDB(f.t, fmt.Sprintf("app:app@tcp(%s)/%s?%s", f.addr, f.db, params))
}

func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// tables makes the sample tables through the front.
func (f *front) tables() {
	f.t.Helper()
	db := f.open("")
	defer db.Close()
	for _, sql := range []string{
		"CREATE TABLE users (user_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50))",
		"CREATE TABLE orders (order_id BIGINT NOT NULL AUTO_INCREMENT, user_id BIGINT NOT NULL, amount DECIMAL(10,2), PRIMARY KEY (order_id), KEY (user_id))",
		"CREATE TABLE countries (code CHAR(2) NOT NULL PRIMARY KEY, name VARCHAR(50))",
		"CREATE TABLE plain (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50) UNIQUE)",
	} {
		exec(f.t, db, sql)
	}
}

func exec(t testing.TB, db execer, sql string, args ...any) sql.Result {
	t.Helper()
	r, err := db.Exec(sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

type execer interface {
	Exec(string, ...any) (sql.Result, error)
}

type queryer interface {
	Query(string, ...any) (*sql.Rows, error)
}

// rows runs a query and gives its rows as text, NULL being NULL.
func rows(t testing.TB, db queryer, query string, args ...any) string {
	t.Helper()
	out, err := tryRows(db, query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

func tryRows(db queryer, query string, args ...any) (string, error) {
	r, err := db.Query(query, args...)
	if err != nil {
		return "", err
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		return "", err
	}
	var lines []string
	for r.Next() {
		values := make([]sql.NullString, len(cols))
		dst := make([]any, len(cols))
		for i := range values {
			dst[i] = &values[i]
		}
		if err := r.Scan(dst...); err != nil {
			return "", err
		}
		var line []string
		for _, v := range values {
			if !v.Valid {
				v.String = "NULL"
			}
			line = append(line, v.String)
		}
		lines = append(lines, strings.Join(line, "|"))
	}
	return strings.Join(lines, "\n"), r.Err()
}

func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// wantCode checks an error's number.
func wantCode(t testing.TB, err error, code uint16) {
	t.Helper()
	if got := codeOf(err); got != code {
		t.Errorf("got error %v, want number %d", err, code)
	}
}

func codeOf(err error) uint16 {
	if e, ok := err.(*mysql.MySQLError); ok {
		return e.Number
	}
	return 0
}
