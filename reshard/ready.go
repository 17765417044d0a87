package reshard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/mover"
	"sluice/topo"
	"sluice/wire"
)

// readyDrain is how long the marker of an attempt may take, as far as that can be foreseen.
const readyDrain = 400 * time.Millisecond

// holdPatience is how long a switch waits until one slow lap is forgiven, and then another.
const holdPatience = 10 * time.Second

// ready follows the changes, and begins an attempt when it is time and may succeed.
func (r waiting) ready(ctx context.Context) error {
	if err := r.following(ctx, mover.Forward); err != nil {
		return err
	}
	for {
		switch {
		case r.rec.Wish == wishVerify:
			return r.verifyOnce(ctx)
		case (r.rec.Auto || r.rec.Wish == wishCutover) && !time.Now().Before(r.rec.RetryAt):
			hold, err := r.holdsUp(ctx, r.rec.Source, r.rec.Target)
			if err != nil {
				return err
			}
			if hold == "" {
				return r.prepareSwitch(ctx)
			}
			if err := r.waits(ctx, "it waits with the switch: "+hold); err != nil {
				return err
			}
		}
		if again, err := r.linger(ctx); err != nil || again {
			return err
		}
	}
}

// verifyOnce does VERIFY.
func (r waiting) verifyOnce(ctx context.Context) error {
	if _, err := r.compare(ctx, r.flow.Verify); err != nil {
		return err
	}
	return r.store(ctx, func(rec *Record) error {
		if rec.Wish == wishVerify {
			rec.Wish = ""
		}
		return nil
	})
}

// waits stores what is waited for, when that is news.
func (r waiting) waits(ctx context.Context, hold string) error {
	if r.rec.Error == hold {
		return nil
	}
	return r.store(ctx, func(rec *Record) error {
		rec.Error = hold
		return nil
	})
}

// holdsUp says what would make an attempt fail, "" for nothing that can be seen.
func (r waiting) holdsUp(ctx context.Context, from, to string) (hold string, err error) {
	if r.heldSince.IsZero() {
		r.heldSince = time.Now()
	}
	proxies, hold, err := r.quick(ctx, time.Since(r.heldSince))
	if hold != "" || err != nil {
		return hold, err
	}
	r.heldSince = time.Time{}
	return r.occupied(ctx, proxies, from, to)
}

// quick looks whether changes, and etcd's answers, come as fast as a switch needs them, in three
// laps of which all have to. On a machine with more work than it can do some always do not: the
// longer the switch has waited, the fewer have to; an attempt is taken back in time all the same.
func (r waiting) quick(ctx context.Context, waited time.Duration) (proxies []topo.Proxy, hold string, err error) {
	const laps = 3
	slow, slowest, what := 0, time.Duration(0), ""
	note := func(took time.Duration, of string) {
		if took > readyDrain {
			slow++
		}
		if took > slowest {
			slowest, what = took, of
		}
	}
	for range laps {
		began := time.Now()
		if !r.drainsWithin(ctx, 2*time.Second) {
			if t := r.flow.trouble(); t != "" {
				return nil, "the changes are not caught up with (" + t + ")", ctx.Err()
			}
			return nil, "the changes are not caught up with", ctx.Err()
		}
		drained := time.Now()
		if proxies, err = r.s.opts.Topology.Proxies(ctx); err != nil {
			return nil, "", err
		}
		// A switch asks etcd some four times, and the proxies one after the other once more.
		answered := 4 * time.Since(drained)
		if drain := drained.Sub(began); drain > answered {
			note(drain, "a change takes %v from one shard to the other")
		} else {
			note(answered, "etcd takes %v for what a switch asks of it")
		}
	}
	if most := min(int(waited/holdPatience), laps-1); slow > most {
		hold = fmt.Sprintf(what+", and may take %v; the servers or the network have too much to do", slowest.Round(50*time.Millisecond), readyDrain)
	}
	return proxies, hold, nil
}

// occupied says who would hold an attempt up.
func (r waiting) occupied(ctx context.Context, proxies []topo.Proxy, from, to string) (hold string, err error) {
	for _, p := range proxies {
		if p.MapVersion < r.rec.Version {
			return fmt.Sprintf("proxy %s serves an old map", p.Node), nil
		}
		for _, l := range p.Long {
			if l.Move == r.id {
				return fmt.Sprintf("session %[1]d of proxy %[2]s has been running a statement on the slots since %[3]s UTC; SHOW SESSIONS and KILL %[1]d on the admin port there, if it should not go on",
					l.Session, p.Node, l.Since.UTC().Format("15:04:05")), nil
			}
		}
	}
	err = r.on(ctx, from, func(a *backend.Conn) error {
		return r.on(ctx, to, func(b *backend.Conn) error {
			if !r.s.opts.Faults.Off("reshard-xa") { // a prepared branch is an old transaction as well
				if hold, err = oldTransaction(ctx, a); err != nil || hold != "" {
					return err
				}
				if hold, err = oldBranch(ctx, a); err != nil || hold != "" {
					return err
				}
			}
			faults, err := differences(ctx, a, b, r.rec.Tables)
			if len(faults) > 0 {
				hold = strings.Join(faults, "; ")
			}
			return err
		})
	})
	return hold, err
}

// longTransaction is from when on an open transaction that has written keeps a switch waiting:
// the fence would wait for it, and everybody for the fence.
const longTransaction = 2 * time.Second

