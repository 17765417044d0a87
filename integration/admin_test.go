package integration

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// column gives one column of a result by its name.
func column(t *testing.T, db querier, query, name string) (values []string) {
	t.Helper()
	r, err := db.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		row := make([]sql.NullString, len(cols))
		ptrs := make([]any, len(cols))
		for i := range row {
			ptrs[i] = &row[i]
		}
		if err := r.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		for i, c := range cols {
			if c == name {
				values = append(values, row[i].String)
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// TestAdminPort is a DBA's look around, with the columns that the contract fixes.
func TestAdminPort(t *testing.T) {
	c := start(t, setup{})
	app := c.open("shop")
	create(t, app)
	users(t, app, 100)
	dba := c.px[0].dba()
	for query, columns := range map[string][]string{
		"SHOW SHARDS": {"shard", "primary", "state", "slots"}, "SHOW SLOTS": {"first", "last", "shard", "state"},
		"SHOW PROXIES": {"node", "listen", "map_version"}, "SHOW TABLES": {"schema", "table", "kind", "shard_key"},
	} {
		r, err := dba.Query(query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		got, err := r.Columns()
		r.Close()
		if err != nil || len(got) < len(columns) || strings.Join(got[:len(columns)], " ") != strings.Join(columns, " ") {
			t.Errorf("%s: columns %q (%v), want %q first", query, got, err, columns)
		}
	}
	expect(t, dba, "SHOW SLOTS", "0\t4095\ts0\tstable\tNULL", "4096\t8191\ts1\tstable\tNULL", "8192\t12287\ts2\tstable\tNULL", "12288\t16383\ts3\tstable\tNULL")
	if got := strings.Join(column(t, dba, "SHOW SHARDS", "slots"), " "); got != "4096 4096 4096 4096" {
		t.Errorf("slots: %s", got)
	}
	if got := strings.Join(column(t, dba, "show shards;", "state"), " "); got != "up up up up" {
		t.Errorf("states: %s", got)
	}
	kinds := map[string]string{}
	for i, table := range column(t, dba, "SHOW TABLES", "table") {
		kinds[table] = column(t, dba, "SHOW TABLES", "kind")[i]
	}
	for table, kind := range map[string]string{"users": "sharded", "countries": "reference", "settings": "unsharded", "sbtest*": "sharded"} {
		if kinds[table] != kind {
			t.Errorf("table %s is %q, want %q", table, kinds[table], kind)
		}
	}
	if got := column(t, dba, "SHOW SESSIONS", "user"); len(got) == 0 || got[0] != "app" {
		t.Errorf("sessions: %q", got)
	}
	if got := column(t, dba, "SHOW BACKENDS", "version"); len(got) != 4 || !strings.Contains(got[0], "MariaDB") {
		t.Errorf("backends: %q", got)
	}
	if got := strings.Join(column(t, dba, "SHOW DIGESTS", "digest"), "\n"); !strings.Contains(strings.ToLower(got), "insert into users") || strings.Contains(got, "example.com") {
		t.Errorf("digests: %s", got)
	}
	if got := column(t, dba, "SHOW HELP", "statement"); len(got) < 20 {
		t.Errorf("help: %q", got)
	}
	expectError(t, dba, "SHOW NONSENSE", 1064, "SHOW HELP")
	expectError(t, dba, "DROP SHARD s0", 1210, "owns 4096 slots")
	expectError(t, dba, "DROP SHARD nowhere", 1210, "SHOW SHARDS")
	expectError(t, dba, "ADD SHARD s4", 1064, "PRIMARY")
	expectError(t, dba, "ADD SHARD s4 PRIMARY '127.0.0.1:1'", 1210, "cannot be used")
	expectError(t, dba, "MOVE SLOTS 0-1 TO s9", 1210, "sluice:", "no shard s9")
	expectError(t, dba, "MOVE SLOTS 0-16384 TO s1", 1210, "is no range of slots")
	expectError(t, dba, "KILL 4000000000", 1094)
}

// TestAdminAccounts: the two ports have users of their own.
func TestAdminAccounts(t *testing.T) {
	c := start(t, setup{})
	p := c.px[0]
	_, err := tryRows(connect(t, p.admin, "app", ""), "SHOW SHARDS")
	checkError(t, "an application's user on the admin port", err, 1045)
	_, err = tryRows(connect(t, p.data, "root", ""), "SELECT 1")
	checkError(t, "an administrator on the application's port", err, 1045)
	_, err = tryRows(connect(t, p.data, "guest", "shop"), "SELECT 1")
	checkError(t, "a schema that was not given", err, 1044)
	expect(t, connect(t, p.data, "guest", "plain", interpolated), "SELECT DATABASE()", "plain")
	expect(t, connect(t, p.data, "guest", "", interpolated), "SELECT DATABASE()", "NULL")
	guest := connect(t, p.data, "guest", "plain", interpolated)
	expect(t, guest, "SHOW DATABASES", "information_schema", "plain")
	expectError(t, guest, "SELECT * FROM shop.users", 1142, "denied")
	expectError(t, guest, "USE shop", 1044)
	expectError(t, guest, "SELECT * FROM mysql.user", 1142, "denied")
}

// TestKill: an administrator's KILL ends the connection, an application's KILL QUERY only the statement.
func TestKill(t *testing.T) {
	c := start(t, setup{})
	ctx := context.Background()
	db, dba := c.open("shop", interpolated), c.px[0].dba()
	sleeper, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer sleeper.Close()
	id := rows(t, sleeper, "SELECT CONNECTION_ID()")[0]
	done := make(chan error, 1)
	sleep := func() {
		_, err := tryRows(sleeper, "SELECT SLEEP(60)")
		done <- err
	}
	running := func() {
		t.Helper()
		for range 1000 {
			for i, statement := range column(t, dba, "SHOW SESSIONS", "statement") {
				if strings.Contains(statement, "SLEEP") && column(t, dba, "SHOW SESSIONS", "id")[i] == id {
					return
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("the statement does not show in SHOW SESSIONS")
	}
	go sleep()
	running()
	if _, err := db.Exec("KILL QUERY " + id); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil { // SLEEP gives 1 when it is interrupted; other statements give 1317
		checkError(t, "KILL QUERY", err, 1317)
	}
	expect(t, sleeper, "SELECT CONNECTION_ID()", id)
	go sleep()
	running()
	if _, err := dba.Exec("KILL " + id); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("the killed connection answered")
	}
	for i, n := range c.perShard("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'") {
		if n != "0" {
			t.Errorf("shard %d still runs the killed statement", i)
		}
	}
}

// TestShardsComeAndGo: ADD SHARD gives an empty server the schemas and tables, on every
// proxy within a second or so; DROP SHARD takes it out again.
func TestShardsComeAndGo(t *testing.T) {
	etcd := testkit.Etcd(t)
	c := start(t, setup{etcd: "http://" + etcd.Addr})
	second := c.addProxy()
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 50)
	extra := testkit.MariaDB(t)
	dba := c.px[0].dba()
	must(t, dba, fmt.Sprintf("ADD SHARD s4 PRIMARY '%s'", extra.Addr))
	eventually(t, "the other proxy knows the new shard", func() bool {
		return strings.Join(column(t, second.dba(), "SHOW SHARDS", "shard"), " ") == "s0 s1 s2 s3 s4"
	})
	if got := extra.Value("SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'"); got != "countries,names,orders,users" {
		t.Errorf("tables of the new shard: %s", got)
	}
	expect(t, db, "SELECT COUNT(*) FROM users", "50")
	expect(t, second.open("shop", interpolated), "SELECT COUNT(*) FROM users", "50")
	must(t, db, "INSERT INTO countries VALUES ('xx', 'everywhere')", "ALTER TABLE users ADD COLUMN note VARCHAR(10)")
	if got := extra.Value("SELECT COUNT(*) FROM shop.countries"); got != "0" {
		t.Errorf("a shard that is joining has %s rows of a reference table", got)
	}
	must(t, dba, "DROP SHARD s4")
	eventually(t, "the other proxy has dropped the shard", func() bool {
		return len(column(t, second.dba(), "SHOW SHARDS", "shard")) == 4
	})
	must(t, db, "INSERT INTO countries VALUES ('yy', 'four')")
	if got := strings.Join(column(t, dba, "SHOW PROXIES", "node"), " "); got != "px1 px2" {
		t.Errorf("proxies: %s", got)
	}
	if code := second.Stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	if got := strings.Join(column(t, dba, "SHOW PROXIES", "node"), " "); got != "px1" {
		t.Errorf("proxies after one has ended: %s", got)
	}
}

// eventually waits for a condition; the bound is for machines under load, not an expectation.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in 30 s: %s", what)
}

func TestPages(t *testing.T) {
	c := start(t, setup{})
	ctx := context.Background()
	app := c.open("shop")
	create(t, app)
	if _, err := tryRows(app, "SELECT * FROM users WHERE name = '<script>alert(1)</script>'"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "ready", "/metrics": "sluice_statement_seconds_count{strategy=\"everywhere\"} 4", "/": "Sluice", "/debug/pprof/cmdline": "serve",
	} {
		body, status, err := get(ctx, "http://"+c.px[0].http+path)
		if err != nil || status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %v, without %q:\n%.2000s", path, status, err, want, body)
		}
		if strings.Contains(body, "<script>") {
			t.Errorf("%s prints what a client wrote", path)
		}
	}
}
