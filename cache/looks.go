package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// looks brings the looks into Redis together that come while others are under way: who has made one
// asks for all that wait then, in one MGET. A round trip costs the proxy and Redis far more than a key does.
//
// Whoever looks waits no longer than a read may; what it has asked goes on. To break it off would cost the connection, and the
// next reader would have to make one, which takes longer still: on a machine that is busy for a moment nobody would ever get an answer again.
type looks struct {
	mget func(ctx context.Context, keys []string) ([]any, error)

	mu      sync.Mutex
	running int
	waiting []*looker
}

// looker is one that waits.
type looker struct {
	keys []string
	done chan struct{}
	got  []any
	err  error
}

const (
	looksAtOnce  = 4  // MGETs under way; with one the others would wait for a far Redis twice
	looksBatch   = 64 // lookers
	looksWaiting = 2000
	asksAtOnce   = 256 // of other questions
)

var errBusy = errors.New("too many reads wait for Redis")

// get asks for keys.
func (l *looks) get(ctx context.Context, keys []string) ([]any, error) {
	w := &looker{keys: keys, done: make(chan struct{})}
	l.mu.Lock()
	if len(l.waiting) >= looksWaiting {
		l.mu.Unlock()
		return nil, errBusy
	}
	l.waiting = append(l.waiting, w)
	if l.running < looksAtOnce {
		l.running++
		go l.run()
	}
	l.mu.Unlock()
	select {
	case <-w.done:
		return w.got, w.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return nil, ctx.Err()
}

// run answers those who wait until nobody does.
func (l *looks) run() {
	for {
		l.mu.Lock()
		n := min(len(l.waiting), looksBatch)
		if n == 0 {
			l.running--
			l.mu.Unlock()
			return
		}
		batch := slices.Clone(l.waiting[:n])
		l.waiting = slices.Delete(l.waiting, 0, n)
		l.mu.Unlock()
		keys := batch[0].keys
		if n > 1 {
			keys = nil
			for _, w := range batch {
				keys = append(keys, w.keys...)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), writeBudget)
		got, err := l.mget(ctx, keys)
		cancel()
		if err == nil && len(got) != len(keys) {
			err = errMixed
		}
		for _, w := range batch {
			if w.err = err; err == nil {
				w.got, got = got[:len(w.keys):len(w.keys)], got[len(w.keys):]
			}
			close(w.done)
		}
	}
}

// asks are the other questions that readers do not wait for to the end.
type asks struct{ running atomic.Int64 }

// within asks, and waits as long as ctx lasts.
func within[T any](ctx context.Context, a *asks, ask func(ctx context.Context) (T, error)) (answer T, err error) {
	if a.running.Add(1) > asksAtOnce {
		a.running.Add(-1)
		return answer, errBusy
	}
	type reply struct {
		answer T
		err    error
	}
	done := make(chan reply, 1)
	go func() {
		defer a.running.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), writeBudget)
		defer cancel()
		answer, err := ask(ctx)
		done <- reply{answer, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}
