package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/testkit"
)

// overload is what -only=overload measures with: two proxies before the same shards, one as it is, and
// one without limits of statements at once and without patience, which may open so many connections
// that every client gets its own: what the servers themselves make of the load.
type overload struct {
	h       *house
	o       *options
	proxies [2]*target
}

// overloadWork is one kind of statement; %d is a key.
type overloadWork struct {
	name, sql string
	keys      int // how many different
}

var overloadWorks = []overloadWork{
	{"point reads", "SELECT v FROM t WHERE id = %d", 20000},
	{"reads of some milliseconds", "SELECT SUM(CRC32(CONCAT(a.v, b.v))) FROM t a JOIN t b ON b.id = a.id WHERE a.id = %d AND b.id = %[1]d AND BENCHMARK(60000, CRC32(a.v)) = 0", 20000},
	{"writes of one row", "UPDATE t SET n = n + 1 WHERE id = %d", 1},
}

// measureOverload compares the throughput and the p99 at the number of clients that is best with those
// at ten times as many.
func (h *house) measureOverload(ctx context.Context, o *options) error {
	b := &overload{h: h, o: o}
	var list []string
	for range shards {
		s := testkit.MariaDB(h, testkit.Args("--innodb-buffer-pool-size=128M", "--max-connections=3000", "--innodb-flush-log-at-trx-commit=0", "--thread-cache-size=256"))
		s.Exec("CREATE DATABASE bench")
		list = append(list, s.Addr)
	}
	b.proxies[0] = b.proxy("limits", list, 128)
	b.proxies[1] = b.proxy("off", list, 1200, "SLUICE_FAULT=backend.limits:off")
	if err := b.fill(); err != nil {
		return err
	}
	for _, w := range overloadWorks {
		if err := b.measure(ctx, &w); err != nil {
			return err
		}
	}
	return nil
}

func (b *overload) proxy(name string, shards []string, connections int, env ...string) *target {
	var lines strings.Builder
	for i, addr := range shards {
		fmt.Fprintf(&lines, "    - {name: s%d, primary: %s}\n", i, addr)
	}
	port, admin := testkit.Port(b.h), testkit.Port(b.h)
	dir := testkit.Dir(b.h, name)
	p := testkit.Start(b.h, testkit.Spec{Name: name, Dir: dir, Env: env, Argv: []string{b.o.sluice, "serve", "-config",
		b.h.file(name+".yaml", fmt.Sprintf(`node: %s
listen: 127.0.0.1:%d
admin: 127.0.0.1:%d
http: 127.0.0.1:%d
data_dir: %s
cluster:
  admins: [{name: root, password: root}]
  users: [{name: app, password: app, schemas: [bench]}]
  backend: {user: sluice, password: sluice, max_connections: %d}
  shards:
%s  schemas:
    - name: bench
      default_shard: s0
      tables: {t: {shard_key: id}}
`, name, port, admin, testkit.Port(b.h), filepath.Join(dir, "data"), connections, lines.String()))}, Ready: listens(port)})
	return &target{name: name, port: port, admin: admin, pid: p.PID()}
}

func (b *overload) fill() error {
	db, err := testkit.Open(at(b.proxies[0].port), "app", "app", "bench")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, v VARCHAR(200) NOT NULL)"); err != nil {
		return err
	}
	for first := 1; first <= 20000; first += 1000 {
		var s strings.Builder
		for id := first; id < first+1000; id++ {
			fmt.Fprintf(&s, ",(%d,0,'%s')", id, strings.Repeat("x", 100))
		}
		if _, err := db.Exec("INSERT INTO t VALUES " + s.String()[1:]); err != nil {
			return err
		}
	}
	return nil
}

// pressed is what came of some clients.
type pressed struct {
	qps, p50, p99, max float64 // of statements that were answered; milliseconds
	refused            float64 // a second
	failed, hung       int64
	why                string
}

