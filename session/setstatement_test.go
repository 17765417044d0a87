package session_test

import (
	"testing"

	"sluice/internal/testkit"
)

// TestSetStatement: MariaDB's SET STATEMENT … FOR holds for the statement within, on every
// shard that it goes to, and for nothing after it.
func TestSetStatement(t *testing.T) {
	f := newFront(t, frontOptions{flavor: testkit.MariaDBFlavor, shards: 2, conns: 2})
	f.tables()
	db := f.open("")
	exec(t, db, "INSERT INTO users VALUES (1,'a'),(2,'b'),(3,'c'),(4,'d'),(5,'e'),(6,'f'),(7,'g'),(8,'h')")
	exec(t, db, "INSERT INTO plain VALUES (1,'x'),(2,'y')")
	for name, begin := range map[string]string{"pool": "DO 0", "pinned": "SET @x = 7", "transaction": "BEGIN", "implicit": "SET autocommit = 0"} {
		t.Run(name, func(t *testing.T) {
			c := on{conn(t, db)}
			exec(t, c, begin)
			for range 2 {
				for sql, answer := range map[string]string{
					"SET STATEMENT max_statement_time=9 FOR SELECT COUNT(*) FROM users":                                               "8",
					"SET STATEMENT max_statement_time = 9, sort_buffer_size := 65536 FOR SELECT @@max_statement_time FROM users":      "9\n9\n9\n9\n9\n9\n9\n9",
					"SET STATEMENT max_statement_time=9 FOR SELECT user_id FROM users ORDER BY name DESC LIMIT 2":                     "8\n7",
					"SET STATEMENT sql_select_limit=2 FOR SELECT user_id FROM users ORDER BY user_id":                                 "1\n2",
					"SET STATEMENT SQL_SELECT_LIMIT=1 FOR SELECT user_id FROM users WHERE user_id = 2":                                "2",
					"SET STATEMENT div_precision_increment=1 FOR SELECT 1/3":                                                          "0.3",
					"set statement group_concat_max_len=4 for SELECT GROUP_CONCAT(user_id ORDER BY user_id) FROM users":               "1,2,",
					"SET STATEMENT group_concat_max_len=4 FOR SELECT GROUP_CONCAT(name) FROM users WHERE user_id = 3":                 "c",
					"SET STATEMENT max_statement_time=9 FOR SELECT u.name, p.v FROM users u JOIN plain p ON p.id = u.user_id LIMIT 1": "a|x",
					"SET STATEMENT max_statement_time=9 FOR SELECT CONNECTION_ID() > 0":                                               "1",
					"SET STATEMENT max_statement_time=DEFAULT FOR SELECT @@max_statement_time":                                        "0",
				} {
					got := rows(t, c, sql)
					if got != answer {
						t.Errorf("%s: %s, want %s", sql, got, answer)
					}
					want(t, rows(t, c, "SELECT @@max_statement_time, @@group_concat_max_len > 1000, 1/3, @@sort_buffer_size > 65536"), "0|1|0.3333|1")
					want(t, rows(t, c, "SELECT MAX(@@max_statement_time + user_id) FROM users"), "8")
				}
			}
			exec(t, c, "SET STATEMENT unique_checks=0 FOR UPDATE users SET name = CONCAT(name, @@unique_checks)")
			want(t, rows(t, c, "SELECT GROUP_CONCAT(name ORDER BY user_id) FROM users"), "aOFF,bOFF,cOFF,dOFF,eOFF,fOFF,gOFF,hOFF")
			exec(t, c, "UPDATE users SET name = LEFT(name, 1)")
			exec(t, c, "SET max_statement_time = 20")
			want(t, rows(t, c, "SET STATEMENT max_statement_time=9 FOR SELECT @@max_statement_time"), "9")
			want(t, rows(t, c, "SET STATEMENT sql_select_limit=1 FOR SELECT user_id FROM users ORDER BY user_id"), "1")
			want(t, rows(t, c, "SELECT COUNT(*) FROM (SELECT user_id FROM users) q"), "8")
			want(t, rows(t, c, "SELECT name IS NULL FROM users ORDER BY user_id LIMIT 2"), "0\n0")
			want(t, rows(t, c, "SELECT @@max_statement_time"), "20")
			if name == "implicit" {
				exec(t, c, "COMMIT")
			}
			for sql, code := range map[string]uint16{
				"SET STATEMENT max_statement_time=0.05 FOR SELECT SLEEP(user_id * 0 + 9) FROM users":     1969,
				"SET STATEMENT max_statement_time='x' FOR SELECT 1":                                      1232,
				"SET STATEMENT max_statement_time=-5 FOR SELECT 1":                                       1235,
				"SET STATEMENT sort_buffer_size=1 FOR SELECT 1":                                          1235,
				"SET STATEMENT max_statement_time=1+1 FOR SELECT 1":                                      1235,
				"SET STATEMENT nosuch=1 FOR SELECT 1":                                                    1235,
				"SET STATEMENT autocommit=0 FOR SELECT 1":                                                1235,
				"SET STATEMENT max_statement_time=1 FOR SET @y = 1":                                      1235,
				"SET STATEMENT max_statement_time=1 FOR BEGIN":                                           1235,
				"SET STATEMENT max_statement_time=1 FOR SET STATEMENT max_statement_time=2 FOR SELECT 1": 1235,
				"SET STATEMENT max_statement_time=1 FOR SELECT * FROM missing":                           1146,
				"SET STATEMENT max_statement_time=1 FOR SELEKT":                                          1235,
				"SET STATEMENT max_statement_time=1 FOR":                                                 1235,
			} {
				if _, err := tryRows(c, sql); codeOf(err) != code {
					t.Errorf("%s: %v, want %d", sql, err, code)
				}
				want(t, rows(t, c, "SELECT @@max_statement_time, @@sort_buffer_size > 65536"), "20|1")
			}
			if _, err := tryRows(c, "SET STATEMENT max_statement_time=9 FOR SELECT ?", 1); codeOf(err) != 1235 {
				t.Error(err)
			}
			for _, sql := range []string{"ROLLBACK", "SET autocommit = 1", "SET max_statement_time = DEFAULT"} {
				exec(t, c, sql) // the driver gives the connection to the next
			}
		})
	}
	db.Close()
	want(t, rows(t, f.open(""), "SELECT @@max_statement_time, @@autocommit"), "0|1")
}
