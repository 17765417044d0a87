package metrics

import (
	"math/bits"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Digests counts what each fingerprint has cost, for SHOW DIGESTS. It holds a bounded number
// of them; statements beyond that share one digest with an empty fingerprint.
type Digests struct {
	mu    sync.Mutex
	max   int
	known map[[2]string]*Digest
	rest  Digest
}

// NewDigests makes a table of at most max digests.
func NewDigests(max int) *Digests {
	return &Digests{max: max, known: map[[2]string]*Digest{}}
}

// maxFingerprint is how much of a fingerprint is kept; those that are alike so far share a
// digest. (MySQL's own digests have 1,024 bytes.)
const maxFingerprint = 4 << 10

// Slot finds or makes the digest of a fingerprint in a schema. Callers keep what they get, so
// that counting takes no lock. A nil *Digests gives nil, which counts nothing.
func (d *Digests) Slot(schema string, fingerprint []byte) *Digest {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [2]string{schema, string(fingerprint[:min(len(fingerprint), maxFingerprint)])}
	if g := d.known[key]; g != nil {
		return g
	}
	if len(d.known) >= d.max {
		return &d.rest
	}
	g := &Digest{schema: schema, fingerprint: key[1]}
	d.known[key] = g
	return g
}

// latencyBuckets: bucket i counts durations of [2^i, 2^(i+1)) microseconds; 2^31 us is
// some 36 minutes.
const latencyBuckets = 32

// Digest counts the statements of one fingerprint. A nil *Digest is valid.
type Digest struct {
	schema, fingerprint string
	count, errors, rows atomic.Uint64
	nanos, max          atomic.Int64
	buckets             [latencyBuckets]atomic.Uint64
}

// Observe counts one statement.
func (g *Digest) Observe(d time.Duration, rows uint64, failed bool) {
	if g == nil {
		return
	}
	g.count.Add(1)
	g.nanos.Add(int64(d))
	if rows > 0 {
		g.rows.Add(rows)
	}
	if failed {
		g.errors.Add(1)
	}
	for old := g.max.Load(); int64(d) > old && !g.max.CompareAndSwap(old, int64(d)); old = g.max.Load() {
	}
	g.buckets[bucketOf(d)].Add(1)
}

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1))
	return min(bits.Len64(us)-1, latencyBuckets-1)
}

// DigestRow is a row of SHOW DIGESTS. Percentiles are upper bounds within a factor of two.
type DigestRow struct {
	Schema, Fingerprint string
	Count, Errors, Rows uint64
	Total, Max          time.Duration
	P50, P95, P99       time.Duration
}

// Rows lists all digests, those that took the most time in all first.
func (d *Digests) Rows() []DigestRow {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	all := make([]*Digest, 0, len(d.known)+1)
	for _, g := range d.known {
		all = append(all, g)
	}
	d.mu.Unlock()
	all = append(all, &d.rest)
	rows := make([]DigestRow, 0, len(all))
	for _, g := range all {
		if g.count.Load() > 0 {
			rows = append(rows, g.Row())
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].Total > rows[j].Total })
	return rows
}

// Row gives what was counted.
func (g *Digest) Row() DigestRow {
	r := DigestRow{
		Schema: g.schema, Fingerprint: g.fingerprint, Count: g.count.Load(), Errors: g.errors.Load(), Rows: g.rows.Load(),
		Total: time.Duration(g.nanos.Load()), Max: time.Duration(g.max.Load()),
	}
	var n [latencyBuckets]uint64
	var sum uint64
	for i := range n {
		n[i] = g.buckets[i].Load()
		sum += n[i]
	}
	r.P50, r.P95, r.P99 = percentile(&n, sum, 50, r.Max), percentile(&n, sum, 95, r.Max), percentile(&n, sum, 99, r.Max)
	return r
}

// percentile gives the upper end of the bucket that holds the p-th percentile, but no more
// than the longest that was seen.
func percentile(n *[latencyBuckets]uint64, sum uint64, p uint64, longest time.Duration) time.Duration {
	need := (sum*p + 99) / 100
	var seen uint64
	for i, c := range n {
		seen += c
		if seen >= need && c > 0 {
			return min(time.Duration(uint64(1)<<(i+1))*time.Microsecond, longest)
		}
	}
	return longest
}
