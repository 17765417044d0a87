package integration

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// limitRow gives columns of SHOW LIMITS by the name of a limit.
func limitRow(t *testing.T, p *px, name string) []string {
	t.Helper()
	for _, row := range rows(t, p.dba(), "SHOW LIMITS") {
		if f := strings.Split(row, "\t"); f[1] == name {
			return f
		}
	}
	return nil
}

// TestLimits: what LIMIT sets holds on all proxies, under many clients, in text and prepared; what it
// stops is told so with numbers that drivers know, and the connection goes on.
func TestLimits(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, shards: 2, maxConns: 8})
		db := c.open("shop", interpolated)
		create(t, db)
		users(t, db, 300)
		dba := c.px[0].dba()
		mariadb := strings.Contains(rows(t, db, "SELECT VERSION()")[0], "MariaDB")

		t.Run("concurrency", func(t *testing.T) {
			const sleep = "SELECT SLEEP(0.02), user_id FROM users WHERE user_id = %d"
			must(t, dba, `LIMIT DIGEST "`+fmt.Sprintf(sleep, 1)+`" CONCURRENCY 2 QUEUE 3 WAIT 10s`)
			expect(t, db, fmt.Sprintf(sleep, 1), "0\t1") // it is planned, and the tables are known
			var most, ok, refused atomic.Int64
			var wg sync.WaitGroup
			stop := make(chan struct{})
			wg.Go(func() { // the servers see no more at once
				for {
					select {
					case <-stop:
						return
					default:
					}
					for _, n := range c.perShard("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'sluice' AND INFO LIKE 'SELECT SLEEP(0.02)%'") {
						if n, _ := strconv.ParseInt(n, 10, 64); most.Load() < n {
							most.Store(n)
						}
					}
				}
			})
			var clients sync.WaitGroup
			for i := range 50 {
				clients.Go(func() {
					for range 4 {
						_, err := tryRows(db, fmt.Sprintf(sleep, i+1))
						if err == nil {
							ok.Add(1)
							continue
						}
						checkError(t, "one too many", err, 1205, "sluice: statements of the digest", "try restarting transaction")
						refused.Add(1)
					}
				})
			}
			clients.Wait()
			close(stop)
			wg.Wait()
			if most.Load() > 2 || ok.Load() == 0 || refused.Load() == 0 {
				t.Errorf("%d at once, %d went through, %d were refused", most.Load(), ok.Load(), refused.Load())
			}
			id := ""
			for _, row := range rows(t, dba, "SHOW LIMITS") {
				if f := strings.Split(row, "\t"); f[0] == "digest" {
					id = f[1]
					if f[2] != "2" || f[3] != "3" || f[9] != fmt.Sprint(refused.Load()) || f[7] != "0" || f[8] != "0" {
						t.Errorf("SHOW LIMITS: %s", row)
					}
				}
			}
			must(t, dba, "LIMIT DIGEST '"+id+"' CONCURRENCY 0")
			expectError(t, db, fmt.Sprintf(sleep, 7), 1226, "sluice: statements of the digest "+id, "none are let through")
			expect(t, db, "SELECT name FROM users WHERE user_id = 7", "user 7")
			must(t, dba, "UNLIMIT DIGEST '"+id+"'")
			expect(t, db, fmt.Sprintf(sleep, 7), "0\t7")
		})

		t.Run("wait", func(t *testing.T) {
			// All connections of a shard are taken: who waits, waits no longer than the limit says.
			must(t, dba, "LIMIT USER app WAIT 150ms")
			begun, end := make(chan error, 7), make(chan struct{})
			var wg sync.WaitGroup
			for range 7 {
				wg.Go(func() {
					conn, err := db.Conn(context.Background())
					if err == nil {
						defer conn.Close()
						_, err = conn.ExecContext(context.Background(), "LOCK TABLES settings READ")
					}
					if begun <- err; err == nil {
						<-end
						_, _ = conn.ExecContext(context.Background(), "UNLOCK TABLES")
					}
				})
			}
			for range 7 {
				if err := <-begun; err != nil {
					t.Fatal(err)
				}
			}
			expectError(t, db, "SELECT * FROM settings", 1205, "none became free within 150ms", "try restarting transaction")
			close(end)
			wg.Wait()
			must(t, dba, "UNLIMIT USER app")
			expect(t, db, "SELECT COUNT(*) >= 0 FROM settings", "1")
		})

		t.Run("killed in its wait", func(t *testing.T) {
			const sleep = "SELECT SLEEP(%d), name FROM users WHERE user_id = 9"
			must(t, dba, `LIMIT DIGEST "`+fmt.Sprintf(sleep, 1)+`" CONCURRENCY 1 WAIT 1m`)
			runs, waits := make(chan error, 1), make(chan error, 1)
			say := func(into chan error, seconds int) (id string) {
				conn, err := db.Conn(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				id = rows(t, conn, "SELECT CONNECTION_ID()")[0]
				go func() {
					defer conn.Close()
					_, err := tryRows(conn, fmt.Sprintf(sleep, seconds))
					into <- err
				}()
				return id
			}
			counts := func(running, waiting string) {
				eventually(t, running+" run and "+waiting+" wait", func() bool {
					for _, row := range rows(t, dba, "SHOW LIMITS") {
						if f := strings.Split(row, "\t"); f[0] == "digest" {
							return f[7] == running && f[8] == waiting
						}
					}
					return false
				})
			}
			first := say(runs, 50)
			counts("1", "0")
			second := say(waits, 51)
			counts("1", "1")
			must(t, db, "KILL QUERY "+second)
			checkError(t, "who waits", <-waits, 1317, "interrupted")
			counts("1", "0")
			must(t, db, "KILL QUERY "+first)
			<-runs // SLEEP() may end without an error
			counts("0", "0")
			must(t, dba, `UNLIMIT DIGEST "`+fmt.Sprintf(sleep, 1)+`"`)
		})

		t.Run("time", func(t *testing.T) {
			code, text := uint16(3024), "maximum statement execution time exceeded"
			if mariadb {
				code, text = 1969, "max_statement_time exceeded"
			}
			must(t, dba, "LIMIT USER app TIME 300ms")
			ctx := context.Background()
			conn, err := db.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// One shard and several; the counts come late, so that nothing has been answered.
			for _, sql := range []string{
				"SELECT COUNT(*) FROM users u JOIN (SELECT SLEEP(0.1) FROM users WHERE user_id < 200) x WHERE u.user_id = 5 AND SLEEP(0.2) = 0",
				"SELECT COUNT(*) FROM users WHERE SLEEP(0.1) = 0 AND name <> 'x'",
			} {
				started := time.Now()
				expectError(t, conn, sql, code, "sluice: the statement took longer than 300ms, the limit of the user app", text)
				if d := time.Since(started); d > 8*time.Second {
					t.Errorf("stopped after %v: %s", d, sql)
				}
			}
			// In a transaction: the statement is stopped, the transaction goes on.
			for _, one := range []string{"BEGIN", "UPDATE users SET name = 'tx' WHERE user_id = 5"} {
				if _, err := conn.ExecContext(ctx, one); err != nil {
					t.Fatal(err)
				}
			}
			expectError(t, conn, "SELECT COUNT(*) FROM users u JOIN users v WHERE u.user_id = 5 AND v.user_id = 5 AND SLEEP(20) = 0 AND (SELECT COUNT(*) FROM users w WHERE w.user_id = 5 AND SLEEP(20) = 7) = 0", code)
			expect(t, conn, "SELECT name FROM users WHERE user_id = 5", "tx")
			if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			expect(t, conn, "SELECT name FROM users WHERE user_id = 5", "user 5")
			if f := limitRow(t, c.px[0], "app"); f == nil || f[10] != "3" {
				t.Errorf("SHOW LIMITS: %q", f)
			}
			must(t, dba, "LIMIT USER app OFF")
		})

		t.Run("rows", func(t *testing.T) {
			must(t, dba, "LIMIT SCHEMA shop ROWS 10")
			prepared := c.open("shop")
			ctx := context.Background()
			for name, db := range map[string]querier{"text": db, "prepared": prepared} {
				for _, sql := range []string{ // relayed, merged, gathered
					"SELECT * FROM users WHERE user_id = 1 UNION ALL SELECT * FROM users WHERE user_id = 1 UNION ALL SELECT a.* FROM users a JOIN users b ON a.user_id = 1 AND b.user_id = 1 WHERE a.user_id = 1",
				} {
					if got, err := tryRows(db, sql); err != nil || len(got) != 3 {
						t.Errorf("%s: %q, %v", name, got, err)
					}
				}
				for _, sql := range []string{
					"SELECT * FROM settings",
					"SELECT user_id FROM users",
					"SELECT user_id, name FROM users ORDER BY name",
					"SELECT a.user_id FROM users a JOIN users b ON a.name = b.name ORDER BY a.name, 1",
				} {
					if sql == "SELECT * FROM settings" {
						must(t, c.open("shop", interpolated), "DELETE FROM settings", "INSERT INTO settings VALUES "+strings.TrimSuffix(strings.Repeat("(UUID(),'x'),", 40), ","))
					}
					expectError(t, db, sql, 1104, "sluice: the answer has more than 10 rows, the limit of the schema shop")
				}
			}
			// Exactly as many are no more, and a transaction goes on.
			if got := rows(t, db, "SELECT user_id FROM users ORDER BY user_id LIMIT 10"); len(got) != 10 {
				t.Errorf("%q", got)
			}
			conn, err := db.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, one := range []string{"BEGIN", "INSERT INTO settings VALUES ('tx', 'y')"} {
				if _, err := conn.ExecContext(ctx, one); err != nil {
					t.Fatal(err)
				}
			}
			expectError(t, conn, "SELECT * FROM settings", 1104)
			expect(t, conn, "SELECT value FROM settings WHERE name = 'tx'", "y")
			if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
				t.Fatal(err)
			}
			must(t, dba, "UNLIMIT SCHEMA shop")
			expect(t, db, "SELECT COUNT(*) FROM settings", "41")
		})

		for sql, text := range map[string]string{
			"LIMIT USER nobody TIME 1s":           `there is no user "nobody"`,
			"LIMIT SCHEMA nothing ROWS 5":         `there is no schema "nothing"`,
			"LIMIT USER app":                      "names nothing",
			"LIMIT USER app TIME soon":            "write a time such as",
			"LIMIT USER app CONCURRENCY -1":       "write a number",
			"LIMIT DIGEST '0123456789abcdef' OFF": "SHOW DIGESTS",
			"LIMIT DIGEST '16c3743f' TIME 1s":     "neither the id of a digest",
			"LIMIT USER app FOR 1s":               "[TIME <time of one>]",
			"UNLIMIT USER app":                    "there is no limit",
		} {
			_, err := dba.Exec(sql)
			if me, ok := err.(*mysql.MySQLError); !ok || !strings.Contains(me.Message, text) {
				t.Errorf("%s: %v", sql, err)
			}
		}
	})
}
