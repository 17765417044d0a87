package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// TestTools runs the programs of a DBA, MariaDB's and Oracle's, against both kinds of shards.
func TestTools(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		p := c.px[0]
		db := c.open("shop")
		create(t, db)
		users(t, db, 20)
		for name, tool := range map[string]func(program, user, password string, args ...string) *exec.Cmd{"mariadb": p.maria, "mysql": p.oracle} {
			t.Run(name, func(t *testing.T) {
				run := func(program string, contains string, args ...string) string {
					t.Helper()
					return says(t, tool(program, "app", "app", args...), contains)
				}
				run("mysqladmin", "mysqld is alive\n", "ping")
				run("mysqladmin", "Uptime: ", "status")
				run("mysqladmin", "Server version", "version")
				run("mysqladmin", "max_allowed_packet", "variables")
				run("mysqladmin", "Threads_connected", "extended-status")
				run("mysqladmin", "show processlist", "processlist")
				run("mysqladmin", "Unknown thread id: 4000000", "kill", "4000000")
				run("mysqladmin", "shutdown failed", "shutdown")
				run("mysqlshow", "| plain              |\n| shop               |\n")
				run("mysqlshow", "| users     |        4 |         20 |\n", "--count", "shop")
				run("mysqlshow", "| user_id |", "shop", "users")
				if got := run("mysqlshow", "| users  |\n", "shop", "u%"); strings.Contains(got, "orders") {
					t.Errorf("mysqlshow shop u%%: %s", got)
				}
				// A session of the same user is ended, one of another user is not.
				victim := loginRaw(t, p.data, rawLogin{schema: "shop"})
				run("mysqladmin", "", "kill", fmt.Sprint(victim.id))
				victim.send(wire.ComPing, "")
				victim.wantClosed()
				other := loginRaw(t, p.data, rawLogin{user: "guest", schema: "plain"})
				run("mysqladmin", fmt.Sprintf("You are not owner of thread %d", other.id), "kill", fmt.Sprint(other.id))
				want(t, "the other user's session", other.value("SELECT 1"), "1")
			})
		}
		// Completion in MariaDB's client asks for the columns of all tables by COM_FIELD_LIST.
		out := says(t, p.maria("mariadb", "app", "app", "--auto-rehash", "-N", "shop", "-e", "\\#\nSELECT 40 + 2"), "42\n")
		want(t, "the client's words", out, "42\n")
		if got := says(t, p.maria("mariadb", "app", "app", "shop", "-e", "\\s"), "Connection id:"); !strings.Contains(got, "Uptime:") {
			t.Errorf("status: %s", got)
		}
	})
}

// TestMysqli sends what mysqli has besides queries.
func TestMysqli(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		must(t, c.open("plain"), "CREATE TABLE t (a TEXT)")
		file := filepath.Join(t.TempDir(), "lines")
		if err := os.WriteFile(file, []byte(strings.Repeat("a line\n", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		host, port := c.px[0].hostPort()
		if out := command(t, "php", "-d", "mysqli.allow_local_infile=1", "testdata/commands.php", host, port, file); out != "done\n" {
			t.Error(out)
		}
	})
}

// TestKilledStatement: KILL QUERY over SQL, COM_PROCESS_KILL and KILL stop what runs on the shard.
func TestKilledStatement(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		p := c.px[0]
		db := c.open("shop", interpolated)
		create(t, db)
		users(t, db, 10)
		running := func() int {
			n := 0
			for _, v := range c.perShard("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'sluice' AND INFO LIKE '%SLEEP(60)%'") {
				i, _ := strconv.Atoi(v)
				n += i
			}
			return n
		}
		killer := loginRaw(t, p.data, rawLogin{schema: "shop"})
		for _, sql := range []string{"SELECT SLEEP(60)", "SELECT SLEEP(60) FROM users WHERE user_id = 1", "SELECT MAX(SLEEP(60)) FROM users"} {
			for _, how := range []string{"KILL QUERY", "KILL", "COM_PROCESS_KILL"} {
				victim := loginRaw(t, p.data, rawLogin{schema: "shop"})
				victim.send(wire.ComQuery, sql)
				eventually(t, sql+" runs", func() bool { return running() > 0 })
				if how == "COM_PROCESS_KILL" {
					killer.send(wire.ComProcessKill, le(victim.id))
				} else {
					killer.send(wire.ComQuery, fmt.Sprintf("%s %d", how, victim.id))
				}
				killer.ok()
				switch {
				case how != "KILL QUERY":
					victim.wantClosed()
				case sql == "SELECT SLEEP(60)" || strings.Contains(sql, "user_id"):
					// MariaDB and MySQL give 1 for a SLEEP that was stopped where it is all there is.
					h, err := victim.ReadResultHeader()
					for err == nil && h.Columns != nil {
						var end *wire.OK
						if _, end, err = victim.ReadRow(); end != nil {
							break
						}
					}
					if e, ok := err.(*wire.Error); err != nil && (!ok || e.Code != 1317) {
						t.Errorf("%s, %s: %v", sql, how, err)
					}
					want(t, "the next statement", victim.value("SELECT 7"), "7")
				}
				eventually(t, sql+" has ended", func() bool { return running() == 0 })
				victim.Close()
			}
		}
	})
}

