package integration

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// oracle gives Oracle's client, or another of its programs, for the proxy.
func (p *px) oracle(program, user, password string, args ...string) *exec.Cmd {
	p.t.Helper()
	host, port := p.hostPort()
	cmd := testkit.MySQLTool(p.t, program, append([]string{"-h" + host, "-P" + port, "-u" + user}, args...)...)
	cmd.Env = append(cmd.Env, "MYSQL_PWD="+password)
	return cmd
}

// maria gives MariaDB's client, or another of its programs, for the proxy.
func (p *px) maria(program, user, password string, args ...string) *exec.Cmd {
	p.t.Helper()
	host, port := p.hostPort()
	cmd := exec.Command(program, append([]string{"--no-defaults", "-h" + host, "-P" + port, "-u" + user}, args...)...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	return cmd
}

// says runs a client and looks for a text in what it prints.
func says(t *testing.T, cmd *exec.Cmd, contains string) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), contains) {
		t.Errorf("%s: %v, want %q in\n%s", strings.Join(cmd.Args[max(0, len(cmd.Args)-7):], " "), err, contains, out)
	}
	return string(out)
}

func tlsSection(c *testkit.CertificateFiles, more string) string {
	return fmt.Sprintf("tls: {cert: %s, key: %s, client_ca: %s%s}\n", c.ServerCert, c.ServerKey, c.CA, more)
}

// TestLogin: the ways in, and the words with which they are closed.
func TestLogin(t *testing.T) {
	certs := testkit.Certificates(t)
	c := start(t, setup{shards: 2, node: tlsSection(certs, "")})
	p := c.px[0]
	const who = "SELECT CONCAT(DATABASE(), ' ', SUBSTRING_INDEX(CURRENT_USER(), '@', 1))"
	t.Run("mysql", func(t *testing.T) {
		for _, args := range [][]string{
			{"--ssl-mode=REQUIRED"}, {"--ssl-mode=DISABLED"}, {"--ssl-mode=DISABLED", "--get-server-public-key"},
			{"--ssl-mode=VERIFY_CA", "--ssl-ca=" + certs.CA}, {"--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=" + certs.CA},
			{"--ssl-mode=REQUIRED", "--ssl-cert=" + certs.ClientCert, "--ssl-key=" + certs.ClientKey},
			{"--ssl-mode=DISABLED", "--compression-algorithms=zlib"}, {"--ssl-mode=DISABLED", "--compression-algorithms=zstd"},
			{"--ssl-mode=REQUIRED", "--compression-algorithms=zstd", "--zstd-compression-level=9"},
		} {
			says(t, p.oracle("mysql", "app", "app", append(args, "shop", "-Ne", who)...), "shop app\n")
		}
		for _, args := range [][]string{{"--ssl-mode=REQUIRED"}, {"--ssl-mode=DISABLED", "--get-server-public-key"}} {
			refused := func(user, password, schema, text string) {
				t.Helper()
				says(t, p.oracle("mysql", user, password, append(args, schema, "-e", "SELECT 1")...), text)
			}
			refused("app", "wrong", "shop", "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)")
			refused("nobody", "wrong", "shop", "ERROR 1045 (28000): Access denied for user 'nobody'@'127.0.0.1' (using password: YES)")
			refused("app", "", "shop", "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: NO)")
			refused("guest", "guest", "shop", "ERROR 1044 (42000): Access denied for user 'guest'@'%' to database 'shop'")
			refused("app", "app", "mysql", "ERROR 1044 (42000): Access denied for user 'app'@'%' to database 'mysql'")
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		for _, args := range [][]string{
			{"--skip-ssl"}, {"--ssl", "--ssl-ca=" + certs.CA, "--ssl-verify-server-cert"}, {"--skip-ssl", "--compress"}, {"--ssl", "--compress"},
			{"--skip-ssl", "--default-auth=caching_sha2_password"}, {"--ssl", "--default-auth=caching_sha2_password"},
			{"--ssl", "--ssl-cert=" + certs.ClientCert, "--ssl-key=" + certs.ClientKey},
		} {
			says(t, p.maria("mariadb", "app", "app", append(args, "shop", "-Ne", who)...), "shop app\n")
		}
		others := testkit.Certificates(t)
		says(t, p.maria("mariadb", "app", "app", "--ssl", "--ssl-cert="+others.ClientCert, "--ssl-key="+others.ClientKey, "-Ne", who), "ERROR 20")
		says(t, p.maria("mariadb", "app", "wrong", "-e", "SELECT 1"), "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)")
		says(t, p.maria("mariadb", "guest", "guest", "shop", "-e", "SELECT 1"), "ERROR 1044 (42000): Access denied for user 'guest'@'%' to database 'shop'")
	})
	t.Run("full caching_sha2 by TLS", func(t *testing.T) {
		for password, code := range map[string]uint16{"app": 0, "wrong": 1045} {
			c := fullAuthentication(t, p.data, &tls.Config{RootCAs: certs.Pool, ServerName: "localhost"})
			c.must(c.WritePacket([]byte(password + "\x00")))
			c.must(c.Flush())
			c.ended(code)
		}
	})
	t.Run("full caching_sha2 by RSA", func(t *testing.T) {
		for password, code := range map[string]uint16{"app": 0, "wrong": 1045} {
			c := fullAuthentication(t, p.data, nil)
			c.must(c.WritePacket([]byte{2}))
			c.must(c.Flush())
			block, _ := pem.Decode(c.packet()[1:])
			key, err := x509.ParsePKIXPublicKey(block.Bytes)
			c.must(err)
			plain := []byte(password + "\x00")
			for i := range plain {
				plain[i] ^= c.scramble[i%len(c.scramble)]
			}
			secret, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key.(*rsa.PublicKey), plain, nil)
			c.must(err)
			c.must(c.WritePacket(secret))
			c.must(c.Flush())
			c.ended(code)
		}
	})
	t.Run("attributes", func(t *testing.T) {
		loginRaw(t, p.data, rawLogin{schema: "shop", attrs: map[string]string{"program_name": "till 7", "_pid": "42"}})
		eventually(t, "SHOW SESSIONS has the attributes", func() bool { // the session begins when the client has its OK
			return strings.Contains(strings.Join(column(t, p.dba(), "SHOW SESSIONS", "attributes"), "\n"), "_pid=42 program_name=till 7")
		})
	})
}

