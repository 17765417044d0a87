package backend

import (
	"math"
	"math/bits"
	"time"
)

// pace finds how many statements a server should be given at once. Little's law says that
// beyond the server's own parallelism more statements at once only wait longer within it: the
// throughput stays and the latency grows in proportion, until locks, memory and deadlock
// searches make the throughput fall. So the latency tells: while the median lease takes no
// longer than tolerance times what it takes at few at once (base), the limit grows; when it
// takes longer, the limit shrinks by that ratio.
//
//	limit ← limit · clamp(tolerance · base / median, 1/2, 1) + √limit      each window, a part of the way
//
// By the same law limit/median is the throughput. Where it has become less than at few at once (they get in each other's way:
// all change the same row), the limit shrinks by that ratio and the √limit that tries for more is left out, for some windows.
//
// This is the gradient of Netflix's concurrency-limits ("Performance Under Load", 2018) with the
// baseline of Envoy's adaptive concurrency filter: measured, at few at once, and again from time to
// time, so that it follows what the statements are; a minimum (TCP Vegas) would take the cheapest
// kind of statement for all, a long average (Gradient2) would take an overload for normal in the end.
// The median is one because a database's statements differ a thousandfold: a report of an hour
// or a few waits for locks say nothing about the server, and must not throttle it.
//
// The limit begins at its greatest, and where nothing waits for it it does nothing. Its pool's
// lock guards it.
type pace struct {
	off   bool
	few   int // so many at once say what a server without overload takes
	max   int
	limit float64
	base  float64 // nanoseconds; 0: not known
	based time.Time

	median  float64 // of the last window
	wary    int     // windows for which the limit tries for no more
	hold    float64 // nanoseconds that a lease lasts, with transactions: a moving average
	others  float64 // how many times as long as at few at once other servers' take, see total; 0 is 1
	probing bool    // the window measures base anew: few at once
	resume  float64 // the limit after that

	seen    progress
	n       int
	began   time.Time
	peak    int  // most at once in the window, of those that the limit keeps away
	apart   int  // who is at work besides
	pressed bool // somebody waited for the limit in it
	buckets [paceBuckets]uint32
}

const (
	// tolerance: what takes twice as long as at rest is busy, not overloaded. (Netflix has 1.5 for
	// services that do not wait for disks.)
	tolerance = 2.0
	// few at once.
	few = 4
	// worthwhile is the least part of the throughput at few at once with which more at once are let on.
	worthwhile = 0.9
	// contented is for how many windows the limit does not try for more where it was not.
	contented = 4
	// smoothing is the part of the way to its new value that the limit goes in one window.
	smoothing = 0.3

	window     = 100 * time.Millisecond
	windowMost = time.Second // with a few samples only
	fewSamples = 10
	samples    = 100

	// baseAge is how old base may become while the server is never at rest, restAge one from a time of rest: what
	// the server shares with others, a machine or this proxy, had less to do then.
	baseAge = 30 * time.Second
	restAge = time.Second
	// crowded: where others take so many times as long, few at once here say nothing.
	crowded = 1.5

	paceBuckets = 4 * 40 // a quarter of an octave each, from 1 us to 2^40 us
)

// floor is the least that a server is given at once. What is measured at so few is what a server
// without overload takes.
func (a *pace) floor() float64 { return float64(min(a.few, a.max)) }

// setMax follows a changed number of connections.
func (a *pace) setMax(n int) {
	if a.limit == 0 || int(a.limit) >= a.max {
		a.limit = float64(n)
	}
	a.max = n
	a.limit = min(max(a.limit, a.floor()), float64(n))
}

// slowdown is how many times as long as at few at once the last window's took.
func (a *pace) slowdown() float64 {
	if a.base == 0 {
		return 1
	}
	return a.median / a.base
}

// allows is the number of statements that may run at once.
func (a *pace) allows() int {
	if a.off {
		return a.max
	}
	return int(a.limit)
}

// lease notes that so many are at work, of those that the limit keeps away.
func (a *pace) lease(busy int) { a.peak = max(a.peak, busy) }

// sample takes the time of one lease, and tells whether the window has seen enough: it is to be ended then.
func (a *pace) sample(d time.Duration, now time.Time) (full bool) {
	if a.off || a.probing && now.Add(-d).Before(a.based) { // it began among many
		return false
	}
	if a.n == 0 && a.began.IsZero() {
		a.began = now
	}
	a.buckets[bucketOf(d)]++
	a.n++
	age := now.Sub(a.began)
	return a.n >= samples && age >= window || a.n >= fewSamples && age >= windowMost
}

// held takes the time of a lease of any kind.
func (a *pace) held(d time.Duration) {
	if a.hold == 0 {
		a.hold = float64(d)
	}
	a.hold += (float64(d) - a.hold) / 64
}

