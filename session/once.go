package session

import (
	"context"
	"sync"
	"time"
)

// look is what is looked up for all sessions: of a schema or a table, as of a catalog's version.
type look struct {
	version int64
	what    string
	schema  string
	table   string
}

// once lets one session look up what many need: when what is known has become too old, all statements come at once.
type once struct {
	mu   sync.Mutex
	runs map[look]*lookRun
}

// lookRun is a look-up that runs.
type lookRun struct {
	done  chan struct{}
	err   error // once done is closed
	waits int   // who has come since; under the lock of once
}

// othersLook bounds the wait for another session's look-up: it passes over a shard that hangs sooner.
const othersLook = 2 * askTime

// do calls ask, or waits for another session that does, no longer than patience, 0: as long as is usual. Where that failed, as its client has gone, say, or takes long, everyone asks
// by himself: nobody has another's error.
func (o *once) do(ctx context.Context, what look, patience time.Duration, ask func() error) error {
	o.mu.Lock()
	other := o.runs[what]
	if other == nil {
		own := &lookRun{done: make(chan struct{}), err: context.Canceled}
		if o.runs == nil {
			o.runs = map[look]*lookRun{}
		}
		o.runs[what] = own
		o.mu.Unlock()
		defer func() { // a panic ends the session, and nobody waits for it
			o.mu.Lock()
			delete(o.runs, what)
			o.mu.Unlock()
			close(own.done)
		}()
		own.err = ask()
		return own.err
	}
	other.waits++
	o.mu.Unlock()
	if patience <= 0 || patience > othersLook {
		patience = othersLook
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-other.done:
		if other.err == nil {
			return nil
		}
	case <-limit.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return ask()
}
