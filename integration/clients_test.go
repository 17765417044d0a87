package integration

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// command runs a program and gives what it prints; an exit code ends the test.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (p *px) hostPort() (host, port string) {
	host, port, err := net.SplitHostPort(p.data)
	if err != nil {
		p.t.Fatal(err)
	}
	return host, port
}

func TestPHP(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor})
		create(t, c.open("shop"))
		host, port := c.px[0].hostPort()
		for _, script := range [][]string{{"mysqli.php"}, {"pdo.php", "emulated"}, {"pdo.php", "native"}} {
			t.Run(strings.Join(script, " "), func(t *testing.T) {
				args := append([]string{"testdata/" + script[0], host, port}, script[1:]...)
				if out := command(t, "php", args...); !strings.HasSuffix(out, "done\n") {
					t.Errorf("the script ended early:\n%s", out)
				}
			})
		}
	})
}

// TestCommandLine uses the mariadb client as a DBA does: batch files, table output, status.
func TestCommandLine(t *testing.T) {
	c := start(t, setup{})
	create(t, c.open("shop"))
	users(t, c.open("shop"), 100)
	host, port := c.px[0].hostPort()
	run := func(sql string, more ...string) string {
		t.Helper()
		args := append([]string{"--no-defaults", "-h", host, "-P", port, "-uapp", "-papp", "shop"}, more...)
		return command(t, "mariadb", append(args, "-e", sql)...)
	}
	if got := run("SELECT COUNT(*) FROM users", "-N"); got != "100\n" {
		t.Errorf("count: %q", got)
	}
	if got := run("SHOW DATABASES", "-N"); got != "information_schema\nplain\nshop\n" {
		t.Errorf("databases: %q", got)
	}
	if got := run("SHOW TABLES", "-N"); got != "countries\nnames\norders\nsettings\nusers\n" {
		t.Errorf("tables: %q", got)
	}
	if got := run(`\s`); !strings.Contains(got, "Current database:\tshop") {
		t.Errorf("status: %s", got)
	}
	if got := run("EXPLAIN ROUTE SELECT * FROM users WHERE user_id = 42"); !strings.Contains(got, "relay") ||
		!strings.Contains(got, fmt.Sprintf("s%d", c.shardOf("42"))) {
		t.Errorf("route: %s", got)
	}
	if got := run("SELECT DATABASE(), USER(), 1 + 1", "-N"); !strings.HasPrefix(got, "shop\tapp@") {
		t.Errorf("functions: %q", got)
	}
	if got := run("USE plain; CREATE TABLE t (a INT); INSERT INTO t VALUES (1),(2); SELECT SUM(a) FROM t; DROP TABLE t", "-N"); got != "3\n" {
		t.Errorf("schema without rules: %q", got)
	}
}

// TestSysbench prepares, runs and cleans up tables that are sharded by id.
func TestSysbench(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor})
		host, port := c.px[0].hostPort()
		const tables, size = 2, 2000
		for _, ps := range []string{"disable", "auto"} {
			bench := func(work string, more ...string) string {
				args := []string{work, "--db-driver=mysql", "--mysql-host=" + host, "--mysql-port=" + port, "--mysql-user=app", "--mysql-password=app",
					"--mysql-db=shop", "--tables=2", "--table-size=2000", "--threads=4", "--events=100", "--time=1", "--db-ps-mode=" + ps, "--mysql-ssl=off"}
				return command(t, "sysbench", append(args, more...)...)
			}
			// It exits with 0 whatever becomes of its statements, and unless told says nothing of errors after which to try again.
			if out := bench("oltp_read_write", "prepare", "--mysql-ignore-errors=0"); strings.Contains(out, "FATAL") {
				t.Fatalf("prepare, prepared statements %s:\n%s", ps, out)
			}
			for i := 1; i <= tables; i++ {
				sum := 0
				for s, n := range c.perShard(fmt.Sprintf("SELECT COUNT(*) FROM shop.sbtest%d", i)) {
					rows, err := strconv.Atoi(n)
					if err != nil || rows < size/6 {
						t.Errorf("shard %d has %s rows of sbtest%d", s, n, i)
					}
					sum += rows
				}
				if sum != size {
					t.Errorf("sbtest%d has %d rows, want %d", i, sum, size)
				}
			}
			for _, run := range [][]string{{"oltp_point_select"}, {"oltp_read_only"}, {"oltp_update_index"}, {"oltp_update_non_index"},
				{"oltp_read_write", "--skip-trx=on", "--threads=1"}, {"oltp_insert"}, {"oltp_delete"}, {"select_random_points"}, {"select_random_ranges"}} {
				out := bench(run[0], append(run[1:], "run")...)
				if strings.Contains(out, "FATAL") || !strings.Contains(out, "ignored errors:                      0") {
					t.Errorf("%s, prepared statements %s:\n%s", run[0], ps, out)
				}
			}
			bench("oltp_read_write", "cleanup")
			for i, n := range c.perShard("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'") {
				if n != "0" {
					t.Errorf("shard %d still has %s tables", i, n)
				}
			}
		}
	})
}
