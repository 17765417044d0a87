package mover

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestRoom: a server that says how much disk it has is not filled up. MySQL does not say.
func TestRoom(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.src.Exec("CREATE TABLE app.t (id BIGINT PRIMARY KEY, pad VARCHAR(800) NOT NULL, v INT NOT NULL)",
			"INSERT INTO app.t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 900) SELECT i, REPEAT('x', 800), 0 FROM n",
			"INSERT INTO app.t SELECT id + 1000, pad, v FROM app.t", "INSERT INTO app.t SELECT id + 2000, pad, v FROM app.t", "ANALYZE TABLE app.t")
		o := w.options(half, Table{Schema: "app", Name: "t", Key: "id"})
		o.Share = 0.5
		look := func(want string) {
			t.Helper()
			reasons, warnings, err := Preflight(context.Background(), o.Source, o.Target, o.Spec)
			if all := strings.Join(append(reasons, warnings...), "; "); err != nil || want != "" && !strings.Contains(all, want) || want == "" && strings.Contains(all, "disk") {
				t.Errorf("%q, %v, want %q", all, err, want)
			}
		}
		look("whether it has them cannot be seen")
		if w.dst.Flavor == testkit.MySQLFlavor {
			return
		}
		w.dst.Exec("INSTALL SONAME 'disks'")
		look("")
		o.Share = 1e9
		look("make room there")
		o.Share, o.Free, o.Rate = 0.5, 1<<60, 100
		r := w.run(must(t, New(o)))
		eventually(t, func() error {
			if s := r.Status(); !strings.Contains(s.Waiting, "the copy waits: s1 has") {
				return fmt.Errorf("%+v", s)
			}
			return nil
		}, r)
		w.src.Exec("UPDATE app.t SET v = 7 WHERE id = " + w.src.Value("SELECT MIN(id) FROM app.t WHERE "+Within("MOD(CRC32(id),16384)", half)))
		r.drain(t)
		if w.dst.Value("SELECT COUNT(*) FROM app.t WHERE v = 7") != "1" {
			t.Error("changes were not followed")
		}
		r.stop()
		o.Free, o.Rate, o.Token = 0, 0, 2
		r = w.run(must(t, New(o)))
		r.copied(t)
		// What it has of the servers is not taken from what a busy server is given of applications.
		for _, s := range w.pools.Status() {
			if leased := s.Open - s.Idle; leased == 0 || s.Busy != 0 {
				t.Errorf("%d connections to %s are leased to the mover, %d count as at work", leased, s.Shard, s.Busy)
			}
		}
		w.same("t", Within("MOD(CRC32(id),16384)", half))
	})
}
