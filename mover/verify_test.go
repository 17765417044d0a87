package mover

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/shard"
)

// inM is the condition that a row of a table with user_id moves.
var inM = Within("MOD(CRC32(user_id),16384)", half)

// TestWholeWay takes a migration through all that a mover does: verified while it is
// written to, a frozen pair, the way back, clean-up.
func TestWholeWay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.createChurn(3000)
		o := w.options(half, churnTables...)
		m := must(t, New(o))
		other := w.src.Value("SELECT MIN(user_id) FROM app.names WHERE NOT " + inM)
		w.dst.Exec("INSERT INTO app.names VALUES (" + other + ", 'of the target', 5)")
		own := w.dst.Value("SELECT COUNT(*) FROM app.names WHERE NOT " + inM)
		c := w.churn(6, 300)
		r := w.run(m)
		r.copied(t)

		// Nothing differs while rows change; what is made to differ is found and repaired.
		verify := func() Report {
			t.Helper()
			report, err := r.Verify(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		if report := verify(); report.Differing != 0 || report.Rows < 1000 {
			t.Errorf("%+v", report)
		}
		if r.Status().Verified.IsZero() {
			t.Error("a pass without a difference is not noted")
		}
		w.src.Exec("INSERT INTO app.names VALUES (100001, 'quiet', 1), (100002, 'quiet', 1), (100003, 'quiet', 1), (100004, 'quiet', 1), (100005, 'quiet', 1), (100006, 'quiet', 1), (100007, 'quiet', 1), (100008, 'quiet', 1)")
		r.drain(t)
		moved := w.src.Query("SELECT user_id FROM app.names WHERE name = 'quiet' AND " + inM + " ORDER BY 1")
		if len(moved) < 3 {
			t.Fatalf("choose other users: %v", moved)
		}
		w.dst.Exec("UPDATE app.names SET n = 2 WHERE user_id = "+moved[0][0], "DELETE FROM app.names WHERE user_id = "+moved[1][0],
			"INSERT INTO app.names SELECT user_id, 'surplus', 1 FROM app.names WHERE user_id = "+moved[2][0])
		report := verify()
		var found []string
		for _, d := range report.Differences {
			found = append(found, d.What)
		}
		slices.Sort(found)
		if report.Differing != 3 || report.Repaired != 3 || strings.Join(found, " ") != "different extra missing" {
			t.Errorf("%+v", report)
		}
		if report := verify(); report.Differing != 0 {
			t.Errorf("repaired rows differ again: %+v", report)
		}
		if n := r.Status().Repaired; n != 3 {
			t.Errorf("%d rows are noted as repaired", n)
		}

		// The switch: nothing writes, both sides are frozen, the way back begins.
		c.end()
		r.drain(t)
		pair, err := r.Pair(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer pair.Close()
		if err := pair.Freeze(ctx); err != nil {
			t.Fatal(err)
		}
		back := o
		back.Stream, back.Follow, back.Source, back.Target = Reverse, true, o.Target, o.Source
		if err := Take(ctx, o.Target, o.ID, Forward, o.Token+1); err != nil {
			t.Fatal(err)
		}
		b := w.run(must(t, New(back)))
		w.src.Exec("UPDATE app.names SET n = -7 WHERE name = 'quiet'") // the way forward is closed
		<-r.done
		if err := r.stop(); !errors.Is(err, ErrReplaced) {
			t.Errorf("a replaced mover ended with %v", err)
		}
		w.dst.Exec("UPDATE app.names SET n = 70, name = UPPER(name) WHERE "+inM, "DELETE FROM app.items WHERE "+inM+" LIMIT 10", "INSERT INTO app.items (id, user_id, u) SELECT id + 1000000, user_id, NULL FROM app.items WHERE "+inM+" LIMIT 20",
			"UPDATE app.codes SET n = n + 9", "UPDATE app.facts SET v = 'back'")
		b.drain(t)
		w.sameChurn()
		if got := w.src.Value("SELECT COUNT(*) FROM app.names WHERE n = 70 AND NOT " + inM); got != "0" {
			t.Errorf("the way back changed %s rows that do not move", got)
		}
		compared, err := pair.Compare(ctx)
		if err != nil || compared.Differing != 0 || compared.Rows < 1000 {
			t.Errorf("%+v, %v", compared, err)
		}
		// The way back takes nothing away that only its target has.
		w.src.Exec("UPDATE app.names SET n = -9 WHERE " + inM + " LIMIT 1")
		if report, err := b.Verify(ctx); err != nil || report.Differing != 1 || report.Repaired != 0 {
			t.Errorf("%+v, %v", report, err)
		}
		// Who writes to an owner stops.
		w.src.Exec("UPDATE _sluice.fence SET state = 'open' WHERE move_id = 7")
		w.dst.Exec("UPDATE app.names SET n = 71 WHERE " + inM)
		expectStopped(t, b, "lets clients write")
		if got := w.src.Value("SELECT COUNT(*) FROM app.names WHERE n = 71"); got != "0" {
			t.Errorf("%s rows were written to their owner", got)
		}

		// What is not owned is deleted; what is, stays.
		before := w.src.Value("SELECT COUNT(*) FROM app.items WHERE NOT " + inM)
		var deleted int64
		clean := o.Spec
		clean.Token = 9
		if err := Clean(ctx, o.Source, clean, func(uint16) bool { return false }, nil); err == nil || !strings.Contains(err.Error(), "nothing was deleted") {
			t.Errorf("a cleaner of a migration that is over: %v", err)
		}
		w.src.Exec("UPDATE _sluice.fence SET state = 'fenced' WHERE move_id = 7")
		if err := Clean(ctx, o.Source, clean, func(slot uint16) bool { return slot == 5000 }, func(n int64) { deleted += n }); err != nil {
			t.Fatal(err)
		}
		if got := w.src.Value("SELECT COUNT(*) FROM app.items WHERE " + inM + " AND MOD(CRC32(user_id),16384) <> 5000"); got != "0" {
			t.Errorf("%s rows are left", got)
		}
		if after := w.src.Value("SELECT COUNT(*) FROM app.items WHERE NOT " + inM); after != before || deleted == 0 {
			t.Errorf("%s rows of others were %s; %d deleted", after, before, deleted)
		}
		if err := Clean(ctx, o.Source, o.Spec, func(uint16) bool { return false }, nil); !errors.Is(err, ErrReplaced) {
			t.Errorf("a cleaner that was replaced: %v", err)
		}
		for _, s := range []Server{o.Source, o.Target} {
			if err := Forget(ctx, s, o.ID); err != nil {
				t.Error(err)
			}
		}
		if got := w.dst.Value("SELECT COUNT(*) FROM _sluice.progress"); got != "0" {
			t.Errorf("%s rows of notes are left", got)
		}
		if got := w.dst.Value("SELECT COUNT(*) FROM app.names WHERE NOT " + inM); got != own {
			t.Errorf("%s rows of the target's own, not %s", got, own)
		}
	})
}

