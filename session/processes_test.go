package session_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/testkit"
)

// TestProcessTable: information_schema.PROCESSLIST has the user's sessions with Sluice, in the server's columns.
func TestProcessTable(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		guest := on{conn(t, openDB(t, fmt.Sprintf("guest:guest@tcp(%s)/", f.addr)))}
		exec(t, guest, "DO 1")
		exec(t, b, "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')")
		other := rows(t, b, "SELECT CONNECTION_ID()")
		own := rows(t, a, "SELECT CONNECTION_ID()")
		columns := func(db queryer) string {
			r, err := db.Query("SELECT * FROM information_schema.PROCESSLIST LIMIT 0")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			names, err := r.Columns()
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(names, ",")
		}
		want(t, columns(a), columns(f.servers[0].DB(t, f.db)))
		for _, sql := range []string{
			"SELECT ID, USER, DB, COMMAND, TIME < 60, INFO FROM information_schema.PROCESSLIST WHERE ID = " + other,
			"SELECT p.id, p.user, p.db, p.command, p.time < 60, p.info FROM INFORMATION_SCHEMA.processlist AS p WHERE p.id = " + other,
		} {
			want(t, rows(t, a, sql), other+"|app|"+f.db+"|Sleep|1|NULL")
		}
		want(t, rows(t, a, "SELECT COUNT(*), SUM(ID = CONNECTION_ID()), SUM(USER <> 'app') FROM information_schema.PROCESSLIST WHERE ID IN ("+own+", "+other+")"), "2|1|0")
		want(t, rows(t, a, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ? AND INFO LIKE '%PROCESSLIST%'", own), "1")
		want(t, rows(t, a, "SELECT u.user_id, p.DB FROM users u JOIN information_schema.PROCESSLIST p ON p.ID = "+other+" ORDER BY 1"), "1|"+f.db+"\n2|"+f.db+"\n3|"+f.db)
		want(t, rows(t, guest, "SELECT COUNT(*), MAX(USER) FROM information_schema.PROCESSLIST"), "1|guest")
		for _, text := range []string{"'\U0001F600 é'", "x'', 'a\xff\xfeb'", "'" + strings.Repeat("é", 600) + "'", "'x" + strings.Repeat("é", 600) + "'", "'" + strings.Repeat("\U0001F600", 300) + "'"} {
			shown := "SELECT SLEEP(30), " + text
			done := make(chan struct{})
			go func() {
				defer close(done)
				if r, err := b.Query(shown); err == nil {
					for r.Next() {
					}
					r.Close()
				}
			}()
			for rows(t, a, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(30), _%' AND ID = "+other) != "1" && !t.Failed() {
				runtime.Gosched()
			}
			info := rows(t, a, "SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = "+other)
			if !strings.HasPrefix(info, "SELECT SLEEP(30), ") || len(info) > 1024 || len(info) < min(len(shown), 1024)-3-3*strings.Count(shown, "\U0001F600") || !utf8.ValidString(info) {
				t.Errorf("%s is shown as %s", shown, info)
			}
			exec(t, a, "KILL QUERY "+other)
			<-done
		}
		_, err := a.Exec("DELETE FROM information_schema.PROCESSLIST")
		if codeOf(err) == 0 {
			t.Error("the list of sessions can be written")
		}
	})
}
