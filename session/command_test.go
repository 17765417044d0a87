package session_test

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/wire"
)

// TestCommands goes through the command bytes.
func TestCommands(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := f.raw(0)
		for _, cmd := range []byte{wire.ComSleep, wire.ComCreateDB, wire.ComDropDB, wire.ComRefresh, wire.ComShutdown, wire.ComConnect, wire.ComDebug,
			wire.ComTime, wire.ComDelayedInsert, wire.ComBinlogDump, wire.ComTableDump, wire.ComRegisterSlave, wire.ComDaemon,
			wire.ComBinlogDumpGTID, wire.ComStmtBulkExecute, 0x77} {
			c.send(cmd, "x")
			if got := c.code(); got != 1047 {
				t.Errorf("command %#x: %d", cmd, got)
			}
		}
		c.send(wire.ComPing, "")
		if ok := c.ok(); ok.Status != wire.StatusAutocommit {
			t.Errorf("status %#x", ok.Status)
		}
		c.send(wire.ComStatistics, "")
		if s := string(c.packet()); !strings.HasPrefix(s, "Uptime: ") {
			t.Error(s)
		}
		c.send(wire.ComInitDB, "mysql")
		if got := c.code(); got != 1044 {
			t.Errorf("COM_INIT_DB mysql: %d", got)
		}
		c.send(wire.ComInitDB, f.db)
		c.ok()
		c.send(wire.ComFieldList, "users\x00")
		if n := c.fields(); n != 2 {
			t.Errorf("COM_FIELD_LIST gives %d columns", n)
		}
		for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			c.send(wire.ComProcessInfo, "")
			_, rows, _, err := c.result()
			if err == nil && len(rows) > 1 && time.Now().Before(limit) {
				continue // one that was closed has not ended yet
			}
			if err != nil || len(rows) != 1 {
				t.Errorf("COM_PROCESS_INFO: %d rows, %v", len(rows), err)
			}
			break
		}
		c.send(wire.ComSetOption, "\x09\x09")
		if got := c.code(); got != 1047 {
			t.Error(got)
		}
		c.must(c.WritePacket(nil))
	})
}

// fields reads column definitions up to their EOF.
func (c *raw) fields() (n int) {
	c.t.Helper()
	for {
		b := c.packet()
		if wire.IsError(b) {
			e, _ := wire.ParseError(b)
			c.t.Fatal(e)
		}
		if wire.IsEOF(b) {
			return n
		}
		n++
	}
}

// TestMultiStatements: several statements of one packet, and the switch for them.
func TestMultiStatements(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2})
	f.tables()
	c := f.raw(0)
	if _, _, _, err := c.query("SELECT 1; SELECT 2"); err == nil || err.(*wire.Error).Code != 1064 {
		t.Errorf("without the capability: %v", err)
	}
	want(t, c.value("SELECT 1;  -- nothing follows"), "1")
	c.send(wire.ComSetOption, "\x00\x00")
	if b := c.packet(); !wire.IsEOF(b) {
		t.Fatalf("%x", b)
	}
	c.send(wire.ComQuery, "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'); SET @x = 3; SELECT @x; BEGIN; SELECT COUNT(*) FROM users; COMMIT")
	var statuses []uint16
	var got []string
	for {
		_, rows, ok, err := c.result()
		c.must(err)
		statuses = append(statuses, ok.Status)
		for _, r := range rows {
			got = append(got, string(r[1:]))
		}
		if ok.Status&wire.StatusMoreResults == 0 {
			break
		}
	}
	if len(statuses) != 6 || statuses[3]&wire.StatusInTrans == 0 || statuses[5]&wire.StatusInTrans != 0 {
		t.Errorf("statuses %#x", statuses)
	}
	want(t, strings.Join(got, ","), "3,5")
	c.send(wire.ComQuery, "SELECT 1; SELECT * FROM missing; SELECT 3")
	_, _, ok, err := c.result()
	if err != nil || ok.Status&wire.StatusMoreResults == 0 {
		t.Errorf("first: %v %v", ok, err)
	}
	if _, _, _, err := c.result(); err == nil || err.(*wire.Error).Code != 1146 {
		t.Errorf("second: %v", err)
	}
	want(t, c.value("SELECT 4"), "4") // the third was not run
	c.send(wire.ComSetOption, "\x01\x00")
	c.packet()
	if _, _, _, err := c.query("SELECT 1; SELECT 2"); err == nil {
		t.Error("still on")
	}
}

