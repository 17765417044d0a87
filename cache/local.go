package cache

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// local is the store of a proxy that is the only one of its cluster.
type local struct {
	mu      sync.Mutex
	tags    map[string]*localTag
	entries *otter.Cache[string, localEntry]
}

type localTag struct {
	version string
	marks   map[string]time.Time
}

type localEntry struct {
	value []byte
	until time.Time
}

// Bounds of what is held. A tag that is dropped is a tag that is not there: nobody believes an entry without it.
const (
	localBytes = 64 << 20
	localTags  = 200_000
)

func newLocal() *local {
	return &local{tags: map[string]*localTag{}, entries: newEntries()}
}

func newEntries() *otter.Cache[string, localEntry] {
	return otter.Must(&otter.Options[string, localEntry]{
		MaximumWeight: localBytes,
		Weigher:       func(k string, e localEntry) uint32 { return uint32(len(k) + len(e.value) + 128) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, localEntry]) time.Duration {
			return max(time.Until(e.Value.until), time.Millisecond)
		}),
	})
}

func (l *local) buckets() int { return 1 }

func (l *local) close() { l.entries.StopAllGoroutines() }

func (l *local) ping(context.Context) error { return nil }

func (t *localTag) state() string {
	if len(t.marks) == 0 {
		return t.version
	}
	var b strings.Builder
	b.WriteString(t.version)
	for id, end := range t.marks {
		b.WriteString("|" + id + ":" + strconv.FormatInt(end.UnixMilli(), 10))
	}
	return b.String()
}

// live tells whether somebody writes.
func (t *localTag) live() bool {
	now := time.Now()
	for _, end := range t.marks {
		if now.Before(end) {
			return true
		}
	}
	return false
}

func (l *local) look(_ context.Context, at *place, entry bool) ([]string, []byte, error) {
	states := make([]string, len(at.tags))
	l.mu.Lock()
	for i, k := range at.tags {
		if t := l.tags[k.name]; t != nil {
			states[i] = t.state()
		}
	}
	l.mu.Unlock()
	if !entry {
		return states, nil, nil
	}
	e, ok := l.entries.GetIfPresent(at.entry.name)
	if !ok || time.Now().After(e.until) {
		return states, nil, nil
	}
	return states, e.value, nil
}

// tag gives a tag, made when it is not there. The lock is held.
func (l *local) tag(name, version string) *localTag {
	t := l.tags[name]
	if t != nil {
		return t
	}
	for old, o := range l.tags {
		if len(l.tags) < localTags {
			break
		}
		if !o.live() {
			delete(l.tags, old)
		}
	}
	t = &localTag{version: version, marks: map[string]time.Time{}}
	l.tags[name] = t
	return t
}

func (l *local) fresh(_ context.Context, at *place, version string) ([]string, error) {
	states, now := make([]string, len(at.tags)), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, k := range at.tags {
		t := l.tag(k.name, version)
		for id, end := range t.marks {
			if now.After(end) {
				delete(t.marks, id)
				t.version = version
			}
		}
		states[i] = t.state()
	}
	return states, nil
}

func (l *local) open(ctx context.Context, at *place, version, _ string, _ time.Duration) ([]string, bool, error) {
	states, err := l.fresh(ctx, at, version)
	return states, clean(states), err
}

func (l *local) fill(_ context.Context, at *place, states []string, value []byte, ttl time.Duration, _ string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, k := range at.tags {
		if t := l.tags[k.name]; t == nil || t.state() != states[i] {
			return false, nil
		}
	}
	l.entries.Set(at.entry.name, localEntry{value, time.Now().Add(ttl)})
	return true, nil
}

func (l *local) lock(context.Context, key, string, time.Duration) (bool, error) { return true, nil }

func (l *local) unlock(context.Context, key, string) error { return nil }

func (l *local) begin(_ context.Context, tags []key, version, writer string, lease time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range tags {
		t := l.tag(k.name, version)
		t.version, t.marks[writer] = version, time.Now().Add(lease)
	}
	return nil
}

func (l *local) end(_ context.Context, tags []key, version, writer string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range tags {
		if t := l.tags[k.name]; t != nil {
			t.version = version
			delete(t.marks, writer)
		}
	}
	return nil
}
