package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// stepCase is a shard that dies or stands still while a commit is at a step.
type stepCase struct {
	point string
	shard int // 0: the one that decides, 1: one with a branch, 2: one that takes no part
	still bool
}

func (c stepCase) String() string {
	verb := "dies"
	if c.still {
		verb = "stands still"
	}
	return fmt.Sprintf("%s %s at %s", [...]string{"the coordinator", "a branch's shard", "another shard"}[c.shard], verb, c.point)
}

// stepCases gives all in a soak, else n of each way, drawn by the seed, so that time brings all of them.
func stepCases(t *testing.T, n int) (list []stepCase) {
	seed := testSeed(t)
	random := rand.New(rand.NewPCG(seed, 1))
	for _, still := range []bool{false, true} {
		var all []stepCase
		for _, point := range commitPoints {
			for shard := range 3 {
				all = append(all, stepCase{point, shard, still})
			}
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if !soak() {
			all = all[:n]
		}
		list = append(list, all...)
	}
	return list
}

// TestShardAtEveryStep: the proxy is held at a step of a commit, a shard is killed or stopped,
// and the proxy goes on. 16 clients of two proxies work meanwhile.
func TestShardAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			c, b := bankCluster(t, setup{flavor: flavor})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			others := b.clients(ctx, 8, c.px[0])
			second := b.clients(ctx, 8, c.addProxy())
			for _, one := range stepCases(t, 1) {
				t.Log(one)
				b.atStep(one)
			}
			stop()
			others.Wait()
			second.Wait()
			b.settled(recoveryTime)
			b.check()
			b.free(c.px[0])
		})
	}
}

// atStep runs one transfer from shard 0 to shard 1 through a proxy of its own.
func (b *bank) atStep(one stepCase) {
	b.t.Helper()
	p := b.c.addProxy("SLUICE_FAULT=" + one.point + ":stop:1")
	server := b.c.servers[one.shard]
	db := p.open("shop", func(c *mysql.Config) { c.ReadTimeout, c.Logger = 90*time.Second, &mysql.NopLogger{} })
	db.SetMaxOpenConns(1)
	var client sync.WaitGroup
	for {
		client.Go(func() { b.move(db, b.number(), b.byRow[0][rand.IntN(50)], b.byRow[1][rand.IntN(50)], nil) })
		answered := make(chan struct{})
		go func() { client.Wait(); close(answered) }()
		if b.awaitStop(p, answered) {
			break
		}
	}
	if one.still {
		server.Pause()
		time.Sleep(200 * time.Millisecond) // until it has reached all of its threads
		p.Resume()
		time.Sleep(time.Duration(1+rand.IntN(11)) * time.Second) // less and more than the bounds of a commit
		server.Resume()
	} else {
		server.Kill()
		p.Resume()
		time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond)
		server.Start()
	}
	client.Wait()
	p.Kill()
}

// awaitStop waits until the proxy stands still, or its client was answered before: a lock
// was not to be had.
func (b *bank) awaitStop(p *px, answered <-chan struct{}) bool {
	for range 2400 {
		if processState(p.PID()) == "T" {
			return true
		}
		select {
		case <-answered:
			return processState(p.PID()) == "T"
		case <-time.After(10 * time.Millisecond):
		}
	}
	b.t.Fatal("the proxy does not come to its step")
	return false
}

// TestProxyDiesInRecovery: a proxy dies at every step of finishing what a dead one has left;
// the next one finishes it.
func TestProxyDiesInRecovery(t *testing.T) {
	t.Parallel()
	for i, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			points := []string{"recover.begin", "recover.decided", "recover.half-finished"}
			if !soak() { // one of each server
				n := (int(testSeed(t)%3) + i) % len(points)
				points = points[n : n+1]
			}
			for _, point := range points {
				b := b3(t, flavor, point)
				b.settled(2 * recoveryTime) // two leases of 10 s
				b.check()
				b.free(b.c.px[len(b.c.px)-1])
			}
		})
	}
}

// b3 leaves transactions over three shards, decided and not, whose first finder dies at a point.
func b3(t *testing.T, flavor testkit.Flavor, point string) *bank {
	t.Helper()
	c, b := bankCluster(t, setup{flavor: flavor, env: []string{"SLUICE_FAULT=" + point + ":exit:1"}})
	finder := c.px[0] // the work is its own: it was the first
	for _, left := range []string{"txn.prepared", "txn.committed"} {
		p := c.addProxy("SLUICE_FAULT=" + left + ":exit:1")
		b.triple(p)
		waitDead(t, p, false)
	}
	c.addProxy()
	waitDead(t, finder, false)
	return b
}

// triple moves money from one shard to the two others; the client notes what it was told.
func (b *bank) triple(p *px) {
	db := p.open("shop", func(c *mysql.Config) { c.Logger = &mysql.NopLogger{} })
	n := b.number()
	b.mu.Lock()
	b.parts[n] = len(b.byRow)
	b.mu.Unlock()
	tx, err := db.BeginTx(context.Background(), nil)
	for i, amount := range []int{-3, 1, 2} {
		for _, s := range []string{"UPDATE accounts SET balance = balance + %d WHERE user_id = %d", "INSERT INTO ledger (amount, user_id, transfer) VALUES (%d, %d, %d)"} {
			args := []any{amount, b.byRow[i][n]} // of its own: the rows of one that is left are locked
			if s[0] == 'I' {
				args = append(args, n)
			}
			if err == nil {
				_, err = tx.Exec(fmt.Sprintf(s, args...))
			}
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
	o := acknowledged
	if err := tx.Commit(); err != nil {
		o = unknown
	}
	b.note(n, o, nil)
}

// TestBankWithBinaryLogs: 16 clients, all of one proxy and then of two, on servers that write
// binary logs, while a proxy and a server die.
func TestBankWithBinaryLogs(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			var servers []*testkit.Server
			for i := range 3 {
				servers = append(servers, testkit.StartServer(t, flavor, testkit.Binlog(i+1)))
			}
			c, b := bankCluster(t, setup{flavor: flavor, on: servers})
			point := commitPoints[testSeed(t)%uint64(len(commitPoints))]
			t.Log("a proxy dies at", point)
			p := c.addProxy("SLUICE_FAULT=" + point + ":exit:40")
			wg := b.clients(t.Context(), 16, p)
			waitDead(t, p, false)
			wg.Wait()
			t.Logf("all was finished and free %v after the death", b.recovered(recoveryTime).Round(time.Millisecond))

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			one, two := b.clients(ctx, 8, c.px[0]), b.clients(ctx, 8, c.addProxy())
			time.Sleep(500 * time.Millisecond)
			servers[1].Kill()
			servers[1].Start()
			time.Sleep(500 * time.Millisecond)
			stop()
			one.Wait()
			two.Wait()
			b.settled(recoveryTime)
			b.check()
			b.free(c.px[0])
		})
	}
}
