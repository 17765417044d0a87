package slowlog

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func entry(sql string, took time.Duration) *Entry {
	return &Entry{Started: time.Unix(1764460800, 250_000_000), Took: took, ID: 8, User: "app", Host: "10.0.0.7", Schema: "shop", Rows: 3,
		Strategy: "gather", Shards: "s0,s1", SQL: []byte(sql)}
}

func openLog(t *testing.T, threshold time.Duration) (*Log, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slow.log")
	l, err := Open(path, threshold, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, path
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFormat(t *testing.T) {
	l, path := openLog(t, time.Second)
	l.Add(entry("SELECT 'too quick'", time.Second-1))
	l.Add(entry("SELECT *\nFROM orders WHERE name = 'it''s'", 1250*time.Millisecond))
	l.Close()
	l.Add(entry("SELECT 'too late'", time.Hour)) // no panic
	const want = `# Time: 2025-11-30T00:00:01.500000Z
# User@Host: app[app] @  [10.0.0.7]  Id:     8
# Query_time: 1.250000  Lock_time: 0.000000 Rows_sent: 3  Rows_examined: 0
# Strategy: gather  Failed: No  Shards: s0,s1
use shop;
SET timestamp=1764460800;
SELECT *
FROM orders WHERE name = 'it''s';
`
	if got := content(t, path); got != want {
		t.Errorf("got\n%s", got)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file holds values of clients, but its mode is %v, %v", st.Mode(), err)
	}
}

func TestReopen(t *testing.T) {
	l, path := openLog(t, 0)
	l.Add(entry("SELECT 1", 0))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	for len(l.queue) > 0 { // what was added before goes where it was added
		time.Sleep(time.Millisecond)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Add(entry("SELECT 2", 0))
	l.Close()
	if err := l.Reopen(); err != nil {
		t.Error(err)
	}
	if old, new := content(t, path+".1"), content(t, path); !strings.Contains(old, "SELECT 1") || strings.Contains(old, "SELECT 2") || !strings.Contains(new, "SELECT 2") {
		t.Errorf("old:\n%s\nnew:\n%s", old, new)
	}
}

// A writer that does not come to write drops entries instead of holding clients up.
func TestBounds(t *testing.T) {
	l := &Log{queue: make(chan []byte, maxQueue)}
	long := entry("SELECT '"+strings.Repeat("x", 2*maxText)+"'", time.Minute)
	for range maxQueue + 5 {
		l.Add(long)
	}
	if l.Dropped() != 5 {
		t.Errorf("%d entries were dropped", l.Dropped())
	}
	if n := len(<-l.queue); n > maxText+500 {
		t.Errorf("an entry has %d bytes", n)
	}
	var none *Log
	none.Add(long)
	none.Close()
	if _, ok := none.Threshold(); ok || none.Reopen() != nil || none.Dropped() != 0 {
		t.Error("no log is a log")
	}
}
