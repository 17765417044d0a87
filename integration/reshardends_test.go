package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestTargetIsGone: a migration whose target never comes back is cancelled without it. Its
// shard leaves the map, nothing stays at the source, and the server cannot come back as a
// shard with the rows that it has.
func TestTargetIsGone(t *testing.T) {
	t.Parallel()
	m := startResharding(t, testkit.MariaDBFlavor, 2, 1, 1000)
	fresh := testkit.MariaDB(t, testkit.Binlog(9))
	must(t, m.dba, "ADD SHARD s2 PRIMARY '"+fresh.Addr+"'")
	id := m.move("MOVE SLOTS 0-4095 TO s2")
	m.await(id, "ready")
	fresh.Kill()
	expectError(t, m.dba, "DROP SHARD s2", 1210, "CANCEL it first")
	must(t, m.dba, "CANCEL MIGRATION "+id)
	eventually(t, "the way out is said", func() bool {
		_, _, _, trouble := m.state(id)
		return strings.Contains(trouble, "if its server is gone for good, DROP SHARD s2")
	})
	expectError(t, m.open("shop"), "ALTER TABLE users ADD COLUMN later INT", 1235)
	must(t, m.dba, "DROP SHARD s2")
	m.awaitEnd(id, "cancelled")
	expect(t, m.dba, "SHOW SLOTS", "0\t8191\ts0\tstable\tNULL", "8192\t16383\ts1\tstable\tNULL")
	if got := strings.Join(column(t, m.dba, "SHOW SHARDS", "shard"), " "); got != "s0 s1" {
		t.Errorf("shards %s", got)
	}
	for _, s := range m.servers {
		if got := s.Value("SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE '\\_sluice%'"); got != "0" {
			t.Errorf("%s triggers are left", got)
		}
	}
	if got := m.servers[0].Value("SELECT (SELECT COUNT(*) FROM _sluice.fence) + (SELECT COUNT(*) FROM _sluice.wm)"); got != "0" {
		t.Errorf("%s rows of notes are left", got)
	}
	must(t, m.open("shop"), "ALTER TABLE users ADD COLUMN later INT", "ALTER TABLE users DROP COLUMN later")
	fresh.Start()
	expectError(t, m.dba, "ADD SHARD s2 PRIMARY '"+fresh.Addr+"'", 1210, "has rows on the server")
	fresh.Exec("DROP DATABASE shop", "DROP DATABASE _sluice")
	must(t, m.dba, "ADD SHARD s2 PRIMARY '"+fresh.Addr+"'")
	m.check()
}