// TestChangeUser: COM_CHANGE_USER proves the password again, and nothing of the user before stays.
func TestChangeUser(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		p := c.px[0]
		db := c.open("shop", interpolated)
		create(t, db)
		users(t, db, 4)
		must(t, c.open("plain", interpolated), "CREATE TABLE t (a INT PRIMARY KEY)")
		dirty := func() (*raw, uint32) {
			r := loginRaw(t, p.data, rawLogin{schema: "shop"})
			r.query("SET @x = 5, sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'")
			r.query("CREATE TEMPORARY TABLE shop.settings (name VARCHAR(9))")
			want(t, "GET_LOCK", r.value("SELECT GET_LOCK('l', 0)"), "1")
			id := r.prepare("SELECT 1")
			r.query("BEGIN")
			r.query("UPDATE users SET name = 'changed' WHERE user_id = 1")
			return r, id
		}
		clean := func(r *raw, id uint32, user, schema string) {
			t.Helper()
			want(t, "state", r.value("SELECT CONCAT_WS(' ', IFNULL(@x, 'no @x'), @@sql_mode LIKE '%ANSI_QUOTES%', @@time_zone)"), "no @x 0 SYSTEM")
			want(t, "user", r.value("SELECT CONCAT(SUBSTRING_INDEX(CURRENT_USER(), '@', 1), ' ', DATABASE())"), user+" "+schema)
			r.send(wire.ComStmtExecute, le(id, byte(0), uint32(1)))
			r.wantError(1243, "Unknown prepared statement handler")
			expect(t, db, "SELECT name FROM users WHERE user_id = 1", "user 1") // rolled back, and not locked any more
			must(t, db, "UPDATE users SET name = 'user 1' WHERE user_id = 1")
			expect(t, db, "SELECT GET_LOCK('l', 0), RELEASE_LOCK('l')", "1\t1")
		}
		change := func(r *raw, user, password, schema string) {
			t.Helper()
			r.send(wire.ComChangeUser, user+"\x00"+string(rune(20))+string(nativePassword(r.scramble, password))+schema+"\x00"+le(uint16(45))+"mysql_native_password\x00")
			// The answer to the old scramble does not do: a new one comes.
			b := r.packet()
			const plugin = "\xfemysql_native_password\x00"
			if !strings.HasPrefix(string(b), plugin) {
				t.Fatalf("want a new scramble, got %q", b)
			}
			r.must(r.WritePacket(nativePassword(b[len(plugin):len(plugin)+20], password)))
			r.must(r.Flush())
		}
		r, id := dirty()
		change(r, "guest", "guest", "plain")
		r.ok()
		clean(r, id, "guest", "plain")
		r.send(wire.ComQuery, "SELECT * FROM shop.users")
		r.wantError(1142, "denied")
		for _, bad := range []struct {
			user, password, schema string
			code                   uint16
		}{{"guest", "wrong", "plain", 1045}, {"nobody", "nobody", "plain", 1045}, {"guest", "guest", "shop", 1044}} {
			r, _ := dirty()
			change(r, bad.user, bad.password, bad.schema)
			r.wantError(bad.code, bad.user)
			r.wantClosed()
			expect(t, db, "SELECT name FROM users WHERE user_id = 1", "user 1")
			eventually(t, "the lock is free", func() bool { return rows(t, db, "SELECT IS_FREE_LOCK('l')")[0] == "1" })
		}
		r, id = dirty()
		r.send(wire.ComResetConnection, "")
		r.ok()
		clean(r, id, "app", "shop")
	})
}