// fullAuthentication logs in up to the point at which the server asks for the password itself.
func fullAuthentication(t *testing.T, addr string, config *tls.Config) *raw {
	t.Helper()
	c := dialRaw(t, addr)
	c.say(rawLogin{plugin: "caching_sha2_password", response: []byte("another plugin's answer"), tls: config})
	change := c.packet()
	const plugin = "\xfecaching_sha2_password\x00"
	if !strings.HasPrefix(string(change), plugin) || len(change) != len(plugin)+21 {
		t.Fatalf("want a change to caching_sha2_password, got %q", change)
	}
	c.scramble = append([]byte(nil), change[len(plugin):len(plugin)+20]...)
	c.must(c.WritePacket(sha2Password(c.scramble, "not the password")))
	c.must(c.Flush())
	if b := c.packet(); string(b) != "\x01\x04" {
		t.Fatalf("want the request for full authentication, got %q", b)
	}
	return c
}

// ended reads the answer to a login: 0 is OK.
func (c *raw) ended(code uint16) {
	c.t.Helper()
	if code != 0 {
		c.wantError(code, "(using password: YES)")
		c.wantClosed()
		return
	}
	c.ok()
	want(c.t, "a statement after the login", c.value("SELECT 1"), "1")
}

// TestRequireTLS: only clients with TLS and a certificate of the right authority come in.
func TestRequireTLS(t *testing.T) {
	certs, others := testkit.Certificates(t), testkit.Certificates(t)
	c := start(t, setup{shards: 2, node: tlsSection(certs, ", require: true") + "compression: false\n"})
	p := c.px[0]
	says(t, p.oracle("mysql", "app", "app", "--ssl-mode=DISABLED", "-e", "SELECT 1"), "ERROR 3159 (HY000)")
	says(t, p.maria("mariadb", "app", "app", "--skip-ssl", "-e", "SELECT 1"), "ERROR 3159 (HY000)")
	says(t, p.oracle("mysql", "app", "app", "--ssl-mode=REQUIRED", "-Ne", "SELECT 40 + 2"), "ERROR 20")
	says(t, p.oracle("mysql", "app", "app", "--ssl-mode=REQUIRED", "--ssl-cert="+others.ClientCert, "--ssl-key="+others.ClientKey, "-Ne", "SELECT 40 + 2"), "ERROR 20")
	says(t, p.oracle("mysql", "app", "app", "--ssl-mode=REQUIRED", "--ssl-cert="+certs.ClientCert, "--ssl-key="+certs.ClientKey, "-Ne", "SELECT 40 + 2"), "42\n")
	says(t, p.maria("mariadb", "app", "app", "--ssl", "--ssl-cert="+certs.ClientCert, "--ssl-key="+certs.ClientKey, "-Ne", "SELECT 40 + 2"), "42\n")
	// A client is told of its own connection; those to the shards have no TLS.
	says(t, p.maria("mariadb", "app", "app", "--ssl", "--ssl-cert="+certs.ClientCert, "--ssl-key="+certs.ClientKey, "-Ne", `SHOW STATUS LIKE 'Ssl\_version'`), "TLSv1.3\n")
	says(t, p.maria("mariadb", "app", "app", "--ssl", "--ssl-cert="+certs.ClientCert, "--ssl-key="+certs.ClientKey, "--tls-version=TLSv1.2", "-Ne", "SHOW STATUS LIKE 'Ssl_cipher'"), "ECDHE-")
	// Compression is not offered here: who insists on it is refused by his own client.
	says(t, p.oracle("mysql", "app", "app", "--ssl-cert="+certs.ClientCert, "--ssl-key="+certs.ClientKey, "--compression-algorithms=zstd", "-Ne", "SELECT 40 + 2"), "ERROR 2066")
	// The admin port asks for the same.
	_, err := tryRows(connect(t, p.admin, "root", ""), "SHOW SHARDS")
	checkError(t, "the admin port without TLS", err, 3159)
	dba := connect(t, p.admin, "root", "", interpolated, func(c *mysql.Config) {
		c.TLS = &tls.Config{RootCAs: certs.Pool, ServerName: "localhost", Certificates: []tls.Certificate{certs.Client}}
	})
	if got := rows(t, dba, "SHOW SHARDS"); len(got) != 2 {
		t.Errorf("SHOW SHARDS: %q", got)
	}
}

