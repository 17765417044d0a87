package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/testkit"
)

// cached is what -only=cache measures with: a database server, a Redis, and proxies before them that
// differ in their cache.
type cached struct {
	h       *house
	o       *options
	db      *testkit.Server
	redis   *testkit.Store
	targets []*target
	cold    atomic.Int64 // the next key that nobody has read
}

const (
	cacheRows    = 200_000
	cacheHot     = 1000 // keys that are read again and again
	cacheClients = 16
)

// measureCache compares point reads with the cache on, 95 in 100 of a row that is there, with those
// without it, and with what redis-benchmark makes of a plain GET; then it kills the Redis under load.
func (h *house) measureCache(ctx context.Context, o *options) error {
	b := &cached{h: h, o: o, db: h.server(), redis: testkit.Redis(h)}
	b.db.Exec("CREATE DATABASE bench")
	for _, t := range []struct{ name, cache, env string }{
		{"cache off", "", ""},
		{"cache on", "redis", "SLUICE_FAULT=cache.settle:off"},
		{"without copies", "redis", "SLUICE_FAULT=cache.settle:off,cache.near:off"},
		{"in memory", "memory", ""},
	} {
		b.targets = append(b.targets, b.proxy(t.name, t.cache, t.env))
	}
	if err := b.fill(); err != nil {
		return err
	}
	for _, hot := range []int{100, 95} {
		if err := b.measure(ctx, hot); err != nil {
			return err
		}
	}
	return b.kill(ctx)
}

func (b *cached) proxy(name, kind, env string) *target {
	node, rules := "", ""
	if kind == "redis" {
		node = fmt.Sprintf("redis: {addrs: [\"%s\"]}\n", b.redis.Addr)
	}
	if kind != "" {
		rules = "  cache: [{schema: bench, table: t, ttl: 10m}]\n"
	}
	port, admin := testkit.Port(b.h), testkit.Port(b.h)
	dir := testkit.Dir(b.h, "cache")
	var list []string
	if env != "" {
		list = []string{env}
	}
	p := testkit.Start(b.h, testkit.Spec{Name: "sluice", Dir: dir, Env: list, Argv: []string{b.o.sluice, "serve", "-config",
		b.h.file(strings.ReplaceAll(name, " ", "-")+".yaml", fmt.Sprintf(`node: bench
listen: 127.0.0.1:%d
admin: 127.0.0.1:%d
http: 127.0.0.1:%d
data_dir: %s
%scluster:
  admins: [{name: root, password: root}]
  users: [{name: app, password: app, schemas: [bench]}]
  backend: {user: sluice, password: sluice, max_connections: 64}
  shards: [{name: s0, primary: %s}]
  schemas:
    - name: bench
      default_shard: s0
      tables: {t: {shard_key: id}}
%s`, port, admin, testkit.Port(b.h), filepath.Join(dir, "data"), node, b.db.Addr, rules))}, Ready: listens(port)})
	return &target{name: name, port: port, admin: admin, pid: p.PID()}
}

func (b *cached) fill() error {
	db, err := testkit.Open(at(b.targets[0].port), "app", "app", "bench")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, v VARCHAR(200) NOT NULL)"); err != nil {
		return err
	}
	for first := 1; first <= cacheRows; first += 2000 {
		var s strings.Builder
		for id := first; id < first+2000; id++ {
			fmt.Fprintf(&s, ",(%d,0,'%s')", id, strings.Repeat("x", 100))
		}
		if _, err := db.Exec("INSERT INTO t VALUES " + s.String()[1:]); err != nil {
			return err
		}
	}
	b.cold.Store(cacheHot)
	for _, t := range b.targets[1:] { // until it is on
		p := b.press(context.Background(), t, 100, 0, time.Now(), time.Now().Add(4*time.Second), nil)
		if p.failed > 0 {
			return fmt.Errorf("%s: %s", t.name, p.why)
		}
	}
	return nil
}

