package cache

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/metrics"
)

// stats counts what the cache does, by rule.
type stats struct {
	rules         sync.Map // name → *ruleStats
	invalidations atomic.Int64
	suspensions   atomic.Int64
	unknown       atomic.Int64
	late          atomic.Int64
}

type ruleStats struct {
	hits, near, misses, bypassed, waited, refused, invalidations, stale atomic.Int64
	served, stored                                                      atomic.Int64 // bytes
	looks                                                               metrics.Digest
}

func (r *ruleStats) took(d time.Duration) { r.looks.Observe(d, 0, false) }

// of gives the counters of a rule; there are as many as the map has rules.
func (s *stats) of(rule string) *ruleStats {
	if r, ok := s.rules.Load(rule); ok {
		return r.(*ruleStats)
	}
	r, _ := s.rules.LoadOrStore(rule, new(ruleStats))
	return r.(*ruleStats)
}

// RuleStat is a rule's line of SHOW CACHE.
type RuleStat struct {
	Rule                            string
	Hits, Misses, Bypassed, Refused int64
	Near                            int64 // hits whose value was in this process
	Stale                           int64 // answers beyond their time, because the database failed
	Waited                          int64 // reads that waited for another's answer of the database
	Invalidations                   int64 // tags of its tables that this proxy's writes have changed
	Served, Stored                  int64 // bytes
	Lookup, Lookup99, LookupTotal   time.Duration
	Lookups                         int64
}

// Rules lists what was counted, by rule.
func (c *Cache) Rules() (list []RuleStat) {
	c.stats.rules.Range(func(name, v any) bool {
		r := v.(*ruleStats)
		l := r.looks.Row()
		s := RuleStat{Rule: name.(string), Hits: r.hits.Load(), Misses: r.misses.Load(), Bypassed: r.bypassed.Load(), Refused: r.refused.Load(),
			Near: r.near.Load(), Waited: r.waited.Load(), Stale: r.stale.Load(), Invalidations: r.invalidations.Load(), Served: r.served.Load(), Stored: r.stored.Load(),
			Lookup99: l.P99, LookupTotal: l.Total, Lookups: int64(l.Count)}
		if l.Count > 0 {
			s.Lookup = l.Total / time.Duration(l.Count)
		}
		list = append(list, s)
		return true
	})
	slices.SortFunc(list, func(a, b RuleStat) int { return cmp.Compare(a.Rule, b.Rule) })
	return list
}

// Status is what SHOW CACHE says of the whole.
type Status struct {
	State         string // off, joining, on, suspended
	Invalidations int64
	Suspensions   int64
	Breaker       int64 // how often it opened
	Unknown       int64 // writes whose outcome was not known
}

// Status tells how the cache is.
func (c *Cache) Status() Status {
	s := Status{State: "on", Invalidations: c.stats.invalidations.Load(), Suspensions: c.stats.suspensions.Load(), Breaker: c.breaker.opened.Load(), Unknown: c.stats.unknown.Load()}
	switch st := c.cluster.CacheState(); {
	case st.Secret == "":
		s.State = "off"
	case st.Suspended:
		s.State = "suspended"
	case !st.Ready:
		s.State = "joining"
	case !c.cluster.Sure():
		s.State = "unsure"
	}
	return s
}

func samples(c *Cache, f func(RuleStat) float64) func() []metrics.Sample {
	return func() (list []metrics.Sample) {
		for _, r := range c.Rules() {
			list = append(list, metrics.Sample{Labels: []string{r.Rule}, Value: f(r)})
		}
		return list
	}
}

func register(c *Cache, reg *metrics.Registry) {
	byRule := []string{"rule"}
	for _, m := range []struct {
		name, help string
		f          func(RuleStat) float64
	}{
		{"sluice_cache_hits_total", "Statements answered from the result cache.", func(r RuleStat) float64 { return float64(r.Hits) }},
		{"sluice_cache_misses_total", "Statements that were looked for in the result cache in vain.", func(r RuleStat) float64 { return float64(r.Misses) }},
		{"sluice_cache_bypassed_total", "Statements that went straight to the database: the cache was suspended, slow or being written.", func(r RuleStat) float64 { return float64(r.Bypassed) }},
		{"sluice_cache_fills_refused_total", "Results that were not stored because what they depend on was written meanwhile.", func(r RuleStat) float64 { return float64(r.Refused) }},
		{"sluice_cache_served_bytes_total", "Bytes of results answered from the cache.", func(r RuleStat) float64 { return float64(r.Served) }},
		{"sluice_cache_stored_bytes_total", "Bytes stored.", func(r RuleStat) float64 { return float64(r.Stored) }},
		{"sluice_cache_near_hits_total", "Hits whose value was in the proxy's memory, and valid as Redis said.", func(r RuleStat) float64 { return float64(r.Near) }},
		{"sluice_cache_stale_total", "Statements answered with a result whose time was over, because the database failed.", func(r RuleStat) float64 { return float64(r.Stale) }},
		{"sluice_cache_waited_total", "Reads that waited for another one's answer of the database.", func(r RuleStat) float64 { return float64(r.Waited) }},
		{"sluice_cache_rule_invalidations_total", "Tags of the rule's tables that writes have given a new version.", func(r RuleStat) float64 { return float64(r.Invalidations) }},
		{"sluice_cache_lookup_seconds", "Mean time of a look into the cache.", func(r RuleStat) float64 { return r.Lookup.Seconds() }},
		{"sluice_cache_lookup_p99_seconds", "99th percentile of the time of a look into the cache, within a factor of two.", func(r RuleStat) float64 { return r.Lookup99.Seconds() }},
		{"sluice_cache_lookup_seconds_total", "Time of all looks into the cache.", func(r RuleStat) float64 { return r.LookupTotal.Seconds() }},
		{"sluice_cache_lookups_total", "Looks into the cache.", func(r RuleStat) float64 { return float64(r.Lookups) }},
	} {
		reg.Collect(m.name, m.help, byRule, samples(c, m.f))
	}
	one := func(f func(Status) int64) func() []metrics.Sample {
		return func() []metrics.Sample { return []metrics.Sample{{Value: float64(f(c.Status()))}} }
	}
	reg.Collect("sluice_cache_invalidations_total", "Tags that writes have given a new version.", nil, one(func(s Status) int64 { return s.Invalidations }))
	reg.Collect("sluice_cache_suspensions_total", "Times at which this proxy suspended the cache on all proxies.", nil, one(func(s Status) int64 { return s.Suspensions }))
	reg.Collect("sluice_cache_breaker_opened_total", "Times at which reads stopped asking Redis for a while.", nil, one(func(s Status) int64 { return s.Breaker }))
}
