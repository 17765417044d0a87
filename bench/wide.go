package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync/atomic"
)

// What is measured of large answers: each is one shard's, read by clients that look at nothing in them.
const (
	wideClients = 2
	wideRows    = 1000
	blobSize    = 10 << 20
)

var wideWorks = []struct{ name, sql string }{
	{fmt.Sprintf("%d rows of 120 bytes", wideRows), "SELECT n, pad FROM wide WHERE id = 7"},
	{fmt.Sprintf("a value of %d MiB", blobSize>>20), "SELECT b FROM blobs WHERE id = 7"},
}

// measureWide prints the proxies' CPU time for each MiB of large answers.
func measureWide(ctx context.Context, w io.Writer, targets []*target, o *options) error {
	for _, t := range targets {
		if t.filled {
			continue
		}
		r, err := dialReader(at(t.port), "app", "app", "bench")
		if err != nil {
			return err
		}
		list := []string{
			"CREATE TABLE wide (id INT NOT NULL, n INT NOT NULL, pad CHAR(110) NOT NULL, PRIMARY KEY (id, n))",
			"CREATE TABLE blobs (id INT NOT NULL PRIMARY KEY, b LONGBLOB NOT NULL)",
			fmt.Sprintf("INSERT INTO blobs VALUES (7, REPEAT('b', %d))", blobSize),
		}
		for n := range wideRows {
			list = append(list, fmt.Sprintf("INSERT INTO wide VALUES (7, %d, '%0100d')", n, n))
		}
		for _, sql := range list {
			if code, err := r.statement(sql); err != nil || code != 0 {
				return fmt.Errorf("%s: %.100s: error %d, %v", t.name, sql, code, err)
			}
		}
		r.Close()
	}
	for _, work := range wideWorks {
		cpu := make([][]float64, len(targets))
		for n := range o.rounds {
			for k := range targets {
				i := (k + n) % len(targets)
				v, err := targets[i].wide(ctx, o, work.sql)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", targets[i].name, work.name, err)
				}
				cpu[i] = append(cpu[i], v)
			}
		}
		fmt.Fprintf(w, "\n## %s, %d clients, %d rounds\n\n```\n", work.name, wideClients, o.rounds)
		tw := newTable(w)
		fmt.Fprintln(tw, "target\tCPU us/MiB\tCPU / haproxy\tCPU / relay")
		for i, t := range targets {
			if t.pid == 0 {
				continue
			}
			fmt.Fprintf(tw, "%s\t%.0f\t%.2f\t%.2f\n", t.name, median(cpu[i]), ratioTo(targets, cpu, i, haproxyName), ratioTo(targets, cpu, i, relayName))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w, "```")
	}
	return nil
}

// ratioTo is the median of the ratios within a round to the target of a name.
func ratioTo(targets []*target, v [][]float64, i int, name string) float64 {
	var all []float64
	for k, t := range targets {
		if t.name != name {
			continue
		}
		for n := range v[i] {
			all = append(all, v[i][n]/v[k][n])
		}
	}
	if len(all) == 0 {
		return math.NaN()
	}
	return median(all)
}

// wide reads answers for a while and gives the CPU time of a MiB in microseconds.
func (t *target) wide(ctx context.Context, o *options, sql string) (float64, error) {
	ctx, stop := context.WithTimeout(ctx, o.time/2) // MiBs are many soon
	defer stop()
	var bytes atomic.Int64
	before := cpuTicks(t.pid)
	err := together(wideClients, func(int) error {
		r, err := dialReader(at(t.port), "app", "app", "bench")
		if err != nil {
			return err
		}
		defer r.Close()
		for {
			if _, err := r.count(sql); err != nil {
				return err
			}
			if ctx.Err() != nil {
				bytes.Add(r.taken)
				return nil
			}
		}
	})
	return float64(cpuTicks(t.pid)-before) * 1e6 / ticksPerSecond / (float64(max(bytes.Load(), 1)) / (1 << 20)), err
}
