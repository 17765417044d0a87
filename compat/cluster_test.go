// Package compat runs applications, drivers and tools that nobody wrote for Sluice: first on
// one plain server, which gives the answers that are right, then through Sluice, with
// nothing changed but host and port. A schema without rules and one with tables sharded over
// four shards must both give what the plain server gave.
//
// `make test` runs the short part; SLUICE_COMPAT=all (`make compat`) runs everything and
// writes docs/COMPATIBILITY.md from what was seen.
package compat

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// full tells whether everything is to run.
func full() bool { return os.Getenv("SLUICE_COMPAT") == "all" }

// onlyFull leaves a test to `make compat`.
func onlyFull(t *testing.T) {
	t.Helper()
	if !full() {
		t.Skip("SLUICE_COMPAT=all runs it")
	}
}

// apps is the directory into which scripts/install.sh unpacks applications.
func apps(t *testing.T, path ...string) string {
	t.Helper()
	dir := os.Getenv("SLUICE_APPS")
	if dir == "" {
		dir = "/var/cache/sluice/apps"
	}
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err != nil {
		t.Fatalf("%v; scripts/install.sh test unpacks the applications", err)
	}
	return filepath.Join(append([]string{dir}, path...)...)
}

var (
	programDir string
	program    = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "sluice-compat-")
		if err != nil {
			return "", err
		}
		programDir = dir
		path := filepath.Join(dir, "sluice")
		// Without the race detector: package integration has it, and PHP is slow enough.
		if out, err := exec.Command("go", "build", "-o", path, "sluice/cmd/proxy").CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build: %w: %s", err, out)
		}
		return path, nil
	})
)

func TestMain(m *testing.M) {
	code := m.Run()
	if programDir != "" {
		os.RemoveAll(programDir)
	}
	if code == 0 {
		code = matrix.write()
	}
	os.Exit(code)
}

// target is where a client connects: a plain server or Sluice.
type target struct {
	name           string // plain, norules, sharded
	host, port     string
	user, password string
	schema         string
	flavor         testkit.Flavor
}

func (g *target) addr() string { return net.JoinHostPort(g.host, g.port) }

// db opens a pool to the target.
func (g *target) db(t *testing.T, opts ...func(*mysql.Config)) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = g.user, g.password, "tcp", g.addr(), g.schema
	cfg.Timeout, cfg.InterpolateParams = 10*time.Second, true
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

func (g *target) must(t *testing.T, statements ...string) {
	t.Helper()
	db := g.db(t)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %.200s: %v", g.name, s, err)
		}
	}
}

// world is one plain server and a Sluice over four shards of the same kind. All have the
// account app and the schema app, which is as on one server; through Sluice the schema has
// no rules in norules, and the given ones in sharded.
type world struct {
	plain, norules, sharded *target
	servers                 []*testkit.Server
	proxy                   *testkit.Process
}

// options change how a world's proxy is configured.
type options struct {
	rules   string   // further lines of the schema of sharded, indented by six blanks
	node    string   // further lines of the node's configuration
	schemas []string // further schemas, whose names a client fixes; without rules, and no other test's
	alone   bool     // for clients that look around: a plain server of its own, and a proxy for each of norules and sharded
}

// the plain server is the one behind the four shards.
const shards, plainServer = 4, 4

// newWorld starts proxies before shared servers. Each test has its own schema on them.
func newWorld(t *testing.T, flavor testkit.Flavor, o options) *world {
	t.Helper()
	w := &world{}
	for i := range shards + 1 {
		if i == plainServer && o.alone {
			w.servers = append(w.servers, testkit.StartServer(t, flavor))
			continue
		}
		w.servers = append(w.servers, testkit.Shared(t, flavor, i))
	}
	// One name for all, so that no answer differs by it: norules and sharded are two proxies.
	schema := testkit.Database(t, w.servers[plainServer])
	for _, s := range w.servers[:shards] {
		s.Exec("CREATE DATABASE "+schema, "CREATE DATABASE "+schema+"_s")
		t.Cleanup(func() { s.Exec("DROP DATABASE "+schema, "DROP DATABASE "+schema+"_s") })
	}
	plain := w.servers[plainServer]
	plain.Exec("CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'app'", "GRANT ALL ON "+schema+".* TO app@'%'")
	for _, name := range o.schemas {
		for _, s := range w.servers {
			s.Exec("CREATE DATABASE " + name)
			t.Cleanup(func() { s.Exec("DROP DATABASE " + name) })
		}
		plain.Exec("GRANT ALL ON " + name + ".* TO app@'%'")
	}
	host, port, err := net.SplitHostPort(plain.Addr)
	if err != nil {
		t.Fatal(err)
	}
	w.plain = &target{name: "plain", host: host, port: port, user: "app", password: "app", schema: schema, flavor: flavor}
	var first, at string
	if o.alone {
		first, at = w.startProxy(t, o, schema), w.startProxy(t, o, schema+"_s")
	} else {
		at = w.startProxy(t, o, schema, schema+"_s")
		first = at
	}
	w.norules = &target{name: "norules", host: "127.0.0.1", port: first, user: "app", password: "app", schema: schema, flavor: flavor}
	w.sharded = &target{name: "sharded", host: "127.0.0.1", port: at, user: "app", password: "app", schema: schema + "_s", flavor: flavor}
	return w
}

func (w *world) startProxy(t *testing.T, o options, schemas ...string) (port string) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := testkit.Dir(t, "proxy")
	data, admin, pages := testkit.Port(t), testkit.Port(t), testkit.Port(t)
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:%d\nadmin: 127.0.0.1:%d\nhttp: 127.0.0.1:%d\ndata_dir: %s\n%s\ncluster:\n", data, admin, pages, filepath.Join(dir, "data"), o.node)
	fmt.Fprintf(&b, "  admins: [{name: root, password: root}]\n  users: [{name: app, password: app, schemas: [%s]}]\n",
		strings.Join(append(schemas[:len(schemas):len(schemas)], o.schemas...), ", "))
	fmt.Fprintf(&b, "  backend: {user: sluice, password: sluice, max_connections: 64}\n  shards:\n")
	for i, s := range w.servers[:shards] {
		fmt.Fprintf(&b, "    - {name: s%d, primary: %s}\n", i, s.Addr)
	}
	fmt.Fprintf(&b, "  schemas:\n")
	home := "s1" // of the last, and of the further ones
	for _, name := range schemas {
		if strings.HasSuffix(name, "_s") {
			home = "s0"
			fmt.Fprintf(&b, "    - name: %s\n      default_shard: %s\n%s", name, home, o.rules)
		} else {
			fmt.Fprintf(&b, "    - {name: %s, default_shard: %s}\n", name, home)
		}
	}
	for _, name := range o.schemas {
		fmt.Fprintf(&b, "    - {name: %s, default_shard: %s}\n", name, home)
	}
	config := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.proxy = testkit.Start(t, testkit.Spec{Name: "sluice", Dir: dir, Argv: []string{path, "serve", "-config", config},
		Ready: func(ctx context.Context) error { return answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/readyz", pages)) }})
	return fmt.Sprint(data)
}

// answers asks a page whether it is there.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}

func (w *world) targets() []*target { return []*target{w.plain, w.norules, w.sharded} }
