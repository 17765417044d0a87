package mover

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pace decides how much the copy takes at a time and how long it rests between. Chunks are
// of a size that takes about 100 ms to read; the rest is what the applications ask for (turns),
// and what the servers' load does: threads that run, the time of a commit at either side, which
// shows their disks, and the lag of replicas. It is none while they are idle, up to nine tenths
// of the time when they are busy; while a replica is far behind nothing is copied.
type pace struct {
	paused atomic.Bool
	rate   atomic.Int64 // rows a second; 0 is no limit

	mu       sync.Mutex
	n        int // rows of the next chunk
	commit   time.Duration
	load     float64 // 0: idle … 1: busy
	why      string
	stop     string  // why nothing is copied; "" for no reason
	slept    float64 // part of the time, of late
	others   string  // for whom, when it is the applications
	written  int64
	perSec   float64
	since    time.Time
	sinceN   int64
	rowBytes int
}

const (
	chunkTime = 100 * time.Millisecond
	rateTime  = 2 * time.Second // over which rows are counted
)

func (p *pace) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n == 0 {
		p.n = 500
	}
	return p.n
}

// read learns from a chunk.
func (p *pace) read(c *chunk, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.scanned == 0 {
		return
	}
	want := float64(p.n) * float64(chunkTime) / float64(max(took, time.Millisecond))
	if k := c.rows.len(); k > 0 {
		p.rowBytes = len(c.rows.data) / k
		// Half of what may be held, so that rows need rarely be read in vain.
		want = min(want, maxChunkBytes/2/float64(max(p.rowBytes, 1))*float64(c.scanned)/float64(k))
	}
	p.n = int(min(max(want, float64(p.n)/2, minChunk), float64(p.n)*2, maxChunk))
}

// limit is the pause after a chunk that the limit of rows asks for.
func (p *pace) limit(c *chunk, took time.Duration) time.Duration {
	rate := p.rate.Load()
	if rate <= 0 {
		return 0
	}
	return min(time.Duration(float64(c.rows.len())/float64(rate)*float64(time.Second))-took, 2*time.Second)
}

// shared notes how the copy has shared the last moments with applications.
func (p *pace) shared(work, rest time.Duration, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slept = (3*p.slept + rest.Seconds()/(work+rest).Seconds()) / 4
	p.others = why
}

// stopped says why the copy has to wait, "" for no reason.
func (p *pace) stopped() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop
}

// rest is the pause that the servers' load asks for after work that took so long.
func (p *pace) rest(took time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return min(time.Duration(float64(took)*p.load/(1.1-p.load)*1.1), 2*time.Second)
}

func (p *pace) committed(took time.Duration) {
	p.mu.Lock()
	p.commit = (3*p.commit + took) / 4
	p.mu.Unlock()
}

// wrote counts rows.
func (p *pace) wrote(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written += int64(n)
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	if d := now.Sub(p.since); d > rateTime {
		p.perSec = float64(p.written-p.sinceN) / d.Seconds()
		p.since, p.sinceN = now, p.written
	}
}

// Load is looked at twice a second.
const (
	lookTime  = 500 * time.Millisecond
	retryTime = 5 * time.Second // until the next login to one that did not answer
)

// Thresholds of load. Threads_running counts statements that are running, ours among them.
const (
	idleThreads = 4.0  // below, the copy does not rest
	busyThreads = 12.0 // above, it rests as much as it may
	slowCommit  = 100 * time.Millisecond
	replicaLag  = 10 // seconds, from which on the copy stands still
)

