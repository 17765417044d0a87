package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// reached waits until a migration is in a phase, for phases that go by.
func (m *resharding) reached(id, phase string) {
	m.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		state, at, _, trouble := m.state(id)
		if strings.HasPrefix(at, phase) {
			return
		}
		if state == "failed" || state == "cancelled" || state == "completed" || time.Now().After(deadline) {
			m.t.Fatalf("migration %s is %s (%s), and never came to %s: %s", id, state, at, phase, trouble)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestMigrationByHand: what a DBA can do to a migration, while clients write: verify, cut
// over, revert without loss, cancel, pause, complete, and move back what was moved.
func TestMigrationByHand(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			m := startResharding(t, flavor, 2, 2, 3000)
			stop := m.write(2)
			defer stop()
			expectError(t, m.dba, "MOVE SLOTS 0-99 TO s7", 1210, "no shard s7")
			expectError(t, m.dba, "MOVE SLOTS 0-99 TO s0", 1210, "owns all of these slots already")
			expectError(t, m.dba, "CUTOVER MIGRATION 77", 1210, "no migration 77")

			id := m.move("MOVE SLOTS 0-99, 200-4095 TO s1")
			expectError(t, m.dba, "MOVE SLOTS 300-400 TO s1", 1210, "migration "+id)
			m.await(id, "ready")
			expectError(t, m.dba, "REVERT MIGRATION "+id, 1210, "is for one that is switched")
			expectError(t, m.dba, "DROP SHARD s1", 1210)
			must(t, m.dba, "VERIFY MIGRATION "+id)
			m.verified(id, "none differs")
			m.plant(id, 1)
			must(t, m.dba, "VERIFY MIGRATION "+id)
			m.verified(id, "1 differ, 1 of them were repaired")
			if got := rows(t, m.dba, "SHOW SLOTS")[0]; got != "0\t99\ts0\tmoving\t"+id {
				t.Errorf("SHOW SLOTS begins with %q", got)
			}
			must(t, m.dba, "CUTOVER MIGRATION "+id)
			m.await(id, "switched")
			expectError(t, m.dba, "CANCEL MIGRATION "+id, 1210, "REVERT")
			lost := m.plant(id, 0)
			must(t, m.dba, "VERIFY MIGRATION "+id)
			m.verified(id, "1 differ, 0 of them were repaired")
			must(t, m.px[0].open("shop"), "UPDATE users SET email = 'again' WHERE user_id = "+lost) // which brings the row back
			if got := rows(t, m.dba, "SHOW SLOTS")[0]; got != "0\t99\ts1\tmoved\t"+id {
				t.Errorf("SHOW SLOTS begins with %q", got)
			}
			time.Sleep(300 * time.Millisecond) // clients write at the new place
			must(t, m.dba, "REVERT MIGRATION "+id)
			m.awaitEnd(id, "cancelled")
			expect(t, m.dba, "SHOW SLOTS", "0\t8191\ts0\tstable\tNULL", "8192\t16383\ts1\tstable\tNULL")

			id = m.move("MOVE SLOTS 0-4095 TO s1")
			must(t, m.dba, "PAUSE MIGRATION "+id)
			expectError(t, m.dba, "CUTOVER MIGRATION "+id, 1210, "paused")
			must(t, m.dba, "RESUME MIGRATION "+id)
			m.await(id, "ready")
			must(t, m.dba, "CANCEL MIGRATION "+id)
			m.awaitEnd(id, "cancelled")

			id = m.move("MOVE SLOTS 0-4095 TO s1")
			m.await(id, "ready")
			must(t, m.dba, "CUTOVER MIGRATION "+id)
			m.await(id, "switched")
			must(t, m.dba, "COMPLETE MIGRATION "+id)
			m.awaitEnd(id, "completed")
			if got := m.servers[0].Value("SELECT GROUP_CONCAT(slots) FROM _sluice.fence"); got != "0-4095" {
				t.Errorf("what is gone from s0: %s", got)
			}
			id = m.move("MOVE SLOTS 0-4095 TO s0 AUTO")
			m.awaitEnd(id, "completed")
			expect(t, m.dba, "SHOW SLOTS", "0\t8191\ts0\tstable\tNULL", "8192\t16383\ts1\tstable\tNULL")
			expect(t, m.dba, "REBALANCE")
			stop()
			m.check()
			if got := m.servers[0].Value("SELECT COUNT(*) FROM _sluice.fence"); got != "0" {
				t.Errorf("s0 has %s fence rows for slots that it owns", got)
			}
		})
	}
}

// verified waits until the newest comparison says something.
func (m *resharding) verified(id, want string) {
	m.t.Helper()
	eventually(m.t, "migration "+id+" was compared: "+want, func() bool {
		for _, r := range rows(m.t, m.dba, "SHOW MIGRATIONS") {
			if f := strings.Split(r, "\t"); f[0] == id {
				return strings.Contains(f[14], want)
			}
		}
		return false
	})
}

// plant deletes a row that moves at one side of a migration that is ready or switched, as
// only the migration itself can, and gives its user.
func (m *resharding) plant(id string, side int) (user string) {
	m.t.Helper()
	s := m.servers[side]
	trigger := s.Value("SELECT ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE '\\_sluice\\_m" + id + "\\_i%' AND EVENT_OBJECT_TABLE = 'users'")
	_, secret, _ := strings.Cut(trigger, "/* x'")
	secret, _, _ = strings.Cut(secret, "'")
	user = s.Value("SELECT MIN(user_id) FROM shop.users WHERE MOD(CRC32(user_id), 16384) BETWEEN 200 AND 4095")
	s.Exec("SET @_sluice_mover = x'" + secret + "'; DELETE FROM shop.users WHERE user_id = " + user)
	return user
}