// expectStopped runs a mover until it ends and looks for words in its reason.
func expectStopped(t *testing.T, r *running, words ...string) {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		t.Fatalf("the mover has not stopped: %+v", r.Status())
	}
	err := r.stop()
	var s *Stopped
	if !errors.As(err, &s) {
		t.Fatalf("it ended with %v", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in: %v", word, err)
		}
	}
}

// TestStops: what a mover must not decide stops it with a reason.
func TestStops(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		all := []shard.Span{{First: 0, Last: 16383}}
		for i, test := range []struct {
			name   string
			setup  []string // at the target
			change []string // at the source, while it follows
			expect []string
		}{
			{"truncate", nil, []string{"TRUNCATE app.t"}, []string{"app.t", "TRUNCATE"}},
			{"alter", nil, []string{"ALTER TABLE app.t ADD COLUMN z INT"}, []string{"app.t"}},
			{"drop database", nil, []string{"CREATE DATABASE other", "DROP DATABASE app"}, []string{"app.t"}},
			{"statement", nil, []string{"SET SESSION binlog_format='STATEMENT'; INSERT INTO app.t VALUES (9, 9, 9)"}, []string{"app.t"}},
			{"collision", []string{"INSERT INTO app.t VALUES (100, 1, 55)"}, []string{"INSERT INTO app.t VALUES (7, 2, 55)"}, []string{"`id`=7", "`id`=100", "`u`"}},
		} {
			slots := all
			if test.name == "collision" { // user 1 does not move
				one := shard.SlotOfInt(1)
				slots = []shard.Span{{First: 0, Last: one - 1}, {First: one + 1, Last: 16383}}
			}
			for _, s := range []string{"DROP DATABASE IF EXISTS app", "CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY, user_id INT NOT NULL, u INT, UNIQUE KEY u (u))"} {
				w.src.Exec(s)
				w.dst.Exec(s)
			}
			w.dst.Exec(test.setup...)
			w.src.Exec("INSERT INTO app.t VALUES (1, 3, 1)")
			o := w.options(slots, Table{Schema: "app", Name: "t", Key: "user_id"})
			o.ID = int64(101 + i)
			r := w.run(must(t, New(o)))
			r.copied(t)
			// What is ours, and what is others', does not stop it.
			w.src.Exec("CREATE TRIGGER app._sluice_m7_i_1 BEFORE INSERT ON app.t FOR EACH ROW SET @x = 1", "DROP TRIGGER app._sluice_m7_i_1",
				"CREATE TABLE app.other (id INT)", "INSERT INTO app.other VALUES (1)", "TRUNCATE app.other", "DROP TABLE app.other", "ANALYZE TABLE app.t", "CREATE VIEW app.v AS SELECT * FROM app.t", "DROP VIEW app.v", "GRANT SELECT ON app.t TO root@localhost")
			r.drain(t)
			w.src.Exec(test.change...)
			expectStopped(t, r, test.expect...)
		}
	})
}

