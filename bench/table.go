package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// printTable prints medians over the rounds. Ratios are medians of those within a round, with the
// lowest and the highest; "-" where there is nothing to compare with.
func printTable(w io.Writer, work workload, targets []*target, rounds [][]result) {
	fmt.Fprintf(w, "\n## %v, %d rounds\n\n```\n", work, len(rounds))
	tw := newTable(w)
	fmt.Fprintln(tw, "target\tqps\tqps / direct\tp50 ms\tp99 ms\tp50 / haproxy\tCPU us/query\tCPU / haproxy\t(min … max)\tCPU / haproxy on 4\tCPU / relay\t(min … max)")
	column := func(i int, f func(r []result, i int) float64) (all []float64) {
		for _, r := range rounds {
			if v := f(r, i); !math.IsNaN(v) && !math.IsInf(v, 0) {
				all = append(all, v)
			}
		}
		return all
	}
	to := func(name string, f func(result) float64) func([]result, int) float64 {
		k := slices.IndexFunc(targets, func(t *target) bool { return t.name == name })
		return func(r []result, i int) float64 {
			if k < 0 {
				return math.NaN()
			}
			return f(r[i]) / f(r[k])
		}
	}
	cpu := func(r result) float64 { return r.cpu }
	p50 := func(r result) float64 { return r.p50 }
	for i, t := range targets {
		number := func(format string, v []float64) string {
			if len(v) == 0 || median(v) == 0 {
				return "-"
			}
			return fmt.Sprintf(format, median(v))
		}
		spread := func(v []float64) string {
			if len(v) == 0 || median(v) == 0 {
				return ""
			}
			return fmt.Sprintf("(%.2f … %.2f)", slices.Min(v), slices.Max(v))
		}
		own := func(f func(result) float64) []float64 {
			return column(i, func(r []result, i int) float64 { return f(r[i]) })
		}
		ha, relay := column(i, to(haproxyName, cpu)), column(i, to(relayName, cpu))
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.name,
			number("%.0f", own(func(r result) float64 { return r.qps })), number("%.2f", column(i, to("direct", func(r result) float64 { return r.qps }))),
			number("%.2f", own(p50)), number("%.2f", own(func(r result) float64 { return r.p99 })), number("%.2f", column(i, to(haproxyName, p50))),
			number("%.1f", own(cpu)), number("%.2f", ha), spread(ha), number("%.2f", column(i, to(haproxy4Name, cpu))), number("%.2f", relay), spread(relay))
	}
	tw.Flush()
	fmt.Fprintln(w, "```")
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
