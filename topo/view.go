package topo

import "slices"

// view is one past moment of a sequence in etcd, all of it. It may lag, but what it says
// of an id below its counter errs only on the safe side: blocks taken since then lie above
// the counter, and blocks known then can only have become smaller.
type view struct {
	complete bool               // it has been read
	rev      int64              // etcd's, when all of it was read last
	counter  counter            // as of then, and of the changes since
	there    bool               // the counter exists
	others   map[string][]block // by instance
}

// holders gives the other proxies that hold one of the ids low … high.
func (v *view) holders(low, high uint64) []string {
	var list []string
	for instance, blocks := range v.others {
		if slices.ContainsFunc(blocks, func(b block) bool { return b.meets(low, high) }) {
			list = append(list, instance)
		}
	}
	return list
}

// see replaces the view by a newer one.
func (q *sequence) see(v *view) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if v.rev >= q.seen.rev {
		q.seen = *v
	}
}

// update applies one change to the view, unless the view was read after it.
func (q *sequence) update(rev int64, change func(*view)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if rev > q.seen.rev {
		change(&q.seen)
	}
}

// holders gives the other proxies that hold one of the ids low … high.
func (q *sequence) holders(low, high uint64) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.seen.holders(low, high)
}

// empty tells that the sequence holds nothing that matters.
func (q *sequence) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.own) == 0 && q.rev == 0
}

// fetched ends a fetch ahead of need.
func (q *sequence) fetched() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fetching = false
}
