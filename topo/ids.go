package topo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"sluice/internal/sleep"
)

const (
	// idsTTL is how long a proxy without etcd goes on handing out the ids it holds, and how
	// long the ids of a dead one stay out of reach of explicit ids.
	idsTTL = time.Minute
	// idsTimeout bounds NextIDs, RaiseRange and DropIDs, whatever their contexts say; the
	// largest part is the caller's floor, which asks every shard.
	idsTimeout = 30 * time.Second
	// giveUpTimeout is how long another proxy may take to give up ids.
	giveUpTimeout = 3 * time.Second
	maxIDs        = 1 << 30 // more than the rows of any statement
)

// IDUser is who asks for ids.
type IDUser interface {
	// Floor gives the largest id in use. It is asked for it once, when the sequence does not exist yet.
	Floor(ctx context.Context) (uint64, error)
	// Leave is called before anything is waited for.
	Leave()
}

// NextIDs takes n consecutive ids (first … first+n-1) from a sequence. Blocks are taken
// from etcd ahead of need, so that most calls do no I/O. Ids are never handed out twice;
// gaps are allowed. Without etcd it goes on until the block is used up, for a minute at most.
func (s *Store) NextIDs(ctx context.Context, seq string, n int, user IDUser) (first uint64, err error) {
	if n < 1 || n > maxIDs {
		return 0, fmt.Errorf("sequence %s: %d ids cannot be taken; take 1 to %d", seq, n, maxIDs)
	}
	if err := s.ids.with(seq, func(q *sequence) error {
		first, err = s.ids.next(ctx, q, uint64(n), user)
		return err
	}); err != nil {
		return 0, fmt.Errorf("sequence %s: %w", seq, err)
	}
	return first, nil
}

// RaiseRange is called before rows with explicit ids are written, of which low is the
// smallest and high the largest. When it returns without an error, this proxy never hands
// out high or a smaller id, and no proxy ever hands out one of low … high: either the
// counter is raised, or the proxies that held such ids in blocks have given them up. Other
// proxies may still hand out ids below low of blocks that they hold. It asks etcd only when
// high is past the counter, or another proxy may hold such ids; a block of a proxy that
// died is out of reach for up to a minute, and RaiseRange fails meanwhile.
// An id that was handed out before and is now given explicitly is not noticed here: the
// unique index of the table is what refuses it.
func (s *Store) RaiseRange(ctx context.Context, seq string, low, high uint64, user IDUser) error {
	if low > high {
		return fmt.Errorf("sequence %s: %d … %d is no range of ids", seq, low, high)
	}
	if err := s.ids.with(seq, func(q *sequence) error { return s.ids.raise(ctx, q, low, high, user) }); err != nil {
		return fmt.Errorf("sequence %s: %w", seq, err)
	}
	return nil
}

// DropIDs forgets a sequence (DROP TABLE, TRUNCATE), after the table is gone or empty: the
// next NextIDs asks for the floor again. All other proxies give up their blocks first;
// where one does not, the sequence stays and goes on from where it is, which costs nothing
// but a gap. A statement that took ids before and writes them after is not waited for.
func (s *Store) DropIDs(ctx context.Context, seq string) error {
	if err := s.ids.with(seq, func(q *sequence) error { return s.ids.drop(ctx, q) }); err != nil {
		return fmt.Errorf("sequence %s: %w", seq, err)
	}
	return nil
}

// PassIDs is called when a table has got another name: no id is handed out of to any more that was handed out of from, nor one
// of to's own, which statements under way may still bring. Where from has never been used, the floor, of to, says what it has.
func (s *Store) PassIDs(ctx context.Context, from, to string, user IDUser) error {
	next := map[string]uint64{}
	for _, seq := range []string{from, to} {
		if err := s.ids.with(seq, func(q *sequence) error {
			c, err := s.ids.counter(ctx, q)
			next[seq] = c.Next
			return err
		}); err != nil {
			return fmt.Errorf("sequence %s: %w", seq, err)
		}
	}
	used := max(next[from], 1) - 1
	if next[from] == 0 {
		if next[to] == 0 { // NextIDs asks for the floor
			return nil
		}
		var err error
		if used, err = user.Floor(ctx); err != nil {
			return fmt.Errorf("sequence %s: %w", to, err)
		}
	}
	if used == 0 {
		return nil
	}
	return s.RaiseRange(ctx, to, 1, used, user)
}

