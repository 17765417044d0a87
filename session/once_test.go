package session

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestLookedUpOnce: many sessions that need the same have one ask for it; its failure is not theirs, and none waits once its client has gone.
func TestLookedUpOnce(t *testing.T) {
	var o once
	what := look{version: 1, what: "triggers", schema: "shop"}
	for _, fails := range []error{nil, context.Canceled, errors.New("the shard is down")} {
		var asked atomic.Int32
		began, end := make(chan struct{}), make(chan struct{})
		first := make(chan error)
		go func() {
			first <- o.do(t.Context(), what, 0, func() error { close(began); <-end; asked.Add(1); return fails })
		}()
		<-began
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := o.do(gone, what, 0, func() error { t.Error("it asks, though its client has gone"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("who has gone: %v", err)
		}
		short := false
		if err := o.do(t.Context(), what, time.Nanosecond, func() error { short = true; return nil }); err != nil || !short {
			t.Errorf("who may wait no longer: %v, has asked: %v", err, short)
		}
		var all sync.WaitGroup
		const others = 20
		for range others {
			all.Go(func() {
				if err := o.do(t.Context(), what, 0, func() error { asked.Add(1); return nil }); err != nil {
					t.Errorf("another's error: %v", err)
				}
			})
		}
		for waits := 0; waits < 2+others; runtime.Gosched() {
			o.mu.Lock()
			waits = o.runs[what].waits
			o.mu.Unlock()
		}
		if err := o.do(t.Context(), look{version: 2, what: "triggers", schema: "shop"}, 0, func() error { return nil }); err != nil { // another version waits for nothing
			t.Error(err)
		}
		close(end)
		if err := <-first; !errors.Is(err, fails) {
			t.Errorf("the first: %v, want %v", err, fails)
		}
		all.Wait()
		if n := asked.Load(); fails == nil && n != 1 || fails != nil && n != 1+others || len(o.runs) != 0 {
			t.Errorf("after %v: %d asked, %d run", fails, n, len(o.runs))
		}
	}
}

// TestCatalogPassed: a session whose map is older than the catalog's is told so.
func TestCatalogPassed(t *testing.T) {
	c := newCatalog()
	c.snapshot(2, time.Now())
	if !c.passed(1) || c.passed(2) || c.passed(3) {
		t.Error("the map of the catalog is not known")
	}
}
