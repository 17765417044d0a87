package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/testkit"
)

// What is measured of scale.
const (
	scaleRows    = 10_000
	scaleClients = 8
	scaleRules   = 10_000  // of tables, besides the one that is read
	scaleTexts   = 100_000 // distinct fingerprints
	scaleIdle    = 10_000  // connections
	idleTime     = 10 * time.Second
)

type scaleBench struct {
	house   *house
	o       *options
	servers []*testkit.Server
	files   *testkit.CertificateFiles
}

// measureScale prints what a point select costs behind many pools and among many rules, what many
// different statements and idle connections take, and how many connections are made in a second.
func (h *house) measureScale(ctx context.Context, o *options) error {
	fmt.Println("== starting four servers, each with all rows")
	b := &scaleBench{house: h, o: o, files: testkit.Certificates(h)}
	for range shards {
		s := testkit.MariaDB(h, testkit.Args("--innodb-buffer-pool-size=64M", "--max-connections=4000", "--bind-address=0.0.0.0"), testkit.TLS(b.files))
		s.Exec("CREATE DATABASE bench", "CREATE USER app IDENTIFIED BY 'app'", "GRANT ALL ON bench.* TO app",
			"CREATE TABLE bench.items (id BIGINT PRIMARY KEY, name VARCHAR(40))",
			fmt.Sprintf("INSERT INTO bench.items SELECT seq, CONCAT('name ', seq) FROM bench.seq_1_to_%d", scaleRows))
		b.servers = append(b.servers, s)
	}
	few := b.proxy("4 pools", shards, "")
	if err := b.costs(ctx, few); err != nil {
		return err
	}
	if err := b.connects(ctx); err != nil {
		return err
	}
	if err := b.texts(few); err != nil {
		return err
	}
	return b.idle(ctx)
}

// proxy starts one before so many shards, which are the four servers under many addresses.
func (b *scaleBench) proxy(name string, pools int, rules string) *target {
	var list []string
	for i := range pools {
		list = append(list, fmt.Sprintf("127.0.%d.1:%d", i/shards, portOf(b.servers[i%shards].Addr)))
	}
	node := fmt.Sprintf("limits: {max_connections: %d}\ntls: {cert: %s, key: %s}\n", scaleIdle+100, b.files.ServerCert, b.files.ServerKey)
	t := b.house.proxyWith(strings.ReplaceAll(name, " ", ""), b.o.sluice, list, rules+"items: {shard_key: id}", node)
	t.name = name
	return t
}

