package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// commitPoints are all steps of a commit over several shards, in their order.
var commitPoints = []string{"txn.begin", "txn.half-prepared", "txn.prepared", "txn.commit-sent", "txn.committed", "txn.half-finished", "txn.finished"}

// somePoints gives all steps on MariaDB and in a soak, else three, drawn by the seed.
func somePoints(t *testing.T, flavor testkit.Flavor) []string {
	points := slices.Clone(commitPoints)
	if flavor == testkit.MariaDBFlavor || soak() {
		return points
	}
	rand.New(rand.NewPCG(testSeed(t), 2)).Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points[:3]
}

// recoveryTime is the promise: so long after a proxy's death nothing is left of it.
const recoveryTime = 15 * time.Second

// soak tells whether tests may take long.
func soak() bool { return os.Getenv("SLUICE_SOAK") != "" }

// soaked gives the servers for the longest tests: all in a soak, else MariaDB, the harder
// one, because nobody else can finish a branch while its connection lives.
func soaked() []testkit.Flavor {
	if soak() {
		return testkit.Flavors()
	}
	return testkit.Flavors()[:1]
}

// testSeed chooses what a test draws: SLUICE_SEED, or by chance. It is in the log.
func testSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if env := os.Getenv("SLUICE_SEED"); env != "" {
		n, err := strconv.ParseUint(env, 10, 64)
		if err != nil {
			t.Fatalf("SLUICE_SEED=%s: %v", env, err)
		}
		seed = n
	}
	t.Logf("SLUICE_SEED=%d", seed)
	return seed
}

func processState(pid int) string {
	if pid == 0 {
		return ""
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:1]
}

// bankCluster starts a cluster whose first proxy has no fault, and its bank. The proxies have
// no more rights on the servers than docs/TRANSACTIONS.md asks for: no SUPER.
func bankCluster(t *testing.T, s setup) (*cluster, *bank) {
	t.Helper()
	s.shards, s.schemas, s.plain, s.account = 3, bankSchema, true, "least"
	for len(s.on) < s.shards {
		s.on = append(s.on, testkit.StartServer(t, s.flavor))
	}
	for _, server := range s.on {
		server.Exec(leastRights(s.flavor)...)
	}
	s.etcd = testkit.Etcd(t).Addr
	c := start(t, s)
	return c, newBank(t, c, c.open("shop"))
}

// TestProxyKilledInCommit: a proxy dies at every step of a commit, each time another one
// with transfers of 16 clients under way. A surviving proxy finishes what they left.
func TestProxyKilledInCommit(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			c, b := bankCluster(t, setup{flavor: flavor})
			for _, point := range commitPoints {
				p := c.addProxy("SLUICE_FAULT=" + point + ":exit:40")
				wg := b.clients(t.Context(), 16, p)
				waitDead(t, p, false)
				wg.Wait()
			}
			t.Logf("all was finished and free %v after the last death", b.recovered(recoveryTime).Round(time.Millisecond))
			b.check()
			b.free(c.px[0])
		})
	}
}

// TestProxyStoppedInCommit: a proxy stands still at every step of a commit, for longer
// than its lease. Another one finishes what it has begun; when it wakes up it must not
// undo that.
func TestProxyStoppedInCommit(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			c, b := bankCluster(t, setup{flavor: flavor})
			var stopped []*px
			var waits []func()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			for _, point := range somePoints(t, flavor) {
				p := c.addProxy("SLUICE_FAULT=" + point + ":stop:5")
				wg := b.clients(ctx, 2, p)
				waitDead(t, p, true)
				stopped, waits = append(stopped, p), append(waits, wg.Wait)
			}
			b.settled(2 * recoveryTime) // a lease of 10 s has to end, and connections to be cut
			stop()
			for i, p := range stopped {
				p.Resume()
				waits[i]()
			}
			b.settled(recoveryTime)
			b.check()
			b.free(c.px[0])
		})
	}
}

// free checks that no lock is left: every account can be written at once.
func (b *bank) free(p *px) {
	b.t.Helper()
	db := p.open("shop")
	must(b.t, db, "SET SESSION innodb_lock_wait_timeout = 1", "UPDATE accounts SET balance = balance + 0")
	var left []string
	for deadline := time.Now().Add(recoveryTime); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if left = b.c.perShard("SELECT COUNT(*) FROM _sluice.decisions WHERE decision = 'commit'"); strings.Join(left, "") == "000" {
			return
		}
	}
	b.t.Errorf("decision rows are left: %v", left)
}

