package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

// accounts are one account of each plugin, with a password and without where that is possible.
var accounts = map[testkit.Flavor][]struct{ name, create, password string }{
	testkit.MariaDBFlavor: {
		{"native", "IDENTIFIED VIA mysql_native_password USING PASSWORD('s3cret''x')", "s3cret'x"},
		{"native_empty", "IDENTIFIED VIA mysql_native_password USING PASSWORD('')", ""},
		{"ed25519", "IDENTIFIED VIA ed25519 USING PASSWORD('s3cret''x')", "s3cret'x"},
	},
	testkit.MySQLFlavor: {
		{"sha2", "IDENTIFIED WITH caching_sha2_password BY 's3cret''x'", "s3cret'x"},
		{"sha2_empty", "IDENTIFIED WITH caching_sha2_password BY ''", ""},
	},
}

func authServer(t *testing.T, flavor testkit.Flavor, certs *testkit.CertificateFiles) *testkit.Server {
	if flavor == testkit.MySQLFlavor {
		return testkit.MySQL(t, testkit.TLS(certs))
	}
	return testkit.MariaDB(t, testkit.TLS(certs), testkit.Args("--plugin-load-add=auth_ed25519"))
}

func TestLogin(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			certs := testkit.Certificates(t)
			s := authServer(t, flavor, certs)
			for _, a := range accounts[flavor] {
				for _, mode := range []string{"", "preferred", "required", "verify"} {
					for _, fast := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s,tls=%s,again=%v", a.name, mode, fast), func(t *testing.T) {
							if !fast { // the server has no cached hash of a new account
								s.Exec("DROP USER IF EXISTS "+a.name, "CREATE USER "+a.name+" "+a.create)
							}
							account := shard.Backend{User: a.name, Password: a.password, TLS: mode}
							p := open(t, Options{TLS: &tls.Config{RootCAs: certs.Pool}}, mapOf(t, account, s.Addr))
							c := get(t, p, "", nil)
							defer c.Put()
							if got := value(t, c, "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"); got != a.name {
								t.Errorf("logged in as %q", got)
							}
							_, rows, err := c.Query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
							if err != nil || (len(rows[0][1]) > 0) != (mode != "") {
								t.Errorf("cipher %q, %v", rows, err)
							}
						})
					}
				}
				t.Run(a.name+",wrong", func(t *testing.T) {
					for _, mode := range []string{"", "required"} {
						account := shard.Backend{User: a.name, Password: "wrong", TLS: mode}
						p := open(t, Options{}, mapOf(t, account, s.Addr))
						_, err := p.Get(context.Background(), "s0", Class{}, "", nil)
						if u := unavailable(t, err); u.Full || errors.As(err, new(*wire.Error)) {
							t.Errorf("%#v: the server's own words reach clients", u)
						}
						var we *wire.Error
						if _, err := p.Probe(context.Background(), s.Addr); !errors.As(err, &we) || we.Code != 1045 {
							t.Errorf("probe: %v", err)
						}
						if st := p.Status()[0]; st.State != "down" || st.LastError == "" {
							t.Errorf("%+v", st)
						}
					}
				})
			}
			unixSocket(t, s)
		})
	}
}

// TestForeignPlugin: a server cannot talk Sluice into a plugin that gives the password away.
func TestForeignPlugin(t *testing.T) {
	s := testkit.Shared(t, testkit.MySQLFlavor, 0)
	s.Exec("DROP USER IF EXISTS foreign_plugin", "CREATE USER foreign_plugin IDENTIFIED WITH sha256_password BY 'secret'")
	p := open(t, Options{}, mapOf(t, shard.Backend{User: "foreign_plugin", Password: "secret"}, s.Addr))
	if _, err := p.Probe(context.Background(), s.Addr); err == nil || !strings.Contains(err.Error(), `"sha256_password"`) {
		t.Fatalf("%v", err)
	}
}

func unixSocket(t *testing.T, s *testkit.Server) {
	t.Run("unix socket", func(t *testing.T) {
		p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Socket))
		c := get(t, p, "", nil)
		defer c.Put()
		if got := value(t, c, "SELECT 1"); got != "1" {
			t.Error(got)
		}
	})
}