// ids hands out the ids of all sequences.
type ids struct {
	*register
	c     *conn
	lease *lease // of the blocks
	run   context.Context
	tasks *sync.WaitGroup
}

func newIDs(c *conn, log *slog.Logger, prefix, instance string) *ids {
	return &ids{register: newRegister(log, prefix, instance), c: c, lease: &lease{c: c, ttl: idsTTL}}
}

func (x *ids) start(ctx context.Context, tasks *sync.WaitGroup) {
	x.run, x.tasks = ctx, tasks
	tasks.Go(func() { x.answer(ctx) })
}

// keep renews the lease; when it was lost, so are all blocks, and a new one is taken.
func (x *ids) keep(ctx context.Context) (bool, error) {
	there, err := x.lease.renew(ctx)
	if there || err != nil {
		return false, err
	}
	x.mu.Lock()
	for _, q := range x.seqs {
		q.giveUp(math.MaxUint64)
	}
	x.mu.Unlock()
	return true, x.lease.grant(ctx)
}

// next is NextIDs.
func (x *ids) next(ctx context.Context, q *sequence, n uint64, user IDUser) (uint64, error) {
	if first, ok := x.takeNow(q, n); ok {
		return first, nil
	}
	user.Leave()
	ctx, cancel := context.WithTimeout(ctx, idsTimeout)
	defer cancel()
	began := time.Now()
	if err := acquire(ctx, q.io); err != nil {
		return 0, err
	}
	defer release(q.io)
	for {
		if first, ok := x.takeNow(q, n); ok {
			return first, nil
		}
		if err := q.failedSince(began); err != nil {
			return 0, err
		}
		err := x.ready(ctx)
		if err == nil {
			if c, _ := q.stored(); c.Counted {
				err = x.fetch(ctx, q, n)
			} else {
				err = x.count(ctx, q, user)
			}
		}
		if err != nil {
			if ctx.Err() == nil { // else it is this caller's own end
				q.fail(err)
			}
			return 0, err
		}
	}
}

// takeNow hands out ids from memory.
func (x *ids) takeNow(q *sequence, n uint64) (uint64, bool) {
	if x.lease.alive() == 0 {
		return 0, false
	}
	first, ok, ahead := q.take(n)
	if ahead {
		x.fetchAhead(q)
	}
	return first, ok
}

// fetchAhead takes a block in the background.
func (x *ids) fetchAhead(q *sequence) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return
	}
	q.uses++
	x.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(x.run, 2*requestTimeout)
		defer cancel()
		err := acquire(ctx, q.io)
		if err == nil {
			if _, rev := q.stored(); rev != 0 {
				err = x.fetch(ctx, q, 1)
			}
			release(q.io)
		}
		if err != nil {
			q.fail(err) // those who need the block say so
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		q.uses--
		q.fetched()
	})
}

