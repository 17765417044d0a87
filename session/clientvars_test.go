package session_test

import (
	"fmt"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// TestSchemaCharset: SET character_set_database (mariadb-import) holds until the schema
// changes, on whatever connection. Oracle MySQL asks for a privilege.
func TestSchemaCharset(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		f.tables()
		c := on{conn(t, f.open(""))}
		set := func(sql string) error {
			_, err := tryRows(c, sql)
			return err
		}
		const ask = "SELECT @@character_set_database, @@collation_database"
		if flavor == testkit.MySQLFlavor {
			wantCode(t, set("SET character_set_database = binary"), 1227)
			want(t, rows(t, c, ask), "utf8mb4|utf8mb4_0900_ai_ci")
			return
		}
		exec(t, c, "SET character_set_database = binary")
		want(t, rows(t, c, ask), "binary|binary")
		other := on{conn(t, f.open(""))}
		want(t, rows(t, other, ask), "utf8mb4|utf8mb4_general_ci")
		other.c.Close()
		want(t, rows(t, c, ask), "binary|binary")
		exec(t, c, "SET collation_database = latin1_swedish_ci")
		want(t, rows(t, c, ask), "latin1|latin1_swedish_ci")
		exec(t, c, "BEGIN")
		exec(t, c, "INSERT INTO plain VALUES (1, 'a')")
		exec(t, c, "USE information_schema")
		want(t, rows(t, c, ask), "utf8mb3|utf8mb3_general_ci")
		exec(t, c, "COMMIT")
		want(t, rows(t, c, ask), "utf8mb3|utf8mb3_general_ci")
		exec(t, c, "USE "+f.db)
		want(t, rows(t, c, ask), "utf8mb4|utf8mb4_general_ci")
	})
}

// TestWaitTimeout: a client that has set wait_timeout is told to go, in the server's way.
func TestWaitTimeout(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 2})
		c := on{conn(t, f.open(""))}
		var stays = on{conn(t, f.open(""))}
		exec(t, stays, "SET wait_timeout = 30")
		exec(t, stays, "SELECT SLEEP(0.1)")
		exec(t, c, "SET SESSION wait_timeout = 1")
		for deadline := time.Now().Add(20 * time.Second); len(f.server.Clients()) > 1; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the client is still there")
			}
		}
		if _, err := tryRows(c, "SELECT 1"); err == nil {
			t.Error("a closed connection answers")
		}
		want(t, rows(t, stays, "SELECT @@wait_timeout"), "30")
	})
}

// TestGTIDMode: a shard's GTIDs are not the cluster's.
func TestGTIDMode(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		db := f.open("")
		for _, sql := range []string{"SELECT @@gtid_mode", "SELECT @@GLOBAL.gtid_mode"} {
			got, err := tryRows(db, sql)
			if flavor == testkit.MariaDBFlavor {
				wantCode(t, err, 1193)
			} else if want(t, got, "OFF"); err != nil {
				t.Error(err)
			}
		}
		want(t, rows(t, db, "SHOW STATUS LIKE 'Ssl\\_cipher'"), "Ssl_cipher|")
		want(t, rows(t, db, "SHOW SESSION STATUS LIKE 'ssl_version'"), "Ssl_version|")
	})
}

// TestDefiner: the definer that a statement gets anyway may be written out.
func TestDefiner(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1, conns: 1})
	f.tables()
	db := f.open("")
	exec(t, db, "CREATE DEFINER = CURRENT_USER VIEW v1 AS SELECT * FROM plain")
	exec(t, db, "CREATE DEFINER=CURRENT_USER() VIEW v2 AS SELECT * FROM plain")
	_, err := tryRows(db, "CREATE VIEW v3 AS SELECT CURRENT_USER() FROM plain")
	wantCode(t, err, 1235)
}

// TestKillOnItsWay: a KILL QUERY that comes while the statement is on its way to the shard stops it.
func TestKillOnItsWay(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1, conns: 4})
	c := on{conn(t, f.open(""))}
	killer := on{conn(t, f.open(""))}
	id := rows(t, c, "SELECT CONNECTION_ID()")
	for n := range 150 {
		ended := make(chan error, 1)
		sleep := fmt.Sprintf("SELECT SLEEP(20), %d FROM DUAL", n) // not the one before, which its client may know to have ended first
		go func() {
			_, err := tryRows(c, sleep)
			ended <- err
		}()
		for running := false; !running; {
			for _, s := range f.server.Clients() {
				info := s.Session().Info()
				running = running || info.Command == "Query" && info.Statement == sleep
			}
		}
		exec(t, killer, "KILL QUERY "+id)
		select {
		case <-ended: // SLEEP answers 1 when it is killed
		case <-time.After(10 * time.Second):
			t.Fatal("the statement was not stopped")
		}
	}
}
