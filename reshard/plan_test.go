package reshard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/mover"
	"sluice/shard"
)

// TestPlans: "cluster" gives the shards with their slots and the moves under way, "move" and
// "rebalance" print the steps, and what each shard owns afterwards.
func TestPlans(t *testing.T) {
	datadriven.RunTest(t, "testdata/plans.txt", func(t *testing.T, d *datadriven.TestData) string {
		spec := clusterOf(t, d.Input)
		var steps []Step
		switch d.Cmd {
		case "rebalance":
			steps = planRebalance(&spec)
		case "move":
			slots, err := ParseSlots(d.CmdArgs[0].Key)
			if err == nil {
				steps, err = planMove(&spec, slots, d.CmdArgs[1].Key)
			}
			if err != nil {
				return err.Error() + "\n"
			}
		}
		var b strings.Builder
		for _, s := range steps {
			fmt.Fprintf(&b, "%s → %s: %s (%d slots)\n", s.Source, s.Target, spansText(s.Slots), s.Count())
		}
		for _, s := range steps {
			give(&spec, s.Slots, s.Target)
		}
		if faults := shard.Check(spec); len(faults) > 0 {
			t.Errorf("%s: %v", d.Pos, faults)
		}
		for _, s := range spec.Shards {
			var own []shard.Span
			for _, r := range spec.Ranges {
				if r.Shard == s.Name {
					own = append(own, shard.Span{First: r.First, Last: r.Last})
				}
			}
			fmt.Fprintf(&b, "  %s: %d: %s\n", s.Name, count(own), spansText(own))
		}
		return b.String()
	})
}

// clusterOf reads lines of "shard slots", and "moving slots source target" for moves.
func clusterOf(t *testing.T, text string) (spec shard.Spec) {
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		if f[0] == "moving" {
			slots, err := ParseSlots(f[1])
			if err != nil {
				t.Fatal(err)
			}
			spec.Moves = append(spec.Moves, shard.Move{ID: int64(i), Slots: slots, Source: f[2], Target: f[3]})
			continue
		}
		spec.Shards = append(spec.Shards, shard.Shard{Name: f[0], Primary: fmt.Sprintf("10.0.0.1:%d", i+1)})
		if len(f) == 1 {
			continue
		}
		slots, err := ParseSlots(f[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range slots {
			spec.Ranges = append(spec.Ranges, shard.Range{First: s.First, Last: s.Last, Shard: f[0]})
		}
	}
	slices.SortFunc(spec.Ranges, func(a, b shard.Range) int { return int(a.First) - int(b.First) })
	return spec
}

// TestLog: a log is bounded, and its beginning stays.
func TestLog(t *testing.T) {
	r := &Record{Phase: Copying}
	for i := range 1000 {
		r.say("px", "line %d", i)
	}
	if len(r.Log) != maxLines || r.Log[0].Text != "line 0" || r.Log[keepFirst-1].Text != "line 19" || r.Log[maxLines-1].Text != "line 999" {
		t.Errorf("%d lines, %+v … %+v", len(r.Log), r.Log[0], r.Log[len(r.Log)-1])
	}
}

// TestStates: every phase has a word of the contract.
func TestStates(t *testing.T) {
	known := []string{"preparing", "copying", "catching_up", "verifying", "ready", "cutting_over", "switched", "completed", "cancelled", "failed"}
	for _, p := range []Phase{Queued, Preparing, Copying, CatchingUp, Verifying, Ready, Freezing, Aborting, Switched, BackFreezing, BackAborting, Completing,
		Cancelling, Completed, Cancelled, Failed} {
		r := &Record{Phase: p, From: Queued}
		if !slices.Contains(known, r.State()) {
			t.Errorf("%s is shown as %s", p, r.State())
		}
	}
}

// TestTurns: four migrations carry rows at once, one between two servers, and one to a shard
// that is joining; those that have switched do not count.
func TestTurns(t *testing.T) {
	spec := shard.Spec{}
	for i := range 8 {
		spec.Shards = append(spec.Shards, shard.Shard{Name: fmt.Sprintf("s%d", i)})
	}
	spec.Shards[7].State = shard.Joining
	spec.Ranges = shard.Deal(spec.Shards[:7])
	move := func(id int64, source, target string) shard.Move {
		v := shard.Move{ID: id, Source: source, Target: target}
		for _, r := range spec.Ranges {
			if r.Shard == source {
				v.Slots = []shard.Span{{First: r.First + uint16(10*id), Last: r.First + uint16(10*id) + 5}}
			}
		}
		return v
	}
	asks := func(source, target string) string {
		return full(&spec, &Record{ID: 99, Source: source, Target: target})
	}
	for _, x := range []struct {
		add                    shard.Move
		source, target, expect string
	}{
		{move(1, "s0", "s1"), "s2", "s3", ""},
		{move(2, "s2", "s7"), "s1", "s0", "migration 1 between the same servers goes first"},
		{move(3, "s3", "s4"), "s0", "s7", "migration 2 brings shard s7 the reference tables first"},
		{move(4, "s5", "s6"), "s6", "s0", "4 migrations are running; 4 may at once"},
	} {
		spec.Moves = append(spec.Moves, x.add)
		if got := asks(x.source, x.target); got != x.expect {
			t.Errorf("after migration %d, %s to %s: %q, want %q", x.add.ID, x.source, x.target, got, x.expect)
		}
	}
	give(&spec, spec.Moves[0].Slots, "s1") // it waits for COMPLETE
	if got := asks("s6", "s0"); got != "" {
		t.Errorf("one that has switched counts: %q", got)
	}
}

// TestProgress: what is told of the copy is what is known of it. A table that is not begun is
// guessed by its part of the slots, one that is by what was seen of it; a copy that stands still
// never ends.
func TestProgress(t *testing.T) {
	rec := &Record{Slots: []shard.Span{{First: 0, Last: 99}}}
	for _, x := range []struct {
		rate       float64
		tables     []mover.TableStatus
		total, eta int64
	}{
		{0, []mover.TableStatus{{Estimate: 4000}}, 1000, -1},
		{100, []mover.TableStatus{{Estimate: 4000}, {Estimate: 10000, Scanned: 5000, Copied: 500}}, 2000, 15},
		{100, []mover.TableStatus{{Estimate: 4000, Scanned: 8000, Copied: 4000}}, 4000, 0},
		{0, []mover.TableStatus{{Estimate: 10000, Scanned: 5000, Copied: 500}}, 1000, -1},
		{100, []mover.TableStatus{{Estimate: 300, Scanned: 300, Copied: 70, Done: true}}, 70, 0},
	} {
		s := mover.Status{Phase: "copying", Rate: x.rate, Tables: x.tables}
		for _, table := range x.tables {
			s.Copied += table.Copied
		}
		if p := progressOf(s, rec, 400); p.Total != x.total || int64(p.ETA) != x.eta {
			t.Errorf("%+v: %d rows in %v s, want %d in %d", s, p.Total, p.ETA, x.total, x.eta)
		}
	}
}
