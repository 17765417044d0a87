package topo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"sluice/internal/sleep"
	"sluice/shard"
)

// memberTTL is how long a proxy that died is still listed.
const memberTTL = 10 * time.Second

// member announces this proxy to the others, under a lease.
type member struct {
	c        *conn
	key      string
	instance string
	lease    *lease
	answers  atomic.Bool   // the last round with etcd went well
	wake     chan struct{} // one slot: announce now

	mu        sync.Mutex
	self      announcement
	announced int64 // the Count that stands in etcd; 0: none
}

// announcement is what stands in etcd. The instance tells two processes of one name apart,
// and Count, from 1, what this one has announced.
type announcement struct {
	Proxy
	Instance string `json:"instance"`
	Count    int64  `json:"count"`
}

func decodeAnnouncement(b []byte) (announcement, error) {
	var a announcement
	err := json.Unmarshal(b, &a)
	return a, err
}

func newMember(c *conn, opts Options, instance string) *member {
	return &member{
		c: c, key: opts.Prefix + "/proxies/" + opts.Node, instance: instance,
		lease: &lease{c: c, ttl: memberTTL}, wake: make(chan struct{}, 1),
		self: announcement{Instance: instance, Count: 1, Proxy: Proxy{Node: opts.Node, Listen: opts.Listen,
			Version: opts.Version, Cache: opts.Cache, Started: time.Now().UTC().Format(time.RFC3339)}},
	}
}

// serves notes which map this proxy serves; it is announced at once. What was acknowledged
// of migrations that are no more is forgotten.
func (m *member) serves(now *shard.Map) {
	m.say(func(p *Proxy) {
		p.MapVersion = now.Version
		p.Acks = slices.DeleteFunc(slices.Clone(p.Acks), func(a Ack) bool { return now.Move(a.Move) == nil })
		p.Long = slices.DeleteFunc(slices.Clone(p.Long), func(l Long) bool { return now.Move(l.Move) == nil })
	})
}

// long notes what runs for long, if that is news.
func (m *member) long(list []Long) {
	m.mu.Lock()
	same := slices.Equal(m.self.Long, list)
	m.mu.Unlock()
	if !same {
		m.say(func(p *Proxy) { p.Long = slices.Clone(list) })
	}
}

// ack notes that nothing runs here any more that an attempt has to wait for.
func (m *member) ack(move, attempt int64) {
	m.say(func(p *Proxy) {
		acks := slices.DeleteFunc(slices.Clone(p.Acks), func(a Ack) bool { return a.Move == move })
		p.Acks = append(acks, Ack{Move: move, Attempt: attempt})
	})
}

// say changes what is announced; it is announced at once. change must not write into slices
// that are there.
func (m *member) say(change func(*Proxy)) {
	m.mu.Lock()
	change(&m.self.Proxy)
	m.self.Count++
	m.mu.Unlock()
	nudge(m.wake)
}

// sameName is the error of a node name that is taken.
type sameName struct{ other announcement }

func (e sameName) Error() string {
	return fmt.Sprintf("another proxy named %q is alive (it listens on %s, started %s); give every proxy a node name of its own",
		e.other.Node, e.other.Listen, e.other.Started)
}

// join announces the proxy for the first time. A proxy of the same name may be a dead one
// whose lease has not ended yet, so join looks on for a while; if the lease is renewed
// meanwhile, its proxy is alive. An etcd that stops answering is no error: keep tries again.
func (m *member) join(ctx context.Context, version int64) error {
	const look = 4 * time.Second // several renewals of a living proxy
	m.mu.Lock()
	m.self.MapVersion = version
	m.mu.Unlock()
	began, firstTTL := time.Now(), int64(0)
	for {
		_, err := m.keep(ctx)
		var taken sameName
		if !errors.As(err, &taken) {
			m.answers.Store(err == nil)
			return nil
		}
		left, err := m.otherTTL(ctx)
		if err != nil {
			return nil
		}
		if firstTTL == 0 {
			firstTTL = left
		}
		alive := time.Since(began) > look && left > firstTTL-int64(look/time.Second)+1
		if alive || !sleep.For(ctx, 250*time.Millisecond) {
			return taken
		}
	}
}

// otherTTL gives the seconds that the lease of our key has left.
func (m *member) otherTTL(ctx context.Context) (int64, error) {
	resp, err := m.c.get(ctx, m.key)
	if err != nil || len(resp.Kvs) == 0 {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	left, err := m.c.TimeToLive(ctx, clientv3.LeaseID(resp.Kvs[0].Lease))
	if err != nil {
		return 0, m.c.explain(err)
	}
	return left.TTL, nil
}

// keep renews the lease, takes a new one if it is lost, and announces what is not yet
// announced. It tells whether the lease is a new one.
func (m *member) keep(ctx context.Context) (bool, error) {
	there, err := m.lease.renew(ctx)
	if err != nil {
		return false, err
	}
	fresh := !there
	if fresh {
		m.mu.Lock()
		m.announced = 0
		m.mu.Unlock()
		if err := m.lease.grant(ctx); err != nil {
			return false, err
		}
	}
	return fresh, m.announce(ctx)
}

func (m *member) announce(ctx context.Context) error {
	m.mu.Lock()
	self, announced := m.self, m.announced
	m.mu.Unlock()
	if self.Count == announced {
		return nil
	}
	value, err := json.Marshal(self)
	if err != nil {
		return err
	}
	id := m.lease.held()
	put := clientv3.OpPut(m.key, string(value), clientv3.WithLease(id))
	var cmp clientv3.Cmp
	if announced == 0 {
		cmp = clientv3.Compare(clientv3.CreateRevision(m.key), "=", 0)
	} else {
		cmp = clientv3.Compare(clientv3.LeaseValue(m.key), "=", id)
	}
	resp, err := m.c.swap(ctx, []clientv3.Cmp{cmp}, []clientv3.Op{put}, []clientv3.Op{clientv3.OpGet(m.key)})
	switch {
	case err != nil:
		return err
	case !resp.Succeeded:
		return m.taken(ctx, resp.Responses[0].GetResponseRange().Kvs)
	}
	m.mu.Lock()
	m.announced = self.Count
	m.mu.Unlock()
	return nil
}

// taken judges what stands under our key instead of what was expected there.
func (m *member) taken(ctx context.Context, kvs []*mvccpb.KeyValue) error {
	if len(kvs) == 0 {
		m.mu.Lock()
		m.announced = 0
		m.mu.Unlock()
		nudge(m.wake)
		return errors.New("this proxy's announcement was deleted; writing it again")
	}
	other, err := decodeAnnouncement(kvs[0].Value)
	if err != nil {
		return fmt.Errorf("%s: %w", m.key, err)
	}
	if other.Instance == m.instance {
		// Ours after all: a write was stored whose answer was lost, or one of an older lease.
		m.mu.Lock()
		defer m.mu.Unlock()
		if old := clientv3.LeaseID(kvs[0].Lease); old != m.lease.held() {
			m.announced = 0
			return revoke(ctx, m.c, old)
		}
		m.announced = other.Count
		return nil
	}
	return sameName{other}
}
