package integration

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// answerBound is how long a client may wait for the answer to COMMIT or ROLLBACK when a
// shard hangs: 5 s for the answer, 2 s to ask whether the server works at it, 2 s to look for
// the decision, 2 s to roll back; and what a loaded machine needs.
const answerBound = 40 * time.Second

// atEnds runs ends of transactions that are all prepared first. between is done when all
// stand before their end; it gives what to do when all have been answered.
func atEnds(t *testing.T, between func() (after func()), ends []func(ready func())) {
	t.Helper()
	var prepared, answered sync.WaitGroup
	released := make(chan struct{})
	for _, end := range ends {
		prepared.Add(1)
		answered.Go(func() {
			once := sync.OnceFunc(prepared.Done)
			defer once()
			end(func() { once(); <-released })
		})
	}
	prepared.Wait()
	after := between()
	close(released)
	done := make(chan struct{})
	go func() { answered.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(answerBound):
		t.Errorf("not all clients were answered within %v", answerBound)
	}
	after()
	<-done
}

// TestShardHangsInCommit: a shard that stands still, and does not die, holds up no client for
// long, and what clients are told is so when it goes on. One that is only slow is waited for.
func TestShardHangsInCommit(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			c, b := bankCluster(t, setup{flavor: flavor})
			late := c.addProxy("SLUICE_FAULT=txn.prepared:delay=1500ms") // between the preparing and the COMMIT
			lone := func(p *px) *sql.DB {
				db := p.open("shop", func(c *mysql.Config) { c.ReadTimeout, c.Logger = 90*time.Second, &mysql.NopLogger{} })
				db.SetMaxOpenConns(1)
				return db
			}
			used := [3]int{}
			account := func(shard int) int { // each client has its own: none waits for another's lock
				used[shard]++
				return b.byRow[shard][used[shard]]
			}
			transfer := func(p *px, from, to int, want ...verdict) func(func()) {
				from, to = account(from), account(to)
				return func(ready func()) {
					got := b.move(lone(p), b.number(), from, to, ready)
					for _, w := range want {
						if got == w {
							return
						}
					}
					t.Errorf("from %d to %d: the verdict is %d", from, to, got)
				}
			}
			rollback := func(shards ...int) func(func()) {
				var statements []string
				for _, s := range shards {
					statements = append(statements, fmt.Sprintf("UPDATE accounts SET balance = 0 WHERE user_id = %d", account(s)))
				}
				return func(ready func()) {
					conn := one(t, lone(c.px[0]))
					do(t, conn, append([]string{"BEGIN"}, statements...)...)
					ready()
					do(t, conn, "ROLLBACK")
				}
			}
			savepoint := func(ready func()) {
				conn := one(t, lone(c.px[0]))
				do(t, conn, "BEGIN", fmt.Sprintf("UPDATE accounts SET balance = 0 WHERE user_id = %d", account(0)))
				ready()
				if _, err := conn.ExecContext(context.Background(), "SAVEPOINT a"); err == nil {
					t.Error("a shard that hangs has made a savepoint")
				}
			}
			transfer(c.px[0], 0, 1, acknowledged)(func() {}) // the tables of decisions are there
			transfer(late, 1, 0, acknowledged)(func() {})

			locked := one(t, c.servers[0].DB(t, ""))
			slow := []func(func()){
				transfer(c.px[0], 0, 0, acknowledged),
				transfer(c.px[0], 0, 1, acknowledged, refused), // the other proxy's mark may be first
				transfer(c.px[0], 1, 0, acknowledged),
			}
			atEnds(t, func() func() {
				do(t, locked, "FLUSH TABLES WITH READ LOCK")
				time.AfterFunc(6500*time.Millisecond, func() { // longer than an answer may take without a question
					_, _ = locked.ExecContext(context.Background(), "UNLOCK TABLES")
				})
				return func() {}
			}, slow)

			hung := []func(func()){
				transfer(c.px[0], 0, 0, unknown), // one shard: nobody knows
				transfer(c.px[0], 0, 1, refused), // it could not decide
				transfer(c.px[0], 1, 0, refused), // it could not prepare
				transfer(c.px[0], 1, 2, acknowledged),
				rollback(0), rollback(0, 1), rollback(1, 0), savepoint,
			}
			atEnds(t, func() func() {
				c.servers[0].Pause()
				time.Sleep(300 * time.Millisecond) // until it has reached all of its threads
				return c.servers[0].Resume
			}, hung)
			eventually(t, "the other proxy has heard that the shard goes on", func() bool {
				_, err := late.open("shop").Exec("DO 1")
				return err == nil && !slices.Contains(column(t, late.dba(), "SHOW BACKENDS", "breaker"), "open") &&
					!slices.Contains(column(t, late.dba(), "SHOW BACKENDS", "breaker"), "half-open")
			})
			atEnds(t, func() func() {
				time.AfterFunc(700*time.Millisecond, c.servers[0].Pause)
				return c.servers[0].Resume
			}, []func(func()){transfer(late, 0, 1, unknown), transfer(late, 1, 0, acknowledged)})
			b.settled(recoveryTime)
			b.check()
			b.free(c.px[0])
			b.mu.Lock()
			defer b.mu.Unlock()
			for text := range b.errors {
				if strings.HasPrefix(text, "unknown") && !strings.Contains(text, "2013 (08007)") {
					t.Error(text)
				}
			}
		})
	}
}