// TestPreparedWithoutTypes executes again without sending the types, as libmysqlclient and
// PHP do.
func TestPreparedWithoutTypes(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := f.raw(0)
		ins, _ := c.prepare("INSERT INTO users (user_id, name) VALUES (?, ?)")
		sel, cols := c.prepare("SELECT user_id, name FROM users WHERE user_id = ?")
		if ins.Params != 2 || ins.Columns != 0 || sel.Params != 1 || len(cols) != 2 || cols[1].Name != "name" {
			t.Fatalf("%+v %+v %+v", ins, sel, cols)
		}
		for i := range 20 {
			arg := id(ins.ID) + "\x00\x01\x00\x00\x00" + "\x00"
			if i == 0 {
				arg += "\x01\x08\x00\xfd\x00"
			} else {
				arg += "\x00"
			}
			c.send(wire.ComStmtExecute, arg+string(binary.LittleEndian.AppendUint64(nil, uint64(i)))+"\x02n"+string(rune('a'+i)))
			if ok := c.ok(); ok.AffectedRows != 1 {
				t.Fatalf("%d: %+v", i, ok)
			}
		}
		want(t, c.value("SELECT COUNT(*) FROM users WHERE name LIKE 'n_'"), "20")
		for i := range 20 {
			arg := id(sel.ID) + "\x00\x01\x00\x00\x00" + "\x00"
			if i == 0 {
				arg += "\x01\x08\x00"
			} else {
				arg += "\x00"
			}
			c.send(wire.ComStmtExecute, arg+string(binary.LittleEndian.AppendUint64(nil, uint64(i))))
			_, rows, _, err := c.result()
			c.must(err)
			if len(rows) != 1 || !strings.HasSuffix(string(rows[0]), "\x02n"+string(rune('a'+i))) {
				t.Errorf("%d: %q", i, rows)
			}
		}
		// A statement of another id, and one that was closed.
		c.send(wire.ComStmtExecute, id(99)+"\x00\x01\x00\x00\x00")
		if got := c.code(); got != 1243 {
			t.Error(got)
		}
		c.send(wire.ComStmtClose, id(sel.ID))
		c.send(wire.ComStmtExecute, id(sel.ID)+"\x00\x01\x00\x00\x00\x00\x01\x08\x00"+strings.Repeat("\x00", 8))
		if got := c.code(); got != 1243 {
			t.Error(got)
		}
		c.send(wire.ComStmtExecute, id(ins.ID)+"\x00\x01") // truncated
		if got := c.code(); got != 1210 {
			t.Error(got)
		}
		// Long data, which is then forgotten.
		c.send(wire.ComStmtSendLongData, id(ins.ID)+"\x01\x00long ")
		c.send(wire.ComStmtSendLongData, id(ins.ID)+"\x01\x00data")
		c.send(wire.ComStmtExecute, id(ins.ID)+"\x00\x01\x00\x00\x00\x00\x01\x08\x00\xfd\x00"+string(binary.LittleEndian.AppendUint64(nil, 100)))
		c.ok()
		want(t, c.value("SELECT name FROM users WHERE user_id = 100"), "long data")
		c.send(wire.ComStmtReset, id(ins.ID))
		c.ok()
	})
}

