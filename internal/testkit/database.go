package testkit

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Flavor is a kind of database server.
type Flavor int

const (
	MariaDBFlavor Flavor = iota
	MySQLFlavor          // Oracle's
)

func (f Flavor) String() string { return [...]string{"mariadb", "mysql"}[f] }

// Flavors are all kinds of servers, for tests that run against each.
func Flavors() []Flavor { return []Flavor{MariaDBFlavor, MySQLFlavor} }

// Server is one running database server. It has the accounts root, without a password, and
// sluice with the password sluice; both may do everything from everywhere.
type Server struct {
	*Process // Kill, Stop, Start, Pause, Resume, Log
	Flavor   Flavor
	Addr     string // 127.0.0.1:port; the same after a restart
	Socket   string // path of its unix socket
	Dir      string // its data directory

	t TB
}

// Option changes how a database server is started.
type Option func(*[]string)

// Args adds options of the server itself: "--innodb-lock-wait-timeout=1".
func Args(args ...string) Option { return func(a *[]string) { *a = append(*a, args...) } }

// Binlog turns the binary log on: row based, complete images, GTIDs, the given server id.
func Binlog(id int) Option {
	return Args("--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-image=FULL", "--server-id="+strconv.Itoa(id))
}

// TLS gives the server the kit's server certificate. (MySQL has one of its own otherwise,
// MariaDB none.)
func TLS(c *CertificateFiles) Option {
	return Args("--ssl-ca="+c.CA, "--ssl-cert="+c.ServerCert, "--ssl-key="+c.ServerKey)
}

// MariaDB starts a MariaDB server of the test's own.
func MariaDB(t TB, opts ...Option) *Server { t.Helper(); return StartServer(t, MariaDBFlavor, opts...) }

// MySQL starts an Oracle MySQL server of the test's own.
func MySQL(t TB, opts ...Option) *Server { t.Helper(); return StartServer(t, MySQLFlavor, opts...) }

// StartServer starts a database server of the given kind.
func StartServer(t TB, flavor Flavor, opts ...Option) *Server {
	t.Helper()
	p, err := programs[flavor]()
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	dir := Dir(t, flavor.String())
	data := filepath.Join(dir, "data")
	if err := p.copyTo(data); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	port := Port(t)
	s := &Server{Flavor: flavor, Addr: fmt.Sprintf("127.0.0.1:%d", port), Socket: filepath.Join(dir, "s"), Dir: data, t: t}
	argv := append(p.argv[:len(p.argv):len(p.argv)], p.layout()...)
	argv = append(argv, tuning(flavor)...)
	tmp := filepath.Join(dir, "tmp") // in a common one, servers clear away each other's temporary tables at start
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	argv = append(argv, "--datadir="+data, "--tmpdir="+tmp, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port),
		"--socket="+s.Socket, "--pid-file="+filepath.Join(dir, "pid"))
	var extra []string
	for _, o := range opts {
		o(&extra)
	}
	if flavor == MySQLFlavor && !strings.Contains(strings.Join(extra, " "), "--log-bin") {
		argv = append(argv, "--skip-log-bin")
	} else if flavor == MySQLFlavor {
		argv = append(argv, "--gtid-mode=ON", "--enforce-gtid-consistency=ON")
	}
	s.Process = Start(t, Spec{Name: flavor.String(), Argv: append(argv, extra...), Env: p.env, Dir: dir, Ready: s.ping})
	return s
}

// tuning makes servers small and their start short. Nothing is synced to the disk: what a
// killed server has written survives in the kernel, and machines do not crash in tests.
func tuning(flavor Flavor) []string {
	args := []string{"--skip-name-resolve", "--performance-schema=OFF", "--secure-file-priv=", "--local-infile=ON",
		"--innodb-buffer-pool-size=32M", "--innodb-log-buffer-size=2M", "--key-buffer-size=1M",
		"--max-connections=1000", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-dump-at-shutdown=OFF",
		"--innodb-buffer-pool-load-at-startup=OFF", "--character-set-server=utf8mb4", "--max-allowed-packet=256M"}
	if flavor == MySQLFlavor {
		return append(args, "--mysqlx=OFF", "--sync-binlog=0")
	}
	return append(args, "--innodb-fast-shutdown=1", "--sync-binlog=0")
}

// Config is a driver configuration for the account root and a database ("" for none).
func (s *Server) Config(database string) *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "tcp", s.Addr, database
	c.MultiStatements, c.Logger = true, &mysql.NopLogger{}
	return c
}

// DB opens a pool of connections as root that is closed with the test.
func (s *Server) DB(t TB, database string) *sql.DB {
	t.Helper()
	connector, err := mysql.NewConnector(s.Config(database))
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// Open opens a pool of connections to whatever speaks MySQL at addr. The caller closes it.
func Open(addr, user, password, database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = user, password, "tcp", addr, database
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Exec runs statements as root over one connection; one that fails ends the test.
func (s *Server) Exec(statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		if err := s.Try(statement); err != nil {
			s.t.Fatalf("%v: %.200s: %v", s.Flavor, statement, err)
		}
	}
}

// Try runs one text of statements as root and gives its error.
func (s *Server) Try(statements string) error {
	return s.connected(context.Background(), func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, statements)
		return err
	})
}

// Query runs a statement as root and gives its rows as text; NULL is "NULL".
func (s *Server) Query(statement string) (rows [][]string) {
	s.t.Helper()
	err := s.connected(context.Background(), func(ctx context.Context, db *sql.DB) error {
		r, err := db.QueryContext(ctx, statement)
		if err != nil {
			return err
		}
		defer r.Close()
		cols, err := r.Columns()
		if err != nil {
			return err
		}
		for r.Next() {
			values, targets := make([]sql.NullString, len(cols)), make([]any, len(cols))
			for i := range values {
				targets[i] = &values[i]
			}
			if err := r.Scan(targets...); err != nil {
				return err
			}
			row := make([]string, len(cols))
			for i, v := range values {
				if row[i] = v.String; !v.Valid {
					row[i] = "NULL"
				}
			}
			rows = append(rows, row)
		}
		return r.Err()
	})
	if err != nil {
		s.t.Fatalf("%v: %.200s: %v", s.Flavor, statement, err)
	}
	return rows
}

// Value runs a statement as root and gives the one value of its result.
func (s *Server) Value(statement string) string {
	s.t.Helper()
	rows := s.Query(statement)
	if len(rows) != 1 || len(rows[0]) != 1 {
		s.t.Fatalf("%v: %.200s: not one value: %q", s.Flavor, statement, rows)
	}
	return rows[0][0]
}

func (s *Server) ping(ctx context.Context) error {
	return s.connected(ctx, func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) })
}

// connected runs f with one connection that is closed afterwards: no goroutine stays.
func (s *Server) connected(ctx context.Context, f func(context.Context, *sql.DB) error) error {
	connector, err := mysql.NewConnector(s.Config(""))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	return f(ctx, db)
}

// Database makes an empty database of one name on all the servers and drops it with the test.
func Database(t TB, servers ...*Server) string {
	t.Helper()
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(t.Name()))
	name := fmt.Sprintf("t_%.40s_%08x", clean, rand.Uint32())
	for _, s := range servers {
		if err := s.Try("CREATE DATABASE " + name); err != nil {
			t.Fatalf("%v: %v", s.Flavor, err)
		}
		t.Cleanup(func() {
			if err := s.Try("DROP DATABASE IF EXISTS " + name); err != nil && s.Running() {
				t.Logf("testkit: %v", err)
			}
		})
	}
	return name
}
