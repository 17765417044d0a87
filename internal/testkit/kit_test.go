package testkit

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

func TestServers(t *testing.T) {
	for _, f := range Flavors() {
		t.Run(f.String(), func(t *testing.T) {
			s := StartServer(t, f, Binlog(7))
			db := Database(t, s)
			s.Exec("CREATE TABLE "+db+".t (a INT PRIMARY KEY, b VARCHAR(20))", "INSERT INTO "+db+".t VALUES (1,'é'),(2,NULL)")
			if got := s.Query("SELECT * FROM " + db + ".t ORDER BY a"); len(got) != 2 || got[0][1] != "é" || got[1][1] != "NULL" {
				t.Fatalf("%q", got)
			}
			if got := s.Value("SELECT @@server_id + @@log_bin"); got != "8" {
				t.Fatalf("server id + log_bin = %s", got)
			}
			s.Kill()
			if s.Running() {
				t.Fatal("runs after Kill")
			}
			s.Start()
			if got := s.Value("SELECT COUNT(*) FROM " + db + ".t"); got != "2" {
				t.Fatalf("after a crash: %s rows", got)
			}
			s.Stop()
			s.Start()
			if got := s.Value("SELECT COUNT(*) FROM mysql.user WHERE User IN ('root','sluice') AND Host='%'"); got != "2" {
				t.Fatalf("%s accounts", got)
			}
		})
	}
}

// TestNothingStays: when a test binary is killed, its servers and directories go, too.
func TestNothingStays(t *testing.T) {
	if out := os.Getenv("SLUICE_TESTKIT_CHILD"); out != "" {
		s := Shared(t, MariaDBFlavor, 0)
		if err := os.WriteFile(out, fmt.Appendf(nil, "%d %s", s.PID(), s.Dir), 0o600); err != nil {
			t.Fatal(err)
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingStays$")
	cmd.Env = append(os.Environ(), "SLUICE_TESTKIT_CHILD="+out)
	if text, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("the child was not killed: %s", text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscan(string(text), &pid, &dir); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := os.Stat(filepath.Dir(filepath.Dir(dir)))
		if !alive(pid) && errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Since(start) > 20*time.Second {
			t.Fatalf("process %d lives: %v; its directory: %v", pid, alive(pid), err)
		}
	}
}

func TestStores(t *testing.T) {
	Redis(t)
	Etcd(t)
}

func TestShared(t *testing.T) {
	a, b := Shared(t, MariaDBFlavor, 0), Shared(t, MariaDBFlavor, 0)
	if a.Addr != b.Addr {
		t.Fatal("two servers")
	}
	if c := Shared(t, MariaDBFlavor, 1); c.Addr == a.Addr {
		t.Fatal("one server for two numbers")
	}
}

func TestCertificates(t *testing.T) {
	c := Certificates(t)
	for _, f := range Flavors() {
		s := StartServer(t, f, TLS(c))
		config := s.Config("")
		config.TLS = &tls.Config{RootCAs: c.Pool, ServerName: "localhost", Certificates: []tls.Certificate{c.Client}}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		if err := db.Ping(); err != nil {
			t.Errorf("%v: %v", f, err)
		}
	}
}

// echo answers what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestLink(t *testing.T) {
	l := NewLink(t, echo(t))
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	// say sends text and gives what comes back within d.
	say := func(c net.Conn, text string, d time.Duration) (string, error) {
		if _, err := c.Write([]byte(text)); err != nil {
			return "", err
		}
		c.SetReadDeadline(time.Now().Add(d))
		b := make([]byte, len(text))
		n, err := io.ReadFull(c, b)
		return string(b[:n]), err
	}
	c := dial()
	if got, err := say(c, "hello", 5*time.Second); got != "hello" || err != nil {
		t.Fatal(got, err)
	}
	l.Stall()
	if got, err := say(c, "there", 50*time.Millisecond); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(got, err)
	}
	l.Resume()
	if got, err := say(c, "12345", 5*time.Second); got != "there" || err != nil {
		t.Fatal(got, err)
	}
	if got, err := say(c, "abcde", 5*time.Second); got != "12345" || err != nil { // what it sent last is on its way
		t.Fatal(got, err)
	}
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	l.CutAfter(3)
	if got, err := say(c, "ABCDEFGH", 5*time.Second); got != "ABC" || err == nil {
		t.Fatal(got, err)
	}
	if n, err := c.Read(make([]byte, 10)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(n, err)
	}
	l.CutAfter(-1)
	c = dial()
	l.Delay(60 * time.Millisecond)
	start := time.Now()
	if _, err := say(c, "x", 5*time.Second); err != nil || time.Since(start) < 120*time.Millisecond {
		t.Fatal(err, time.Since(start))
	}
	l.Delay(0)
	l.Cut()
	if _, err := say(c, "y", 5*time.Second); err == nil {
		t.Fatal("the connection was not cut")
	}
	l.Refuse(true)
	if c, err := net.Dial("tcp", l.Addr); err == nil {
		if _, err := say(c, "z", 5*time.Second); err == nil {
			t.Fatal("a connection was let through")
		}
		c.Close()
	}
	l.Refuse(false)
	if got, err := say(dial(), "end", 5*time.Second); got != "end" || err != nil {
		t.Fatal(got, err)
	}
}

// TestMissingServer: a server that cannot be had fails the test with a text that says what to do.
func TestMissingServer(t *testing.T) {
	t.Setenv("SLUICE_MYSQL", t.TempDir())
	if _, err := findMySQL(); err == nil || !strings.Contains(err.Error(), "SLUICE_MYSQL") {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := newProgram(MariaDBFlavor, []string{"mariadbd"}, nil, "Debian's package mariadb-server"); err == nil ||
		!strings.Contains(err.Error(), "mariadb-server") {
		t.Fatal(err)
	}
}
