package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice/internal/testkit"
)

// failure is what a server of the kit panics with when it cannot start.
type failure struct{ text string }

func (f failure) Error() string { return f.text }

// house is the servers of one run. It is the kit's idea of a test.
type house struct{ cleanups []func() }

func (h *house) Helper()                           {}
func (h *house) Name() string                      { return "bench" }
func (h *house) Failed() bool                      { return false }
func (h *house) Cleanup(f func())                  { h.cleanups = append(h.cleanups, f) }
func (h *house) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (h *house) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func (h *house) close() {
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
}

const shards = 4

// open starts a MariaDB for the direct connections, HAProxy and the bare relay before it, four MariaDB
// shards, and before those Sluice twice, as it is and on goroutines, and HAProxy once more, which gives each
// connection to one of them: what it costs that there are four servers.
func (h *house) open(ctx context.Context, sluice string) ([]*target, error) {
	fmt.Println("== starting the servers")
	direct := h.server()
	direct.Exec("CREATE DATABASE bench", "CREATE USER app IDENTIFIED BY 'app'", "GRANT ALL ON bench.* TO app")
	relayPort := testkit.Port(h)
	program := h.file("relay", "")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "sluice/bench/relay").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	relay := testkit.Start(h, testkit.Spec{Name: "relay", Argv: []string{program, "-listen", fmt.Sprintf("127.0.0.1:%d", relayPort),
		"-server", direct.Addr}, Ready: listens(relayPort)})
	var list []string
	for range shards {
		s := h.server()
		s.Exec("CREATE DATABASE bench", "CREATE USER app IDENTIFIED BY 'app'", "GRANT ALL ON bench.* TO app")
		list = append(list, s.Addr)
	}
	const rules = `"sbtest*": {shard_key: id}, wide: {shard_key: id}, blobs: {shard_key: id}`
	goroutines := h.proxy("goroutines", sluice, list, rules, "SLUICE_ENGINE=off")
	goroutines.filled = true // before the same shards
	fanned := haproxy(h, haproxy4Name, list...)
	fanned.some = true
	return []*target{
		{name: "direct", port: portOf(direct.Addr)},
		haproxy(h, haproxyName, direct.Addr),
		fanned,
		{name: relayName, port: relayPort, pid: relay.PID(), filled: true},
		h.proxy("sluice", sluice, list, rules),
		goroutines,
	}, nil
}

// What others are compared with.
const haproxyName, haproxy4Name, relayName = "haproxy", "haproxy on 4", "bare relay"

// haproxy starts HAProxy before servers, whose connections it gives out in turn.
func haproxy(h *house, name string, servers ...string) *target {
	port := testkit.Port(h)
	var list strings.Builder
	for i, addr := range servers {
		fmt.Fprintf(&list, "  server s%d %s\n", i, addr)
	}
	p := testkit.Start(h, testkit.Spec{Name: "haproxy", Argv: []string{"haproxy", "-db", "-f", h.file("haproxy.cfg", fmt.Sprintf(
		"global\n  nbthread 2\ndefaults\n  mode tcp\n  balance roundrobin\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n"+
			"listen bench\n  bind 127.0.0.1:%d\n%s", port, list.String()))}, Ready: listens(port)})
	return &target{name: name, port: port, pid: p.PID(), filled: true}
}

// proxy starts Sluice before shards, with rules of tables.
func (h *house) proxy(name, program string, shards []string, rules string, env ...string) *target {
	return h.proxyWith(name, program, shards, rules, "", env...)
}

// proxyWith is proxy with further lines of the node's configuration.
func (h *house) proxyWith(name, program string, shards []string, rules, node string, env ...string) *target {
	var list strings.Builder
	for i, addr := range shards {
		fmt.Fprintf(&list, "    - {name: s%d, primary: %s}\n", i, addr)
	}
	port, admin := testkit.Port(h), testkit.Port(h)
	dir := testkit.Dir(h, name)
	proxy := testkit.Start(h, testkit.Spec{Name: name, Dir: dir, Env: env, Argv: []string{program, "serve", "-config",
		h.file(name+".yaml", fmt.Sprintf(`node: bench
listen: 127.0.0.1:%d
admin: 127.0.0.1:%d
http: 127.0.0.1:%d
data_dir: %s
%scluster:
  admins: [{name: root, password: root}]
  users: [{name: app, password: app, schemas: [bench]}]
  backend: {user: sluice, password: sluice, max_connections: 128}
  shards:
%s  schemas:
    - name: bench
      default_shard: s0
      tables: {%s}
`, port, admin, testkit.Port(h), dir, node, list.String(), rules))}, Ready: listens(port)})
	return &target{name: name, port: port, admin: admin, pid: proxy.PID()}
}

// server starts a MariaDB whose tables fit its memory: the cost of the way is what counts.
func (h *house) server() *testkit.Server {
	return testkit.MariaDB(h, testkit.Args("--innodb-buffer-pool-size=256M", "--max-connections=400", "--innodb-flush-log-at-trx-commit=0"))
}

func (h *house) file(name, text string) string {
	path := filepath.Join(testkit.Dir(h, "bench"), name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		h.Fatalf("%v", err)
	}
	return path
}

func portOf(addr string) (port int) {
	fmt.Sscanf(addr[strings.LastIndexByte(addr, ':')+1:], "%d", &port)
	return port
}

// listens is ready when the port accepts connections.
func listens(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err
	}
}