// TestTLSRefused: what cannot be had safely is not had at all.
func TestTLSRefused(t *testing.T) {
	certs, others := testkit.Certificates(t), testkit.Certificates(t)
	with := testkit.MariaDB(t, testkit.TLS(certs))
	without := testkit.Shared(t, testkit.MariaDBFlavor, 0) // MariaDB 10.11 offers no TLS by itself
	for name, c := range map[string]struct {
		addr, mode string
		config     *tls.Config
		ok         bool
	}{
		"no TLS, preferred":       {without.Addr, "preferred", nil, true},
		"no TLS, required":        {without.Addr, "required", nil, false},
		"no TLS, verify":          {without.Addr, "verify", nil, false},
		"unknown authority":       {with.Addr, "verify", &tls.Config{RootCAs: others.Pool}, false},
		"no authority given":      {with.Addr, "verify", nil, false},
		"another name":            {with.Addr, "verify", &tls.Config{RootCAs: certs.Pool, ServerName: "elsewhere"}, false},
		"unverified, as demanded": {with.Addr, "required", &tls.Config{RootCAs: others.Pool}, true},
		"verified":                {with.Addr, "verify", &tls.Config{RootCAs: certs.Pool}, true},
		"unknown mode":            {with.Addr, "sometimes", nil, false},
	} {
		p := open(t, Options{TLS: c.config}, mapOf(t, shard.Backend{TLS: c.mode}, c.addr))
		if _, err := p.Probe(context.Background(), c.addr); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCapabilities: what a class asks for is what the server does, and nothing else.
func TestCapabilities(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		db := testkit.Database(t, s)
		s.Exec("CREATE TABLE "+db+".t (a INT PRIMARY KEY, b INT)", "INSERT INTO "+db+".t VALUES (1,1),(2,2)")
		p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		for _, class := range []Class{{}, {FoundRows: true}, {LocalFile: true}, {FoundRows: true, LocalFile: true}} {
			c, err := p.Get(context.Background(), "s0", class, db, nil)
			if err != nil {
				t.Fatal(err)
			}
			ok, err := c.Exec("UPDATE t SET b=a")
			if want := uint64(0); err != nil || class.FoundRows && ok.AffectedRows != 2 || !class.FoundRows && ok.AffectedRows != want {
				t.Errorf("%+v: %d rows, %v", class, ok.AffectedRows, err)
			}
			if _, err := c.Exec("SELECT 1; SELECT 2"); err == nil {
				t.Errorf("%+v: several statements in one text", class)
			}
			if got := value(t, c, "SELECT CONCAT(@@collation_connection,',',@@autocommit+0,',',@@net_write_timeout)"); got != "utf8mb4_general_ci,1,3600" {
				t.Errorf("fresh state %s", got)
			}
			if class.LocalFile {
				if err := c.begin(wire.ComQuery, []byte("LOAD DATA LOCAL INFILE 'x' INTO TABLE t")); err != nil {
					t.Fatal(err)
				}
				if h, err := c.ReadResultHeader(); err != nil || string(h.LocalFile) != "x" {
					t.Errorf("%+v: %+v, %v", class, h, err)
				}
				c.Close()
				continue
			}
			var we *wire.Error
			if _, err := c.Exec("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"); !errors.As(err, &we) {
				t.Errorf("%+v: a local file: %v", class, err)
			}
			if got, want := fmt.Sprint(p.Status()[0].Collation), s.Value("SELECT ID FROM information_schema.COLLATIONS WHERE COLLATION_NAME = @@collation_server"); got != want {
				t.Errorf("collation %s, the server's is %s", got, want)
			}
			if c.ThreadID() == 0 || c.ServerVersion() == "" || c.Shard() != "s0" {
				t.Errorf("%d %q %q", c.ThreadID(), c.ServerVersion(), c.Shard())
			}
			c.Put()
		}
	})
}

// TestDialTimeout: a server that is stopped answers nothing; the login ends in time.
func TestDialTimeout(t *testing.T) {
	s := testkit.MariaDB(t)
	p := open(t, Options{DialTimeout: 200 * time.Millisecond}, mapOf(t, shard.Backend{}, s.Addr))
	s.Pause()
	defer s.Resume()
	start := time.Now()
	_, err := p.Get(context.Background(), "s0", Class{}, "", nil)
	if u := unavailable(t, err); u.Full || time.Since(start) > 3*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
	// From now on nobody waits for it.
	start = time.Now()
	for range 100 {
		if _, err := p.Get(context.Background(), "s0", Class{}, "", nil); err == nil {
			t.Fatal("a connection to a server that is stopped")
		}
	}
	if d := time.Since(start); d > 100*time.Millisecond {
		t.Fatalf("100 refusals took %v", d)
	}
	s.Resume()
	eventually(t, "the server is up again", func() bool { return p.Status()[0].State == "up" })
	get(t, p, "", nil).Put()
}