// end draws the conclusion of a window and begins the next.
func (a *pace) end(now time.Time) {
	a.median = a.middle()
	rest := float64(a.peak) <= a.floor()
	took := a.median // what it would have been with nobody beside
	if a.base > 0 {  // others explain what takes longer than base, no more: a shard that suffers alone must not teach them a smaller one
		took = min(took, max(took/max(a.others, 1), a.base))
	}
	switch {
	case a.base == 0 && !rest:
		// Nothing is known yet: this may be an overload already. It is found out now.
		a.base, a.based = took, now.Add(-baseAge)
	case rest && a.probing:
		a.base, a.based = took, now
	case rest:
		if a.base == 0 {
			a.base = took
		}
		a.base += 0.3 * (took - a.base) // what statements there are changes slowly
		a.based = now.Add(restAge - baseAge)
	case took < a.base:
		a.base += (took - a.base) / 16 // many at once do not take less than few: they are others; or it is chance
	}
	if a.probing {
		a.probing, a.limit = false, max(a.resume, a.limit)
	} else {
		a.adjust()
		if !rest && a.pressed && a.others < crowded && now.Sub(a.based) >= baseAge {
			a.based = now
			a.probing, a.resume, a.limit = true, a.limit, a.floor()
		}
	}
	a.n, a.began, a.peak, a.pressed, a.buckets = 0, time.Time{}, 0, false, [paceBuckets]uint32{}
}

func (a *pace) adjust() {
	gradient := 1.0
	if a.median > 0 && a.base > 0 {
		gradient = min(max(tolerance*max(a.others, 1)*a.base/a.median, 0.5), 1)
	}
	if gradient < 1 { // what is not used of the limit cannot be what shrinks
		a.limit = min(a.limit, float64(a.peak+a.apart))
	}
	want := a.limit * gradient
	if a.wary--; a.wary < 0 {
		want += math.Sqrt(a.limit)
	}
	if a.median > 0 && a.base > 0 {
		if rate := a.limit / a.floor() * max(a.others, 1) * a.base / a.median; rate < worthwhile {
			want, a.wary = a.limit*max(rate, 0.5), contented
		}
	}
	a.limit = min(max(a.limit+smoothing*(want-a.limit), a.floor()), float64(a.max))
}

// stuck raises a limit that nothing has come through for a while: what holds the places waits
// for something else than the server, such as the lock of a transaction that nobody ends.
func (a *pace) stuck() {
	if a.probing {
		a.probing, a.limit = false, a.resume
	}
	a.limit = min(a.limit*1.5+1, float64(a.max))
}

// middle is the median of the window in nanoseconds, within the bucket by proportion.
func (a *pace) middle() float64 {
	seen, half := 0.0, float64(a.n)/2
	for i, c := range a.buckets {
		if c == 0 {
			continue
		}
		if seen+float64(c) >= half {
			low := math.Exp2(float64(i) / 4)
			high := math.Exp2(float64(i+1) / 4)
			return 1000 * (low + (high-low)*(half-seen)/float64(c))
		}
		seen += float64(c)
	}
	return 0
}

// bucketOf numbers the quarter of an octave of a duration in microseconds.
func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1))
	octave := bits.Len64(us) - 1
	rest := us << (63 - octave) // its highest bit is the octave's
	quarter := 0
	for _, edge := range quarters {
		if rest >= edge {
			quarter++
		}
	}
	return min(4*octave+quarter, paceBuckets-1)
}

// quarters are 2^(1/4), 2^(2/4) and 2^(3/4), with 63 bits behind the point.
var quarters = [3]uint64{0x9837f0518db8a96f, 0xb504f333f9de6484, 0xd744fccad69d6af4}

// Patience: how long a newcomer may wait for a place. Whoever waits while the queue comes and
// goes may wait for WaitTimeout: that is a burst, which passes. When newcomers have stood here
// without a break for standing, more come than the server can do; then all would wait for as long as
// the queue is, which helps nobody. So a wait beyond leastPatience, or patienceTimes what a lease
// lasts, is ended with an error, and those who are served are served soon. (The controlled delay of
// CoDel, as Facebook runs it in front of its servers: B. Maurer, "Fail at Scale", ACM Queue 13/8, 2015.)
const (
	standing      = 500 * time.Millisecond
	leastPatience = 2 * time.Second
	patienceTimes = 2
)

// tooMany tells whether more wait in a user's line than may be at work at once: else what is at work lasts long, those who wait are
// served when it ends, and to refuse them would leave their places empty. Of several users each has its part of the places. The
// lock is held.
func (p *pool) tooMany(w *waiter) bool {
	return w.line.waiting.n*len(p.queue.lines) > p.busy()+1
}

// patience is how long a newcomer may have waited at now.
func (p *pool) patience(now time.Time) time.Duration {
	if p.pace.off || p.queue.since.IsZero() || now.Sub(p.queue.since) < standing {
		return p.opts.WaitTimeout
	}
	return min(max(patienceTimes*time.Duration(p.pace.hold), leastPatience), p.opts.WaitTimeout)
}
