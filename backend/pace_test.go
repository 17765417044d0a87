package backend

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// model is a server that works on so many statements at once; each more than that shares, and
// beyond knee each more costs in proportion (deadlock searches, memory).
type model struct {
	parallel, knee int
	service        time.Duration
}

func (m model) latency(n int) time.Duration {
	t := float64(m.service) * max(1, float64(n)/float64(m.parallel))
	if n > m.knee {
		t *= float64(n) / float64(m.knee)
	}
	return time.Duration(t)
}

// run lets clients press on a server through a pace for a while of the model's time, and gives
// what went through in a second, on average in its second half.
func (m model) run(a *pace, clients int, length time.Duration, slow float64) (perSecond float64) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1000, 0)
	for _, t := range []time.Time{a.based, a.began} { // time goes on between two runs
		if t.After(now) {
			now = t
		}
	}
	count, half := 0, now.Add(length/2)
	for end := now.Add(length); now.Before(end); {
		n := min(clients, a.allows())
		took := m.latency(n)
		if now.After(half) {
			count++
		}
		step := took / time.Duration(n)
		now = now.Add(step)
		a.lease(n)
		a.pressed = clients > n
		d := time.Duration(float64(took) * (0.5 + r.Float64()))
		if r.Float64() < slow {
			d *= 200
		}
		if a.sample(d, now) {
			a.end(now)
		}
	}
	return float64(count) / now.Sub(half).Seconds()
}

// TestPaceModel: whatever the server, the limit comes to where the throughput is near its best
// and the latency near the server's own.
func TestPaceModel(t *testing.T) {
	for _, c := range []struct {
		name     string
		m        model
		max      int
		slow     float64
		low, top int
	}{
		{"two cores", model{2, 20, time.Millisecond}, 128, 0, 6, 20},
		{"eight cores, some reports", model{8, 40, 2 * time.Millisecond}, 128, 0.1, 8, 40},
		{"wide", model{400, 1000, time.Millisecond}, 64, 0, 64, 64},
		{"slow statements", model{8, 40, 500 * time.Millisecond}, 64, 0, 8, 40},
		{"one row", model{4, 4, time.Millisecond}, 128, 0, 4, 6},
		{"few connections", model{1, 2, time.Millisecond}, 2, 0, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &pace{few: few}
			a.setMax(c.max)
			got := c.m.run(a, 1000, 90*time.Second, c.slow)
			best := 0.0
			for n := 1; n <= c.max; n++ {
				best = math.Max(best, float64(n)/c.m.latency(n).Seconds())
			}
			worst := float64(c.max) / c.m.latency(c.max).Seconds()
			t.Logf("limit %d, %.0f a second; best %.0f, without limit %.0f", a.allows(), got, best, worst)
			if n := a.allows(); n < c.low || n > c.top {
				t.Errorf("the limit is %d, not within %d and %d", n, c.low, c.top)
			}
			if c.max > 2 && got < 0.9*best {
				t.Errorf("%.0f statements a second; the server can do %.0f", got, best)
			}
		})
	}
}

// TestPaceIdle: where nothing presses, the limit stays at its greatest; when the load ends it
// goes back there.
func TestPaceIdle(t *testing.T) {
	a := &pace{few: few}
	a.setMax(64)
	m := model{2, 20, time.Millisecond}
	m.run(a, 3, 5*time.Second, 0)
	if a.allows() != 64 {
		t.Errorf("with three clients the limit is %d", a.allows())
	}
	m.run(a, 500, 20*time.Second, 0)
	low := a.allows()
	if low >= 64 {
		t.Errorf("under load the limit is %d", low)
	}
	m.run(a, 3, 20*time.Second, 0)
	if a.allows() < 60 {
		t.Errorf("after the load the limit is %d", a.allows())
	}
}

// TestPaceUnused: a limit far above what clients there are comes down to what the server can do.
func TestPaceUnused(t *testing.T) {
	a := &pace{few: few}
	a.setMax(128)
	m := model{2, 20, 5 * time.Millisecond}
	m.run(a, 3, 5*time.Second, 0)
	m.run(a, 20, 5*time.Second, 0)
	if n := a.allows(); n > 14 {
		t.Errorf("with 20 clients the limit is %d", n)
	}
}

func TestPaceBuckets(t *testing.T) {
	last := 0
	for us := 1; us < 1<<22; us += 1 + us/100 {
		i := bucketOf(time.Duration(us) * time.Microsecond)
		want := int(4 * math.Log2(float64(us)))
		if i < last || i < want-1 || i > want+1 {
			t.Fatalf("%d us is in bucket %d, want %d", us, i, want)
		}
		last = i
	}
}
