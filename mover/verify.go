package mover

import "context"

// inquiry is a question of Verify's about rows that differ.
type inquiry struct{}

func (w *worker) inquire(ctx context.Context, f *feed, q *inquiry) error { return nil }