// costs compares what a point select costs behind proxies of different size, in the same rounds.
func (b *scaleBench) costs(ctx context.Context, few *target) error {
	targets := []*target{few}
	for _, n := range []int{16, 64, 256} {
		targets = append(targets, b.proxy(fmt.Sprint(n, " pools"), n, ""))
	}
	var rules strings.Builder
	for i := range scaleRules {
		fmt.Fprintf(&rules, "t%d: {shard_key: id}, ", i)
	}
	targets = append(targets, b.proxy(fmt.Sprint(scaleRules, " rules"), shards, rules.String()))
	for _, t := range targets { // connections to the shards are made, plans too
		if _, err := b.press(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	cpu, ratios := make([][]float64, len(targets)), make([][]float64, len(targets))
	for n := range b.o.rounds {
		for k := range targets {
			i := (k + n) % len(targets)
			v, err := b.press(ctx, targets[i])
			if err != nil {
				return fmt.Errorf("%s: %w", targets[i].name, err)
			}
			cpu[i] = append(cpu[i], v)
		}
		for i := range targets {
			ratios[i] = append(ratios[i], cpu[i][n]/cpu[0][n])
		}
	}
	tw := newTable(os.Stdout)
	fmt.Printf("\n## point selects, %d clients, %d rounds\n\n", scaleClients, b.o.rounds)
	fmt.Fprintln(tw, "proxy\tCPU us/query\tto 4 pools\tRSS MiB")
	for i, t := range targets {
		fmt.Fprintf(tw, "%s\t%.1f\t%.2f\t%.0f\n", t.name, median(cpu[i]), median(ratios[i]), memory(t.pid))
	}
	return tw.Flush()
}

// press gives the CPU time of a point select, in microseconds.
func (b *scaleBench) press(ctx context.Context, t *target) (float64, error) {
	ctx, stop := context.WithTimeout(ctx, b.o.time)
	defer stop()
	var done atomic.Int64
	before := cpuTicks(t.pid)
	err := together(scaleClients, func(k int) error {
		r, err := dialReader(at(t.port), "app", "app", "bench")
		if err != nil {
			return err
		}
		defer r.Close()
		for i := k; ctx.Err() == nil; i += scaleClients {
			if n, err := r.count("SELECT name FROM items WHERE id = " + strconv.Itoa(i*31%scaleRows+1)); err != nil || n != 1 {
				return fmt.Errorf("%d rows, %w", n, err)
			}
			done.Add(1)
		}
		return nil
	})
	return float64(cpuTicks(t.pid)-before) * 1e6 / ticksPerSecond / float64(max(done.Load(), 1)), err
}

// together runs f for 0 to n-1 at once and gives the errors.
func together(n int, f func(int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for k := range n {
		wg.Go(func() { errs[k] = f(k) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// connects counts logins a second: connected, authenticated, closed.
func (b *scaleBench) connects(ctx context.Context) error {
	port := testkit.Port(b.house)
	haproxy := testkit.Start(b.house, testkit.Spec{Name: "haproxy", Argv: []string{"haproxy", "-db", "-f", b.house.file("scale.cfg", fmt.Sprintf(
		"global\n  nbthread 2\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n"+
			"listen bench\n  bind 127.0.0.1:%d\n  server db %s\n", port, b.servers[0].Addr))}, Ready: listens(port)})
	targets := []*target{{name: "direct", port: portOf(b.servers[0].Addr)}, {name: haproxyName, port: port, pid: haproxy.PID()}, b.proxy("sluice", shards, "")}
	tw := newTable(os.Stdout)
	fmt.Printf("\n## connections, %d clients, %d rounds\n\n", scaleClients, b.o.rounds)
	fmt.Fprintln(tw, "target\tTLS\ta second\tCPU us each")
	for _, secure := range []bool{false, true} {
		rates, cpu := make([][]float64, len(targets)), make([][]float64, len(targets))
		for n := range b.o.rounds {
			for k := range targets {
				i := (k + n) % len(targets)
				rate, micros, err := b.connect(ctx, targets[i], secure)
				if err != nil {
					return fmt.Errorf("%s: %w", targets[i].name, err)
				}
				rates[i], cpu[i] = append(rates[i], rate), append(cpu[i], micros)
			}
		}
		for i, t := range targets {
			fmt.Fprintf(tw, "%s\t%v\t%.0f\t%.0f\n", t.name, secure, median(rates[i]), median(cpu[i]))
		}
	}
	return tw.Flush()
}

func (b *scaleBench) connect(ctx context.Context, t *target, secure bool) (rate, micros float64, err error) {
	ctx, stop := context.WithTimeout(ctx, b.o.time)
	defer stop()
	var done atomic.Int64
	before, began := cpuTicks(t.pid), time.Now()
	err = together(scaleClients, func(int) error {
		for ctx.Err() == nil {
			var c net.Conn
			var err error
			if secure {
				c, err = dialSecure(at(t.port))
			} else {
				c, err = dialReader(at(t.port), "app", "app", "bench")
			}
			if err != nil {
				return err
			}
			// An end without a word, as of most short-lived clients: no state of it is left in the kernel.
			c.Close()
			done.Add(1)
		}
		return nil
	})
	n := float64(max(done.Load(), 1))
	return n / time.Since(began).Seconds(), float64(cpuTicks(t.pid)-before) * 1e6 / ticksPerSecond / n, err
}

// dialSecure is dialReader under TLS.
func dialSecure(addr string) (*reader, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	r := &reader{Conn: nc, in: bufio.NewReaderSize(nc, 4<<10)}
	fail := func(err error) (*reader, error) {
		nc.Close()
		return nil, fmt.Errorf("login at %s: %w", addr, err)
	}
	greeting, err := r.packet()
	if err != nil {
		return fail(err)
	}
	salt, err := saltOf(greeting)
	if err != nil {
		return fail(err)
	}
	ask := binary.LittleEndian.AppendUint32(nil, loginCapabilities|capabilityTLS)
	ask = append(append(binary.LittleEndian.AppendUint32(ask, 16<<20), 45), make([]byte, 23)...)
	if err := r.send(1, ask); err != nil {
		return fail(err)
	}
	t := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	if err := t.Handshake(); err != nil {
		return fail(err)
	}
	r.Conn, r.in = t, bufio.NewReaderSize(t, 4<<10)
	if err := r.respond(2, loginCapabilities|capabilityTLS, salt, "app", "app", "bench"); err != nil {
		return fail(err)
	}
	return r, nil
}

// texts runs many different statements and shows that their number is not the memory's.
func (b *scaleBench) texts(t *target) error {
	tw := newTable(os.Stdout)
	fmt.Printf("\n## %d different statements\n\n", 2*scaleTexts)
	fmt.Fprintln(tw, "after\tRSS MiB\tCPU us each")
	fmt.Fprintf(tw, "none\t%.0f\t-\n", memory(t.pid))
	for half := range 2 {
		before := cpuTicks(t.pid)
		err := together(scaleClients, func(k int) error {
			r, err := dialReader(at(t.port), "app", "app", "bench")
			if err != nil {
				return err
			}
			defer r.Close()
			for i := k; i < scaleTexts; i += scaleClients {
				if _, err := r.count(fmt.Sprintf("SELECT name AS a%d FROM items WHERE id = %d", half*scaleTexts+i, i%scaleRows+1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(tw, "%d\t%.0f\t%.0f\n", (half+1)*scaleTexts, memory(t.pid), float64(cpuTicks(t.pid)-before)*1e6/ticksPerSecond/scaleTexts)
	}
	return tw.Flush()
}

// idle opens many connections that do nothing.
func (b *scaleBench) idle(ctx context.Context) error {
	t := b.proxy("idle", shards, "")
	tw := newTable(os.Stdout)
	fmt.Printf("\n## idle connections, over %v\n\n", idleTime)
	fmt.Fprintln(tw, "connections\tRSS MiB\tKiB each\tCPU % of a core")
	var open []*reader
	defer func() {
		for _, r := range open {
			r.Close()
		}
	}()
	var none float64
	for _, n := range []int{0, scaleIdle / 10, scaleIdle} {
		more := make([]*reader, n-len(open))
		err := together(scaleClients, func(k int) (err error) {
			for i := k; i < len(more) && err == nil; i += scaleClients {
				if more[i], err = dialReader(at(t.port), "app", "app", "bench"); err == nil {
					_, err = more[i].count("SELECT name FROM items WHERE id = 1")
				}
			}
			return err
		})
		for _, r := range more {
			if r != nil {
				open = append(open, r)
			}
		}
		if err != nil {
			return err
		}
		before := cpuTicks(t.pid)
		select {
		case <-time.After(idleTime):
		case <-ctx.Done():
			return ctx.Err()
		}
		used, rss := float64(cpuTicks(t.pid)-before)/ticksPerSecond/idleTime.Seconds()*100, memory(t.pid)
		if n == 0 {
			none = rss
		}
		fmt.Fprintf(tw, "%d\t%.0f\t%.1f\t%.1f\n", n, rss, (rss-none)*1024/float64(max(n, 1)), used)
	}
	return tw.Flush()
}

// memory gives a process's resident set, in MiB.
func memory(pid int) float64 { return statusMiB(pid, "VmRSS:") }
