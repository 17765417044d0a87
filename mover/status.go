package mover

import "time"

// Status is what a migration's stream is doing.
type Status struct {
	Phase    string // "preparing", "copying", "following", "paused", "" before Run
	Waiting  string // what it waits for, in words; "" for nothing
	Tables   []TableStatus
	Copied   int64         // rows written by the copy, over all tables and restarts
	Rate     float64       // rows copied a second, over the last seconds
	Applied  int64         // changed rows that were read again and written
	Lag      time.Duration // age of the last watermark that came back through the stream
	Backlog  int           // changed rows that were seen and are not applied yet
	Pending  int           // XA branches that are prepared and have changed rows of the slots
	Throttle float64       // part of the time that the copy sleeps, 0 to 1
	Reason   string        // why it does
	Verified time.Time     // end of the last pass of Verify without any difference
	Repaired int64         // rows that Verify has found different, and written again
	Position string        // in the source's log, up to which everything is applied
}

// TableStatus is how far the copy of a table is.
type TableStatus struct {
	Table    string
	Scanned  int64 // rows that were looked at, also those that do not move
	Estimate int64 // rows that the table has, by the server's estimate
	Copied   int64 // rows that moved
	Done     bool
}

// Report is what a comparison has found.
type Report struct {
	Rows        int64 // compared
	Differing   int64 // that differed, for certain
	Repaired    int64 // of these, written again
	Unsettled   int64 // that changed all the time they were looked at
	Differences []Difference
	Took        time.Duration
}

// Difference is one row that was not the same on both sides.
type Difference struct {
	Table string
	Key   string // in SQL
	What  string // "missing", "extra", "different": at the target
}

// maxDifferences bounds the rows that a report lists; all are counted.
const maxDifferences = 100

// Status says what is going on.
func (m *Mover) Status() Status {
	m.mu.Lock()
	s := m.status
	if st := m.state; st != nil {
		s.Applied, s.Repaired = st.Applied, st.Repaired
		for i, t := range st.Tables {
			ts := TableStatus{Table: t.Name, Scanned: t.Scanned, Copied: t.Copied, Done: t.Done, Estimate: m.tables[i].rows}
			if ts.Estimate = max(ts.Estimate, ts.Scanned); t.Done && t.Scanned > 0 {
				ts.Estimate = t.Scanned
			}
			s.Tables = append(s.Tables, ts)
			s.Copied += t.Copied
		}
	}
	if !m.running {
		s.Phase = ""
	}
	m.mu.Unlock()
	if f := m.feed.Load(); f != nil {
		f.mu.Lock()
		s.Lag, s.Backlog = f.lag, f.ready.n
		for _, at := range f.sent { // one that does not come back makes the lag
			s.Lag = max(s.Lag, time.Since(at))
		}
		f.mu.Unlock()
		s.Pending = len(f.pending())
	}
	m.pace.mu.Lock()
	s.Rate, s.Throttle, s.Reason = m.pace.perSec, m.pace.slept, m.pace.why
	if d := time.Since(m.pace.since); s.Waiting != "" {
		s.Rate = 0
	} else if d > 2*rateTime { // it is slower than it was
		s.Rate = float64(m.pace.written-m.pace.sinceN) / d.Seconds()
	}
	if s.Reason == "" {
		s.Reason = m.pace.others
	}
	m.pace.mu.Unlock()
	if s.Phase != "copying" {
		s.Rate, s.Throttle, s.Reason = 0, 0, ""
	}
	return s
}

// Pause stops copying; changes are followed all the same, so that the log does not run away.
func (m *Mover) Pause() { m.pace.paused.Store(true) }

// Resume ends a Pause.
func (m *Mover) Resume() { m.pace.paused.Store(false) }

// SetRate changes Options.Rate.
func (m *Mover) SetRate(rows int) { m.pace.rate.Store(int64(rows)) }
