package txn

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/wire"
)

// InDoubt is a transaction with prepared branches, for people.
type InDoubt struct {
	GTRID    string
	Age      time.Duration // since it was found
	Shards   []string      // that hold a branch of it
	Decision string        // undecided, commit or abort: as far as it was asked for
	Note     string        // why it is still there
}

// InDoubt lists what the last look at the shards has found, the oldest first.
func (d *Decisions) InDoubt() []InDoubt {
	d.lookout.mu.Lock()
	defer d.lookout.mu.Unlock()
	list := make([]InDoubt, 0, len(d.lookout.found))
	for gtrid, x := range d.lookout.found {
		one := InDoubt{GTRID: gtrid, Age: time.Since(x.since), Shards: slices.Sorted(maps.Keys(x.branches)), Decision: x.decision.String()}
		if x.err != nil {
			one.Note = x.err.Error()
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b InDoubt) int { return int(b.Age - a.Age) })
	return list
}

// Counts are the numbers for metrics.
type Counts struct {
	Prepared   int           // branches found by the last look
	Oldest     time.Duration // of them
	Recovered  uint64        // transactions of other proxies, or left by this one, that were committed
	RolledBack uint64
	Unknown    uint64 // clients that were told that the outcome is unknown
}

// Counts gives the numbers of now.
func (d *Decisions) Counts() Counts {
	d.lookout.mu.Lock()
	defer d.lookout.mu.Unlock()
	c := Counts{Recovered: d.recovered.Load(), RolledBack: d.rolledBack.Load(), Unknown: d.unknown.Load()}
	for _, x := range d.lookout.found {
		c.Prepared += len(x.branches)
		c.Oldest = max(c.Oldest, time.Since(x.since))
	}
	return c
}

// Resolve ends a transaction by a DBA's word. A decision that is stored is not overruled:
// half of the transaction may stand on it. Without one the word is written down first.
func (d *Decisions) Resolve(ctx context.Context, gtrid string, commit bool) (finished int, err error) {
	id, err := parseXID(gtrid)
	if err != nil {
		return 0, err
	}
	want := aborted
	if commit {
		want = committed
	}
	ctx, cancel := context.WithTimeout(ctx, 2*lookTime)
	defer cancel()
	coordinator, err := d.shardOf(id.coordinator)
	if err == nil {
		if err := d.decree(ctx, coordinator, gtrid, want); err != nil {
			return 0, err
		}
	} // a coordinator that is gone for good is why a DBA has to say it
	var failed []string
	for _, shard := range d.shardNames() {
		err := d.on(ctx, shard, func(c *backend.Conn) error {
			found, err := branches(c)
			if err != nil {
				return err
			}
			for _, b := range found {
				if b.gtrid == gtrid && b.shard == shardID(shard) {
					if err := late(d, c, b, want, true); err != nil {
						return err
					}
					finished++
				}
			}
			return nil
		})
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s (%v)", shard, err))
		}
	}
	if finished == 0 && len(failed) == 0 {
		return 0, fmt.Errorf("no shard has a prepared branch of %s", gtrid)
	}
	d.opts.Log.Warn("a transaction was resolved by hand", "gtrid", gtrid, "decision", want.String(), "branches", finished, "failed", failed)
	if len(failed) > 0 {
		return finished, fmt.Errorf("%d branches were finished, but not all shards could be asked: %s", finished, strings.Join(failed, ", "))
	}
	return finished, nil
}

// decree writes the decision down where it is none.
func (d *Decisions) decree(ctx context.Context, coordinator, gtrid string, want decision) error {
	return d.on(ctx, coordinator, func(c *backend.Conn) error {
		_, err := c.Exec("INSERT INTO _sluice.decisions (gtrid, decision) VALUES ('" + gtrid + "', '" + want.String() + "')")
		if wire.IsCode(err, 1205) {
			return fmt.Errorf("its COMMIT is under way on shard %s", coordinator)
		}
		if !wire.IsCode(err, 1062) {
			return err
		}
		have, err := stored(c, gtrid)
		if err == nil && have != want {
			err = fmt.Errorf("the transaction is decided already: %s, on shard %s", have, coordinator)
		}
		return err
	})
}

// Left counts what a shard that is to go still has to do with transactions over several
// shards of this cluster: decisions that may be asked for, and prepared branches.
func (d *Decisions) Left(ctx context.Context, shard string) (n int, err error) {
	cluster, err := d.clusterID(ctx)
	if err != nil {
		return 0, err
	}
	err = d.on(ctx, shard, func(c *backend.Conn) error {
		rows, err := decisions(c, cluster)
		if wire.IsCode(err, 1049, 1146) { // it never took part in one
			err = nil
		}
		if err != nil {
			return err
		}
		prepared, err := branches(c)
		n = len(rows)
		for _, b := range prepared {
			if strings.HasPrefix(b.gtrid, cluster+".") {
				n++
			}
		}
		return err
	})
	return n, err
}
