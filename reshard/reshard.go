// Package reshard moves slots from one shard to another while the application runs: the
// control of it. A migration is one stored record and a state machine over it (record.go),
// run by whichever proxy holds its claim and resumed from storage alone; the rows are
// carried by package mover.
//
// What makes it safe lies outside of this process: the map in etcd, changed by
// compare-and-swap, says who owns a slot; the fence on the servers (fence.go) stops every
// writer, also one that has never heard of the migration; and all that a proxy changes under
// a claim carries a number that only grows, so that one which was stopped, replaced and
// woken up changes nothing. The package never calls sessions: they follow the map.
package reshard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sluice/backend"
	"sluice/internal/fault"
	"sluice/metrics"
	"sluice/shard"
	"sluice/topo"
)

// Topology is what migrations need of the cluster's store.
type Topology interface {
	Map() *shard.Map
	Update(ctx context.Context, change func(*shard.Spec) error) (*shard.Map, error)
	Refresh(ctx context.Context) (*shard.Map, error)
	Proxies(ctx context.Context) ([]topo.Proxy, error)
	Cluster(ctx context.Context) (string, error)
}

// Shards gives connections to the primaries, and to replicas.
type Shards interface {
	Get(ctx context.Context, shard string, class backend.Class, schema string, s *backend.Settings) (*backend.Conn, error)
	Dial(ctx context.Context, shard, address string) (*backend.Conn, error)
}

// Options says what a Service stands on.
type Options struct {
	Node       string
	Topology   Topology
	Migrations *topo.Migrations
	Shards     Shards
	Metrics    *metrics.Registry // nil: none
	Log        *slog.Logger
	Faults     *fault.Points // nil: none
}

// Service runs the migrations that this proxy has the claims of, and takes the DBA's orders
// for all of them. Safe for concurrent use.
type Service struct {
	opts Options
	wake chan struct{} // one slot: look at the records now

	mu      sync.Mutex
	running map[int64]*run
	numbers counters
}

// New makes a Service; Run does its work.
func New(opts Options) *Service {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{opts: opts, wake: make(chan struct{}, 1), running: map[int64]*run{}}
	register(s)
	return s
}

// lookEvery is how often the records are looked at: how soon a proxy takes over what another
// has left after the end of its lease, and how soon it does what a DBA asks of another proxy.
const lookEvery = 500 * time.Millisecond

// Run takes up migrations that nobody runs, until ctx ends; then it gives up its claims, so
// that another proxy goes on at once.
func (s *Service) Run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	lastErr := ""
	for {
		err := s.look(ctx, &tasks)
		text := ""
		if err != nil && ctx.Err() == nil {
			text = err.Error()
		}
		if text != lastErr && text != "" {
			s.opts.Log.Warn("the migrations cannot be looked at", "error", err)
		}
		lastErr = text
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// look starts what waits to be run.
func (s *Service) look(ctx context.Context, tasks *sync.WaitGroup) error {
	list, err := s.opts.Migrations.List(ctx)
	if err != nil {
		return err
	}
	for _, stored := range list {
		rec, err := decode(stored.Value)
		if err != nil {
			return err
		}
		s.mu.Lock()
		here := s.running[rec.ID] != nil
		s.mu.Unlock()
		if rec.Phase.Over() || rec.Phase == Failed || here {
			continue
		}
		if err := s.opts.Faults.At("reshard-claim"); err != nil { // tests say by a delay who comes late
			return err
		}
		mine, err := s.opts.Migrations.Claim(ctx, claimOf(rec.ID))
		if err != nil {
			return err
		}
		if !mine {
			continue
		}
		r := newRun(s, rec.ID)
		s.mu.Lock()
		s.running[rec.ID] = r
		s.mu.Unlock()
		tasks.Go(func() {
			r.run(ctx)
			s.mu.Lock()
			delete(s.running, r.id)
			s.mu.Unlock()
		})
	}
	return nil
}

// nudge has the records looked at now.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// lastingError is one that trying again does not mend.
type lastingError struct{ error }

func (e lastingError) Unwrap() error { return e.error }

func lasting(err error) error { return lastingError{err} }

func isLasting(err error) bool {
	var l lastingError
	return errors.As(err, &l)
}

// on runs f with a connection that steers. It is closed afterwards: there are few, and what
// was set on it must meet nobody else.
func (s *Service) on(ctx context.Context, shard string, f func(*backend.Conn) error) error {
	c, err := s.opts.Shards.Get(ctx, shard, backend.Class{}, "", control)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}
