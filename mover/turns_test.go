package mover

import (
	"math"
	"testing"
	"time"
)

// TestTurns: the work takes as much as leaves applications their part, whatever they do.
func TestTurns(t *testing.T) {
	seen := func(busy, resting float64) *turns {
		return &turns{busy: stretch{busy, 1}, resting: stretch{resting, 1}}
	}
	for _, x := range []struct {
		name          string
		busy, resting float64
		want          float64 // part of the time that is work
	}{
		{"nothing else runs", 0, 0, 0.95},
		{"hardly anything does", 1, 15, 0.95},
		{"it is not slower for the work", 990, 1000, 0.95},
		{"a little slower", 900, 1000, 0.95},
		{"half as fast", 500, 1000, 0.3},
		{"a third", 333, 1000, 0.225},
		{"it stands still", 0, 1000, 0.15},
	} {
		work := 500 * time.Millisecond
		rest := seen(x.busy, x.resting).due(work)
		part := work.Seconds() / (work + rest).Seconds()
		if math.Abs(part-x.want) > 0.01 {
			t.Errorf("%s: it works %.3f of the time, want %.3f", x.name, part, x.want)
		}
		if kept := part*x.busy + (1-part)*x.resting; x.resting > few && kept < 0.85*x.resting-1 {
			t.Errorf("%s: the applications keep %.0f of %.0f", x.name, kept, x.resting)
		}
	}
	if rest := (&turns{}).due(time.Second); rest != time.Second {
		t.Errorf("when nothing is known it rests %v", rest)
	}
	s := stretch{1000, 1}
	s.age(8 * time.Second)
	if s.seconds > 0.4 || math.Abs(s.rate()-1000) > 1e-6 {
		t.Errorf("%+v", s)
	}
}
