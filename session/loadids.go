package session

import "context"

// loadIDs implements exec.IDs: the ids that rows of a LOAD DATA get while they stream.
type loadIDs struct {
	h       *Handler
	planner *planner
	floor   uint64 // the largest id in use before
}

func (l *loadIDs) Prepare(ctx context.Context, seq string) (err error) {
	l.floor, err = l.planner.largestID(ctx, seq)
	return err
}

func (l *loadIDs) NextIDs(ctx context.Context, seq string, n int) (uint64, error) {
	return l.h.topo.NextIDs(ctx, seq, n, func(context.Context) (uint64, error) { return l.floor, nil })
}

func (l *loadIDs) RaiseIDs(ctx context.Context, seq string, low, high uint64) error {
	return l.h.topo.RaiseRange(ctx, seq, low, high)
}