// TestCursor reads a result bit by bit; a merged result comes at once.
func TestCursor(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2, conns: 1})
		f.tables()
		c := f.raw(0)
		for i := range 10 {
			_, _, _, err := c.query("INSERT INTO plain (v) VALUES ('v" + string(rune('0'+i)) + "')")
			c.must(err)
			_, _, _, err = c.query("INSERT INTO users VALUES (" + string(rune('0'+i)) + ", 'x')")
			c.must(err)
		}
		sel, _ := c.prepare("SELECT v FROM plain WHERE id > ? ORDER BY id")
		execute := id(sel.ID) + "\x01\x01\x00\x00\x00" + "\x00\x01\x08\x00" + strings.Repeat("\x00", 8)
		c.send(wire.ComStmtExecute, execute)
		cols, rows, ok, err := c.result()
		if err != nil || len(cols) != 1 || len(rows) != 0 || ok.Status&wire.StatusCursorExists == 0 {
			t.Fatalf("%v %v %v %v", cols, rows, ok, err)
		}
		var all []string
		for {
			c.send(wire.ComStmtFetch, id(sel.ID)+"\x03\x00\x00\x00")
			_, rows, ok, err := c.rest(cols)
			c.must(err)
			for _, r := range rows {
				all = append(all, string(r[3:]))
			}
			if ok.Status&wire.StatusLastRowSent != 0 {
				break
			}
			want(t, c.value("SELECT name FROM users WHERE user_id = 7"), "x") // other statements go on meanwhile
		}
		want(t, strings.Join(all, ","), "v0,v1,v2,v3,v4,v5,v6,v7,v8,v9")
		c.send(wire.ComStmtFetch, id(sel.ID)+"\x03\x00\x00\x00")
		if got := c.code(); got != 1421 {
			t.Error(got)
		}
		if info := f.server.Clients()[len(f.server.Clients())-1].Session().Info(); info.Pinned != "" {
			t.Errorf("still pinned: %s", info.Pinned)
		}
		many, _ := c.prepare("SELECT user_id FROM users ORDER BY user_id")
		c.send(wire.ComStmtExecute, id(many.ID)+"\x01\x01\x00\x00\x00")
		_, rows, ok, err = c.result()
		if err != nil || len(rows) != 10 || ok.Status&wire.StatusCursorExists != 0 {
			t.Errorf("%d rows, %v %v", len(rows), ok, err)
		}
		// Closing the statement frees the connection.
		c.send(wire.ComStmtExecute, execute)
		c.result()
		c.send(wire.ComStmtClose, id(sel.ID))
		want(t, c.value("SELECT 1"), "1")
	})
}

// TestChangeUser: a new user, with nothing of the old one left.
func TestChangeUser(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1})
		f.tables()
		c := f.raw(0)
		for _, sql := range []string{"SET @x = 1", "SET time_zone = '+03:00'", "CREATE TEMPORARY TABLE tmp (a INT)", "BEGIN", "INSERT INTO users VALUES (1, 'a')"} {
			_, _, _, err := c.query(sql)
			c.must(err)
		}
		st, _ := c.prepare("SELECT 1")
		change := "guest\x00\x00\x00\x2d\x00mysql_native_password\x00"
		c.send(wire.ComChangeUser, change)
		b := c.packet()
		if b[0] != 0xFE {
			t.Fatalf("no new scramble: %x", b)
		}
		scramble := b[1+len("mysql_native_password")+1:]
		c.must(c.WritePacket(nativeToken("guest", scramble[:20])))
		c.must(c.Flush())
		c.ok()
		want(t, c.value("SELECT IFNULL(@x, 'none')"), "none")
		want(t, c.value("SELECT @@time_zone"), "SYSTEM")
		want(t, c.value("SELECT CURRENT_USER()"), "guest@%")
		if _, _, _, err := c.query("SELECT * FROM users"); err == nil || err.(*wire.Error).Code != 1046 {
			t.Errorf("without a schema: %v", err)
		}
		c.send(wire.ComStmtExecute, id(st.ID)+"\x00\x01\x00\x00\x00")
		if got := c.code(); got != 1243 {
			t.Error(got)
		}
		c.send(wire.ComInitDB, f.db)
		if got := c.code(); got != 1044 {
			t.Error(got)
		}
		want(t, f.servers[0].Value("SELECT COUNT(*) FROM "+f.db+".users"), "0")
		other := f.raw(0)
		_, _, _, err := other.query("SET @x = 1")
		other.must(err)
		other.send(wire.ComResetConnection, "")
		other.ok()
		want(t, other.value("SELECT IFNULL(@x, 'none')"), "none")
		want(t, other.value("SELECT DATABASE()"), f.db)
	})
}