// TestRareCommands are those that drivers seldom send.
func TestRareCommands(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		p := c.px[0]
		db := c.open("shop")
		create(t, db)
		users(t, db, 10)
		r := loginRaw(t, p.data, rawLogin{})
		r.send(wire.ComQuery, "SELECT * FROM users")
		r.wantError(1046, "No database selected")
		r.send(wire.ComInitDB, "nowhere")
		r.wantError(1044, "nowhere")
		r.send(wire.ComInitDB, "shop")
		r.ok()
		want(t, "COM_INIT_DB", r.value("SELECT COUNT(*) FROM users"), "10")
		r.send(wire.ComStatistics, "")
		if s := string(r.packet()); !strings.HasPrefix(s, "Uptime: ") {
			t.Errorf("COM_STATISTICS: %q", s)
		}
		r.send(wire.ComFieldList, "users\x00u%")
		b := r.packet()
		if col, err := wire.ParseColumn(b); err != nil || col.Name != "user_id" {
			t.Errorf("COM_FIELD_LIST: %v %v", col, err)
		}
		if b := r.packet(); !wire.IsEOF(b) {
			t.Errorf("COM_FIELD_LIST: %q", b)
		}
		r.send(wire.ComFieldList, "missing\x00")
		r.wantError(1146, "missing")
		r.send(wire.ComQuery, "SELECT 1; SELECT 2")
		r.wantError(1064, "SELECT 2")
		r.send(wire.ComSetOption, "\x00\x00")
		if b := r.packet(); !wire.IsEOF(b) {
			t.Fatalf("COM_SET_OPTION: %q", b)
		}
		r.send(wire.ComQuery, "SELECT COUNT(*) FROM users; DELETE FROM users WHERE user_id IN (3, 4); SELECT COUNT(*) FROM users; SELECT * FROM missing; SELECT 5")
		var got []string
		for {
			_, rows, end := r.result()
			got = append(got, append(rows, fmt.Sprint(end.AffectedRows))...)
			if len(got) == 5 {
				break
			}
		}
		want(t, "multi-statements", strings.Join(got, " "), "10 0 2 8 0")
		r.wantError(1146, "missing")
		want(t, "the statement after it", r.value("SELECT 5"), "5")
		for _, cmd := range []byte{wire.ComShutdown, wire.ComBinlogDump, wire.ComRegisterSlave, wire.ComDebug, 0x77} {
			r.send(cmd, "x")
			r.wantError(1047, "Unknown command")
		}
	})
}

// TestPreparedCommands: COM_STMT_… in all their forms, cursors and long data among them.
func TestPreparedCommands(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2})
		p := c.px[0]
		db := c.open("shop")
		create(t, db)
		users(t, db, 10)
		must(t, c.open("plain", interpolated), "CREATE TABLE big (id INT PRIMARY KEY, body LONGBLOB)", "INSERT INTO big SELECT seq, REPEAT('x', seq) FROM "+seq(flavor, 25))
		r := loginRaw(t, p.data, rawLogin{schema: "plain"})
		// A cursor, fetched in steps, with other work between them.
		id := r.prepare("SELECT id FROM big ORDER BY id")
		open := func() {
			t.Helper()
			r.send(wire.ComStmtExecute, le(id, wire.CursorReadOnly, uint32(1)))
			h, err := r.ReadResultHeader()
			r.must(err)
			if h.OK.Status&wire.StatusCursorExists == 0 {
				t.Fatalf("no cursor: status %#x", h.OK.Status)
			}
		}
		fetch := func(n uint32) (rows int, status uint16) {
			t.Helper()
			r.send(wire.ComStmtFetch, le(id, n))
			for {
				_, end, err := r.ReadRow()
				r.must(err)
				if end != nil {
					return rows, end.Status
				}
				rows++
			}
		}
		open()
		sum := 0
		for {
			n, status := fetch(10)
			sum += n
			want(t, "other work", r.value("SELECT COUNT(*) FROM shop.users"), "10")
			if status&wire.StatusLastRowSent != 0 {
				break
			}
		}
		want(t, "rows by the cursor", sum, 25)
		r.send(wire.ComStmtFetch, le(id, uint32(1)))
		r.wantError(1421, "no open cursor")
		open()
		if n, _ := fetch(3); n != 3 {
			t.Errorf("%d rows", n)
		}
		r.send(wire.ComStmtReset, le(id))
		r.ok()
		r.send(wire.ComStmtFetch, le(id, uint32(1)))
		r.wantError(1421, "no open cursor")
		if got := column(t, p.dba(), "SHOW SESSIONS", "pinned"); got[len(got)-1] != "" {
			t.Errorf("still pinned: %q", got)
		}
		// Long data, twice with a reset between them, then closed.
		id = r.prepare("INSERT INTO big VALUES (?, ?)")
		long := func(text string) {
			r.must(r.Command(wire.ComStmtSendLongData, []byte(le(id, uint16(1), text))))
		}
		execute := func(row uint32) {
			r.send(wire.ComStmtExecute, le(id, byte(0), uint32(1), byte(0), byte(1), wire.TypeLong, byte(0), wire.TypeLongBlob, byte(0), row))
		}
		long("thrown away")
		r.send(wire.ComStmtReset, le(id))
		r.ok()
		long("Hello, ")
		long(strings.Repeat("y", 70000))
		long("")
		execute(100)
		r.ok()
		want(t, "long data", r.value("SELECT CONCAT(LENGTH(body), LEFT(body, 5)) FROM big WHERE id = 100"), "70007Hello")
		r.send(wire.ComStmtExecute, le(id, byte(0), uint32(1), byte(0)))
		r.wantError(1210, "mysqld_stmt_execute")
		r.must(r.Command(wire.ComStmtClose, []byte(le(id))))
		execute(101)
		r.wantError(1243, "Unknown prepared statement handler")
	})
}

// seq is a table of numbers 1 to n.
func seq(flavor testkit.Flavor, n int) string {
	if flavor == testkit.MariaDBFlavor {
		return fmt.Sprintf("seq_1_to_%d", n)
	}
	return fmt.Sprintf("(WITH RECURSIVE s(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < %d) SELECT seq FROM s) numbers", n)
}
