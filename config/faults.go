package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	File string
	Line int
	Text string // what is wrong; what to write instead

	path string // where in the tree, such as cluster.shards[0].name
}

func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// Faults is the error of Load: all that is wrong with a file, in the order of its lines.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// mostFaults bounds what a file that is no configuration at all can fill a screen with.
const mostFaults = 200

func (f Faults) sorted(more int) Faults {
	slices.SortStableFunc(f, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	if len(f) > mostFaults {
		last := f[mostFaults]
		last.Text = fmt.Sprintf("%d more faults; mend those above first", len(f)-mostFaults+more)
		f = append(f[:mostFaults:mostFaults], last)
	}
	return f
}

// nearest gives the known key that was probably meant.
func nearest(key string, known []string) (string, bool) {
	best, least := "", len(key)/3+2 // at most so many letters differ, and never all
	for _, k := range known {
		if d := distance(strings.ToLower(key), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best, best != ""
}

// distance is the number of letters to insert, delete, replace or swap with their
// neighbour (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