// oldTransaction names an open transaction that would hold up the fence. An account that may
// not see them sees none; the attempt finds out then.
func oldTransaction(ctx context.Context, c *backend.Conn) (string, error) {
	rows, err := query(ctx, c, fmt.Sprintf("SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.INNODB_TRX "+
		"WHERE trx_rows_modified > 0 AND trx_started < NOW() - INTERVAL %d SECOND AND trx_mysql_thread_id > 0 ORDER BY trx_started LIMIT 1", int(longTransaction.Seconds())))
	if wire.IsCode(err, 1227, 1109) {
		return "", nil
	}
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return fmt.Sprintf("connection %s of shard %s has a transaction open for %s s", rows[0][0], c.Shard(), rows[0][1]), nil
}

// oldBranch says that transactions have been prepared for longer than a commit takes: an attempt
// would wait for them in vain.
func oldBranch(ctx context.Context, c *backend.Conn) (string, error) {
	prepared, err := branches(ctx, c)
	for began := time.Now(); err == nil && len(prepared) > 0 && time.Since(began) < readyDrain; {
		sleep.For(ctx, readyDrain/10)
		var now []string
		now, err = branches(ctx, c)
		prepared = common(prepared, now)
	}
	if err != nil || len(prepared) == 0 {
		return "", err
	}
	return fmt.Sprintf("%d transactions are prepared on shard %s and not finished; SHOW TRANSACTIONS", len(prepared), c.Shard()), nil
}

// prepareSwitch makes what an attempt needs, as long as nothing waits for it: the way back,
// whose stream begins here. (It will see what the forward stream has written since, and read
// the rows again from their owner of then, which changes nothing.)
func (r waiting) prepareSwitch(ctx context.Context) error {
	if err := r.step1("way-back", func() error {
		if err := r.on(ctx, r.rec.Source, func(c *backend.Conn) error {
			// Not one of a later proxy: a way back that runs would begin anew, with a gap.
			_, err := query(ctx, c, "DELETE FROM _sluice.progress WHERE move_id = "+number(r.id)+" AND stream = "+literal(mover.Reverse)+" AND token < "+number(r.nextToken()))
			if wire.IsCode(err, 1049, 1146) {
				return nil
			}
			return err
		}); err != nil {
			return err
		}
		return moverError(r.newMover(mover.Reverse).Prepare(ctx))
	}); err != nil {
		return err
	}
	return cutover(r).begin(ctx, Freezing)
}

// barrier is the marker: what was committed at the one side is at the other.
func (r *streams) barrier(ctx context.Context) error { return moverError(r.flow.Drain(ctx)) }

func (r *streams) dropPair() {
	if r.pair != nil {
		r.pair.Close()
		r.pair = nil
	}
}

// turn takes the right to write away from the stream that has carried the rows so far, also
// from one of a proxy that was stopped. c is a fresh connection to the side it writes.
func (r *streams) turn(ctx context.Context, c *backend.Conn) error {
	on := mover.Server{Name: c.Shard(), Dial: func(context.Context) (*backend.Conn, error) { return c, nil }}
	return moverError(mover.Take(ctx, on, r.id, r.flow.stream, r.nextToken()))
}

// switched has the changes follow back, compares the moment of the switch, and waits for
// what the DBA wants.
func (r waiting) switched(ctx context.Context) error {
	if r.rec.Wish == wishComplete { // also when the way back is broken
		return r.completes(ctx)
	}
	if err := r.on(ctx, r.rec.Target, func(c *backend.Conn) error { return takeBack(ctx, c, r.rec) }); err != nil {
		return err
	}
	if err := r.following(ctx, mover.Reverse); err != nil {
		return err
	}
	if !r.rec.Proven && r.rec.Doubt == "" {
		if err := r.prove(ctx); err != nil {
			return err
		}
	}
	for {
		switch {
		case r.rec.Wish == wishVerify:
			return r.verifyOnce(ctx)
		case r.rec.Wish == wishRevert && !time.Now().Before(r.rec.RetryAt):
			hold, err := r.holdsUp(ctx, r.rec.Target, r.rec.Source)
			if err != nil {
				return err
			}
			if hold == "" {
				// No write that was bound before the switch may arrive when the source is open again.
				if err := r.step1("old-maps", func() error { return ending(r).leftOldMaps(ctx, r.rec.Source) }); err != nil {
					return err
				}
				return cutover(r).begin(ctx, BackFreezing)
			}
			if err := r.waits(ctx, "it waits with the switch: "+hold); err != nil {
				return err
			}
		case r.rec.Wish == wishComplete, r.rec.Auto && r.rec.Proven && r.rec.Wish == "" && !r.rec.Paused:
			return r.completes(ctx)
		}
		if again, err := r.linger(ctx); err != nil || again {
			return err
		}
	}
}

func (r waiting) completes(ctx context.Context) error {
	return r.enterWith(ctx, Completing, func(rec *Record) { rec.Wish = "" }, "the source's rows begin to be deleted")
}

// prove compares the views of the switch's moment. Where they died with their proxy, the
// sides are compared as they are now.
func (r waiting) prove(ctx context.Context) error {
	do := r.flow.Verify
	if r.pair != nil {
		do = r.pair.Compare
	}
	report, err := r.compare(ctx, do)
	if err != nil && errors.Is(err, errMoved) {
		return err
	}
	r.dropPair()
	if err != nil {
		return err
	}
	return r.store(ctx, func(rec *Record) error {
		rec.Proven = report.Differing == 0
		if !rec.Proven {
			rec.Doubt = describe(report)
			rec.Error = "the sides were not the same when they were switched (" + rec.Doubt + "); look at these rows, then REVERT MIGRATION " + number(rec.ID) +
				" or COMPLETE MIGRATION " + number(rec.ID)
		}
		return nil
	})
}
