package server

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// TestRealClients logs in with the programs and drivers that people use, against both
// default plugins. The handler says how it sees them.
func TestRealClients(t *testing.T) {
	for _, plugin := range []string{nativePassword, cachingSHA2} {
		f := start(t, Options{AuthPlugin: plugin, TLS: serverTLS(t), Compression: true, LocalFiles: true})
		t.Run(plugin, func(t *testing.T) {
			t.Run("mariadb", func(t *testing.T) { testMariaDBClient(t, f) })
			t.Run("mysql9", func(t *testing.T) { testMySQLClient(t, f) })
			t.Run("php", func(t *testing.T) { testPHP(t, f) })
			t.Run("go", func(t *testing.T) { testGoDriver(t, f) })
		})
	}
}

// program runs a client and gives what it prints.
func program(t *testing.T, password string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password, "OPENSSL_CONF=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func (f *fixture) port() string { return f.addr[strings.LastIndexByte(f.addr, ':')+1:] }

func testMariaDBClient(t *testing.T, f *fixture) {
	run := func(user, password string, args ...string) string {
		return program(t, password, "mariadb", append([]string{"--no-defaults", "-h127.0.0.1", "-P" + f.port(), "-u" + user, "-N", "-e", "SELECT 1"}, args...)...)
	}
	app := everybody["app"]
	wantText(t, run("app", app, "shop", "--skip-ssl"), "user=app schema=shop tls=no compressed=no")
	wantText(t, run("app", app, "--ssl"), "user=app schema= tls=yes compressed=no")
	wantText(t, run("app", app, "--skip-ssl", "--compress"), "tls=no compressed=zlib")
	wantText(t, run("app", app, "--ssl", "--compress"), "tls=yes compressed=zlib")
	wantText(t, run("empty", ""), "user=empty")
	wantText(t, run("app", app, "--default-auth=caching_sha2_password", "--ssl"), "user=app")
	wantText(t, run("app", app, "--default-auth=mysql_native_password"), "user=app")
	wantText(t, run("app", "wrong"), "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)")
	wantText(t, run("app", ""), "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: NO)")
	wantText(t, run("nobody", "wrong"), "ERROR 1045 (28000): Access denied for user 'nobody'@'127.0.0.1' (using password: YES)")
	wantText(t, run("app", app, "forbidden"), "ERROR 1044 (42000)")
	wantText(t, run("app", app, "nowhere"), "ERROR 1049 (42000): Unknown database 'nowhere'")
}

// mysql9 is Oracle's client, run by the loader and libraries of its own root.
func mysql9(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("SLUICE_MYSQL")
	if root == "" {
		root = "/var/cache/sluice/mysql9"
	}
	loaders, _ := filepath.Glob(filepath.Join(root, "usr/lib*/ld-linux-*.so.*"))
	libs, _ := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if len(loaders) == 0 || len(libs) == 0 {
		t.Fatalf("no MySQL client in %s: unpack Debian sid's mysql-client-core there (make test does) or set SLUICE_MYSQL", root)
	}
	libs = append(libs, filepath.Join(root, "usr/lib/mysql/private"))
	return []string{loaders[0], "--library-path", strings.Join(libs, ":"), filepath.Join(root, "usr/bin/mysql"), "--no-defaults"}
}

func testMySQLClient(t *testing.T, f *fixture) {
	client := mysql9(t)
	run := func(user, password string, args ...string) string {
		argv := append(client[1:len(client):len(client)], "-h127.0.0.1", "-P"+f.port(), "-u"+user, "-N", "-e", "SELECT 1")
		return program(t, password, client[0], append(argv, args...)...)
	}
	app := everybody["app"]
	wantText(t, run("app", app, "shop"), "user=app schema=shop tls=yes compressed=no") // it prefers TLS
	wantText(t, run("app", app, "--ssl-mode=REQUIRED", "--compression-algorithms=zlib"), "tls=yes compressed=zlib")
	wantText(t, run("app", app, "--ssl-mode=DISABLED"), "tls=no compressed=no")
	wantText(t, run("app", app, "--ssl-mode=DISABLED", "--compression-algorithms=zlib"), "tls=no compressed=zlib")
	wantText(t, run("app", app, "--ssl-mode=DISABLED", "--compression-algorithms=zstd", "--zstd-compression-level=7"), "tls=no compressed=zstd")
	wantText(t, run("app", app, "--ssl-mode=REQUIRED", "--compression-algorithms=zstd"), "tls=yes compressed=zstd")
	wantText(t, run("app", app, "--compression-algorithms=zlib,zstd"), "compressed=zlib")
	wantText(t, run("app", app, "--compression-algorithms=zstd,uncompressed"), "compressed=zstd")
	wantText(t, run("empty", "", "--ssl-mode=DISABLED"), "user=empty")
	wantText(t, run("app", "wrong"), "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)")
	wantText(t, run("app", "wrong", "--ssl-mode=DISABLED", "--get-server-public-key"), "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)")
	wantText(t, run("nobody", ""), "ERROR 1045 (28000): Access denied for user 'nobody'@'127.0.0.1' (using password: NO)")
	wantText(t, run("app", app, "nowhere"), "ERROR 1049 (42000): Unknown database 'nowhere'")
}

func testPHP(t *testing.T, f *fixture) {
	run := func(user, password, flags, more string) string {
		script := fmt.Sprintf(`mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
	$m = mysqli_init();
	$m->options(MYSQLI_OPT_SSL_VERIFY_SERVER_CERT, false);
	$m->real_connect("127.0.0.1", %q, getenv("MYSQL_PWD"), "shop", %s, null, %s);
	%s
	echo $m->query("SELECT 1")->fetch_row()[0], "\n";
} catch (mysqli_sql_exception $e) { echo $e->getCode(), " ", $e->getSqlState(), " ", $e->getMessage(), "\n"; }`, user, f.port(), flags, more)
		return program(t, password, "php", "-r", script)
	}
	app, plain := everybody["app"], "0" // mysqli says HY000 of every failed connect, also of MySQL's own
	wantText(t, run("app", app, plain, ""), "user=app schema=shop tls=no compressed=no")
	wantText(t, run("app", app, "MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT", ""), "user=app schema=shop tls=yes")
	wantText(t, run("app", app, "MYSQLI_CLIENT_COMPRESS", ""), "compressed=zlib")
	wantText(t, run("empty", "", plain, ""), "user=empty")
	wantText(t, run("app", "wrong", plain, ""), "1045 HY000 Access denied for user 'app'@'127.0.0.1' (using password: YES)")
	wantText(t, run("nobody", "x", plain, ""), "1045 HY000 Access denied for user 'nobody'@'127.0.0.1' (using password: YES)")
	wantText(t, run("app", app, plain, fmt.Sprintf(`$m->change_user("other", %q, "other");`, everybody["other"])), "user=other schema=other")
	wantText(t, run("app", app, plain, `$m->change_user("empty", "", "shop");`), "user=empty schema=shop")
	wantText(t, run("app", app, plain, `$m->change_user("other", "wrong", "shop");`), "1045 28000 Access denied for user 'other'@'127.0.0.1' (using password: YES)")
}

func testGoDriver(t *testing.T, f *fixture) {
	run := func(user, password string, change func(*mysql.Config)) string {
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "tcp", f.addr, user, password, "shop"
		cfg.ConnectionAttributes = "program_name:shop"
		change(cfg)
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		var who string
		if err := db.QueryRowContext(context.Background(), "SELECT 1").Scan(&who); err != nil {
			return err.Error()
		}
		return who
	}
	app := everybody["app"]
	wantText(t, run("app", app, func(*mysql.Config) {}), "user=app schema=shop tls=no")
	wantText(t, run("app", app, func(c *mysql.Config) { c.TLS = &tls.Config{InsecureSkipVerify: true} }), "tls=yes")
	wantText(t, run("empty", "", func(*mysql.Config) {}), "user=empty")
	wantText(t, run("app", "wrong", func(*mysql.Config) {}), "Error 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)")
	wantText(t, run("nobody", "x", func(c *mysql.Config) { c.TLS = &tls.Config{InsecureSkipVerify: true} }), "Error 1045 (28000): Access denied for user 'nobody'")
	wantText(t, run("app", app, func(c *mysql.Config) { c.DBName = "nowhere" }), "Error 1049 (42000): Unknown database 'nowhere'")
}

// TestTooManyInClients: the answer before the greeting is understood.
func TestTooManyInClients(t *testing.T) {
	f := start(t, Options{MaxConnections: 1})
	f.greeted(t).login("app")
	client := mysql9(t)
	args := []string{"-h127.0.0.1", "-P" + f.port(), "-uapp", "-e", "SELECT 1"}
	wantText(t, program(t, "x", client[0], append(client[1:len(client):len(client)], args...)...), "Too many connections")
	wantText(t, program(t, "x", "mariadb", append([]string{"--no-defaults", "--skip-ssl"}, args...)...), "ERROR 1040 (HY000): Too many connections")
	wantText(t, program(t, "x", "php", "-r", `try { new mysqli("127.0.0.1", "app", "x", "", `+f.port()+`); } catch (Exception $e) { echo $e->getCode(), $e->getMessage(); }`), "1040Too many connections")
}
