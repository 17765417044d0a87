package cache

import (
	"context"
	"sync"
	"time"
)

// flights lets one session of this proxy ask the database for a result that many want. The others
// wait for it. Who came before the database was asked is given the same answer, stored or not: it is one that he could have
// been given himself. Who came later looks again, for it may be older than what he may be given, and if nothing is
// stored (because somebody writes) all of these wait for the next one that asks: so for a result that is written as often as it is read
// the database is asked by one after the other. That many wait is no more than a matter of speed: every wait has a bound, and who has
// waited in vain for some seconds asks himself.
type flights struct {
	most   time.Duration // how long one is waited for
	mu     sync.Mutex
	flying map[string]*flight   // by entry
	barren map[string]time.Time // entries whose results are not stored, and until when nobody waits for them
}

// flight is one that is under way.
type flight struct {
	entry string
	began time.Time
	done  chan struct{}
	res   *Result // once it is done; nil: there is none that others may be given
}

const (
	loadWait   = time.Second            // for a session of the same proxy
	lockWait   = 150 * time.Millisecond // for another proxy
	lockLease  = 250 * time.Millisecond
	loadWaits  = 4 // how often one read waits
	hurryEvery = 20 * time.Millisecond
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
	if fl := f.flying[entry]; fl != nil && time.Since(fl.began) < f.most {
		return fl, false
	} // else a slow query, or a client that takes its answer slowly: another one asks, too, and the next are waiting for that
	if f.flying == nil {
		f.flying, f.barren = map[string]*flight{}, map[string]time.Time{}
	}
	fl = &flight{entry: entry, began: time.Now(), done: make(chan struct{})}
	f.flying[entry] = fl
	return fl, true
}

// end ends a flight, which may be nil, with the result that others may be given, nil for none. Where it is one that is
// never stored, nobody waits for the next ones.
func (f *flights) end(fl *flight, res *Result, barren bool) {
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
	fl.res = res
	close(fl.done)
}

// wait waits for a flight's end, and gives its result to one who came before it began. nil: look again. Who waits
// holds up a switch of slots, so that it ends where hurry says so.
func (f *flights) wait(ctx context.Context, fl *flight, came time.Time, hurry func() bool) *Result {
	t := time.NewTicker(hurryEvery)
	defer t.Stop()
	for end := time.Now().Add(f.most); ; {
		select {
		case <-fl.done:
			if came.Before(fl.began) {
				return fl.res
			}
			return nil
		case now := <-t.C:
			if now.After(end) || hurry() {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}
