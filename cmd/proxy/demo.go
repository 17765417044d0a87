package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "embed"

	"sluice/config"
)

//go:embed demo_shop.sql
var demoShop string

// demo is what "sluice demo" was asked for.
type demo struct {
	shards              int
	dir                 string
	listen, admin, http string
	out                 io.Writer
}

// maxDemoShards keeps a slip of the finger from starting a thousand servers.
const maxDemoShards = 16

func demoCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	d := demo{out: stdout}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&d.shards, "shards", 4, "number of MariaDB shards")
	flags.StringVar(&d.dir, "dir", "", "directory for all data; kept at the end (default: a temporary one, which is removed)")
	flags.StringVar(&d.listen, "listen", "127.0.0.1:3306", "address for applications")
	flags.StringVar(&d.admin, "admin", "127.0.0.1:3307", "address for DBAs")
	flags.StringVar(&d.http, "http", "127.0.0.1:8306", "address for metrics and the dashboard")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if d.shards < 1 || d.shards > maxDemoShards || flags.NArg() > 0 {
		fmt.Fprintf(stderr, "sluice demo: -shards takes 1 to %d, and there are no other arguments\n", maxDemoShards)
		return 2
	}
	if err := d.run(ctx, stderr); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "sluice demo:", err)
		return 1
	}
	return 0
}

// run starts the shards, then the proxy, fills the shop, and waits for Ctrl-C. What it has
// started ends with it, whatever happens.
func (d *demo) run(ctx context.Context, stderr io.Writer) (err error) {
	for _, addr := range []string{d.listen, d.admin, d.http} {
		if err := portFree(addr); err != nil {
			return err
		}
	}
	if d.dir == "" {
		if d.dir, err = os.MkdirTemp("", "sluice-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(d.dir)
	} else if d.dir, err = filepath.Abs(d.dir); err != nil {
		return err
	}
	servers, err := startShards(ctx, d.dir, d.shards, d.out)
	defer servers.stop(d.out)
	if err != nil {
		return err
	}
	cfg, err := d.writeConfig(servers)
	if err != nil {
		return err
	}
	level := newLevel(cfg)
	p, err := openProxy(ctx, cfg, newLog(cfg, level, stderr))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { ended <- p.run(serving, nil) }()
	if err := d.fill(ctx); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	d.explain()
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.out, "\n== stopping")
		stop()
		return <-ended
	case err := <-ended:
		return err
	}
}

// portFree finds out whether an address is taken before anything is started.
func portFree(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w; choose other addresses with -listen, -admin and -http", err)
	}
	return l.Close()
}

// writeConfig writes the demo's configuration file and reads it back as serve would.
func (d *demo) writeConfig(servers *shardServers) (*config.Config, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "node: demo\nlisten: %s\nadmin: %s\nhttp: %s\ndata_dir: %s\nlog: {level: warn}\nlocal_infile: true\n",
		d.listen, d.admin, d.http, filepath.Join(d.dir, "proxy"))
	b.WriteString("cluster:\n  admins: [{name: root, password: root}]\n  users:\n    - {name: app, password: app, schemas: [shop]}\n" +
		"  backend: {user: sluice, password: sluice, max_connections: 64}\n  shards:\n")
	for i, addr := range servers.addrs {
		fmt.Fprintf(&b, "    - {name: s%d, primary: %s}\n", i, addr)
	}
	b.WriteString(`  schemas:
    - name: shop
      default_shard: s0
      tables:
        users:     {shard_key: user_id}
        orders:    {shard_key: user_id, sequence: order_id}
        countries: {kind: reference}
        "sbtest*": {shard_key: id}
`)
	path := filepath.Join(d.dir, "sluice.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	return config.Load(path)
}

// fill creates the shop through the proxy, as an application would. A directory that was
// used before has it already.
func (d *demo) fill(ctx context.Context) error {
	if out, err := d.client(ctx, "SHOW TABLES LIKE 'users'"); err != nil {
		return fmt.Errorf("the proxy does not answer: %w", err)
	} else if strings.TrimSpace(out) != "" {
		return nil
	}
	fmt.Fprintln(d.out, "== filling the sample shop")
	if _, err := d.client(ctx, demoShop+demoRows()); err != nil {
		return fmt.Errorf("the sample shop could not be filled: %w", err)
	}
	return nil
}

// client runs SQL with the mariadb client against the proxy.
func (d *demo) client(ctx context.Context, sql string) (string, error) {
	host, port, err := net.SplitHostPort(d.listen)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--protocol=tcp", "-h", host, "-P", port, "-uapp", "-papp", "-N", "shop")
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

const (
	demoUsers  = 1000
	demoOrders = 3000
)

// demoRows makes the shop's users and orders.
func demoRows() string {
	var b strings.Builder
	countries := [...]string{"de", "fr", "nl", "pl", "es", "it"}
	for i := 1; i <= demoUsers; i++ {
		if i%100 == 1 {
			b.WriteString("INSERT INTO users (user_id, name, email, country) VALUES ")
		}
		fmt.Fprintf(&b, "(%d,'user %d','user%d@example.com','%s')", i, i, i, countries[i%len(countries)])
		b.WriteString(map[bool]string{true: ";\n", false: ","}[i%100 == 0])
	}
	for i := 1; i <= demoOrders; i++ {
		if i%100 == 1 {
			b.WriteString("INSERT INTO orders (user_id, item, amount) VALUES ")
		}
		fmt.Fprintf(&b, "(%d,'item %d',%d.%02d)", i*7919%demoUsers+1, i%50, i%90+5, i%100)
		b.WriteString(map[bool]string{true: ";\n", false: ","}[i%100 == 0])
	}
	return b.String()
}

func (d *demo) explain() {
	host, port, _ := net.SplitHostPort(d.listen)
	_, adminPort, _ := net.SplitHostPort(d.admin)
	login := fmt.Sprintf("--mysql-host=%s --mysql-port=%s --mysql-user=app --mysql-password=app --mysql-db=shop", host, port)
	fmt.Fprintf(d.out, `
Sluice runs: %d MariaDB shards that look like one. Try, in another terminal:

  mysql -h %s -P %s -u app -papp shop
      SELECT * FROM users WHERE user_id = 42;
      SELECT country, COUNT(*), AVG(amount) FROM users JOIN orders USING (user_id) GROUP BY country ORDER BY country;
      EXPLAIN ROUTE SELECT * FROM orders WHERE user_id IN (1, 2, 3) ORDER BY amount DESC LIMIT 5;

  php -r '$db = new mysqli("%s", "app", "app", "shop", %s); foreach ($db->query("SELECT name, email FROM users WHERE user_id = 42") as $row) print_r($row);'

  sysbench oltp_read_only %s --tables=2 --table-size=10000 prepare
  sysbench oltp_read_only %s --tables=2 --table-size=10000 --threads=4 --time=10 run

  the DBA's port:   mysql -h %s -P %s -u root -proot -e 'SHOW SHARDS; SHOW SLOTS; SHOW TABLES'
  the dashboard:    http://%s/

Ctrl-C stops everything.
`, d.shards, host, port, host, port, login, login, host, adminPort, d.http)
}
