package backend

import (
	"math/rand/v2"
	"testing"
	"time"
)

// lone is a shard on a machine of its own, which has clients of its own.
type lone struct {
	model
	clients int
	pace    pace
	now, at time.Time // at: the end of its last window
	slow    float64
	served  int
}

// runLone has the shards work until a moment of the model's time. Each hears of the others what the total tells.
func runLone(shards []*lone, r *rand.Rand, until time.Time) {
	for {
		s := shards[0]
		for _, o := range shards {
			if o.now.Before(s.now) {
				s = o
			}
		}
		if s.now.After(until) {
			return
		}
		n := min(s.clients, s.pace.allows())
		took := s.latency(n)
		s.now = s.now.Add(took / time.Duration(n))
		s.pace.lease(n)
		s.pace.pressed = s.pace.pressed || s.clients > n
		s.served++
		if !s.pace.sample(time.Duration(float64(took)*(0.5+r.Float64())), s.now) {
			continue
		}
		var others []float64
		for _, o := range shards {
			switch {
			case o == s:
			case s.now.Sub(o.at) < stale:
				others = append(others, o.slow)
			default:
				others = append(others, 1)
			}
		}
		s.pace.others = middleOf(others)
		s.pace.end(s.now)
		s.slow, s.at = s.pace.slowdown(), s.now
	}
}

// TestPaceUneven: shards that suffer are limited whatever the others have to do, and do not teach these to take
// too little for normal.
func TestPaceUneven(t *testing.T) {
	row, cores, cool := model{4, 4, time.Millisecond}, model{2, 20, time.Millisecond}, model{64, 200, time.Millisecond}
	for _, c := range []struct {
		name   string
		hot    int
		shards []*lone
	}{
		{"one row", 1, []*lone{{model: row, clients: 200}, {model: cool, clients: 12}}},
		{"overload", 1, []*lone{{model: cores, clients: 200}, {model: cool, clients: 12}}},
		{"the other at rest", 1, []*lone{{model: cores, clients: 200}, {model: cool, clients: 3}}},
		{"two of four", 2, []*lone{{model: cores, clients: 200}, {model: cores, clients: 200}, {model: cool, clients: 12}, {model: cool, clients: 12}}},
		{"one of four", 1, []*lone{{model: cores, clients: 200}, {model: cool, clients: 12}, {model: cool, clients: 12}, {model: cool, clients: 12}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			start := time.Unix(1000, 0)
			var clients []int
			for _, s := range c.shards {
				s.pace.few, s.now = few, start
				s.pace.setMax(64)
				clients = append(clients, s.clients)
				s.clients = 3
			}
			runLone(c.shards, r, start.Add(5*time.Second))
			for i, s := range c.shards {
				s.clients = clients[i]
			}
			runLone(c.shards, r, start.Add(40*time.Second))
			for _, s := range c.shards {
				s.served = 0
			}
			runLone(c.shards, r, start.Add(60*time.Second))
			for i, s := range c.shards {
				got, best := s.served/20, int(float64(s.parallel)/s.service.Seconds())
				t.Logf("s%d: limit %d, %d a second, base %v", i, s.pace.allows(), got, time.Duration(s.pace.base))
				if i < c.hot && (s.pace.allows() > 20 || got < best*9/10) {
					t.Errorf("s%d: limit %d, %d a second; the server can do %d", i, s.pace.allows(), got, best)
				}
				if i >= c.hot && s.pace.allows() < s.clients {
					t.Errorf("s%d: limit %d for %d clients, and it has nothing to suffer from", i, s.pace.allows(), s.clients)
				}
			}
		})
	}
}
