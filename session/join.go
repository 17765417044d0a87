package session

import (
	"context"
	"slices"

	"sluice/backend"
	"sluice/exec"
)

// run runs the bound statement. The shards of one over several join an open transaction
// first, all in one round trip; otherwise each would when it is leased.
func (r *running) run(ctx context.Context, st *statement, e *entry) (exec.Outcome, error) {
	if r.kept.tx.Open() && len(r.bound.Legs) > 1 {
		shards := make([]int, 0, len(r.bound.Legs))
		for i := range r.bound.Legs {
			shards = append(shards, r.bound.Legs[i].Shard)
		}
		slices.Sort(shards) // two statements that each wait for the other's connection cannot be
		names := make([]string, 0, len(shards))
		for _, i := range slices.Compact(shards) {
			names = append(names, r.args.Map.ShardName(i))
		}
		if err := r.held.join(ctx, names); err != nil {
			return exec.Outcome{}, err
		}
	}
	return exec.Run(ctx, r.c.Conn, r, r.request(st, e))
}

// join brings shards into the open transaction. One whose connection is pinned joins when it
// is leased.
func (h *held) join(ctx context.Context, shards []string) (err error) {
	var list []*backend.Conn
	for _, shard := range shards {
		if h.kept.tx.Leg(shard) != nil {
			continue
		}
		if h.kept.pins.of(shard) != nil {
			if len(list) == 0 && len(h.kept.tx.Legs()) == 0 {
				return nil // it may be the first, which is not a branch
			}
			continue
		}
		ask := wants(h.kept)
		ask.Held = ask.Held || len(list) > 0
		c, e := h.h.pools.GetFor(ctx, ask, shard, h.state.class, h.state.schema, h.state.vars.backend)
		if e != nil {
			err = e
			break
		}
		list = append(list, c)
	}
	if err == nil && len(list) > 0 {
		err = h.kept.tx.JoinAll(ctx, list, h.joining(false))
	}
	if err != nil {
		for _, c := range list {
			c.Close()
		}
	}
	return err
}