// TestProxyProtocol stands behind HAProxy: the client's own address is seen by accounts, SQL
// and the administrator, and nobody else may tell one.
func TestProxyProtocol(t *testing.T) {
	c := start(t, setup{shards: 2, node: "proxy_protocol_networks: [127.0.0.2/32]\nlimits: {handshake_timeout: 500ms}\n"})
	p := c.px[0]
	for _, option := range []string{"send-proxy", "send-proxy-v2"} {
		t.Run(option, func(t *testing.T) {
			front := haproxy(t, p.data, option+" source 127.0.0.2")
			db := connect(t, front, "app", "shop", interpolated)
			conn, err := db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			want(t, "the client's host", rows(t, conn, "SELECT SUBSTRING_INDEX(USER(), '@', -1)")[0], "127.0.0.1")
			_, err = tryRows(connect(t, front, "app", "shop", func(c *mysql.Config) { c.Passwd = "wrong" }), "SELECT 1")
			checkError(t, "a wrong password", err, 1045, "'app'@'127.0.0.1'")
		})
	}
	t.Run("without", func(t *testing.T) {
		front := haproxy(t, p.data, "source 127.0.0.2")
		if _, err := tryRows(connect(t, front, "app", "shop"), "SELECT 1"); err == nil {
			t.Error("a connection without the header that must come was let in")
		}
	})
	t.Run("from others", func(t *testing.T) {
		front := haproxy(t, p.data, "send-proxy")
		if _, err := tryRows(connect(t, front, "app", "shop"), "SELECT 1"); err == nil {
			t.Error("a header from a network that is not listed was taken")
		}
		expect(t, c.open("shop"), "SELECT SUBSTRING_INDEX(USER(), '@', -1)", "127.0.0.1")
	})
}

// haproxy starts one before addr and gives its address.
func haproxy(t *testing.T, addr, server string) string {
	t.Helper()
	front := fmt.Sprintf("127.0.0.1:%d", testkit.Port(t))
	dir := testkit.Dir(t, "haproxy")
	file := filepath.Join(dir, "haproxy.cfg")
	config := fmt.Sprintf("defaults\n\tmode tcp\n\ttimeout connect 5s\n\ttimeout client 60s\n\ttimeout server 60s\nlisten l\n\tbind %s\n\tserver s %s %s\n", front, addr, server)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Start(t, testkit.Spec{Name: "haproxy", Argv: []string{"haproxy", "-db", "-f", file}, Dir: dir, Ready: dialed(front)})
	return front
}
