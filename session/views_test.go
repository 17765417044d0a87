package session_test

import (
	"testing"

	"sluice/internal/testkit"
	"sluice/shard"
)

// TestViewsWithoutRules: a view that asks for what is the connection's is refused where no schema has rules, too, and what a
// function that it calls leaves is the client's.
func TestViewsWithoutRules(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 2})
		_, err := f.topo.Update(t.Context(), func(s *shard.Spec) error { s.Schemas[0].Tables = nil; return nil })
		if err != nil {
			t.Fatal(err)
		}
		s := f.servers[0]
		for _, sql := range []string{
			"CREATE TABLE p (id INT NOT NULL PRIMARY KEY)", "INSERT INTO p VALUES (1)",
			"CREATE FUNCTION marks() RETURNS INT BEGIN SET @secret = IFNULL(@secret, 0) + 42; RETURN 1; END",
			"CREATE FUNCTION adds() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO p SELECT MAX(id) + 1 FROM p t; RETURN 1; END",
			"CREATE VIEW vmarks AS SELECT marks() AS n", "CREATE VIEW vadds AS SELECT adds() AS n", "CREATE VIEW vover AS SELECT n FROM vmarks",
			"CREATE SQL SECURITY INVOKER VIEW vuser AS SELECT USER() AS u, id FROM p",
			"CREATE SQL SECURITY INVOKER VIEW vmine AS SELECT id FROM p WHERE CURRENT_USER LIKE '%'",
			"CREATE DEFINER = 'root'@'localhost' VIEW vowner AS SELECT CURRENT_USER() AS u, id FROM p",
			"CREATE VIEW vid AS SELECT CONNECTION_ID() AS n", "CREATE VIEW vlock AS SELECT GET_LOCK('a', 0) AS n",
			"CREATE VIEW vprocess AS SELECT id FROM information_schema.PROCESSLIST",
		} {
			_, err := s.DB(t, f.db).Exec(sql)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		for _, sql := range []string{"SELECT u FROM vuser", "SELECT * FROM vmine", "UPDATE vmine SET id = 7", "SELECT n FROM vid", "SELECT n FROM vlock",
			"INSERT INTO p SELECT id + 10 FROM vuser", "SELECT id FROM vprocess"} {
			_, err := a.Exec(sql)
			wantCode(t, err, 1235)
		}
		want(t, rows(t, a, "SELECT u FROM vowner"), "root@localhost")
		want(t, rows(t, a, "SELECT n FROM vover"), "1")
		want(t, rows(t, b, "SELECT @secret"), "NULL")
		want(t, rows(t, b, "SELECT n FROM vmarks"), "1")
		want(t, rows(t, a, "SELECT n, @secret FROM vmarks"), "1|84")
		want(t, rows(t, b, "SELECT @secret"), "42")
		want(t, rows(t, a, "SELECT n FROM vadds"), "1")
		want(t, rows(t, b, "SELECT MAX(id) FROM p"), "2")
	})
}