// press has clients say statements as fast as they are answered. Who is refused with 1205 comes again
// after 50 to 150 ms, as an application's retry does.
func (b *overload) press(ctx context.Context, t *target, w *overloadWork, clients int) (pressed, error) {
	conns := make([]*reader, clients)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	places := make(chan struct{}, 32) // logins at once
	for i := range conns {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			r, err := dialReader(at(t.port), "app", "app", "bench")
			if err != nil {
				failed.Store(&err)
				return
			}
			conns[i] = r
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	if err := failed.Load(); err != nil {
		return pressed{}, *err
	}
	const hang = 15 * time.Second
	warm := time.Now().Add(b.o.time / 2)
	end := warm.Add(b.o.time)
	var mu sync.Mutex
	var all []float64
	var p pressed
	var refused atomic.Int64
	for i, c := range conns {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			var mine []float64
			for time.Now().Before(end) && ctx.Err() == nil {
				sql := fmt.Sprintf(w.sql, 1+r.IntN(w.keys))
				began := time.Now()
				_ = c.SetDeadline(began.Add(hang))
				code, err := c.statement(sql)
				took := time.Since(began)
				counts := began.After(warm)
				switch {
				case err != nil:
					mu.Lock()
					p.why = err.Error()
					if p.failed++; took >= hang {
						p.hung++
					}
					mu.Unlock()
					return
				case code == 0:
					if counts {
						mine = append(mine, float64(took)/1e6)
					}
				case code == 1205:
					if counts {
						refused.Add(1)
					}
					time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
				default:
					mu.Lock()
					p.failed++
					p.why = fmt.Sprintf("error %d", code)
					mu.Unlock()
				}
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(all) == 0 {
		return p, fmt.Errorf("%s: nothing was answered: %s", t.name, p.why)
	}
	slices.Sort(all)
	n := len(all)
	p.qps, p.refused = float64(n)/b.o.time.Seconds(), float64(refused.Load())/b.o.time.Seconds()
	p.p50, p.p99, p.max = all[n/2], all[min(n*99/100, n-1)], all[n-1]
	return p, nil
}

// statement says one and reads its answer; code is that of an ERR, 0 for none.
func (r *reader) statement(sql string) (code int, err error) {
	if err := r.send(0, append([]byte{3}, sql...)); err != nil {
		return 0, err
	}
	for eofs, first := 0, true; ; first = false {
		b, err := r.packet()
		switch {
		case err != nil:
			return 0, err
		case b[0] == 0xff && len(b) > 2:
			return int(b[1]) | int(b[2])<<8, nil
		case first && b[0] == 0:
			return 0, nil
		case b[0] == 0xfe && len(b) < 9:
			if eofs++; eofs == 2 {
				return 0, nil
			}
		}
	}
}

// measure looks for the best number of clients, then presses with ten times as many: through limits, through
// none, and through limits where who would wait for more than twice the best's p99 is refused.
func (b *overload) measure(ctx context.Context, w *overloadWork) error {
	fmt.Printf("\n%s\n", w.name)
	best, most, wait := 0, 0.0, time.Duration(0)
	for _, n := range []int{4, 8, 16, 32, 64} {
		r, err := b.press(ctx, b.proxies[0], w, n)
		if err != nil {
			return err
		}
		fmt.Printf("  %4d clients: %8.0f a second, p50 %7.2f ms, p99 %7.2f ms\n", n, r.qps, r.p50, r.p99)
		if r.qps > most*1.03 { // more clients for nothing are not better
			best, most, wait = n, r.qps, max(time.Duration(2*r.p99)*time.Millisecond, time.Millisecond)
		}
	}
	dba, err := testkit.Open(at(b.proxies[0].admin), "root", "root", "")
	if err != nil {
		return err
	}
	defer dba.Close()
	ways := []struct {
		name    string
		through *target
		waits   bool
	}{{"limits", b.proxies[0], false}, {"off", b.proxies[1], false}, {"wait", b.proxies[0], true}}
	runs := make([][2][]pressed, len(ways)) // at best, and at ten times as many
	for range b.o.rounds {
		for i, way := range ways {
			if way.waits {
				if _, err := dba.ExecContext(ctx, "LIMIT SCHEMA bench WAIT "+wait.String()); err != nil {
					return err
				}
			}
			for j, n := range []int{best, 10 * best} {
				r, err := b.press(ctx, way.through, w, n)
				if err != nil {
					return err
				}
				runs[i][j] = append(runs[i][j], r)
			}
			if way.waits {
				if _, err := dba.ExecContext(ctx, "UNLIMIT SCHEMA bench"); err != nil {
					return err
				}
			}
		}
	}
	for i, way := range ways {
		var ratio, tail []float64
		for k := range runs[i][0] {
			ratio = append(ratio, runs[i][1][k].qps/runs[0][0][k].qps)
			tail = append(tail, runs[i][1][k].p99/runs[0][0][k].p99)
		}
		for j, n := range []int{best, 10 * best} {
			m := middleOf(runs[i][j])
			fmt.Printf("  %-6s %4d clients: %8.0f a second, p50 %8.2f ms, p99 %8.2f ms, longest %8.2f ms; refused %6.0f a second, failed %d, hung %d %s\n",
				way.name, n, m.qps, m.p50, m.p99, m.max, m.refused, m.failed, m.hung, m.why)
		}
		if way.waits {
			way.name += " " + wait.String()
		}
		fmt.Printf("  %-6s ten times as many clients, beside the best with limits: throughput %.2f, p99 %.1f times\n", way.name, median(ratio), median(tail))
	}
	return nil
}

// middleOf gives the medians of rounds, and the sums of what must not be.
func middleOf(rounds []pressed) (m pressed) {
	pick := func(f func(*pressed) float64) float64 {
		var v []float64
		for i := range rounds {
			v = append(v, f(&rounds[i]))
		}
		return median(v)
	}
	m.qps, m.p50, m.p99 = pick(func(p *pressed) float64 { return p.qps }), pick(func(p *pressed) float64 { return p.p50 }), pick(func(p *pressed) float64 { return p.p99 })
	m.max, m.refused = pick(func(p *pressed) float64 { return p.max }), pick(func(p *pressed) float64 { return p.refused })
	for i := range rounds {
		m.failed, m.hung = m.failed+rounds[i].failed, m.hung+rounds[i].hung
		if rounds[i].why != "" {
			m.why = "(" + rounds[i].why + ")"
		}
	}
	return m
}

func at(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
