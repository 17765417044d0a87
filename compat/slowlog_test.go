package compat

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// TestSlowLog: the file holds what was sent, in the form that percona-toolkit reads, and a
// new file is begun when the old one was moved away.
func TestSlowLog(t *testing.T) {
	t.Parallel()
	file := filepath.Join(testkit.Dir(t, "slow"), "slow.log")
	w := newWorld(t, testkit.MariaDBFlavor, options{rules: toolRules, node: "slow_log: {file: " + file + ", threshold: 0s}"})
	on := w.sharded
	db := on.db(t, func(c *mysql.Config) { c.InterpolateParams = false })
	db.SetMaxOpenConns(1)
	for _, s := range []string{"CREATE TABLE members (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50))", "INSERT INTO members VALUES (1, 'it''s one'), (2, 'two'), (3, 'three')"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	stmt, err := db.Prepare("SELECT name FROM members WHERE id = ? AND name <> ?")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a'b", "c", "d"} {
		var got string
		if err := stmt.QueryRow(2, name).Scan(&got); err != nil || got != "two" {
			t.Fatal(got, err)
		}
	}
	stmt.Close()
	if _, err := db.Query("SELECT COUNT(*) FROM members UNION SELECT nothing FROM members"); err == nil {
		t.Error("a wrong statement was answered")
	}
	if _, err := db.Exec("SET PASSWORD = PASSWORD('a secret')"); err == nil {
		t.Error("a password was set")
	}
	text := waitFor(t, file, "PASSWORD")
	for _, want := range []string{
		`(?m)^# Time: 20\d\d-\d\d-\d\dT[0-9:]{8}\.\d{6}Z\n# User@Host: app\[app\] @  \[127\.0\.0\.1\]  Id: +\d+\n# Query_time: \d+\.\d{6}  Lock_time: 0\.000000 Rows_sent: 0  Rows_examined: 0\n` +
			`# Strategy: split-insert  Failed: No  Shards: s\d(,s\d)+\nuse ` + on.schema + `;\nSET timestamp=\d+;\nINSERT INTO members VALUES \(1, 'it''s one'\), \(2, 'two'\), \(3, 'three'\);$`,
		`(?m)Rows_sent: 1  Rows_examined: 0\n# Strategy: relay  Failed: No  Shards: s\d\nuse .*\n.*\nSELECT name FROM members WHERE id = 2 AND name <> '(a\\'b|a''b)';$`,
		`(?m)^# Strategy: \S+  Failed: Yes.*\nuse .*\n.*\nSELECT COUNT`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("nothing like %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "a secret") {
		t.Error("a password is in the log")
	}
	if full() {
		same, all := digested(t, file)
		matrix.record(result{Client: "pt-query-digest of percona-toolkit 3.2", Server: serverName(on.flavor), Mode: on.name, What: "lines of the slow log's digest", Passed: same, Of: all})
	}
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	w.proxy.Signal(syscall.SIGHUP)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no new file after SIGHUP")
		}
	}
	if _, err := db.Exec("DO 'after the turn'"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, file, "after the turn")
}

// waitFor reads a file until it has a text.
func waitFor(t *testing.T, file, text string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(b), text) {
			return string(b)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %s: %v\n%s", text, file, err, b)
		}
	}
}

// digested lets pt-query-digest read the log, and counts what it should say.
func digested(t *testing.T, file string) (same, all int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "pt-query-digest", "--no-version-check", "--limit=100", "--order-by=Query_time:cnt", file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pt-query-digest: %v\n%s", err, out)
	}
	for _, want := range []string{
		`(?m)^#\s+1 0x[0-9A-F]+ .* 2 .*SELECT members$`, `(?m)INSERT members$`, `(?m)CREATE TABLE members$`, `(?m)^# Strategy +(relay|split-insert)`, `(?m)^# Hosts +127\.0\.0\.1`,
		`(?m)^# Users +app`, `(?m)^SELECT name FROM members WHERE id = 2 AND name <> '`,
	} {
		all++
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("pt-query-digest says nothing like %s:\n%s", want, out)
			continue
		}
		same++
	}
	return same, all
}