// TestShardKilledInCommit: shards die and come back under transfers of proxies that dwell
// at every step of a commit, so that each death meets all of them.
func TestShardKilledInCommit(t *testing.T) {
	t.Parallel()
	for _, flavor := range soaked() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			c, b := bankCluster(t, setup{flavor: flavor})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var waits []func()
			for _, point := range []string{"txn.begin", "txn.half-prepared", "txn.prepared", "txn.commit-sent", "txn.committed", "txn.half-finished"} {
				waits = append(waits, b.clients(ctx, 3, c.addProxy("SLUICE_FAULT="+point+":delay=40ms")).Wait)
			}
			rounds := 2
			if soak() {
				rounds = 20
			}
			for i := range rounds * len(c.servers) {
				time.Sleep(700 * time.Millisecond)
				s := c.servers[i%len(c.servers)]
				s.Kill()
				time.Sleep(time.Duration(i%4) * 200 * time.Millisecond)
				s.Start()
			}
			time.Sleep(500 * time.Millisecond)
			stop()
			for _, wait := range waits {
				wait()
			}
			b.settled(recoveryTime)
			b.check()
			b.free(c.px[0])
			if n := b.count(acknowledged); n < 20 {
				t.Errorf("only %d transfers went well between the deaths", n)
			}
		})
	}
}

// TestCommitAnswerCut: the bytes of the shards' answers during COMMIT stop after every
// possible one. What the client is told must be so.
func TestCommitAnswerCut(t *testing.T) {
	c, b, links := linkedBank(t)
	db := c.open("shop")
	db.SetMaxOpenConns(1)
	step := int64(3)
	if soak() {
		step = 1
	}
	const most = 40 // the answers to the decision row and to COMMIT, or to XA END, PREPARE and COMMIT
	for _, side := range []string{"coordinator", "branch"} {
		for n := int64(0); n <= most; n += step {
			from, to := b.byRow[0][rand.IntN(len(b.byRow[0]))], b.byRow[1][rand.IntN(len(b.byRow[1]))]
			link := links[0]
			if side == "branch" {
				link = links[1]
			}
			var healed sync.WaitGroup
			told := b.move(db, b.number(), from, to, func() {
				link.CutAfter(n)
				healed.Go(func() {
					time.Sleep(100 * time.Millisecond)
					link.CutAfter(-1)
				})
			})
			healed.Wait()
			if told == unknown {
				t.Errorf("%s, %d bytes: unknown, although the shard was there again after 100 ms", side, n)
			}
		}
	}
	b.settled(recoveryTime)
	b.check()
	if b.count(refused) < 5 || b.count(acknowledged) < 5 {
		t.Error("the cuts did not meet the commits")
	}
}

// TestCommitUnknown: when the shard that decides does not come back in time, the client is
// told so, and later the transaction is there as a whole or not at all.
func TestCommitUnknown(t *testing.T) {
	c, b, links := linkedBank(t)
	db := c.open("shop")
	db.SetMaxOpenConns(1)
	began := time.Now()
	told := b.move(db, b.number(), b.byRow[0][0], b.byRow[1][0], func() {
		links[0].CutAfter(15) // in the answer to COMMIT: the decision row has its 11 bytes
	})
	if told != unknown || time.Since(began) > 8*time.Second {
		t.Errorf("told %d after %v", told, time.Since(began))
	}
	b.mu.Lock()
	for text := range b.errors {
		if !strings.Contains(text, "2013 (08007)") {
			t.Error(text)
		}
	}
	b.mu.Unlock()
	if len(b.prepared()) == 0 {
		t.Error("nothing is in doubt")
	}
	expectDoubt(t, c, "in doubt")
	dba := c.px[0].dba()
	var gtrid string
	for _, r := range rows(t, dba, "SHOW TRANSACTIONS") {
		if f := strings.Split(r, "\t"); f[2] == "in doubt" {
			gtrid = f[6]
		}
	}
	expectError(t, dba, "RESOLVE TRANSACTION '"+gtrid+"' ROLLBACK", 1105) // its shard may have decided
	expectError(t, dba, "RESOLVE TRANSACTION 'nonsense' COMMIT", 1105, "names no transaction")
	links[0].CutAfter(-1)
	b.settled(recoveryTime)
	b.check()
}

