package topo

import (
	"math"
	"slices"
	"sync"
	"time"
)

// A block is taken from a sequence's counter in etcd and handed out from memory. Its size
// follows demand, so that one lasts some seconds: the ids that a crash leaves unused are as
// few as a few seconds' worth.
const (
	smallestBlock = 64
	largestBlock  = 1 << 17
	tooShort      = 10 * time.Second // a block used up sooner doubles the next one
	tooLong       = time.Minute      // one that lasted longer halves it
)

// block is a run of ids first … end-1.
type block struct {
	First uint64 `json:"first"`
	End   uint64 `json:"end"`
}

func (b block) size() uint64 { return b.End - b.First }

// meets tells whether the block has one of the ids low … high.
func (b block) meets(low, high uint64) bool { return b.First <= high && low < b.End }

// counter is the stored state of a sequence.
type counter struct {
	Next uint64 `json:"next"` // no block has this id or a larger one; math.MaxUint64: used up
	// Counted tells that Floor, the largest id in use before the sequence began, was
	// looked up. Until then there were only explicit ids, and nothing may be handed out.
	Counted bool   `json:"counted"`
	Floor   uint64 `json:"floor"`
}

// sequence is what this proxy knows of one sequence. Blocks of all proxies never overlap,
// and the blocks of one only grow upwards, so the ids that one proxy hands out rise.
type sequence struct {
	name string
	uses int           // by calls that run; under the lock of ids
	io   chan struct{} // one slot: who fills it writes this proxy's keys of the sequence
	ask  chan struct{} // one slot: who fills it asks other proxies to give up ids

	mu       sync.Mutex
	own      []block   // not handed out yet, in rising order
	raised   uint64    // ids up to this one are not handed out, also of a block that is on its way
	counter  counter   // the newest that this proxy has seen
	rev      int64     // its mod revision; 0: not there, or not read yet
	asOf     int64     // etcd's revision when it was so
	length   uint64    // of the next block
	took     time.Time // when the last one was taken
	fetching bool      // a block is being fetched ahead of need
	failed   time.Time // when etcd failed last, and how: it spares those who waited meanwhile another try
	failure  error

	seen view // as the watch shows it
}

func newSequence(name string) *sequence {
	return &sequence{name: name, io: make(chan struct{}, 1), ask: make(chan struct{}, 1), length: smallestBlock}
}

// take hands out n ids from memory, if there are as many in one run. It tells too whether
// more should be fetched ahead.
func (q *sequence) take(n uint64) (first uint64, ok, ahead bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.counter.Counted {
		return 0, false, false
	}
	i := slices.IndexFunc(q.own, func(b block) bool { return b.size() >= n })
	if i < 0 {
		return 0, false, false
	}
	q.own = q.own[i:] // what is too short before is given up, so that ids rise
	first = q.own[0].First
	q.own[0].First += n
	if q.own[0].size() == 0 {
		q.own = q.own[1:]
	}
	return first, true, q.wantsAhead()
}

// wantsAhead tells whether a block should be fetched ahead, and notes that it will be.
func (q *sequence) wantsAhead() bool {
	left := uint64(0)
	for _, b := range q.own {
		left += b.size()
	}
	if q.fetching || left > q.length/2 || time.Since(q.failed) < time.Second {
		return false
	}
	q.fetching = true
	return true
}

// skip makes sure that high and smaller ids are not handed out from memory. It tells whether
// all of low … high were ours: then they are nobody else's.
func (q *sequence) skip(low, high uint64) (ours, ahead bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ours = slices.ContainsFunc(q.own, func(b block) bool { return b.First <= low && high < b.End })
	q.skipTo(high)
	return ours, ours && q.wantsAhead()
}

func (q *sequence) skipTo(id uint64) {
	q.raised = max(q.raised, id)
	for len(q.own) > 0 && q.own[0].First <= id {
		if q.own[0].End > id+1 && id != math.MaxUint64 {
			q.own[0].First = id + 1
			return
		}
		q.own = q.own[1:]
	}
}

// passed tells, without asking etcd, that the counter is past high and no other proxy can
// still hand out one of low … high; this one will not. It says no when it does not know.
func (q *sequence) passed(low, high uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.skipTo(high)
	return q.seen.complete && q.seen.there && high < q.seen.counter.Next && len(q.seen.holders(low, high)) == 0
}

// giveUp drops every own block that holds id or smaller ones; another proxy asked for it.
// The blocks go whole, because explicit ids seldom come alone.
func (q *sequence) giveUp(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.own = slices.DeleteFunc(q.own, func(b block) bool { return b.First <= id })
}

// nextLength gives the length of the block to take now, at least n.
func (q *sequence) nextLength(n uint64) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch age := time.Since(q.took); {
	case q.took.IsZero():
	case age < tooShort:
		q.length = min(2*q.length, largestBlock)
	case age > tooLong:
		q.length = max(q.length/2, smallestBlock)
	}
	return max(q.length, n)
}

// learn takes over what stands in etcd as of a revision: the counter and its mod revision,
// which is 0 if there is none.
func (q *sequence) learn(c counter, rev, asOf int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if asOf < q.asOf {
		return
	}
	q.counter, q.rev, q.asOf = c, rev, asOf
	if rev == 0 {
		q.own, q.raised = nil, 0 // dropped: another sequence of this name begins afresh
	} else if c.Counted {
		q.skipTo(c.Floor)
	}
}

// since gives a check of an answer to a request that is sent now: it cannot be older than
// what is known already.
func (q *sequence) since() func(revision int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	known := q.asOf
	return func(revision int64) error {
		if revision < known {
			return errRolledBack
		}
		return nil
	}
}

// stored gives the newest known state of the counter.
func (q *sequence) stored() (counter, int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counter, q.rev
}

// add appends a block that was taken, if ok still says so.
func (q *sequence) add(b block, ok func() bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !ok() {
		return false
	}
	q.took = time.Now()
	if last := len(q.own) - 1; last >= 0 && q.own[last].End == b.First {
		q.own[last].End = b.End
	} else {
		q.own = append(q.own, b)
	}
	q.skipTo(q.raised)
	return true
}

// blocks gives a copy of the own blocks.
func (q *sequence) blocks() []block {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.own)
}

// fail notes a failure of etcd.
func (q *sequence) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed, q.failure = time.Now(), err
}

// failedSince gives the failure of etcd that happened after t, if one did.
func (q *sequence) failedSince(t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed.After(t) {
		return q.failure
	}
	return nil
}
