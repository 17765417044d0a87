package reshard

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/shard"
)

// Step is one move of a plan.
type Step struct {
	Slots          []shard.Span
	Source, Target string
}

// Count gives the number of slots.
func (s *Step) Count() int { return count(s.Slots) }

func count(spans []shard.Span) (n int) {
	for _, s := range spans {
		n += int(s.Last) - int(s.First) + 1
	}
	return n
}

// ParseSlots reads first-last[,first-last…]; a single slot may be written as one number.
// The spans come sorted and joined.
func ParseSlots(text string) ([]shard.Span, error) {
	var spans []shard.Span
	for part := range strings.SplitSeq(text, ",") {
		a, b, two := strings.Cut(strings.TrimSpace(part), "-")
		if !two {
			b = a
		}
		first, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
		last, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
		if err1 != nil || err2 != nil || first > last || last >= shard.Slots {
			return nil, fmt.Errorf("%q is no range of slots; write first-last with numbers from 0 to %d", strings.TrimSpace(part), shard.Slots-1)
		}
		spans = append(spans, shard.Span{First: uint16(first), Last: uint16(last)})
	}
	slices.SortFunc(spans, func(a, b shard.Span) int { return cmp.Compare(a.First, b.First) })
	joined := spans[:1]
	for _, s := range spans[1:] {
		last := &joined[len(joined)-1]
		switch {
		case s.First <= last.Last:
			return nil, fmt.Errorf("the slots %d-%d are there twice", s.First, min(s.Last, last.Last))
		case s.First == last.Last+1:
			last.Last = s.Last
		default:
			joined = append(joined, s)
		}
	}
	return joined, nil
}

// planMove gives a step for each shard that owns some of the slots and is not the target.
func planMove(spec *shard.Spec, slots []shard.Span, target string) ([]Step, error) {
	if !slices.ContainsFunc(spec.Shards, func(s shard.Shard) bool { return s.Name == target }) {
		return nil, fmt.Errorf("there is no shard %s; SHOW SHARDS lists them, ADD SHARD adds one", target)
	}
	owner := ownersOf(spec)
	bySource := map[string][]shard.Span{}
	for _, s := range slots {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			if m := moving(spec, uint16(slot)); m != nil {
				return nil, fmt.Errorf("slot %d is part of migration %d, which is not over; SHOW MIGRATIONS", slot, m.ID)
			}
			if o := owner[slot]; o != target {
				bySource[o] = appendSlot(bySource[o], uint16(slot))
			}
		}
	}
	var steps []Step
	for _, s := range spec.Shards {
		if spans := bySource[s.Name]; spans != nil {
			steps = append(steps, Step{Slots: spans, Source: s.Name, Target: target})
		}
	}
	if steps == nil {
		return nil, fmt.Errorf("shard %s owns all of these slots already", target)
	}
	return steps, nil
}

func ownersOf(spec *shard.Spec) []string {
	owner := make([]string, shard.Slots)
	for _, r := range spec.Ranges {
		for slot := int(r.First); slot <= int(r.Last); slot++ {
			owner[slot] = r.Shard
		}
	}
	return owner
}

// moving gives the listed migration that a slot is part of, or nil.
func moving(spec *shard.Spec, slot uint16) *shard.Move {
	for i := range spec.Moves {
		if spec.Moves[i].Has(slot) {
			return &spec.Moves[i]
		}
	}
	return nil
}

func appendSlot(spans []shard.Span, slot uint16) []shard.Span {
	if n := len(spans); n > 0 && spans[n-1].Last+1 == slot {
		spans[n-1].Last = slot
		return spans
	}
	return append(spans, shard.Span{First: slot, Last: slot})
}

// planRebalance gives the steps after which every shard owns as many slots as every other,
// or one more. As few slots move as possible, the highest of a shard, and each pair of shards has one step at most. Slots that move already are counted where
// they will be, and stay out.
func planRebalance(spec *shard.Spec) []Step {
	owner := ownersOf(spec)
	for i := range spec.Moves {
		v := &spec.Moves[i]
		for _, s := range v.Slots {
			for slot := int(s.First); slot <= int(s.Last); slot++ {
				owner[slot] = v.Target
			}
		}
	}
	have := map[string]int{}
	for _, o := range owner {
		have[o]++
	}
	want := shares(spec, have)
	var steps []Step
	for _, from := range spec.Shards {
		for _, to := range spec.Shards {
			n := min(have[from.Name]-want[from.Name], want[to.Name]-have[to.Name])
			if n <= 0 {
				continue
			}
			slots := take(spec, owner, from.Name, n)
			if len(slots) == 0 {
				continue // all that is too much there moves already
			}
			n = count(slots)
			have[from.Name], have[to.Name] = have[from.Name]-n, have[to.Name]+n
			for _, s := range slots {
				for slot := int(s.First); slot <= int(s.Last); slot++ {
					owner[slot] = to.Name
				}
			}
			steps = append(steps, Step{Slots: slots, Source: from.Name, Target: to.Name})
		}
	}
	return steps
}

// shares gives how many slots each shard is to own. The shards that have most get what is
// left over of the division, so that the fewest slots move.
func shares(spec *shard.Spec, have map[string]int) map[string]int {
	n := len(spec.Shards)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(have[spec.Shards[b].Name], have[spec.Shards[a].Name]) })
	want := map[string]int{}
	for rank, i := range order {
		want[spec.Shards[i].Name] = shard.Slots / n
		if rank < shard.Slots%n {
			want[spec.Shards[i].Name]++
		}
	}
	return want
}

// take picks the highest n slots of a shard that are not moving.
func take(spec *shard.Spec, owner []string, from string, n int) []shard.Span {
	var slots []uint16
	for slot := shard.Slots - 1; slot >= 0 && len(slots) < n; slot-- {
		if owner[slot] == from && moving(spec, uint16(slot)) == nil {
			slots = append(slots, uint16(slot))
		}
	}
	var spans []shard.Span
	for _, slot := range slices.Backward(slots) {
		spans = appendSlot(spans, slot)
	}
	return spans
}

// give makes a shard the owner of slots in a Spec; runs stay sorted and as few as can be.
func give(spec *shard.Spec, slots []shard.Span, to string) {
	owner, state := ownersOf(spec), make([]string, shard.Slots)
	for _, r := range spec.Ranges {
		for slot := int(r.First); slot <= int(r.Last); slot++ {
			state[slot] = r.State
		}
	}
	for _, s := range slots {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			owner[slot], state[slot] = to, ""
		}
	}
	spec.Ranges = spec.Ranges[:0:0]
	for slot := range shard.Slots {
		last := len(spec.Ranges) - 1
		if last >= 0 && spec.Ranges[last].Shard == owner[slot] && spec.Ranges[last].State == state[slot] {
			spec.Ranges[last].Last = uint16(slot)
			continue
		}
		spec.Ranges = append(spec.Ranges, shard.Range{First: uint16(slot), Last: uint16(slot), Shard: owner[slot], State: state[slot]})
	}
}
