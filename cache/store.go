package cache

import (
	"context"
	"sync/atomic"
	"time"
)

// store holds tags and entries. A tag's state is its version, and behind it the marks of those
// who write: "VERSION|WRITER:END|…", END in milliseconds of the store's clock. "" is a tag that is not there.
type store interface {
	buckets() int
	// look gives the states of the tags, and the entry's value if it is asked for, nil when there is none.
	look(ctx context.Context, at *place, entry bool) (states []string, value []byte, err error)
	// fresh gives the states of the tags, each of which is there then; a mark whose time is over
	// is taken off, for a new version.
	fresh(ctx context.Context, at *place, version string) ([]string, error)
	// open is fresh and lock together: the entry's lock is made if nobody has it and nobody writes the
	// tags in its bucket.
	open(ctx context.Context, at *place, version, name string, lease time.Duration) (states []string, mine bool, err error)
	// fill stores an entry if the tags are still in these states, as far as one step can tell, and
	// takes off the lock of that name, if any.
	fill(ctx context.Context, at *place, states []string, value []byte, ttl time.Duration, lock string) (stored bool, err error)
	// lock makes a lock that nobody else has, and unlock takes it off if it has that name.
	lock(ctx context.Context, k key, name string, lease time.Duration) (bool, error)
	unlock(ctx context.Context, k key, name string) error
	// begin gives all tags a new version and the writer's mark; end a new version, without it.
	begin(ctx context.Context, tags []key, version, writer string, lease time.Duration) error
	end(ctx context.Context, tags []key, version, writer string) error
	ping(ctx context.Context) error
	close()
}

// breaker keeps reads from waiting for a Redis that does not answer: after some failures in a row
// there are none for a while, then one at a time tries. Those that come together, of readers who wait at the same
// time, are one: a moment's stall is not a Redis that is gone.
type breaker struct {
	failures atomic.Int32
	last     atomic.Int64 // Unix nanoseconds, of the newest failure that counts
	until    atomic.Int64 // Unix nanoseconds
	opened   atomic.Int64 // how often
}

const (
	breakerAfter = 5
	breakerTime  = 500 * time.Millisecond
)

// closed tells whether Redis may be asked.
func (b *breaker) closed() bool {
	if b.failures.Load() < breakerAfter {
		return true
	}
	until, now := b.until.Load(), time.Now().UnixNano()
	return now >= until && b.until.CompareAndSwap(until, now+int64(breakerTime)) // one tries
}

// report notes how an attempt ended and gives its error.
func (b *breaker) report(err error) error {
	if err == nil {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return nil
	}
	last, now := b.last.Load(), time.Now().UnixNano()
	if now-last < int64(readBudget) || !b.last.CompareAndSwap(last, now) {
		return err
	}
	if b.failures.Add(1) >= breakerAfter {
		if until := b.until.Load(); time.Now().UnixNano() >= until {
			b.until.Store(time.Now().Add(breakerTime).UnixNano())
			b.opened.Add(1)
		}
	}
	return err
}