// TestGone: a log that is gone, and another server in the source's place.
func TestGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, s := range []string{"CREATE TABLE app.t (id INT PRIMARY KEY, user_id INT NOT NULL)"} {
			w.src.Exec(s)
		}
		o := w.options(half, Table{Schema: "app", Name: "t", Key: "user_id"})
		r := w.run(must(t, New(o)))
		r.copied(t)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		w.src.Exec("FLUSH BINARY LOGS", "INSERT INTO app.t VALUES (1, 1)", "FLUSH BINARY LOGS")
		if w.src.Flavor == testkit.MariaDBFlavor { // whose PURGE keeps what it likes
			w.src.Exec("RESET MASTER")
		} else {
			eventually(t, func() error { // a log that is read is not purged
				if n := w.src.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"); n != "0" {
					return errors.New("the server still has a reader of its log")
				}
				return nil
			}, nil)
			w.src.Exec("PURGE BINARY LOGS TO '" + w.src.Query("SHOW BINARY LOG STATUS")[0][0] + "'")
		}
		o.Token++
		expectStopped(t, w.run(must(t, New(o))), "CANCEL and start again")

		o.Token++
		o.Source = Shard(w.pools, "s1") // another server
		o.Source.Name = "s0"
		m := New(o)
		w.dst.Exec("CREATE TABLE IF NOT EXISTS app.t (id INT PRIMARY KEY, user_id INT NOT NULL)")
		expectStopped(t, w.run(must(t, m)), "not the one")
	})
}

