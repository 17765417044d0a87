package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/internal/testkit"
)

// accounts that transfers go between; clients of one measurement.
const (
	txAccounts = 4000
	txClients  = 8
)

// measureTransactions prints what transactions cost: those of one shard beside the same proxy
// without the code for several, those of two beside two plain COMMITs.
func (h *house) measureTransactions(ctx context.Context, o *options) error {
	fmt.Println("== building the proxy, and one whose transactions know one shard only")
	real, oneShard, err := h.buildBoth(ctx, o.base)
	if err != nil {
		return err
	}
	fmt.Println("== starting two shards")
	b := &txBench{house: h, o: o}
	var near, far []string
	for range 2 {
		s := h.server()
		s.Exec("CREATE DATABASE bench", "CREATE USER app IDENTIFIED BY 'app'", "GRANT ALL ON bench.* TO app")
		b.servers = append(b.servers, s)
		b.ways = append(b.ways, h.far(s.Addr))
		near, far = append(near, s.Addr), append(far, b.ways[len(b.ways)-1].addr)
	}
	b.near, b.far = near, far
	rules := "accounts: {shard_key: id}"
	b.sluice = h.proxy("sluice", real, near, rules)
	b.base = h.proxy("oneshard", oneShard, near, rules)
	b.distant = h.proxy("distant", real, far, rules)
	if err := b.fill(ctx); err != nil {
		return err
	}
	for _, work := range []txWork{
		{"BEGIN; SELECT; COMMIT", []string{"SELECT balance FROM accounts WHERE id = %d"}},
		{"BEGIN; SELECT; UPDATE; COMMIT", []string{"SELECT balance FROM accounts WHERE id = %d", "UPDATE accounts SET balance = balance + 1 WHERE id = %d"}},
		{"BEGIN; 2 SELECT; 2 UPDATE; COMMIT", []string{"SELECT balance FROM accounts WHERE id = %d", "UPDATE accounts SET balance = balance + 1 WHERE id = %d",
			"SELECT balance FROM accounts WHERE id = %d", "UPDATE accounts SET balance = balance - 1 WHERE id = %d"}},
	} {
		if err := b.oneShard(ctx, work); err != nil {
			return err
		}
	}
	for _, clients := range []int{1, txClients} {
		if err := b.twoShards(ctx, clients); err != nil {
			return err
		}
	}
	return b.roundTrips(ctx)
}

// txWork is a transaction: its statements get a key each, the same for all.
type txWork struct {
	name       string
	statements []string
}

type txBench struct {
	house                 *house
	o                     *options
	servers               []*testkit.Server
	ways                  []*distance
	near, far             []string
	sluice, base, distant *target
	keys                  [2][]int // accounts by shard
}

func (t *target) addr() string { return fmt.Sprintf("127.0.0.1:%d", t.port) }

func openBench(addr string) (*sql.DB, error) { return testkit.Open(addr, "app", "app", "bench") }

func (b *txBench) fill(ctx context.Context) error {
	db, err := openBench(b.sluice.addr())
	if err != nil {
		return err
	}
	defer db.Close()
	rows := make([]string, txAccounts)
	for i := range rows {
		rows[i] = fmt.Sprintf("(%d, 1000)", i+1)
	}
	for _, s := range []string{"CREATE TABLE accounts (id BIGINT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL)",
		"INSERT INTO accounts VALUES " + strings.Join(rows, ",")} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	for i, s := range b.servers {
		for _, r := range s.Query("SELECT id FROM bench.accounts") {
			var id int
			fmt.Sscan(r[0], &id)
			b.keys[i] = append(b.keys[i], id)
		}
	}
	return nil
}

// transaction runs one; the statements are whole.
type transaction func(ctx context.Context, client int) error

