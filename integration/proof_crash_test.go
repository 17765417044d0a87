package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/reshard"
)

// stretch is a part of a migration's way, with the steps on it; fault points are before and
// after each.
type stretch struct {
	name  string
	order string   // what the DBA has it do: "" AUTO, "cancel", "revert"
	steps []string // step:2 is the second time that it comes by
	fault string   // what goes wrong besides, so that it gets there
}

var (
	switching = []string{"freeze", "acks", "fence", "xa", "marker", "pair", "turn", "own", "commit"}
	clearing  = []string{"clean", "drop-triggers", "drop-notes", "drop-fence", "unlist"}
	stretches = []stretch{
		{name: "there", steps: []string{"fence-rows", "known", "stream", "copying", "catching_up", "verifying", "triggers", "ready", "way-back"}},
		{name: "switch", steps: join("freezing", switching, "switched")},
		{name: "abort", steps: []string{"unfreeze", "unfence", "aborting", "disown"}, fault: "reshard-after-own:error"},
		{name: "end", steps: join("completing", []string{"old-maps"}, clearing, "completed")},
		{name: "cancel", order: "cancel", steps: join("", clearing, "cancelled")},
		{name: "back", order: "revert", steps: join("old-maps", []string{"back_freezing"}, second(switching), "cancelling")},
		{name: "back-abort", order: "revert", steps: []string{"unfreeze", "unfence", "back_aborting", "disown"}, fault: "reshard-after-own:error:2"},
		{name: "back-end", order: "revert", steps: join("old-maps:2", clearing, "cancelled")},
	}
)

func join(first string, lists ...any) (all []string) {
	for _, l := range append([]any{first}, lists...) {
		switch l := l.(type) {
		case []string:
			all = append(all, l...)
		case string:
			if l != "" {
				all = append(all, l)
			}
		}
	}
	return all
}

func second(steps []string) (all []string) {
	for _, s := range steps {
		all = append(all, s+":2")
	}
	return all
}

// points are those of a stretch, in their order, as SLUICE_FAULT takes them.
func (s *stretch) points() (list []string) {
	for _, step := range s.steps {
		name, nth, _ := strings.Cut(step, ":")
		for _, side := range []string{"before", "after"} {
			p := "reshard-" + side + "-" + name + ":stop"
			if nth != "" {
				p += ":" + nth
			}
			list = append(list, p)
		}
	}
	return list
}

// harm is what happens to whom while the proxy that runs the migration stands at a point.
type harm struct {
	who string
	how string
	one bool // the migration goes on with another proxy: one point each
}

var harms = []harm{
	{"mover", "dies", true}, {"mover", "stands still", true}, {"mover", "is cut from etcd", true}, // for longer than its lease
	{"mover", "loses etcd's answers", false},
	{"proxy", "dies", false}, {"proxy", "stands still", false}, {"proxy", "is cut from etcd", false},
	{"source", "dies", false}, {"source", "stands still", false}, {"source", "is cut off", false}, {"source", "loses its answers", false},
	{"target", "dies", false}, {"target", "stands still", false}, {"target", "is cut off", false}, {"target", "loses its answers", false},
	{"etcd", "dies", false}, {"etcd", "stands still", false},
}

// crash is one migration, with harm at some points of one stretch of its way.
type crash struct {
	stretch *stretch
	harm    harm
	points  []string
}

func (c *crash) String() string {
	at := c.stretch.name
	if len(c.points) == 1 {
		at += ", " + pointName(c.points[0])
	}
	return at + ": " + c.harm.who + " " + c.harm.how
}

func pointName(p string) string { return strings.TrimPrefix(strings.Split(p, ":")[0], "reshard-") }

