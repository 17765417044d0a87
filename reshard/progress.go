package reshard

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"sluice/metrics"
	"sluice/mover"
)

// Progress is what a migration's mover says of itself every now and then; nothing is
// decided by it.
type Progress struct {
	Node     string    `json:"node"`
	Time     time.Time `json:"time"`
	Copied   int64     `json:"copied"`  // rows
	Total    int64     `json:"total"`   // rows to copy; an estimate until the copy is complete
	Rate     float64   `json:"rate"`    // rows copied a second
	ETA      float64   `json:"eta"`     // seconds until the copy is complete; -1: never, at this rate
	LagMS    float64   `json:"lag_ms"`  // of the changes
	Backlog  int       `json:"backlog"` // changed rows that wait
	Applied  int64     `json:"applied"`
	Throttle float64   `json:"throttle,omitempty"` // part of the time that the copy sleeps
	Why      string    `json:"why,omitempty"`      // it does
	Waiting  string    `json:"waiting,omitempty"`
	Trouble  string    `json:"trouble,omitempty"` // the newest error of the stream
}

// reportEvery is how often progress is stored.
const reportEvery = time.Second

// report stores the progress, if it is time to. That it fails is no fault of the migration's.
func (r *streams) report(ctx context.Context) {
	if r.flow == nil || time.Since(r.told) < reportEvery {
		return
	}
	r.told = time.Now()
	p := progressOf(r.flow.Status(), r.rec, r.sourceSlots())
	p.Node, p.Trouble = r.s.opts.Node, r.flow.trouble()
	b, err := json.Marshal(p)
	if err == nil {
		err = r.s.opts.Migrations.Report(ctx, r.id, b)
	}
	if err != nil && ctx.Err() == nil {
		r.s.opts.Log.Warn("the progress of a migration was not stored", "migration", r.id, "error", err)
	}
}

// sourceSlots is how many slots the source owned before the switch.
func (r *streams) sourceSlots() int {
	m := r.s.opts.Topology.Map()
	i, ok := m.ShardIndex(r.rec.Source)
	if !ok {
		return 0
	}
	n := m.SlotCount(i)
	if !owns(&m.Spec, r.rec.Slots, r.rec.Source) {
		n += count(r.rec.Slots)
	}
	return n
}

// progressOf makes the report. Each table's rows to move are guessed by the part of its
// slots until some of it was seen, then by the part of it that was looked at.
func progressOf(s mover.Status, rec *Record, slots int) Progress {
	p := Progress{Time: time.Now().UTC(), Copied: s.Copied, Rate: s.Rate, LagMS: float64(s.Lag.Microseconds()) / 1000, Backlog: s.Backlog,
		Applied: s.Applied, Throttle: s.Throttle, Why: s.Reason, Waiting: s.Waiting}
	if rec.Copied > 0 || s.Phase == "following" {
		p.Copied = max(s.Copied, rec.Copied)
		p.Total = p.Copied
		return p
	}
	for _, t := range s.Tables {
		switch {
		case t.Done:
			p.Total += t.Copied
		case t.Scanned > 1000:
			p.Total += int64(float64(t.Copied) * float64(max(t.Estimate, t.Scanned)) / float64(t.Scanned))
		case slots > 0:
			p.Total += t.Estimate * int64(count(rec.Slots)) / int64(slots)
		}
	}
	p.Total = max(p.Total, p.Copied)
	switch left := float64(p.Total - p.Copied); {
	case left == 0:
	case p.Rate > 0:
		p.ETA = left / p.Rate
	default:
		p.ETA = -1
	}
	return p
}

// counters is what the metrics say of this proxy's work.
type counters struct {
	switches, aborted atomic.Int64
	lastPause         atomic.Int64 // nanoseconds
	longestPause      atomic.Int64
}

func (n *counters) pause(d time.Duration) {
	n.switches.Add(1)
	n.lastPause.Store(int64(d))
	for {
		old := n.longestPause.Load()
		if old >= int64(d) || n.longestPause.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// register shows the migrations in the metrics.
func register(s *Service) {
	if s.opts.Metrics == nil {
		return
	}
	one := func(name, help string, value func() float64) {
		s.opts.Metrics.Collect(name, help, nil, func() []metrics.Sample { return []metrics.Sample{{Value: value()}} })
	}
	one("sluice_migrations_running", "Migrations that this proxy runs.", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.running))
	})
	one("sluice_migrations_listed", "Migrations that the map lists.", func() float64 { return float64(len(s.opts.Topology.Map().Spec.Moves)) })
	one("sluice_migration_switches_total", "Switches that this proxy has made.", func() float64 { return float64(s.numbers.switches.Load()) })
	one("sluice_migration_aborted_attempts_total", "Attempts to switch that this proxy has taken back.", func() float64 { return float64(s.numbers.aborted.Load()) })
	one("sluice_migration_pause_seconds", "How long statements waited in the last switch of this proxy.", func() float64 {
		return time.Duration(s.numbers.lastPause.Load()).Seconds()
	})
	one("sluice_migration_longest_pause_seconds", "How long statements waited in the longest switch of this proxy.", func() float64 {
		return time.Duration(s.numbers.longestPause.Load()).Seconds()
	})
}
