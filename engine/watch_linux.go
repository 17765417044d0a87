package engine

import (
	"context"
	"time"
)

// Watch calls stalled with the number of a loop that has not turned for limit or longer, once for each time
// that it happens, until ctx ends: what runs on it waits for something that it should have left the
// loop for, or the machine gives the process no time.
func (e *Engine) Watch(ctx context.Context, limit time.Duration, stalled func(loop int)) {
	if e == nil {
		return
	}
	look := time.NewTicker(limit)
	defer look.Stop()
	seen, said := make([]uint64, len(e.loops)), make([]bool, len(e.loops))
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		for i, l := range e.loops {
			turns := l.turns.Load()
			stands := turns == seen[i] && !l.asleep.Load()
			if stands && !said[i] {
				stalled(i)
			}
			seen[i], said[i] = turns, stands
		}
	}
}