// press has clients read, hot in 100 of them hot keys, and write in some of 100, from warm to end.
// each is told of every statement, when it is not nil.
func (b *cached) press(ctx context.Context, t *target, hot, writes int, warm, end time.Time, each func(at, took time.Duration, failed bool)) (p pressed) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []float64
	for i := range cacheClients {
		wg.Go(func() {
			fail := func(why string) {
				mu.Lock()
				defer mu.Unlock()
				p.failed, p.why = p.failed+1, why
			}
			c, err := dialReader(at(t.port), "app", "app", "bench")
			if err != nil {
				fail(err.Error())
				return
			}
			defer c.Close()
			r := rand.New(rand.NewPCG(uint64(i), 7))
			var mine []float64
			for time.Now().Before(end) && ctx.Err() == nil {
				sql := "SELECT v FROM t WHERE id = "
				switch key := int64(1 + r.IntN(cacheHot)); {
				case r.IntN(100) < writes:
					sql = fmt.Sprintf("UPDATE t SET n = n + 1 WHERE id = %d", key)
				case r.IntN(100) >= hot:
					sql += strconv.FormatInt(cacheHot+1+b.cold.Add(1)%(cacheRows-cacheHot), 10)
				default:
					sql += strconv.FormatInt(key, 10)
				}
				began := time.Now()
				_ = c.SetDeadline(began.Add(20 * time.Second))
				code, err := c.statement(sql)
				took := time.Since(began)
				if err == nil && code != 0 {
					err = fmt.Errorf("error %d", code)
				}
				if each != nil {
					each(began.Sub(warm), took, err != nil)
				}
				if err != nil {
					fail(err.Error())
					return
				}
				if began.After(warm) {
					mine = append(mine, float64(took)/1e6)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
		})
	}
	wg.Wait()
	if n := len(all); n > 0 {
		slices.Sort(all)
		p.qps, p.p50, p.p99, p.max = float64(n)/end.Sub(warm).Seconds(), all[n/2], all[min(n*99/100, n-1)], all[n-1]
	}
	return p
}

// costs are CPU times in microseconds a statement.
type costs struct{ proxy, redis, db, asked float64 }

// measure measures one share of hot reads, round by round.
func (b *cached) measure(ctx context.Context, hot int) error {
	runs, used := make([][]pressed, len(b.targets)), make([][]costs, len(b.targets))
	var plain []pressed
	var plainCPU []costs
	for round := range b.o.rounds {
		for k := range b.targets {
			i := (k + round) % len(b.targets)
			t := b.targets[i]
			_ = b.press(ctx, t, hot, 0, time.Now(), time.Now().Add(b.o.time/4), nil)
			before, asked := b.ticks(t), b.questions()
			began := time.Now()
			p := b.press(ctx, t, hot, 0, began, began.Add(b.o.time), nil)
			if p.failed > 0 || p.qps == 0 {
				return fmt.Errorf("%s: %d failed: %s", t.name, p.failed, p.why)
			}
			after, n := b.ticks(t), p.qps*b.o.time.Seconds()
			micros := func(i int) float64 { return float64(after[i]-before[i]) * 1e6 / ticksPerSecond / n }
			runs[i] = append(runs[i], p)
			used[i] = append(used[i], costs{micros(0), micros(1), micros(2), (b.questions() - asked - 1) / n})
		}
		p, c, err := b.plainGet(ctx)
		if err != nil {
			return err
		}
		plain, plainCPU = append(plain, p), append(plainCPU, c)
	}
	fmt.Printf("\npoint reads, %d clients, %d in 100 of %d keys, the rest of keys that nobody has read\n", cacheClients, hot, cacheHot)
	line := func(name string, runs []pressed, used []costs) {
		m := middleOf(runs)
		mid := func(f func(costs) float64) float64 {
			var v []float64
			for _, c := range used {
				v = append(v, f(c))
			}
			return median(v)
		}
		fmt.Printf("  %-16s %8.0f a second, p50 %6.3f ms, p99 %6.3f ms; CPU µs each: proxy %5.1f, redis %5.1f, database %5.1f; statements at the database %.3f\n", name, m.qps, m.p50, m.p99,
			mid(func(c costs) float64 { return c.proxy }), mid(func(c costs) float64 { return c.redis }), mid(func(c costs) float64 { return c.db }), mid(func(c costs) float64 { return c.asked }))
	}
	for i, t := range b.targets {
		line(t.name, runs[i], used[i])
	}
	line("redis-benchmark", plain, plainCPU)
	return nil
}

// ticks are those of the proxy, Redis and the database.
func (b *cached) ticks(t *target) [3]int64 {
	return [3]int64{cpuTicks(t.pid), cpuTicks(b.redis.PID()), cpuTicks(b.db.PID())}
}

func (b *cached) questions() float64 {
	n, _ := strconv.ParseFloat(b.db.Query("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1], 64)
	return n
}

var benchmarkLine = regexp.MustCompile(`(?m)^"?GET"?,(.*)$`)

// plainGet is redis-benchmark's GET of a value of 100 bytes.
func (b *cached) plainGet(ctx context.Context) (p pressed, c costs, err error) {
	_, port, _ := strings.Cut(b.redis.Addr, ":")
	const n = 100_000
	before := cpuTicks(b.redis.PID())
	out, err := exec.CommandContext(ctx, "redis-benchmark", "-p", port, "-c", strconv.Itoa(cacheClients), "-n", strconv.Itoa(n), "-d", "100", "-r", strconv.Itoa(cacheHot),
		"-t", "get", "--csv").Output()
	if err != nil {
		return p, c, fmt.Errorf("redis-benchmark: %w", err)
	}
	c.redis = float64(cpuTicks(b.redis.PID())-before) * 1e6 / ticksPerSecond / n
	m := benchmarkLine.FindStringSubmatch(strings.ReplaceAll(string(out), `"`, ""))
	if m == nil {
		return p, c, fmt.Errorf("redis-benchmark says %q", out)
	}
	// rps, avg, min, p50, p95, p99, max
	var v []float64
	for f := range strings.SplitSeq(m[1], ",") {
		x, _ := strconv.ParseFloat(f, 64)
		v = append(v, x)
	}
	if len(v) < 7 {
		return p, c, fmt.Errorf("redis-benchmark says %q", out)
	}
	p.qps, p.p50, p.p99, p.max = v[0], v[3], v[5], v[6]
	return p, c, nil
}

// kill kills the Redis under load and starts it again, empty.
func (b *cached) kill(ctx context.Context) error {
	const part = 4 * time.Second
	t := b.proxy("killed", "redis", "")
	_ = b.press(ctx, t, 95, 0, time.Now(), time.Now().Add(5*time.Second), nil)
	type phase struct {
		name string
		took []float64
		bad  int
	}
	phases := []*phase{{name: "before"}, {name: "Redis is killed"}, {name: "gone"}, {name: "Redis is back"}, {name: "after"}}
	of := func(at time.Duration) *phase {
		switch {
		case at < part:
			return phases[0]
		case at < part+part/4:
			return phases[1]
		case at < 2*part:
			return phases[2]
		case at < 3*part:
			return phases[3]
		}
		return phases[4]
	}
	seconds := []float64{part.Seconds(), part.Seconds() / 4, part.Seconds() * 3 / 4, part.Seconds(), part.Seconds()}
	var mu sync.Mutex
	began := time.Now()
	go func() {
		time.Sleep(time.Until(began.Add(part)))
		b.redis.Kill()
		time.Sleep(time.Until(began.Add(2 * part)))
		b.redis.Start()
	}()
	p := b.press(ctx, t, 95, 2, began, began.Add(4*part), func(at, took time.Duration, failed bool) {
		mu.Lock()
		defer mu.Unlock()
		ph := of(at)
		if ph.took = append(ph.took, float64(took)/1e6); failed {
			ph.bad++
		}
	})
	fmt.Printf("\nRedis is killed under load: %d clients, 2 in 100 statements are writes; %d failed %s\n", cacheClients, p.failed, p.why)
	for i, ph := range phases {
		slices.Sort(ph.took)
		if n := len(ph.took); n > 0 {
			fmt.Printf("  %-16s %8.0f a second, p50 %7.3f ms, p99 %7.3f ms, longest %8.2f ms, failed %d\n", ph.name, float64(n)/seconds[i], ph.took[n/2], ph.took[min(n*99/100, n-1)], ph.took[n-1], ph.bad)
		}
	}
	return nil
}
