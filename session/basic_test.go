package session_test

import (
	"testing"

	"sluice/internal/testkit"
)

func eachFlavor(t *testing.T, run func(t *testing.T, flavor testkit.Flavor)) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) { run(t, flavor) })
	}
}

// TestStatements goes the whole way: rows reach their shards and come back.
func TestStatements(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		db := f.open("interpolateParams=true")
		for i := 1; i <= 20; i++ {
			exec(t, db, "INSERT INTO users (user_id, name) VALUES (?, ?)", i, "user")
		}
		want(t, rows(t, db, "SELECT name FROM users WHERE user_id = 7"), "user")
		want(t, rows(t, db, "SELECT COUNT(*), MIN(user_id), MAX(user_id) FROM users"), "20|1|20")
		want(t, rows(t, db, "SELECT user_id FROM users ORDER BY user_id DESC LIMIT 3"), "20\n19\n18")
		n0, n1 := f.servers[0].Value("SELECT COUNT(*) FROM "+f.db+".users"), f.servers[1].Value("SELECT COUNT(*) FROM "+f.db+".users")
		if n0 == "0" || n1 == "0" || n0 == "20" {
			t.Errorf("the rows are on %s and %s", n0, n1)
		}
		exec(t, db, "UPDATE users SET name = 'x' WHERE user_id = 7")
		want(t, rows(t, db, "SELECT name FROM users WHERE user_id IN (7, 8) ORDER BY user_id"), "x\nuser")
		exec(t, db, "INSERT INTO countries VALUES ('de', 'Germany'), ('fr', 'France')")
		for _, s := range f.servers {
			want(t, s.Value("SELECT COUNT(*) FROM "+f.db+".countries"), "2")
		}
		want(t, rows(t, db, "SELECT name FROM countries ORDER BY code"), "Germany\nFrance")
	})
}

// TestIDsBesideDDL: the first ids of a table are had although what is known of all tables is forgotten meanwhile, for the
// sake of another one.
func TestIDsBesideDDL(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2})
	db, other := f.open(""), f.open("")
	exec(t, db, "CREATE TABLE users (user_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50))")
	exec(t, db, "CREATE TABLE plain (id INT)")
	f.topo.asks = func() { exec(t, other, "ALTER TABLE plain ADD COLUMN v INT") }
	exec(t, db, "INSERT INTO users (name) VALUES ('a'), ('b')")
	if got := rows(t, db, "SELECT COUNT(*) FROM users"); got != "2" {
		t.Error(got)
	}
}
