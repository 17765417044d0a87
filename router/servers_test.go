package router

import (
	"testing"

	"sluice/internal/testkit"
	"sluice/query"
	"sluice/shard"
)

// TestServersTakeLegs: both servers run what plans probe and send, in their own default
// sql_mode, and answer with the columns that the merge counts on.
func TestServersTakeLegs(t *testing.T) {
	statements := []string{
		"SELECT * FROM users ORDER BY name",
		"SELECT name AS n, age FROM users ORDER BY n DESC, LOWER(email) LIMIT 3 OFFSET 1",
		"SELECT name FROM users ORDER BY kind, score, born",
		"SELECT name FROM users ORDER BY RAND() LIMIT 2",
		"SELECT DISTINCT name, kind FROM users",
		"SELECT DISTINCT name, score FROM users ORDER BY score DESC",
		"SELECT u.*, o.status FROM users u LEFT JOIN orders o ON o.user_id = u.user_id ORDER BY o.status, u.name",
		"SELECT COUNT(*), SUM(age), AVG(score), MIN(name), MAX(born), MIN(score) FROM users",
		"SELECT name, COUNT(*) FROM users GROUP BY name",
		"SELECT name AS n, COUNT(*) FROM users GROUP BY n ORDER BY n DESC LIMIT 4",
		"SELECT LOWER(name), COUNT(*), AVG(age) FROM users GROUP BY LOWER(name)",
		"SELECT LOWER(name) AS l, COUNT(*) AS c FROM users GROUP BY l ORDER BY c DESC, l LIMIT 2",
		"SELECT COUNT(*) FROM users GROUP BY kind, score, LEFT(email, 3)",
		"SELECT kind, score, COUNT(*) FROM users GROUP BY kind, score ORDER BY score DESC",
		"SELECT YEAR(born), SUM(age) FROM users GROUP BY YEAR(born) ORDER BY 1",
		"SELECT MONTH(born), YEAR(born), MAX(name) FROM users GROUP BY YEAR(born), MONTH(born) ORDER BY YEAR(born)",
		"SELECT name, COUNT(*) FROM users GROUP BY name ORDER BY NULL",
		"SELECT user_id, COUNT(*) AS n FROM orders GROUP BY user_id ORDER BY n DESC LIMIT 3",
		"SELECT t.table_name FROM information_schema.tables t WHERE t.table_schema = 'shop'",
		"SELECT table_name, column_name FROM information_schema.TABLES JOIN information_schema.COLUMNS USING (table_schema, table_name) WHERE table_schema = 'shop' LIMIT 1",
		"SELECT COUNT(*) FROM information_schema.routines WHERE DATABASE() = routine_schema",
		"SHOW FUNCTION STATUS",
		"SHOW PROCEDURE STATUS WHERE Name = 'x' OR Name = 'y'",
		"SHOW FUNCTION STATUS LIKE 'x%'",
	}
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			server := testkit.StartServer(t, flavor, testkit.Args("--innodb-use-native-aio=0"))
			database := testkit.Database(t, server)
			db := server.DB(t, database)
			for _, ddl := range []string{
				`CREATE TABLE users (user_id BIGINT PRIMARY KEY, name VARCHAR(40), email VARCHAR(100) COLLATE utf8mb4_bin, age INT UNSIGNED,
					score FLOAT, born DATE, kind ENUM('b', 'a'), bio TEXT) CHARACTER SET utf8mb4`,
				"CREATE TABLE orders (order_id BIGINT PRIMARY KEY, user_id BIGINT, total DECIMAL(10,2), status VARCHAR(10), created DATETIME, item_no INT)",
				"INSERT INTO users VALUES (1, 'Ann', 'ann@x', 30, 1.5, '2000-01-02', 'a', 'x'), (2, 'ann', 'Ann@x', 31, 1.5, '2001-01-02', 'b', 'y'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
			} {
				if _, err := db.Exec(ddl); err != nil {
					t.Fatal(err)
				}
			}
			columns := func(sql string) int {
				t.Helper()
				rows, err := db.Query(sql)
				if err != nil {
					t.Errorf("%v\n  in %s", err, sql)
					return -1
				}
				defer rows.Close()
				names, err := rows.Columns()
				for rows.Next() {
				}
				if err != nil || rows.Err() != nil {
					t.Errorf("%v, %v\n  in %s", err, rows.Err(), sql)
				}
				return len(names)
			}
			w := fixture(t)
			for _, sql := range statements {
				in := Input{SQL: []byte(sql), Scan: new(query.Scan), Schema: "shop", User: w.m.User("app"), Map: w.m, Catalog: w.cat}
				in.Mode = query.Mode{MariaDB: flavor == testkit.MariaDBFlavor, ServerVersion: 101119}
				if err := in.Scan.Run(in.SQL, in.Mode); err != nil {
					t.Fatal(err)
				}
				p, err := New(query.Analyze(in.SQL, in.Scan, in.Mode), &in)
				if err != nil {
					t.Errorf("%s: %v", sql, err)
					continue
				}
				if p.Probe != "" {
					cols := make([]shard.Column, max(0, columns(p.Probe)))
					for i := range cols {
						cols[i] = column("c", []string{"varchar(40)"})
					}
					if err := p.Resolve(cols); err != nil {
						t.Errorf("%s: %v", sql, err)
						continue
					}
				}
				b, err := p.Bind(&Args{SQL: in.SQL, Scan: in.Scan, Mode: in.Mode, Map: w.m, Held: -1}, nil)
				if err != nil {
					t.Errorf("%s: %v", sql, err)
					continue
				}
				leg := b.Explain(&Args{SQL: in.SQL, Map: w.m})[0].SQL
				if n := columns(leg); b.Merge != nil && b.Merge.Visible > 0 && n != b.Merge.Visible+b.Merge.Hidden {
					t.Errorf("%d columns, not %d and %d hidden\n  of %s", n, b.Merge.Visible, b.Merge.Hidden, leg)
				}
			}
		})
	}
}
