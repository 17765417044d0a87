package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// printTable prints medians over the rounds; "qps / direct" is the median of the ratios
// within the rounds, with the lowest and the highest.
func printTable(w io.Writer, work string, threads int, targets []*target, rounds [][]result) {
	fmt.Fprintf(w, "\noltp_%s, %d threads, %d rounds\n", work, threads, len(rounds))
	tw := newTable(w)
	fmt.Fprintln(tw, "target\tqps\tqps / direct\t(min … max)\tp50 ms\tp99 ms\tCPU us/query")
	for i, t := range targets {
		var qps, ratio, p50, p99, cpu []float64
		for _, r := range rounds {
			qps, p50, p99, cpu = append(qps, r[i].qps), append(p50, r[i].p50), append(p99, r[i].p99), append(cpu, r[i].cpu)
			ratio = append(ratio, r[i].qps/r[0].qps)
		}
		used := "-"
		if t.pid != 0 {
			used = fmt.Sprintf("%.1f", median(cpu))
		}
		fmt.Fprintf(tw, "%s\t%.0f\t%.2f\t(%.2f … %.2f)\t%.2f\t%.2f\t%s\n", t.name, median(qps), median(ratio),
			slices.Min(ratio), slices.Max(ratio), median(p50), median(p99), used)
	}
	tw.Flush()
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