// TestEmptyStatements between and behind others, as the servers take them.
func TestEmptyStatements(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1})
	c := f.raw(wire.ClientMultiStatements)
	c.send(wire.ComQuery, "SELECT 1; -- end")
	if _, rows, ok, err := c.result(); err != nil || len(rows) != 1 || ok.Status&wire.StatusMoreResults == 0 {
		t.Errorf("%d rows, %v, %v", len(rows), ok, err)
	}
	if _, rows, ok, err := c.result(); err != nil || len(rows) != 0 || ok.Status&wire.StatusMoreResults != 0 {
		t.Errorf("%d rows, %v, %v", len(rows), ok, err)
	}
	want(t, c.value("SELECT 2; ; \n"), "2")
	c.send(wire.ComQuery, "SELECT 1;;SELECT 2")
	if _, _, _, err := c.result(); err != nil {
		t.Error(err)
	}
	if _, _, _, err := c.result(); err == nil || err.(*wire.Error).Code != 1064 {
		t.Error(err)
	}
	want(t, c.value("SELECT 3"), "3")
}

// TestPreparedKeepsItsMeaning: a statement is what it was when it was prepared.
func TestPreparedKeepsItsMeaning(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1})
		c := f.raw(0)
		run := func(p wire.PrepareOK) string {
			t.Helper()
			c.send(wire.ComStmtExecute, id(p.ID)+"\x00\x01\x00\x00\x00")
			_, rows, _, err := c.result()
			if err != nil {
				return err.Error()
			}
			return string(rows[0])
		}
		set := func(sql string) {
			t.Helper()
			_, _, _, err := c.query(sql)
			c.must(err)
		}
		set("SET NAMES utf8mb4 COLLATE utf8mb4_general_ci")
		same, _ := c.prepare("SELECT IF('a' = 'A', 'yes', 'no')")
		schema, _ := c.prepare("SELECT DATABASE()")
		before := run(same)
		set("SET collation_connection = utf8mb4_bin")
		want(t, run(same), before)
		want(t, c.value("SELECT IF('a' = 'A', 'yes', 'no')"), "no")
		set("SET NAMES utf8mb4 COLLATE utf8mb4_general_ci")
		in := run(schema)
		set("USE information_schema")
		want(t, run(schema), in)
		want(t, c.value("SELECT DATABASE()"), "information_schema")
		escaped, _ := c.prepare(`SELECT 'a\\b'`)
		quoted, _ := c.prepare(`SELECT "a"`)
		text := run(quoted)
		set("SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
		want(t, run(quoted), text)
		if got := run(escaped); !strings.Contains(got, "prepare it again") { // its answer would tell of the other way to escape
			t.Errorf("runs as %q", got)
		}
		want(t, run(same), before)
	})
}

