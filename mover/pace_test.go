package mover

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/backend"
	"sluice/internal/testkit"
)

// TestReplicaLags: while a replica of the target is behind, nothing is copied, and the status
// says why; what has changed is followed all the same.
func TestReplicaLags(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		replica := testkit.StartServer(t, w.dst.Flavor, testkit.Binlog(3))
		_, port, _ := strings.Cut(w.dst.Addr, ":")
		stop, start := "STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD"
		if w.dst.Flavor == testkit.MariaDBFlavor {
			replica.Exec("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + port + ", MASTER_USER='root', MASTER_USE_GTID=slave_pos; START SLAVE")
		} else {
			stop, start = "STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD"
			replica.Exec("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=" + port + ", SOURCE_USER='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA")
		}
		eventually(t, func() error {
			if replica.Value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '_sluice'") == "0" {
				return fmt.Errorf("the replica does not follow")
			}
			return nil
		}, nil)
		w.src.Exec("CREATE TABLE app.t (id BIGINT PRIMARY KEY, v INT NOT NULL)", "INSERT INTO app.t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 900) SELECT i, 0 FROM n",
			"INSERT INTO app.t SELECT id + 1000, v FROM app.t", "INSERT INTO app.t SELECT id + 2000, v FROM app.t", "INSERT INTO app.t SELECT id + 4000, v FROM app.t")
		replica.Exec(stop)
		o := w.options(half, Table{Schema: "app", Name: "t", Key: "id"})
		o.Rate = 500
		o.Replicas = []Server{{Name: "the replica", Dial: Shard(w.pools, "s1").Dial}, {Name: "the replica " + replica.Addr, Dial: dialReplica(w, replica)}}
		r := w.run(must(t, New(o)))
		waits := func(want string) {
			t.Helper()
			eventually(t, func() error {
				if s := r.Status(); !strings.Contains(s.Waiting, want) || want == "" && s.Waiting != "" {
					return fmt.Errorf("%+v", s)
				}
				return nil
			}, r)
		}
		waits("the copy waits: the replica " + replica.Addr + " does not replicate")
		was := r.Status().Copied
		w.src.Exec("UPDATE app.t SET v = 7 WHERE id = " + w.src.Value("SELECT MIN(id) FROM app.t WHERE "+Within("MOD(CRC32(id),16384)", half)))
		r.drain(t)
		if w.dst.Value("SELECT COUNT(*) FROM app.t WHERE v = 7") != "1" {
			t.Error("changes were not followed")
		}
		time.Sleep(2 * lookTime)
		if s := r.Status(); s.Copied != was || s.Phase != "copying" || s.Tables[0].Done || s.Rate != 0 {
			t.Errorf("it went on copying: %+v, was %d", s, was)
		}
		replica.Exec(start)
		waits("")
		r.SetRate(0)
		r.copied(t)
		w.same("t", Within("MOD(CRC32(id),16384)", half))
	})
}

func dialReplica(w *world, s *testkit.Server) func(context.Context) (*backend.Conn, error) {
	return func(ctx context.Context) (*backend.Conn, error) { return w.pools.Dial(ctx, "s1", s.Addr) }
}
