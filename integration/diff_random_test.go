package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/wire"
)

// scenario is a session of random statements.
type scenario struct {
	seed       uint64
	binary     bool
	caps       uint32
	statements []*generated
}

// scenarioLength is how many statements a scenario has.
const scenarioLength = 40

func newScenario(seed uint64) *scenario {
	r := &generator{Rand: rand.New(rand.NewPCG(seed, seed))}
	s := &scenario{seed: seed, binary: r.IntN(2) == 0}
	if r.oneIn(6) {
		s.caps = wire.ClientFoundRows
	}
	r.binary = s.binary
	for range scenarioLength {
		s.statements = append(s.statements, r.next())
	}
	return s
}

// fault is the first difference of a run of statements.
type fault struct {
	at        int // index of the statement; one past the last when the tables differ after all
	statement diffStatement
	outcome
}

// play runs statements in two new sessions, over the rows of the start.
func (w *world) play(s *scenario, statements []diffStatement) *fault {
	w.reset()
	p, second := w.connect(s.binary, s.caps), w.connect(s.binary, 0)
	defer p.close()
	defer second.close()
	for i := range statements {
		in := p
		if statements[i].second {
			in = second
		}
		o := in.run(&statements[i])
		if o.diff != "" {
			return &fault{at: i, statement: statements[i], outcome: o}
		}
	}
	p.sluice.text("ROLLBACK")
	p.one.text("ROLLBACK")
	if d := w.contents(); d != "" {
		return &fault{at: len(statements), outcome: outcome{diff: "after all: " + d}}
	}
	return nil
}

// reduce finds fewer and shorter statements that still differ: it drops statements before
// the one at fault, then clauses of all that are left.
func (w *world) reduce(s *scenario, f *fault) ([]diffStatement, *fault) {
	n := min(f.at+1, len(s.statements))
	left := s.statements[:n:n]
	dropped := make([]map[int]bool, n)
	for i := range dropped {
		dropped[i] = map[int]bool{}
	}
	attempts := 0
	const most = 250
	atEnd := f.at == len(s.statements) // only the tables differ, after all
	render := func(skip map[int]bool) (all []diffStatement) {
		for i, g := range left {
			if !skip[i] {
				all = append(all, g.statement(dropped[i]))
			}
		}
		return all
	}
	fails := func(skip map[int]bool) bool {
		attempts++
		all := render(skip)
		again := w.play(s, all)
		// The last statement has to be the one that differs: else another fault is reduced.
		if again == nil || atEnd != (again.at == len(all)) || !atEnd && again.at != len(all)-1 {
			return false
		}
		f = again
		return true
	}
	skip := map[int]bool{}
	droppable := n - 1
	if atEnd {
		droppable = n
	}
	for size := max(1, droppable/2); size >= 1 && attempts < most; size /= 2 {
		for from := 0; from < droppable && attempts < most; from += size {
			tried := map[int]bool{}
			for i := range skip {
				tried[i] = true
			}
			for i := from; i < min(from+size, droppable); i++ {
				tried[i] = true
			}
			if len(tried) > len(skip) && fails(tried) {
				skip = tried
			}
		}
	}
	for i, g := range left {
		for group := 1; group <= g.groups && !skip[i] && attempts < most; group++ {
			if dropped[i][group] = true; !fails(skip) {
				delete(dropped[i], group)
			}
		}
	}
	return render(skip), f
}

// TestDiffRandom: random statements have the answer of one server. SLUICE_SOAK sets how
// many, over all kinds of servers; SLUICE_SEED where the random numbers begin, else at 1 or, with
// SLUICE_SOAK, at the time. A difference prints the seed of its own scenario.
func TestDiffRandom(t *testing.T) {
	count, seed := 10_000, uint64(1)
	if env := os.Getenv("SLUICE_SOAK"); env != "" {
		n, err := strconv.Atoi(env)
		if err != nil || n < 1 {
			t.Fatalf("SLUICE_SOAK=%s is no number of statements", env)
		}
		count, seed = n, uint64(time.Now().UnixNano())
	}
	if env := os.Getenv("SLUICE_SEED"); env != "" {
		n, err := strconv.ParseUint(env, 10, 64)
		if err != nil {
			t.Fatalf("SLUICE_SEED=%s: %v", env, err)
		}
		seed = n
	}
	flavors := len(testkit.Flavors())
	t.Logf("SLUICE_SEED=%d, %d statements, on each kind of server %d", seed, count, count/flavors)
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel() // the kinds of servers have nothing in common
		w := newWorld(t, flavor)
		begun := time.Now()
		const reported = 10
		const progress = 50_000
		faults, made := 0, 0
		for i := 0; made < count/flavors && faults < reported; i++ {
			if w.scenario(newScenario(seed + uint64(i))) {
				faults++
			}
			if made += scenarioLength; made%progress < scenarioLength {
				fmt.Fprintf(os.Stderr, "%s: %d statements in %v, %d scenarios differ\n", flavor, made, time.Since(begun).Round(time.Second), faults)
			}
		}
		t.Logf("%s: %d statements from seed %d in %v, %d scenarios differ", flavor, made, seed, time.Since(begun).Round(time.Second), faults)
		w.report()
	})
}

// scenario runs one and reports its difference, reduced.
func (w *world) scenario(s *scenario) (failed bool) {
	all := make([]diffStatement, len(s.statements))
	for i, g := range s.statements {
		all[i] = g.statement(nil)
	}
	f := w.play(s, all)
	if f == nil {
		return false
	}
	left, again := w.reduce(s, f)
	var b strings.Builder
	for _, st := range left {
		if st.second {
			b.WriteString("  second session:")
		}
		fmt.Fprintf(&b, "  %s %v\n", st.sql, st.args)
	}
	w.t.Errorf("%s, SLUICE_SEED=%d SLUICE_SOAK=%d (binary %v, found rows %v):\n%s  %s\n  one server:\n%s  Sluice:\n%s",
		w.flavor, s.seed, scenarioLength, s.binary, s.caps != 0, b.String(), again.diff, show(again.want), show(again.got))
	return true
}