// awaitEnd is await for the last state, with the log of a migration that took long.
func (m *resharding) awaitEnd(id, want string) {
	m.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		state, phase, _, trouble := m.state(id)
		if state == want {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("migration %s is %s (%s), not %s: %s\n%s", id, state, phase, want, trouble, strings.Join(rows(m.t, m.dba, "SHOW MIGRATION "+id), "\n"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// restart kills a proxy, if it lives still, and starts it with other faults. It gives up the
// lease that it had.
func (m *resharding) restart(env ...string) {
	m.t.Helper()
	p := m.px[0]
	p.Kill()
	p.Process = testkit.New(m.t, testkit.Spec{Name: "px1", Dir: filepath.Dir(p.config), Argv: []string{program(m.t, true), "serve", "-config", p.config},
		Env: env, Ready: p.ready})
	p.Start()
	m.dba.Close()
	m.dba = p.dba()
}

// TestMigrationCrashes: a proxy that is killed anywhere in a migration leaves what the next
// one takes back or finishes; phases can be cancelled.
func TestMigrationCrashes(t *testing.T) {
	t.Parallel()
	m := startResharding(t, testkit.MariaDBFlavor, 2, 1, 1000)
	some := func() { m.fill(m.px[0].open("shop"), 500) }

	// Killed in one phase after the other, and in three attempts; then it is complete.
	points := []string{"after-fence-rows", "after-copying", "after-freeze", "after-fence", "after-own", "after-commit", "after-clean", "after-unlist"}
	var id string
	for i, point := range points {
		m.restart("SLUICE_FAULT=reshard-" + point + ":exit")
		if i == 0 {
			id = m.move("MOVE SLOTS 0-4095 TO s1 AUTO")
		}
		if code := m.px[0].Wait(40 * time.Second); code != -1 && code != 137 {
			t.Fatalf("at %s the proxy ended with %d", point, code)
		}
		if m.px[0].Running() {
			t.Fatalf("%s was not reached", point)
		}
	}
	m.restart()
	m.awaitEnd(id, "completed")
	m.log(id)
	some()
	m.check()

	// Cancelled in phases that go by (ready is in TestMigrationByHand).
	for _, phase := range []string{"preparing", "copying", "verifying"} {
		m.restart(fmt.Sprintf("SLUICE_FAULT=reshard-after-%s:delay=1s", phase))
		id := m.move("MOVE SLOTS 8192-9000 TO s0")
		m.reached(id, phase)
		must(t, m.dba, "CANCEL MIGRATION "+id)
		m.awaitEnd(id, "cancelled")
	}
	m.check()
	for i, n := range m.perShard("SELECT COUNT(*) FROM _sluice.fence WHERE state <> 'gone'") {
		if n != "0" {
			t.Errorf("shard s%d has %s fence rows after CANCEL", i, n)
		}
	}
}

// TestRebalance: a new shard gets its share while clients write sharded and reference tables;
// its copies of those are the others' in the end. Then it is drained, and dropped.
func TestRebalance(t *testing.T) {
	t.Parallel()
	m := startResharding(t, testkit.MariaDBFlavor, 2, 2, 2000)
	fresh := testkit.MariaDB(t, testkit.Binlog(9))
	stop := m.write(1)
	defer stop()
	ended, written := make(chan struct{}), make(chan int, 1)
	go func() {
		db, n := m.px[0].open("shop"), 0
		defer func() { written <- n }()
		for {
			select {
			case <-ended:
				return
			default:
			}
			for _, q := range []string{fmt.Sprintf("INSERT INTO countries VALUES ('%c%c', 'new')", 'a'+n/26%26, 'A'+n%26), "UPDATE countries SET name = CONCAT(LEFT(name, 80), 'x') WHERE code = 'de'"} {
				if _, err := db.Exec(q); err != nil && !isNumber(err, 1062, 1205, 1213) {
					t.Errorf("%s: %v", q, err)
				}
			}
			if n++; n == 600 {
				return
			}
		}
	}()
	must(t, m.dba, "ADD SHARD s2 PRIMARY '"+fresh.Addr+"'")
	m.servers = append(m.servers, fresh)
	plan := rows(t, m.dba, "REBALANCE")
	if len(plan) != 2 {
		t.Fatalf("REBALANCE: %q", plan)
	}
	for _, line := range plan {
		m.awaitEnd(strings.Split(line, "\t")[0], "completed")
	}
	expect(t, m.dba, "REBALANCE")
	close(ended)
	t.Logf("%d rounds of writes of a reference table", <-written)
	stop()
	m.check()
	all := m.perShard("SELECT MD5(GROUP_CONCAT(code, name ORDER BY code SEPARATOR '|')) FROM shop.countries")
	if got := strings.Join(m.perShard("SELECT COALESCE(GROUP_CONCAT(note LIKE 'cluster % joined s2'), '-') FROM _sluice.fence WHERE move_id < 0"), " "); got != "1 - -" && got != "- 1 -" {
		t.Errorf("that s2 has got copies is noted at %s", got)
	}
	if all[0] != all[1] || all[0] != all[2] {
		t.Errorf("the copies of a reference table differ: %q: %q", all, m.perShard("SELECT COUNT(*) FROM shop.countries"))
	}
	if got := strings.Join(column(t, m.dba, "SHOW SHARDS", "slots"), " "); got != "5462 5461 5461" {
		t.Errorf("slots: %s", got)
	}
	for _, line := range rows(t, m.dba, "MOVE SLOTS 0-16383 TO s0 AUTO") {
		m.awaitEnd(line, "completed")
	}
	m.check()
	eventually(t, "the empty shard can be dropped", func() bool {
		_, err := m.dba.Exec("DROP SHARD s2")
		return err == nil
	})
}
