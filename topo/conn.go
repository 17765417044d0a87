package topo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"sluice/internal/sleep"
)

// conn is the way to etcd, embedded or external.
type conn struct {
	*clientv3.Client
	where string // for messages
	stop  func() // stops the client, and the server if it is embedded
}

// dial makes a client of external endpoints. It does not wait for any of them: etcd may
// come up later.
func dial(endpoints []string) (*conn, error) {
	cfg := clientv3.Config{
		Endpoints:            endpoints,
		DialTimeout:          requestTimeout,
		DialKeepAliveTime:    10 * time.Second, // etcd's servers hang up on clients that ask more often than every 5 s
		DialKeepAliveTimeout: 3 * time.Second,
		Logger:               zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			// gRPC's own backoff grows to two minutes; a proxy must be back in seconds.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: requestTimeout,
		})},
	}
	for _, e := range endpoints {
		if strings.HasPrefix(e, "https://") {
			cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd endpoints %s: %w", strings.Join(endpoints, ", "), err)
	}
	return &conn{Client: client, where: "etcd at " + strings.Join(endpoints, ", "), stop: func() { client.Close() }}, nil
}

// get reads one key or, with options, a range.
func (c *conn) get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := c.Get(ctx, key, opts...)
	return resp, c.explain(err)
}

// swap does then if all of cmps hold, else the reads of otherwise.
func (c *conn) swap(ctx context.Context, cmps []clientv3.Cmp, then, otherwise []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := c.Txn(ctx).If(cmps...).Then(then...).Else(otherwise...).Commit()
	return resp, c.explain(err)
}

// explain says of an error where it comes from; the cause stays reachable by errors.Is.
func (c *conn) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), clientv3.IsConnCanceled(err):
		return fmt.Errorf("%s does not answer: %w", c.where, err)
	}
	return fmt.Errorf("%s: %w", c.where, err)
}

// follow reads what is under key, and then every change, until ctx ends. It reads all
// again when the watch breaks (compaction, lost leader) and every now and then in any
// case, so that no fault of the watch lasts.
func follow(ctx context.Context, c *conn, log *slog.Logger, key string, whole func(*clientv3.GetResponse), change func([]*clientv3.Event), opts ...clientv3.OpOption) {
	const again = time.Minute
	wait, lost := 50*time.Millisecond, false
	for ctx.Err() == nil {
		resp, err := c.get(ctx, key, opts...)
		if err != nil {
			if !lost && ctx.Err() == nil {
				log.Warn("etcd cannot be followed; trying again", "key", key, "error", err)
			}
			lost = true
			sleep.For(ctx, wait)
			wait = min(2*wait, time.Second)
			continue
		}
		if lost {
			log.Info("etcd is followed again", "key", key)
		}
		wait, lost = 50*time.Millisecond, false
		whole(resp)
		watch, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), again)
		for r := range c.Watch(watch, key, append(opts[:len(opts):len(opts)], clientv3.WithRev(resp.Header.Revision+1))...) {
			if r.Err() != nil {
				sleep.For(ctx, 50*time.Millisecond)
				break
			}
			change(r.Events)
		}
		cancel()
	}
}