// load runs transactions with several clients for a time, and gives how many there were.
func load(ctx context.Context, clients int, d time.Duration, one transaction) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := time.Now().Add(d)
	counts, errs := make([]int, clients), make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for time.Now().Before(end) {
				if errs[i] = one(ctx, i); errs[i] != nil {
					cancel()
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for i := range clients {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += counts[i]
	}
	return float64(total), nil
}

// conns opens a connection for each client.
func conns(ctx context.Context, addr string, n int) (list []*sql.Conn, done func(), err error) {
	db, err := openBench(addr)
	if err != nil {
		return nil, nil, err
	}
	done = func() { db.Close() }
	for range n {
		c, err := db.Conn(ctx)
		if err != nil {
			done()
			return nil, nil, err
		}
		list = append(list, c)
	}
	return list, func() {
		for _, c := range list {
			c.Close()
		}
		db.Close()
	}, nil
}

func say(ctx context.Context, c *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// oneShard measures both proxies at the same time, so that what else the machine does meets
// both; the ratio is that of their CPU time a transaction.
func (b *txBench) oneShard(ctx context.Context, w txWork) error {
	var cpu [2][]float64
	var ratios []float64
	const clients = txClients / 2
	targets := []*target{b.base, b.sluice}
	for range b.o.rounds * 3 {
		var us [2]float64
		var errs [2]error
		var wg sync.WaitGroup
		for i, t := range targets {
			list, done, err := conns(ctx, t.addr(), clients)
			if err != nil {
				return err
			}
			defer done()
			wg.Go(func() {
				before := cpuTicks(t.pid)
				n, err := load(ctx, clients, b.o.time, func(ctx context.Context, client int) error {
					keys := b.keys[rand.IntN(2)]
					key := keys[rand.IntN(len(keys)/txClients)*txClients+client+i*clients] // no two clients have one
					statements := []string{"BEGIN"}
					for _, s := range w.statements {
						statements = append(statements, fmt.Sprintf(s, key))
					}
					return say(ctx, list[client], append(statements, "COMMIT")...)
				})
				us[i], errs[i] = float64(cpuTicks(t.pid)-before)*1e6/ticksPerSecond/n, err
			})
		}
		wg.Wait()
		for i := range targets {
			if errs[i] != nil {
				return errs[i]
			}
			cpu[i] = append(cpu[i], us[i])
		}
		ratios = append(ratios, us[0]/us[1])
	}
	printRows(fmt.Sprintf("%s on one shard, %d + %d clients at once, %d rounds", w.name, clients, clients, len(ratios)),
		"proxy\tCPU us/transaction\tratio\t(min … max)",
		fmt.Sprintf("base\t%.1f\t1.00\t", median(cpu[0])),
		fmt.Sprintf("sluice\t%.1f\t%.3f\t(%.3f … %.3f)", median(cpu[1]), median(ratios), slices.Min(ratios), slices.Max(ratios)))
	return nil
}

// transfers gives what moves money between the shards: through a proxy, or by two plain
// transactions one after the other.
func (b *txBench) transfers(ctx context.Context, clients int, proxy *target, direct []string) (one transaction, done func(), err error) {
	pick := func(shard, client int) int {
		keys := b.keys[shard]
		return keys[rand.IntN(len(keys)/txClients)*txClients+client]
	}
	const take, give = "UPDATE accounts SET balance = balance - 1 WHERE id = %d", "UPDATE accounts SET balance = balance + 1 WHERE id = %d"
	if proxy != nil {
		list, done, err := conns(ctx, proxy.addr(), clients)
		return func(ctx context.Context, client int) error {
			from := rand.IntN(2)
			return say(ctx, list[client], "BEGIN", fmt.Sprintf(take, pick(from, client)), fmt.Sprintf(give, pick(1-from, client)), "COMMIT")
		}, done, err
	}
	var both [2][]*sql.Conn
	ends := make([]func(), 2)
	for i := range both {
		if both[i], ends[i], err = conns(ctx, direct[i], clients); err != nil {
			return nil, nil, err
		}
	}
	return func(ctx context.Context, client int) error {
		from := rand.IntN(2)
		err := say(ctx, both[from][client], "BEGIN", fmt.Sprintf(take, pick(from, client)), "COMMIT")
		if err == nil {
			err = say(ctx, both[1-from][client], "BEGIN", fmt.Sprintf(give, pick(1-from, client)), "COMMIT")
		}
		return err
	}, func() { ends[0](); ends[1]() }, nil
}

func (b *txBench) serverTicks() (ticks int64) {
	for _, s := range b.servers {
		ticks += cpuTicks(s.PID())
	}
	return ticks
}

// twoShards measures transfers in turn.
func (b *txBench) twoShards(ctx context.Context, clients int) error {
	type figures struct{ tps, proxy, servers []float64 }
	var direct, atomic figures
	var ratios []float64
	for range b.o.rounds {
		for _, f := range []*figures{&direct, &atomic} {
			var proxy *target
			pid := 0
			if f == &atomic {
				proxy, pid = b.sluice, b.sluice.pid
			}
			one, done, err := b.transfers(ctx, clients, proxy, b.near)
			if err != nil {
				return err
			}
			ticks, servers := cpuTicks(pid), b.serverTicks()
			began := time.Now()
			n, err := load(ctx, clients, b.o.time, one)
			took := time.Since(began).Seconds()
			done()
			if err != nil {
				return err
			}
			micros := func(t int64) float64 { return float64(t) * 1e6 / ticksPerSecond / n }
			f.tps = append(f.tps, n/took)
			f.proxy = append(f.proxy, micros(cpuTicks(pid)-ticks))
			f.servers = append(f.servers, micros(b.serverTicks()-servers))
		}
		ratios = append(ratios, atomic.tps[len(atomic.tps)-1]/direct.tps[len(direct.tps)-1])
	}
	printRows(fmt.Sprintf("transfer between two shards, %d clients, %d rounds", clients, b.o.rounds),
		"way\ttransfers/s\tratio\t(min … max)\tservers' CPU us\tproxy's CPU us",
		fmt.Sprintf("two plain transactions, direct\t%.0f\t1.00\t\t%.0f\t-", median(direct.tps), median(direct.servers)),
		fmt.Sprintf("sluice, one atomic transaction\t%.0f\t%.2f\t(%.2f … %.2f)\t%.0f\t%.0f", median(atomic.tps), median(ratios), slices.Min(ratios),
			slices.Max(ratios), median(atomic.servers), median(atomic.proxy)))
	return nil
}

// roundTrips counts them: by so many times the way's length is a transaction longer when the
// way to the shards is.
func (b *txBench) roundTrips(ctx context.Context) error {
	const way = 10 * time.Millisecond
	var rows []string
	count := func(name string, one transaction, done func(), err error) error {
		if err != nil {
			return err
		}
		defer done()
		var took [2]float64
		for i, d := range []time.Duration{0, way} {
			for _, w := range b.ways {
				w.way.Store(int64(d))
			}
			var all []float64
			for range 30 {
				began := time.Now()
				if err := one(ctx, 0); err != nil {
					return err
				}
				all = append(all, time.Since(began).Seconds())
			}
			took[i] = median(all)
		}
		for _, w := range b.ways {
			w.way.Store(0)
		}
		rows = append(rows, fmt.Sprintf("%s\t%.1f\t%.1f ms", name, (took[1]-took[0])/(2*way.Seconds()), took[0]*1e3))
		return nil
	}
	one, done, err := b.transfers(ctx, 1, nil, b.far)
	if err := count("transfer: two plain transactions, direct", one, done, err); err != nil {
		return err
	}
	one, done, err = b.transfers(ctx, 1, b.distant, nil)
	if err := count("transfer: sluice", one, done, err); err != nil {
		return err
	}
	for _, w := range []struct {
		name       string
		statements []string
	}{
		{"sluice: an UPDATE of both shards", []string{"UPDATE accounts SET balance = balance + 1 WHERE balance < 0"}},
		{"sluice: BEGIN; SELECT from both; COMMIT", []string{"BEGIN", "SELECT MAX(balance) FROM accounts", "COMMIT"}},
		{"sluice: BEGIN; UPDATE of both; COMMIT", []string{"BEGIN", "UPDATE accounts SET balance = balance + 1 WHERE id IN (%d, %d)", "COMMIT"}},
		{"sluice: START TRANSACTION WITH CONSISTENT SNAPSHOT; COMMIT", []string{"START TRANSACTION WITH CONSISTENT SNAPSHOT", "COMMIT"}},
	} {
		list, done, err := conns(ctx, b.distant.addr(), 1)
		one := func(ctx context.Context, _ int) error {
			for _, s := range w.statements {
				if strings.Contains(s, "%") {
					s = fmt.Sprintf(s, b.keys[0][0], b.keys[1][0])
				}
				if err := say(ctx, list[0], s); err != nil {
					return err
				}
			}
			return nil
		}
		if err := count(w.name, one, done, err); err != nil {
			return err
		}
	}
	printRows("round trips to the shards, one after the other", "transaction\tround trips\ttook without a distance", rows...)
	return nil
}

func printRows(title, head string, rows ...string) {
	fmt.Printf("\n%s\n", title)
	tw := newTable(os.Stdout)
	fmt.Fprintln(tw, head)
	for _, r := range rows {
		fmt.Fprintln(tw, r)
	}
	tw.Flush()
}
