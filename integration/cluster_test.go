// Package integration tests whole proxies, started as a user starts them, on real MariaDB,
// Oracle MySQL and etcd servers, with the clients that applications use.
package integration

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// sluice gives the program, built once for a run of the tests: with the race detector when
// the tests have it, and without, for what measures memory.
var sluice = [2]func() (string, error){
	sync.OnceValues(func() (string, error) { return build(false) }),
	sync.OnceValues(func() (string, error) { return build(true) }),
}

var programs struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

func build(race bool) (string, error) {
	programs.Lock()
	defer programs.Unlock()
	if programs.dir == "" {
		dir, err := os.MkdirTemp("", "sluice-program-")
		if err != nil {
			return "", err
		}
		programs.dir = dir
	}
	path := filepath.Join(programs.dir, fmt.Sprintf("sluice-%v", race))
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "sluice/cmd/proxy")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
}

func program(t *testing.T, race bool) string {
	t.Helper()
	i := 0
	if race && raceEnabled {
		i = 1
	}
	path, err := sluice[i]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// shop is the schema that most tests use, with a table of each kind.
const shop = `
  schemas:
    - name: shop
      default_shard: s0
      auto_shard_key: [tenant_id]
      tables:
        users:     {shard_key: user_id}
        orders:    {shard_key: user_id, sequence: order_id}
        names:     {shard_key: name}
        countries: {kind: reference}
        "sbtest*": {shard_key: id}
    - name: plain
      default_shard: s1
`

// setup says what a cluster is made of. The zero value is four MariaDB shards of the
// test binary's shared servers and one proxy.
type setup struct {
	flavor   testkit.Flavor
	own      bool              // servers of the test's own, which it may stop
	on       []*testkit.Server // these servers, each a shard
	addrs    []string          // of the shards instead, when links stand before the servers
	shards   int               // default 4
	schemas  string            // of the cluster section; default: shop
	node     string            // further lines of the node's configuration
	backend  string            // further fields of backend
	account  string            // the proxies' account on the shards, and its password; default: sluice
	maxConns int               // per shard; default 32
	etcd     string            // endpoint; default: embedded
	plain    bool              // without the race detector
	shard    string            // further fields of every shard
	env      []string          // of the first proxy
}

// cluster is the shards and the proxies before them.
type cluster struct {
	t       *testing.T
	setup   setup
	servers []*testkit.Server
	px      []*px
}

// px is one proxy.
type px struct {
	*testkit.Process
	t                 *testing.T
	data, admin, http string
	config            string
}

func start(t *testing.T, s setup) *cluster {
	t.Helper()
	if s.shards == 0 {
		s.shards = 4
	}
	if s.schemas == "" {
		s.schemas = shop
	}
	if s.maxConns == 0 {
		s.maxConns = 32
	}
	if s.account == "" {
		s.account = "sluice"
	}
	if s.on != nil {
		s.own, s.shards = true, len(s.on)
	}
	c := &cluster{t: t, setup: s}
	for i := range s.shards {
		var server *testkit.Server
		switch {
		case s.on != nil:
			server = s.on[i]
		case s.own:
			server = testkit.StartServer(t, s.flavor)
		default:
			server = testkit.Shared(t, s.flavor, i)
		}
		c.servers = append(c.servers, server)
		for _, schema := range []string{"shop", "plain"} {
			server.Exec("DROP DATABASE IF EXISTS "+schema, "CREATE DATABASE "+schema)
			if !s.own {
				t.Cleanup(func() { server.Exec("DROP DATABASE IF EXISTS " + schema) })
			}
		}
	}
	c.addProxy(s.env...)
	return c
}

// addProxy starts one more proxy of the cluster, with variables of its environment.
func (c *cluster) addProxy(env ...string) *px {
	c.t.Helper()
	p := c.newProxy(fmt.Sprintf("px%d", len(c.px)+1), env...)
	c.px = append(c.px, p)
	p.Start()
	return p
}

// newProxy configures a proxy without starting it.
func (c *cluster) newProxy(name string, env ...string) *px {
	c.t.Helper()
	dir := testkit.Dir(c.t, name)
	addr := func() string { return fmt.Sprintf("127.0.0.1:%d", testkit.Port(c.t)) }
	p := &px{t: c.t, data: addr(), admin: addr(), http: addr(), config: filepath.Join(dir, "sluice.yaml")}
	var b strings.Builder
	fmt.Fprintf(&b, "node: %s\nlisten: %s\nadmin: %s\nhttp: %s\ndata_dir: %s\n", name, p.data, p.admin, p.http, filepath.Join(dir, "data"))
	if c.setup.etcd != "" {
		fmt.Fprintf(&b, "etcd: {endpoints: [\"%s\"]}\n", c.setup.etcd)
	}
	b.WriteString(c.setup.node)
	fmt.Fprintf(&b, "\ncluster:\n  admins: [{name: root, password: root}]\n  users:\n    - {name: app, password: app, schemas: [shop, plain]}\n"+
		"    - {name: guest, password: guest, schemas: [plain]}\n  backend: {user: %s, password: %[1]s, max_connections: %d%s}\n  shards:\n",
		c.setup.account, c.setup.maxConns, c.setup.backend)
	for i, server := range c.servers {
		at := server.Addr
		if c.setup.addrs != nil {
			at = c.setup.addrs[i]
		}
		fmt.Fprintf(&b, "    - {name: s%d, primary: %s%s}\n", i, at, c.setup.shard)
	}
	b.WriteString(strings.TrimPrefix(c.setup.schemas, "\n"))
	if err := os.WriteFile(p.config, []byte(b.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	p.Process = testkit.New(c.t, testkit.Spec{Name: name, Dir: dir, Argv: []string{program(c.t, !c.setup.plain), "serve", "-config", p.config},
		Env: env, Ready: p.ready})
	return p
}

func (p *px) ready(ctx context.Context) error {
	body, status, err := get(ctx, "http://"+p.http+"/readyz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, body)
	}
	return err
}

func get(ctx context.Context, url string) (body string, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), resp.StatusCode, err
}

// open connects to a schema through the (first) proxy. Options change the driver's configuration.
func (c *cluster) open(schema string, opts ...func(*mysql.Config)) *sql.DB {
	c.t.Helper()
	return c.px[0].open(schema, opts...)
}

func (p *px) open(schema string, opts ...func(*mysql.Config)) *sql.DB {
	p.t.Helper()
	return connect(p.t, p.data, "app", schema, opts...)
}

// dba connects to the admin port.
func (p *px) dba() *sql.DB {
	p.t.Helper()
	return connect(p.t, p.admin, "root", "", interpolated)
}

// interpolated sends text statements instead of prepared ones.
func interpolated(c *mysql.Config) { c.InterpolateParams = true }

func connect(t *testing.T, addr, user, schema string, opts ...func(*mysql.Config)) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = user, user, "tcp", addr, schema
	cfg.Timeout = 10 * time.Second
	for _, o := range opts {
		o(cfg)
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// must runs statements.
func must(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// querier is a *sql.DB, *sql.Conn-like or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rows gives a result as text, values separated by tabs; NULL is "NULL".
func rows(t *testing.T, db querier, query string, args ...any) []string {
	t.Helper()
	out, err := tryRows(db, query, args...)
	if err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	return out
}

func tryRows(db querier, query string, args ...any) ([]string, error) {
	r, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	for r.Next() {
		values := make([]sql.NullString, len(cols))
		ptrs := make([]any, len(cols))
		for i := range values {
			ptrs[i] = &values[i]
		}
		if err := r.Scan(ptrs...); err != nil {
			return nil, err
		}
		text := make([]string, len(cols))
		for i, v := range values {
			if text[i] = v.String; !v.Valid {
				text[i] = "NULL"
			}
		}
		out = append(out, strings.Join(text, "\t"))
	}
	return out, r.Err()
}

// expect compares a result.
func expect(t *testing.T, db querier, query string, want ...string) {
	t.Helper()
	if got := rows(t, db, query); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got %q\nwant %q", query, got, want)
	}
}

// expectError runs a statement that must fail with a number.
func expectError(t *testing.T, db querier, query string, code uint16, contains ...string) {
	t.Helper()
	_, err := tryRows(db, query)
	checkError(t, query, err, code, contains...)
}

func checkError(t *testing.T, what string, err error, code uint16, contains ...string) {
	t.Helper()
	me, ok := err.(*mysql.MySQLError)
	if !ok || me.Number != code {
		t.Errorf("%s: got error %v, want %d", what, err, code)
		return
	}
	for _, part := range contains {
		if !strings.Contains(me.Message, part) {
			t.Errorf("%s: error %q does not say %q", what, me.Message, part)
		}
	}
}

// create makes the shop's tables through the proxy.
func create(t *testing.T, db *sql.DB) {
	t.Helper()
	must(t, db,
		`CREATE TABLE users (user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, email VARCHAR(200) NOT NULL,
			country CHAR(2) NOT NULL)`,
		`CREATE TABLE orders (order_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, user_id BIGINT UNSIGNED NOT NULL, item VARCHAR(100) NOT NULL,
			amount DECIMAL(10,2) NOT NULL, PRIMARY KEY (order_id), KEY (user_id))`,
		`CREATE TABLE names (name VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, n INT)`,
		`CREATE TABLE countries (code CHAR(2) NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL)`,
		`CREATE TABLE settings (name VARCHAR(100) NOT NULL PRIMARY KEY, value VARCHAR(200) NOT NULL)`)
}

// users makes n users in one statement each hundred.
func users(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	for first := 1; first <= n; first += 100 {
		var b strings.Builder
		for i := first; i < first+100 && i <= n; i++ {
			if i > first {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "(%d,'user %d','u%d@example.com','%s')", i, i, i, []string{"de", "fr", "nl"}[i%3])
		}
		must(t, db, "INSERT INTO users (user_id, name, email, country) VALUES "+b.String())
	}
}

// slotShard is the index of the shard that owns a key, of n shards with equal runs.
func (c *cluster) shardOf(key string) int {
	c.t.Helper()
	slot, err := strconv.Atoi(c.servers[0].Value("SELECT MOD(CRC32('" + key + "'), 16384)"))
	if err != nil {
		c.t.Fatal(err)
	}
	return slot * c.setup.shards / 16384
}

// perShard gives one value of each shard's own server.
func (c *cluster) perShard(query string) (values []string) {
	for _, s := range c.servers {
		values = append(values, s.Value(query))
	}
	return values
}