// TestPreparedKeepsItsMode: words of sql_mode at which a server looks when it prepares a statement are those of then, as on
// one server, and the others are those of now.
func TestPreparedKeepsItsMode(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		own := on{conn(t, f.servers[0].DB(t, f.db))}
		a := on{conn(t, f.open(""))}
		for _, c := range []on{a, own} {
			exec(t, c, "INSERT IGNORE INTO countries VALUES ('de', 'DE'), ('fr', 'FR')")
			rows(t, c, "SELECT COUNT(*) FROM countries") // ends the warnings of the second, which statements without tables leave
		}
		texts := map[string]string{
			"NO_UNSIGNED_SUBTRACTION": "SELECT CAST(1 AS UNSIGNED) - 2", "ONLY_FULL_GROUP_BY": "SELECT code FROM countries GROUP BY name",
			"IGNORE_SPACE": "SELECT COUNT (*) FROM countries", "PAD_CHAR_TO_FULL_LENGTH": "SELECT CONCAT(code, '|') FROM countries ORDER BY 1",
			"NO_ZERO_DATE": "SELECT CAST('0000-00-00' AS DATE)",
		}
		if flavor == testkit.MariaDBFlavor {
			texts["EMPTY_STRING_IS_NULL"] = "SELECT CONCAT('a', '')"
		} else {
			texts["REAL_AS_FLOAT"] = "SELECT CAST(1.123456789123 AS REAL)"
		}
		run := func(c on, text, then, now string, binary bool) string {
			exec(t, c, "SET sql_mode = '"+then+"'")
			var got string
			if binary {
				st, err := c.c.PrepareContext(t.Context(), text)
				if err != nil {
					return fmt.Sprint(codeOf(err))
				}
				defer st.Close()
				exec(t, c, "SET sql_mode = '"+now+"'")
				if got, err = tryRows(stmtQueryer{st}, ""); err != nil {
					return fmt.Sprint(codeOf(err))
				}
			} else {
				if _, err := c.Exec("PREPARE st FROM \"" + text + "\""); err != nil {
					return fmt.Sprint(codeOf(err))
				}
				exec(t, c, "SET sql_mode = '"+now+"'")
				var err error
				if got, err = tryRows(c, "EXECUTE st"); err != nil {
					return fmt.Sprint(codeOf(err))
				}
			}
			return got + " " + rows(t, c, "SHOW WARNINGS")
		}
		for word, text := range texts {
			for _, modes := range [][2]string{{word, ""}, {"", word}, {word, "STRICT_ALL_TABLES," + word}} {
				for _, binary := range []bool{false, true} {
					one, through := run(own, text, modes[0], modes[1], binary), run(a, text, modes[0], modes[1], binary)
					if one != through {
						t.Errorf("%s prepared under %q, executed under %q (binary: %v): %q, and by Sluice %q", text, modes[0], modes[1], binary, one, through)
					}
				}
			}
		}
		exec(t, a, "SET sql_mode = 'IGNORE_SPACE'")
		exec(t, a, "PREPARE st FROM 'SELECT @@sql_mode'")
		exec(t, a, "SET sql_mode = ''")
		_, err := tryRows(a, "EXECUTE st")
		wantCode(t, err, 1235)
		want(t, rows(t, a, "SELECT @@sql_mode"), "")
		defines := "CREATE TABLE made (a REAL)"
		if flavor == testkit.MariaDBFlavor {
			defines = "CREATE FUNCTION made() RETURNS INT RETURN 1"
		}
		exec(t, a, "SET sql_mode = 'REAL_AS_FLOAT'")
		exec(t, a, "PREPARE st FROM '"+defines+"'")
		exec(t, a, "SET sql_mode = ''")
		_, err = a.Exec("EXECUTE st")
		wantCode(t, err, 1235)
		exec(t, a, "SET sql_mode = 'STRICT_ALL_TABLES,REAL_AS_FLOAT'")
		exec(t, a, "EXECUTE st")
	})
}

// stmtQueryer runs a prepared statement.
type stmtQueryer struct{ st *sql.Stmt }

func (q stmtQueryer) Query(_ string, args ...any) (*sql.Rows, error) { return q.st.Query(args...) }

// TestStatus: the flags of answers that no server gave.
func TestStatus(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1})
		c := f.raw(0)
		for _, step := range []struct {
			sql  string
			want uint16
		}{
			{"START TRANSACTION READ ONLY", wire.StatusAutocommit | wire.StatusInTrans | wire.StatusInTransReadonly},
			{"COMMIT", wire.StatusAutocommit},
			{"BEGIN", wire.StatusAutocommit | wire.StatusInTrans},
			{"ROLLBACK", wire.StatusAutocommit},
			{"SET SESSION TRANSACTION READ ONLY", wire.StatusAutocommit},
			{"BEGIN", wire.StatusAutocommit | wire.StatusInTrans | wire.StatusInTransReadonly},
			{"SET autocommit = 0", wire.StatusInTrans | wire.StatusInTransReadonly},
			{"COMMIT", 0},
			{"SET sql_mode = 'NO_BACKSLASH_ESCAPES'", wire.StatusNoBackslashEscapes},
		} {
			_, _, ok, err := c.query(step.sql)
			c.must(err)
			if ok.Status != step.want {
				t.Errorf("%s: status %#x, want %#x", step.sql, ok.Status, step.want)
			}
		}
	})
}
