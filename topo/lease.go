package topo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lease is a lease in etcd and what this process may believe of it: it counts as alive only
// as long as etcd cannot have let it expire yet.
type lease struct {
	c   *conn
	ttl time.Duration

	mu   sync.Mutex
	id   clientv3.LeaseID
	sent time.Time // when the last request that etcd answered was sent
}

// renewTimeout is short, so that it is soon known that etcd does not answer; there are
// several tries in the life of a lease.
const renewTimeout = 1500 * time.Millisecond

// margin is what the clocks of two machines may go apart during one lease.
const margin = time.Second

// alive gives the lease's id while it is safe to act under it, else 0.
func (l *lease) alive() clientv3.LeaseID {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id == 0 || l.age() > l.ttl-margin {
		return 0
	}
	return l.id
}

// until gives the end of the time in which it is safe to act under the lease, zero if there is
// none. The margin is taken off.
func (l *lease) until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id == 0 {
		return time.Time{}
	}
	return l.sent.Add(l.ttl - margin)
}

// age is the time since the last proof of life. The monotonic clock stands still while a
// machine sleeps and the wall clock may be set; the larger of both errs on the safe side.
func (l *lease) age() time.Duration {
	now := time.Now()
	return max(now.Sub(l.sent), now.Round(0).Sub(l.sent.Round(0)))
}

// held gives the lease's id, alive or not; 0 if there is none.
func (l *lease) held() clientv3.LeaseID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

func (l *lease) set(id clientv3.LeaseID, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id, l.sent = id, sent
}

// lost notes that etcd does not know the lease any more.
func (l *lease) lost(id clientv3.LeaseID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id == id {
		l.id = 0
	}
}

// grant takes a new lease.
func (l *lease) grant(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sent := time.Now()
	resp, err := l.c.Grant(ctx, int64(l.ttl/time.Second))
	if err != nil {
		return l.c.explain(err)
	}
	l.set(resp.ID, sent)
	return nil
}

// renew keeps the lease alive. It tells whether the lease is still there; an error means
// that this is not known.
func (l *lease) renew(ctx context.Context) (bool, error) {
	id := l.held()
	if id == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	sent := time.Now()
	_, err := l.c.KeepAliveOnce(ctx, id)
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		l.lost(id)
		return false, nil
	case err != nil:
		return false, l.c.explain(err)
	}
	l.set(id, sent)
	return true, nil
}

// revoke gives a lease up, with all its keys.
func revoke(ctx context.Context, c *conn, id clientv3.LeaseID) error {
	if id == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := c.Revoke(ctx, id)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return c.explain(err)
}