// ready waits for the lease, which may just have been lost and be on its way.
func (x *ids) ready(ctx context.Context) error {
	began := time.Now()
	for x.lease.alive() == 0 {
		if time.Since(began) > requestTimeout {
			return fmt.Errorf("no ids can be taken, because this proxy has no lease: %s does not answer", x.c.where)
		}
		if !sleep.For(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

// count looks up the largest id in use, once for all proxies. The io slot is held.
func (x *ids) count(ctx context.Context, q *sequence, user IDUser) error {
	if err := x.read(ctx, q); err != nil {
		return err
	}
	if c, _ := q.stored(); c.Counted {
		return nil
	}
	used, err := user.Floor(ctx)
	if err != nil {
		return fmt.Errorf("the largest id in use could not be looked up: %w", err)
	}
	for {
		c, rev := q.stored()
		if c.Counted {
			return nil
		}
		c.Counted, c.Floor = true, used
		c.Next = max(c.Next, after(used), 1)
		if ok, err := x.write(ctx, q, rev, c, block{}); ok || err != nil {
			return err
		}
	}
}

// after gives the id after id; the last one is never handed out, as in MySQL.
func after(id uint64) uint64 {
	if id == math.MaxUint64 {
		return id
	}
	return id + 1
}

// fetch takes a block of at least n ids. That another writer was first is no error: then
// the caller tries again. The io slot is held.
func (x *ids) fetch(ctx context.Context, q *sequence, n uint64) error {
	c, rev := q.stored()
	length, left := q.nextLength(n), math.MaxUint64-c.Next
	if left < n {
		return errors.New("all ids are used up")
	}
	b := block{First: max(c.Next, 1)}
	b.End = b.First + min(length, math.MaxUint64-b.First)
	c.Next = b.End
	_, err := x.write(ctx, q, rev, c, b)
	return err
}

// write stores the counter, and with it the own blocks and one more, if the counter is
// still of that revision; else it learns the present one. The io slot is held.
func (x *ids) write(ctx context.Context, q *sequence, rev int64, c counter, more block) (bool, error) {
	id := x.lease.alive()
	if id == 0 {
		return false, fmt.Errorf("%s does not answer", x.c.where)
	}
	value, err := json.Marshal(c)
	if err != nil {
		return false, err
	}
	blocks := q.blocks()
	if more.size() > 0 {
		blocks = append(blocks, more)
	}
	own, err := x.putBlocks(q, blocks, id)
	if err != nil {
		return false, err
	}
	next, check := x.key(q, "next"), q.since()
	resp, err := x.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(next), "=", rev)},
		[]clientv3.Op{clientv3.OpPut(next, string(value)), own}, []clientv3.Op{clientv3.OpGet(next)})
	if err != nil {
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			x.lease.lost(id) // the next renewal takes a new one
		}
		return false, err
	}
	if err := check(resp.Header.Revision); err != nil {
		return false, err
	}
	if !resp.Succeeded {
		return false, x.learnFrom(q, resp.Responses[0].GetResponseRange().Kvs, resp.Header.Revision)
	}
	q.learn(c, resp.Header.Revision, resp.Header.Revision)
	if more.size() > 0 && !q.add(more, func() bool { return x.lease.held() == id }) {
		return false, errors.New("the lease was lost just now")
	}
	return true, nil
}

// read reads one sequence whole.
func (x *ids) read(ctx context.Context, q *sequence) error {
	check := q.since()
	resp, err := x.c.get(ctx, x.key(q), clientv3.WithPrefix())
	if err == nil {
		err = check(resp.Header.Revision)
	}
	if err != nil {
		return err
	}
	v := x.viewOf(resp.Kvs, resp.Header.Revision)[q.name]
	if v == nil {
		v = &view{complete: true, rev: resp.Header.Revision}
	}
	q.see(v)
	x.announceMove()
	for _, kv := range resp.Kvs {
		if string(kv.Key) == x.key(q, "next") {
			return x.learnFrom(q, []*mvccpb.KeyValue{kv}, resp.Header.Revision)
		}
	}
	return x.learnFrom(q, nil, resp.Header.Revision)
}

// putBlocks is the write of the own blocks, so that others know which ids may still come.
func (x *ids) putBlocks(q *sequence, blocks []block, id clientv3.LeaseID) (clientv3.Op, error) {
	key := x.key(q, "blocks", x.instance)
	if len(blocks) == 0 {
		return clientv3.OpDelete(key), nil
	}
	value, err := json.Marshal(blocks)
	return clientv3.OpPut(key, string(value), clientv3.WithLease(id)), err
}

func acquire(ctx context.Context, slot chan struct{}) error {
	select {
	case slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func release(slot chan struct{}) { <-slot }

// counter reads a sequence's counter.
func (x *ids) counter(ctx context.Context, q *sequence) (counter, error) {
	ctx, cancel := context.WithTimeout(ctx, idsTimeout)
	defer cancel()
	if err := acquire(ctx, q.ask); err != nil {
		return counter{}, err
	}
	defer release(q.ask)
	if err := x.read(ctx, q); err != nil {
		return counter{}, err
	}
	c, _ := q.stored()
	return c, nil
}
