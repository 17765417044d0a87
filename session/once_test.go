package session

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
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
			first <- o.do(t.Context(), what, func() error { close(began); <-end; asked.Add(1); return fails })
		}()
		<-began
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := o.do(gone, what, func() error { t.Error("it asks, though its client has gone"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("who has gone: %v", err)
		}
		var all sync.WaitGroup
		const others = 20
		for range others {
			all.Go(func() {
				if err := o.do(t.Context(), what, func() error { asked.Add(1); return nil }); err != nil {
					t.Errorf("another's error: %v", err)
				}
			})
		}
		for waits := 0; waits < 1+others; runtime.Gosched() {
			o.mu.Lock()
			waits = o.runs[what].waits
			o.mu.Unlock()
		}
		if err := o.do(t.Context(), look{version: 2, what: "triggers", schema: "shop"}, func() error { return nil }); err != nil { // another version waits for nothing
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