// crashes are all cases of the matrix in an order that the seed draws; each part-th point, when
// part is not 1. SLUICE_CRASH is an expression that says which of them.
func crashes(r *rand.Rand, part int) (all []crash) {
	only := regexp.MustCompile(os.Getenv("SLUICE_CRASH"))
	for i := range stretches {
		for _, h := range harms {
			list := stretches[i].points()
			if part > 1 {
				first := r.IntN(part)
				list = slices.DeleteFunc(list, func(p string) bool { first++; return first%part != 0 })
			}
			if !h.one {
				all = append(all, crash{&stretches[i], h, list})
				continue
			}
			for _, p := range list {
				all = append(all, crash{&stretches[i], h, []string{p}})
			}
		}
	}
	all = slices.DeleteFunc(all, func(c crash) bool { return len(c.points) == 0 || !only.MatchString(c.String()) })
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// TestCrashPoints: the matrix has every fault point of package reshard.
func TestCrashPoints(t *testing.T) {
	have := map[string]bool{}
	for i := range stretches {
		for _, p := range stretches[i].points() {
			have[strings.Split(p, ":")[0]] = true
		}
	}
	known := map[string]bool{}
	for _, p := range reshard.Points() {
		known[p] = true
		if !have[p] && !strings.HasSuffix(p, "preparing") { // what stores that lists it in the map as well: the next point's case
			t.Errorf("no case at %s", p)
		}
	}
	for p := range have {
		if !known[p] {
			t.Errorf("package reshard has no point %s", p)
		}
	}
}

// TestProofCrashes: with traffic on three proxies a fourth runs migrations. Something dies, stands
// still or is cut off while it is before or after a step. Each migration comes to its end, by
// whichever proxy, nothing is left of it and nothing is lost. In a soak that is done at every
// point on MariaDB, and at each sixth on MySQL.
func TestProofCrashes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(testSeed(t), 3))
	if !soak() {
		x := &matrix{flavor: testkit.MariaDBFlavor}
		for _, c := range crashes(r, 7) {
			if c.stretch.name == "switch" && !c.harm.one && (c.harm.who == "source" || c.harm.who == "target") {
				x.todo = append(x.todo, c)
				break
			}
		}
		x.run(t, 1)
		return
	}
	for i, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			x := &matrix{flavor: flavor, todo: crashes(r, 1+5*i)}
			x.run(t, 2*runtime.GOMAXPROCS(0))
		})
	}
}

// matrix is the cases that wait and the results of those that have run.
type matrix struct {
	flavor testkit.Flavor

	mu   sync.Mutex
	todo []crash
	done map[string]map[harm]string // by stretch and point
}

func (x *matrix) next() (c crash, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.todo) == 0 {
		return c, false
	}
	c, x.todo = x.todo[0], x.todo[1:]
	return c, true
}

// result notes how a migration went: the points that were met, and what is put off because it
// was not.
func (x *matrix) result(c crash, met []string, failed bool, again bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range met {
		x.set(c, p, map[bool]string{false: "ok", true: "FAILED"}[failed])
	}
	left := slices.DeleteFunc(slices.Clone(c.points), func(p string) bool { return slices.Contains(met, p) })
	for _, p := range left {
		x.set(c, p, "not met")
	}
	if len(left) > 0 && again {
		x.todo = append(x.todo, crash{c.stretch, c.harm, left})
	}
}

func (x *matrix) set(c crash, point, what string) {
	key := c.stretch.name + " " + pointName(point)
	if x.done == nil {
		x.done = map[string]map[harm]string{}
	}
	if x.done[key] == nil {
		x.done[key] = map[harm]string{}
	}
	x.done[key][c.harm] = what
}

// run works the cases off on some clusters side by side: they mostly wait.
func (x *matrix) run(t *testing.T, lanes int) {
	began := time.Now()
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			for n := range 5 { // a new cluster after a failure
				first, ok := x.next()
				if !ok {
					return
				}
				t.Run(fmt.Sprintf("%d.%d", lane, n), func(t *testing.T) { x.lane(t, first) })
			}
		})
	}
	all.Wait()
	t.Logf("%v\n%s", time.Since(began).Round(time.Second), x.table())
}

// table is what has become of each case, as a table of Markdown.
func (x *matrix) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %v |", x.flavor)
	counts := map[string]int{}
	for _, h := range harms {
		fmt.Fprintf(&b, " %s %s |", h.who, h.how)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(harms)) + "\n")
	for i := range stretches {
		for _, p := range stretches[i].points() {
			key := stretches[i].name + " " + pointName(p)
			if x.done[key] == nil {
				continue
			}
			fmt.Fprintf(&b, "| %s |", key)
			for _, h := range harms {
				what := x.done[key][h]
				counts[what]++
				fmt.Fprintf(&b, " %s |", what)
			}
			b.WriteByte('\n')
		}
	}
	return fmt.Sprintf("%d ok, %d failed, %d not met\n%s", counts["ok"], counts["FAILED"], counts["not met"], b.String())
}
