package cache

import (
	"context"
	"sync"
	"time"
)

// flights lets one session of this proxy ask the database for a result that many want. The others
// wait for it, and then look again: what it was given may be older than what they may be given.
// That many wait is no more than a matter of speed, so every wait has a bound, and who has waited in vain asks himself.
type flights struct {
	mu     sync.Mutex
	flying map[string]*flight   // by entry
	barren map[string]time.Time // entries whose results are not stored, and until when nobody waits for them
}

// flight is one that is under way.
type flight struct {
	entry string
	began time.Time
	done  chan struct{}
}

const (
	loadWait   = 250 * time.Millisecond // for a session of the same proxy
	lockWait   = 150 * time.Millisecond // for another proxy
	lockLease  = loadWait
	loadWaits  = 2 // how often one read waits
	barrenTime = time.Second
	barrenMost = 1000
)

// join gives the flight for an entry, and whether the caller is the one who asks; nil where
// nobody is waited for.
func (f *flights) join(entry string) (fl *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if until, ok := f.barren[entry]; ok {
		if time.Now().Before(until) {
			return nil, true
		}
		delete(f.barren, entry)
	}
	if fl := f.flying[entry]; fl != nil {
		if time.Since(fl.began) > loadWait { // a slow query, or a client that takes its answer slowly
			return nil, true
		}
		return fl, false
	}
	if f.flying == nil {
		f.flying, f.barren = map[string]*flight{}, map[string]time.Time{}
	}
	fl = &flight{entry: entry, began: time.Now(), done: make(chan struct{})}
	f.flying[entry] = fl
	return fl, true
}

// end ends a flight, which may be nil. Where the result is one that is not stored, nobody waits
// for the next ones.
func (f *flights) end(fl *flight, barren bool) {
	if fl == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flying[fl.entry] == fl {
		delete(f.flying, fl.entry)
	}
	if barren {
		for old := range f.barren {
			if len(f.barren) < barrenMost {
				break
			}
			delete(f.barren, old)
		}
		f.barren[fl.entry] = time.Now().Add(barrenTime)
	}
	close(fl.done)
}

// wait waits for a flight's end, and tells whether it came in time.
func (fl *flight) wait(ctx context.Context) bool {
	t := time.NewTimer(loadWait)
	defer t.Stop()
	select {
	case <-fl.done:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}
