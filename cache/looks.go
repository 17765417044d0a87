package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// looks brings the looks into Redis together that come while others are under way: the first that
// waits asks for all, in one MGET. A round trip costs the proxy and Redis far more than a key does.
type looks struct {
	mget   func(ctx context.Context, keys []string) ([]any, error)
	budget time.Duration

	mu      sync.Mutex
	running int
	waiting []*looker
}

// looker is one that waits.
type looker struct {
	keys  []string
	batch []*looker     // not nil: it asks for these, of whom it is one
	wake  chan struct{} // it has an answer, or a batch
	got   []any
	err   error
}

const (
	looksAtOnce  = 4  // MGETs under way; with one the others would wait for the farthest Redis twice
	looksBatch   = 64 // lookers
	looksWaiting = 2000
)

var errBusy = errors.New("too many reads wait for Redis")

// get asks for keys.
func (l *looks) get(ctx context.Context, keys []string) ([]any, error) {
	l.mu.Lock()
	switch {
	case l.running < looksAtOnce:
		l.running++
		l.mu.Unlock()
		got, err := l.mget(ctx, keys)
		l.next()
		return got, err
	case len(l.waiting) >= looksWaiting:
		l.mu.Unlock()
		return nil, errBusy
	}
	w := &looker{keys: keys, wake: make(chan struct{}, 1)}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.wake:
	case <-ctx.Done():
		l.mu.Lock()
		i := slices.Index(l.waiting, w)
		if i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
		}
		mine := w.batch
		l.mu.Unlock()
		if mine == nil { // the answer, if it comes, is nobody's
			return nil, ctx.Err()
		}
	}
	if w.batch != nil {
		l.run(w.batch)
	}
	return w.got, w.err
}

// run asks for a batch, whose first one is the caller.
func (l *looks) run(batch []*looker) {
	var keys []string
	for _, w := range batch {
		keys = append(keys, w.keys...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.budget)
	got, err := l.mget(ctx, keys)
	cancel()
	if err == nil && len(got) != len(keys) {
		err = errMixed
	}
	for i, w := range batch {
		if w.err = err; err == nil {
			w.got, got = got[:len(w.keys):len(w.keys)], got[len(w.keys):]
		}
		if i > 0 {
			w.wake <- struct{}{}
		}
	}
	l.next()
}

// next gives the place of an MGET that has ended to those who wait.
func (l *looks) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), looksBatch)
	if n == 0 {
		l.running--
		return
	}
	first := l.waiting[0]
	first.batch = slices.Clone(l.waiting[:n])
	l.waiting = append(l.waiting[:0], l.waiting[n:]...)
	first.wake <- struct{}{}
}
