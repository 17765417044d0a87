package session

import "context"

// ids implements exec.Sequence and topo.IDUser: the sequence of the statement's table, "schema.table".
type ids struct {
	r     *running
	seq   string
	floor *uint64 // the largest id in use before; nil: it is not known yet
}

func (i *ids) Prepare(ctx context.Context) error {
	floor, err := i.r.planner.largestID(ctx, i.seq)
	if err != nil {
		return refuse(1105, "HY000", "no ids of sequence %s could be had: %v", i.seq, err)
	}
	i.floor = &floor
	return nil
}

// Floor implements topo.IDUser.
func (i *ids) Floor(ctx context.Context) (uint64, error) {
	if i.floor != nil {
		return *i.floor, nil
	}
	return i.r.planner.largestID(ctx, i.seq)
}

// Leave implements topo.IDUser.
func (i *ids) Leave() { i.r.c.Task.Leave() }

func (i *ids) Take(ctx context.Context, n int) (uint64, error) {
	first, err := i.r.h.topo.NextIDs(ctx, i.seq, n, i)
	if err != nil {
		return 0, refuse(1105, "HY000", "no ids of sequence %s could be had: %v", i.seq, err)
	}
	return first, nil
}

func (i *ids) Keep(ctx context.Context, least, most uint64) error {
	if err := i.r.h.topo.RaiseRange(ctx, i.seq, least, most, i); err != nil {
		return refuse(1105, "HY000", "the sequence %s could not be moved past %d: %v", i.seq, most, err)
	}
	return nil
}
