package session

import (
	"hash/maphash"
	"sync"

	"sluice/limit"
	"sluice/metrics"
	"sluice/query"
	"sluice/router"
)

// action says what a statement is for the session.
type action uint8

const (
	route      action = iota // planned by the router, run by the executor
	local                    // answered by the session itself: SET, BEGIN, USE, SHOW WARNINGS …
	substitute               // names functions whose answer is the session's: edit the text, then start again
)

// entry is a cached decision about all statements of one fingerprint. It is immutable.
type entry struct {
	stmt       *query.Statement
	plan       *router.Plan // nil unless action is route
	action     action
	mapVersion int64
	catVersion int64
	digest     *metrics.Digest // may be nil
	bounds     *limit.Bounds   // what a DBA allows; nearly always nil
	ids        insertIDs
	autoColumn int    // of the rows' values, when ids is idsByValue
	label      string // of the metrics, where the router gives none
	sequences  bool   // it may take values of the server's own sequences, which is a write that no plan is of
	uses       *uses  // of the result cache
	text       string // the text it was made from, when it holds for that text only; else ""
}

const (
	planShards    = 64
	plansPerShard = 512     // entries; some 32,768 fingerprints in all
	plansSize     = 1 << 20 // bytes in a shard, as far as planSize knows
)

// planSize estimates what an entry takes: trees and plans grow with their text.
func planSize(key string, e *entry) int { return 1<<10 + 4*len(key) + len(e.text) }

// plans is the plan cache, shared by all sessions of a proxy: user, schema and mode, then
// fingerprint → entry. It is bounded; a full shard drops arbitrary entries.
type plans struct {
	seed   maphash.Seed
	shards [planShards]planShard
}

type planShard struct {
	mu   sync.RWMutex
	m    map[string]*entry
	size int
}

func newPlans() *plans {
	p := &plans{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].m = map[string]*entry{}
	}
	return p
}

func (p *plans) shard(key []byte) *planShard {
	return &p.shards[maphash.Bytes(p.seed, key)%planShards]
}

// get finds an entry made under the versions, without allocating.
func (p *plans) get(key []byte, mapVersion, catVersion int64) *entry {
	s := p.shard(key)
	s.mu.RLock()
	e := s.m[string(key)]
	s.mu.RUnlock()
	if e == nil || e.mapVersion != mapVersion || e.catVersion != catVersion {
		return nil
	}
	return e
}

func (p *plans) put(key []byte, e *entry) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(string(key))
	size := planSize(string(key), e)
	for k := range s.m {
		if len(s.m) < plansPerShard && s.size+size <= plansSize {
			break
		}
		s.drop(k)
	}
	s.m[string(key)] = e
	s.size += size
}

// drop takes an entry out, if it is there. The lock is held.
func (s *planShard) drop(key string) {
	if e := s.m[key]; e != nil {
		s.size -= planSize(key, e)
		delete(s.m, key)
	}
}