// TestPreflight lists everything at once.
func TestPreflight(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.src.Exec("CREATE TABLE app.good (id INT PRIMARY KEY, user_id INT NOT NULL, UNIQUE KEY u (user_id, id))",
			"CREATE TABLE app.nokey (id INT, user_id INT)",
			"CREATE TABLE app.ci (id INT PRIMARY KEY, user_id VARCHAR(10))",
			"CREATE TABLE app.local (id INT PRIMARY KEY, user_id INT, u INT UNIQUE)",
			"CREATE TABLE app.isam (id INT PRIMARY KEY, user_id INT) ENGINE=MyISAM",
			"CREATE TABLE app.trig (id INT PRIMARY KEY, user_id INT)", "CREATE TRIGGER app.mine BEFORE INSERT ON app.trig FOR EACH ROW SET NEW.user_id = 1",
			"CREATE TABLE app.parent (id INT PRIMARY KEY)",
			"CREATE TABLE app.child (id INT PRIMARY KEY, user_id INT, p INT, FOREIGN KEY casc (p) REFERENCES parent (id) ON DELETE CASCADE)",
			"CREATE TABLE app.unlike (id INT PRIMARY KEY, user_id INT, v VARCHAR(10))")
		w.dst.Exec("CREATE TABLE app.unlike (id INT PRIMARY KEY, user_id INT, v VARCHAR(11))")
		var tables []Table
		for _, name := range []string{"good", "nokey", "ci", "local", "isam", "trig", "child", "unlike", "absent"} {
			tables = append(tables, Table{Schema: "app", Name: name, Key: "user_id"})
		}
		o := w.options(half, tables...)
		reasons, warnings, err := Preflight(context.Background(), o.Source, o.Target, o.Spec)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(reasons, "\n")
		for _, word := range []string{"app.nokey has no primary key", "user_id of app.ci has the collation", "app.isam has the engine MyISAM", "trigger mine",
			"refers to app.parent, which does not move", "changes rows by itself (CASCADE)", "app.unlike is not the same", "no table app.absent"} {
			if !strings.Contains(got, word) {
				t.Errorf("%q is not among the reasons", word)
			}
		}
		if strings.Contains(got, "app.good") || len(reasons) != 8 {
			t.Errorf("reasons:\n%s", got)
		}
		if all := strings.Join(warnings, "\n"); !strings.Contains(all, "app.local does not contain the shard key") {
			t.Errorf("warnings:\n%s", all)
		}
		if reasons, _, err := Preflight(context.Background(), o.Source, o.Target, Spec{ID: 1, Tables: tables[:1], Slots: half}); err != nil || len(reasons) != 0 {
			t.Errorf("%q, %v", reasons, err)
		}
		if w.src.Flavor == testkit.MariaDBFlavor { // what was before now would not be copied
			w.src.Exec("CREATE TABLE app.past (id INT PRIMARY KEY, user_id INT) WITH SYSTEM VERSIONING")
			past := Spec{ID: 1, Tables: []Table{{Schema: "app", Name: "past", Key: "user_id"}}, Slots: half}
			reasons, _, err := Preflight(context.Background(), o.Source, o.Target, past)
			if err != nil || len(reasons) != 1 || !strings.Contains(reasons[0], "app.past is a SYSTEM VERSIONED") {
				t.Errorf("%q, %v", reasons, err)
			}
		}
		// A foreign key to a table that is on both sides as a whole.
		w.src.Exec("CREATE TABLE app.bound (id INT PRIMARY KEY, user_id INT, p INT, FOREIGN KEY (p) REFERENCES parent (id))")
		bound := Spec{ID: 1, Tables: []Table{{Schema: "app", Name: "bound", Key: "user_id"}}, Slots: half}
		if reasons, _, err = Preflight(context.Background(), o.Source, o.Target, bound); err != nil || len(reasons) != 1 {
			t.Errorf("%q, %v", reasons, err)
		}
		bound.Present = []Table{{Schema: "app", Name: "parent"}}
		if reasons, _, err = Preflight(context.Background(), o.Source, o.Target, bound); err != nil || len(reasons) != 0 {
			t.Errorf("%q, %v", reasons, err)
		}
		// A server of the other kind.
		other := testkit.Shared(t, 1-w.src.Flavor, 0)
		o.Target = Server{Name: "s2", Dial: func(ctx context.Context) (*backend.Conn, error) { return w.pools.Dial(ctx, "s2", other.Addr) }}
		reasons, _, err = Preflight(context.Background(), o.Source, o.Target, Spec{ID: 1, Tables: tables[:1], Slots: half})
		if err != nil || !strings.Contains(strings.Join(reasons, "\n"), "move between servers of one kind") {
			t.Errorf("%q, %v", reasons, err)
		}
		o.Target = Shard(w.pools, "s1")
		// An account that may nothing, and a server without a log.
		bare := Shard(w.pools, "s0")
		w.src.Exec("SET GLOBAL binlog_row_image='MINIMAL'")
		reasons, _, err = Preflight(context.Background(), bare, o.Target, Spec{ID: 1, Tables: tables[:1], Slots: half})
		if err != nil || len(reasons) != 1 || !strings.Contains(reasons[0], "binlog_row_image") {
			t.Errorf("%q, %v", reasons, err)
		}
	})
}
