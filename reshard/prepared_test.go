package reshard

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/shard"
)

// TestTriggersUnderPrepared: statements that clients have prepared go on while the triggers
// are made; on MariaDB, triggers that are awake at once make some of them fail with 1146.
func TestTriggersUnderPrepared(t *testing.T) {
	eachFlavor(t, func(t *testing.T, s *testkit.Server, connect func() *backend.Conn) {
		s.Exec("CREATE DATABASE shop", "SET GLOBAL log_bin_trust_function_creators = 1", "CREATE TABLE shop.users (user_id BIGINT PRIMARY KEY, n INT)",
			"INSERT INTO shop.users VALUES (1, 0), (2, 0), (3, 0), (4, 0)")
		r := &Record{Slots: []shard.Span{{First: 0, Last: shard.Slots - 1}}, Secret: "s3cr3t", Cluster: "abcdef01", Tables: []Table{{Schema: "shop", Name: "users", Key: "user_id"}}}
		c := connect()
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for id := 1; id <= 4; id++ {
			db := s.DB(t, "shop")
			writers.Go(func() {
				for ctx.Err() == nil {
					stmt, err := db.Prepare("UPDATE users SET n = n + 1 WHERE user_id = ?")
					if err != nil {
						t.Error(err)
						return
					}
					for range 50 { // as long as a pool keeps it
						if _, err := stmt.Exec(id); err != nil {
							number := uint16(0)
							if me, ok := err.(*mysql.MySQLError); ok {
								number = me.Number
							}
							if number == 1146 {
								t.Error(err)
								stop()
							} else {
								t.Logf("error %d: %v", number, err)
							}
							break
						}
					}
					stmt.Close()
				}
			})
		}
		for r.ID = 1; r.ID <= 6 && ctx.Err() == nil; r.ID++ {
			if err := makeFence(ctx, c, r, open); err != nil {
				t.Fatal(err)
			}
			if err := makeTriggers(ctx, c, r); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			if err := dropTriggers(ctx, c, r); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		writers.Wait()
		if s.Value("SELECT SUM(n) FROM shop.users") == "0" {
			t.Error("nothing was written")
		}
	})
}
