package txn

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/backend"
)

// forget deletes the decisions that nobody can ask for any more: those of which no shard
// has a branch, as all shards have just said. What another proxy than its own has decided
// or finished stays until its own cannot come back and ask, or try to decide otherwise.
func (w *lookout) forget(ctx context.Context, shards []string, results []shardResult) {
	now := time.Now()
	w.mu.Lock()
	seen := map[string]time.Time{}
	useless := make([][]string, len(shards))
	for i := range shards {
		for _, r := range results[i].rows {
			_, prepared := w.found[r.gtrid]
			switch first, known := w.seen[r.gtrid]; {
			case prepared || w.d.isLeft(r.gtrid):
			case r.decision != committed.String() && !known:
				seen[r.gtrid] = now
			case r.decision != committed.String() && now.Sub(first) < keepMarks:
				seen[r.gtrid] = first
			default:
				useless[i] = append(useless[i], r.gtrid)
			}
		}
	}
	w.seen = seen
	w.mu.Unlock()
	for i, shard := range shards {
		for list := range slices.Chunk(useless[i], 500) {
			err := w.d.on(ctx, shard, func(c *backend.Conn) error {
				return deleteRows(c, list)
			})
			if err != nil && ctx.Err() == nil {
				w.d.opts.Log.Warn("old decisions could not be deleted", "shard", shard, "error", err)
				break
			}
		}
	}
}

// deleteRows deletes decisions one by one, in one transaction and one write: a server that
// takes a list of keys for a reason to scan the table would wait for rows that are being
// committed.
func deleteRows(c *backend.Conn, gtrids []string) error {
	statements := []string{"BEGIN"}
	for _, gtrid := range gtrids {
		statements = append(statements, "DELETE FROM _sluice.decisions WHERE gtrid = '"+gtrid+"'")
	}
	statements = append(statements, "COMMIT")
	if err := sendAll(c, statements...); err != nil {
		return err
	}
	err := receiveAll(c, len(statements))
	if err != nil {
		return fmt.Errorf("%v", err) // no *wire.Error: whatever the transaction has come to, the connection is closed
	}
	return nil
}
