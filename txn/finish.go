package txn

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/wire"
)

// Run finishes what this proxy has left, at once, and what dead ones have left, every
// second, until ctx ends.
func (d *Decisions) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		d.finishLeft(ctx)
		d.lookout.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.wake:
			d.finishLeft(ctx)
			if !sleep.For(ctx, 100*time.Millisecond) {
				return
			}
		}
	}
}

// finishLeft ends the transactions that this proxy could not end while its client waited.
func (d *Decisions) finishLeft(ctx context.Context) {
	d.mu.Lock()
	left := make(map[string]leftover, len(d.left))
	for gtrid, l := range d.left {
		left[gtrid] = l
	}
	d.mu.Unlock()
	for gtrid, l := range left {
		if ctx.Err() != nil {
			return
		}
		if d.finishOne(ctx, gtrid, l) {
			d.mu.Lock()
			delete(d.left, gtrid)
			d.mu.Unlock()
		}
	}
}

// finishOne tells whether nothing is left of a transaction.
func (d *Decisions) finishOne(ctx context.Context, gtrid string, l leftover) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if l.decision == undecided {
		var err error
		if l.decision, err = d.ask(ctx, l.shards[0], gtrid); err != nil || l.decision == undecided {
			return false
		}
	}
	done := true
	for _, shard := range l.shards[1:] {
		err := d.on(ctx, shard, func(c *backend.Conn) error {
			found, err := branches(c)
			if err != nil {
				return err
			}
			for _, b := range found {
				if b.gtrid == gtrid && b.shard == shardID(shard) {
					// This proxy closed the connection that had the branch: it may be cut.
					return late(d, c, b, l.decision, true)
				}
			}
			return nil
		})
		done = done && err == nil
	}
	return done
}

// branches gives the prepared branches of Sluice's on a server.
func branches(c *backend.Conn) (list []branch, err error) {
	_, rows, err := c.Query("XA RECOVER")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if len(r) != 4 || string(r[0]) != strconv.Itoa(formatID) {
			continue
		}
		n, err := strconv.Atoi(string(r[1]))
		if err != nil || n < 0 || n > len(r[3]) {
			continue
		}
		gtrid, bqual := string(r[3][:n]), string(r[3][n:])
		if _, err := parseXID(gtrid); err != nil {
			continue // somebody else's, with our format
		}
		if b, err := parseBranch(gtrid, bqual); err == nil {
			list = append(list, b)
		}
	}
	return list, nil
}

// errAttached says that a branch's own connection lives and nobody else can finish it.
var errAttached = errors.New("the connection that prepared the branch is still there")

// finishBranch commits or rolls back a prepared branch. The answer 1397 proves nothing: a
// MariaDB server gives it for branches that their own connection still has, which may be
// cut when its proxy is dead.
func finishBranch(c *backend.Conn, b branch, dec decision, cut bool) error {
	verb := "XA ROLLBACK "
	if dec == committed {
		verb = "XA COMMIT "
	}
	for try := range 5 {
		_, err := c.Exec(verb + b.String())
		if !wire.IsCode(err, 1397) {
			return err
		}
		found, err := branches(c)
		if err != nil {
			return err
		}
		if !slices.Contains(found, b) {
			return nil
		}
		if !cut {
			return errAttached
		}
		if try == 0 {
			if err := kill(c, b.thread); err != nil {
				return err
			}
		}
		time.Sleep(time.Duration(try+1) * 20 * time.Millisecond) // the server detaches it when it has ended the connection
	}
	return errAttached
}

// late finishes a branch whose client has its answer already, or never gets one.
func late(d *Decisions, c *backend.Conn, b branch, dec decision, cut bool) error {
	finish := func() error { return finishBranch(c, b, dec, cut) }
	if dec != committed || d.opts.Late == nil {
		return finish()
	}
	return d.opts.Late(finish)
}

// kill ends a connection of Sluice's account.
func kill(c *backend.Conn, thread uint32) error {
	list, err := c.Processes()
	if err != nil || !slices.ContainsFunc(list, func(p backend.Process) bool { return p.Own && p.ID == uint64(thread) }) {
		return err
	}
	_, err = c.Exec("KILL " + strconv.FormatUint(uint64(thread), 10))
	if wire.IsCode(err, 1094) { // it has gone meanwhile
		return nil
	}
	return err
}
