package testkit

import (
	"testing"
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