// watchLoad looks at the load of the servers until ctx ends. A server that does not answer
// counts as idle: who needs it will see the error.
func watchLoad(ctx context.Context, m *Mover) {
	servers := append([]Server{m.opts.Source, m.opts.Target}, m.opts.Replicas...)
	sessions := make([]*session, len(servers))
	again := make([]time.Time, len(servers)) // to log in
	readers := make([]float64, len(servers)) // of the binary log: they run, and take nothing
	full := make([]string, len(servers))     // of disk, and how
	defer func() {
		for _, s := range sessions {
			s.close()
		}
	}()
	for n := 0; n == 0 || nap(ctx, lookTime) == nil; n++ {
		load, why, stop := 0.0, "", ""
		for i, srv := range servers {
			if sessions[i] == nil {
				if time.Now().Before(again[i]) {
					continue
				}
				again[i] = time.Now().Add(retryTime)
				s, err := plain(ctx, srv)
				if err != nil {
					continue
				}
				s.short, sessions[i] = true, s
			}
			if n%20 == 0 && i < 2 {
				readers[i] = logReaders(sessions[i])
			}
			l, w, err := look(sessions[i], readers[i], i >= 2)
			if err == nil && i < 2 && n%10 == 0 {
				full[i], err = short(sessions[i], m.opts.Free)
			}
			if full[i] != "" {
				stop = "the copy waits: " + srv.Name + " " + full[i]
			}
			if err != nil {
				sessions[i].close()
				sessions[i] = nil
			}
			if i >= 2 && l >= 1 {
				stop = "the copy waits: " + srv.Name + " " + w
			}
			if l > load {
				load, why = l, srv.Name+" "+w
			}
		}
		m.pace.loaded(load, why, stop)
	}
}

// look gives the load of a server from 0 to 1, and what says so.
func look(s *session, readers float64, replica bool) (float64, string, error) {
	if replica {
		lag, err := replicaLagOf(s)
		switch {
		case err != nil:
			return 0, "", err
		case lag < 0:
			return 1, "does not replicate; start it, or stop the server: one that cannot be reached is not waited for", nil
		}
		return min(max(float64(lag-1)/(replicaLag-1), 0), 1), fmt.Sprintf("lags %d s", lag), nil
	}
	rows, err := s.query("SHOW GLOBAL STATUS LIKE 'Threads_running'")
	if err != nil || len(rows) != 1 {
		return 0, "", err
	}
	n, err := strconv.ParseFloat(string(rows[0][1]), 64)
	n -= readers
	return min(max((n-idleThreads)/(busyThreads-idleThreads), 0), 1), fmt.Sprintf("runs %.0f threads", n), err
}

// logReaders counts those who read a server's binary log; Threads_running counts them too.
func logReaders(s *session) (n float64) {
	rows, err := s.query("SHOW PROCESSLIST")
	if err != nil {
		return 0
	}
	for _, r := range rows {
		if len(r) > 4 && strings.HasPrefix(string(r[4]), "Binlog Dump") {
			n++
		}
	}
	return n
}

// replicaLagOf reads Seconds_Behind_Master (or Source) by its name; -1: it does not replicate.
// A server that is no replica lags nothing.
func replicaLagOf(s *session) (int64, error) {
	for _, sql := range []string{"SHOW SLAVE STATUS", "SHOW REPLICA STATUS"} {
		cols, rows, err := s.Query(sql)
		if err != nil {
			continue
		}
		for i, c := range cols {
			if name := string(c.Name); len(rows) > 0 && (name == "Seconds_Behind_Master" || name == "Seconds_Behind_Source") {
				if rows[0][i] == nil {
					return -1, nil
				}
				return strconv.ParseInt(string(rows[0][i]), 10, 64)
			}
		}
		return 0, nil
	}
	return 0, nil
}

// loaded moves towards a load: up at once, down slowly.
func (p *pace) loaded(load float64, why, stop string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = stop
	if p.commit > slowCommit {
		if l := min(float64(p.commit-slowCommit)/float64(4*slowCommit), 1); l > load {
			load, why = l, fmt.Sprintf("a commit takes %v", p.commit.Round(time.Millisecond))
		}
	}
	if load < p.load {
		load = max(load, p.load-0.2)
	}
	p.load = load
	if p.why = why; load == 0 {
		p.why = ""
	}
}
