package topo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// raise is RaiseRange.
func (x *ids) raise(ctx context.Context, q *sequence, low, high uint64, user IDUser) error {
	alive := x.lease.alive() != 0
	ours, ahead := q.skip(low, high)
	if ahead {
		x.fetchAhead(q)
	}
	if ours && alive || q.passed(low, high) {
		return nil
	}
	user.Leave()
	ctx, cancel := context.WithTimeout(ctx, idsTimeout)
	defer cancel()
	if err := acquire(ctx, q.ask); err != nil {
		return err
	}
	defer release(q.ask)
	if err := x.ready(ctx); err != nil {
		return err
	}
	deadline := time.Now().Add(giveUpTimeout)
	for {
		if err := x.read(ctx, q); err != nil {
			return err
		}
		c, rev := q.stored()
		if rev != 0 && (high < c.Next || c.Next == math.MaxUint64) {
			holders := q.holders(low, high)
			if len(holders) == 0 {
				if _, ahead := q.skip(low, high); ahead {
					x.fetchAhead(q)
				}
				return nil
			}
			if err := x.giveUp(ctx, q, holders, low, high, deadline); err != nil {
				return err
			}
			continue
		}
		done, err := x.raiseCounter(ctx, q, high)
		if err != nil || done && low >= c.Next {
			return err
		}
	}
}

// raiseCounter moves the counter past id, and takes the block that follows it: a load of
// rows with rising explicit ids then passes through memory.
func (x *ids) raiseCounter(ctx context.Context, q *sequence, id uint64) (bool, error) {
	if err := acquire(ctx, q.io); err != nil {
		return false, err
	}
	defer release(q.io)
	c, rev := q.stored()
	if rev != 0 && id < c.Next {
		return false, nil // someone was first; look again
	}
	b := block{First: after(id)}
	b.End = b.First + min(q.nextLength(1), math.MaxUint64-b.First)
	c.Next = b.End
	return x.write(ctx, q, rev, c, b)
}

// giveUp asks other proxies to give up their blocks up to the one with high, and waits
// until something changed.
func (x *ids) giveUp(ctx context.Context, q *sequence, holders []string, low, high uint64, deadline time.Time) error {
	moved := x.nextMove()
	lease := x.lease.alive()
	for _, h := range holders {
		if time.Now().After(deadline) {
			return notGivenUp{low: low, high: high, instance: h}
		}
		key := x.key(q, "give", h, x.instance)
		if _, err := x.c.swap(ctx, nil, []clientv3.Op{clientv3.OpPut(key, strconv.FormatUint(high, 10), clientv3.WithLease(lease))}, nil); err != nil {
			return err
		}
	}
	for { // a request of ours moves the view too, so wait for the blocks
		wait := time.NewTimer(100 * time.Millisecond)
		select {
		case <-moved:
		case <-wait.C:
			return nil // look at etcd itself
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
		wait.Stop()
		still := q.holders(low, high)
		if !slices.ContainsFunc(holders, func(h string) bool { return slices.Contains(still, h) }) {
			return nil
		}
		moved = x.nextMove()
	}
}

// notGivenUp is the error of a proxy that does not answer a request to give up ids.
type notGivenUp struct {
	low, high uint64
	instance  string
}

func (e notGivenUp) Error() string {
	node, _, _ := strings.Cut(e.instance, ".")
	return fmt.Sprintf("ids of %d … %d are in a block that the proxy %s holds and does not give up; if it is dead, try again in %v", e.low, e.high, node, idsTTL)
}

// drop is DropIDs.
func (x *ids) drop(ctx context.Context, q *sequence) error {
	ctx, cancel := context.WithTimeout(ctx, idsTimeout)
	defer cancel()
	if err := acquire(ctx, q.ask); err != nil {
		return err
	}
	defer release(q.ask)
	if err := x.ready(ctx); err != nil {
		return err
	}
	deadline := time.Now().Add(giveUpTimeout)
	for {
		done, err := x.dropStored(ctx, q)
		if done || err != nil {
			return err
		}
		if err := x.read(ctx, q); err != nil {
			return err
		}
		err = x.giveUp(ctx, q, q.holders(0, math.MaxUint64), 0, math.MaxUint64, deadline)
		var held notGivenUp
		if errors.As(err, &held) || err == nil && time.Now().After(deadline) {
			x.log.Warn("a dropped sequence goes on from its counter, because not all proxies gave up its ids", "sequence", q.name, "error", err)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// dropStored gives up the own blocks and deletes the sequence if nobody else has any.
func (x *ids) dropStored(ctx context.Context, q *sequence) (bool, error) {
	if err := acquire(ctx, q.io); err != nil {
		return false, err
	}
	defer release(q.io)
	q.giveUp(math.MaxUint64)
	if _, err := x.c.swap(ctx, nil, []clientv3.Op{clientv3.OpDelete(x.key(q, "blocks", x.instance))}, nil); err != nil {
		return false, err
	}
	nobody := clientv3.Compare(clientv3.CreateRevision(x.key(q, "blocks", "")), "=", 0).WithPrefix()
	resp, err := x.c.swap(ctx, []clientv3.Cmp{nobody}, []clientv3.Op{clientv3.OpDelete(x.key(q), clientv3.WithPrefix())}, nil)
	if err != nil || !resp.Succeeded {
		return false, err
	}
	q.learn(counter{}, 0, resp.Header.Revision)
	return true, nil
}

// answer gives up what other proxies ask for, until ctx ends.
func (x *ids) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		}
		for key, d := range x.demands() {
			err := x.with(d.seq, func(q *sequence) error { return x.yield(ctx, q, key, d.id) })
			if err != nil && ctx.Err() == nil {
				// It asks again as long as it waits.
				x.log.Warn("ids that another proxy asks for could not be given up", "sequence", d.seq, "error", err)
			}
		}
	}
}

// yield gives up the blocks with id or smaller ones and tells so in etcd.
func (x *ids) yield(ctx context.Context, q *sequence, request string, id uint64) error {
	ctx, cancel := context.WithTimeout(ctx, giveUpTimeout)
	defer cancel()
	if err := acquire(ctx, q.io); err != nil {
		return err
	}
	defer release(q.io)
	q.giveUp(id)
	ops := []clientv3.Op{clientv3.OpDelete(request)}
	if lease := x.lease.alive(); lease != 0 { // else the blocks in etcd are gone with the lease, or will be
		own, err := x.putBlocks(q, q.blocks(), lease)
		if err != nil {
			return err
		}
		ops = append(ops, own)
	}
	_, err := x.c.swap(ctx, nil, ops, nil)
	return err
}