func expectDoubt(t *testing.T, c *cluster, what string) {
	t.Helper()
	dba := c.px[0].dba()
	for range 50 {
		for _, r := range rows(t, dba, "SHOW TRANSACTIONS") {
			if strings.Contains(r, what) {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("SHOW TRANSACTIONS does not say %q", what)
}

// linkedBank is a bank whose shards are behind links.
func linkedBank(t *testing.T) (*cluster, *bank, []*testkit.Link) {
	t.Helper()
	s := setup{own: true, shards: 2, schemas: bankSchema, plain: true, account: "sluice", maxConns: 8}
	c := &cluster{t: t, setup: s}
	var links []*testkit.Link
	for range s.shards {
		server := testkit.StartServer(t, s.flavor)
		server.Exec("CREATE DATABASE shop", "CREATE DATABASE plain")
		c.servers = append(c.servers, server)
		links = append(links, testkit.NewLink(t, server.Addr))
		c.setup.addrs = append(c.setup.addrs, links[len(links)-1].Addr)
	}
	c.addProxy()
	return c, newBank(t, c, c.open("shop")), links
}

// TestSafeguardsAreNeeded: with a safeguard left out the bank must be found wrong, or the
// tests above could not see what they look for.
func TestSafeguardsAreNeeded(t *testing.T) {
	t.Run("without the decision row", func(t *testing.T) {
		c, b := bankCluster(t, setup{})
		// Committed on the coordinator, prepared elsewhere: without the row it is rolled back there.
		p := c.addProxy("SLUICE_FAULT=txn.decision:off,txn.committed:exit:5")
		wg := b.clients(t.Context(), 2, p)
		waitDead(t, p, false)
		wg.Wait()
		b.settled(recoveryTime)
		b.mustBeWrong()
	})
	t.Run("without the abort marker", func(t *testing.T) {
		t.Setenv("SLUICE_FAULT", "txn.tombstone:off")
		c, b := bankCluster(t, setup{})
		// All is prepared and the decision not yet committed: a proxy that only looks finds none.
		p := c.addProxy("SLUICE_FAULT=txn.prepared:stop:5")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		wg := b.clients(ctx, 1, p)
		waitDead(t, p, true)
		b.settled(2 * recoveryTime)
		stop()
		p.Resume()
		wg.Wait()
		b.settled(recoveryTime)
		b.mustBeWrong()
	})
}

func (b *bank) mustBeWrong() {
	b.t.Helper()
	list := b.faults()
	if len(list) == 0 {
		b.t.Error("a safeguard is left out and nothing is wrong: these tests see nothing")
	}
	b.t.Logf("as it must be: %.300q", list)
}

func (b *bank) count(o verdict) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, have := range b.told {
		if have == o {
			n++
		}
	}
	return n
}

// TestResolvedByHand: a DBA ends what a shard that is gone for good has left undecided.
func TestResolvedByHand(t *testing.T) {
	c, b := bankCluster(t, setup{})
	for _, verb := range []string{"COMMIT", "ROLLBACK"} {
		dead := c.addProxy("SLUICE_FAULT=txn.prepared:exit:1")
		wg := b.clients(t.Context(), 1, dead)
		waitDead(t, dead, false)
		wg.Wait()
		gtrid := ""
		for _, s := range c.servers {
			for _, r := range s.Query("XA RECOVER") {
				n, _ := strconv.Atoi(r[1])
				gtrid = r[3][:n]
			}
		}
		b.settled(2 * recoveryTime)
		f := strings.Split(gtrid, ".")
		if len(f) != 6 {
			t.Fatalf("nothing was prepared: %q", gtrid)
		}
		f[4] = "00000000" // a coordinator that is no shard of the cluster
		gtrid = strings.Join(f, ".")
		branch := fmt.Sprintf("'%s','%.4x.1',21328", gtrid, sha256.Sum256([]byte("s1")))
		db := c.servers[1].DB(t, "shop")
		conn := one(t, db)
		do(t, conn, "XA START "+branch, "UPDATE accounts SET balance = balance + 1 LIMIT 1", "XA END "+branch, "XA PREPARE "+branch)
		conn.Close()
		db.Close() // the server keeps the branch for its connection as long as that lives
		expectDoubt(t, c, gtrid)
		expectDoubt(t, c, "by hand")
		must(t, c.px[0].dba(), "RESOLVE TRANSACTION '"+gtrid+"' "+verb)
		b.settled(time.Second)
		expect(t, c.open("shop"), "SELECT SUM(balance) FROM accounts", fmt.Sprint(accounts*funds+1)) // by COMMIT, and not again by ROLLBACK
	}
	if strings.Count(c.px[0].Log(), "resolved by hand") != 2 {
		t.Error("it is not in the log")
	}
}
