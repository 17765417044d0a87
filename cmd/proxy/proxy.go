package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sluice/admin"
	"sluice/backend"
	"sluice/cache"
	"sluice/config"
	"sluice/engine"
	"sluice/internal/fault"
	"sluice/limit"
	"sluice/metrics"
	"sluice/reshard"
	"sluice/server"
	"sluice/session"
	"sluice/shard"
	"sluice/slowlog"
	"sluice/topo"
	"sluice/txn"
)

// proxy is one running node. It is the wiring of all packages and nothing else.
type proxy struct {
	cfg       *config.Config
	log       *slog.Logger
	store     *topo.Store
	pools     *backend.Pools
	decisions *txn.Decisions
	sessions  *session.Handler
	cache     *cache.Cache // nil: none
	cluster   *session.CacheCluster
	slow      *slowlog.Log
	moves     *reshard.Service
	engine    *engine.Engine
	stalls    atomic.Uint64 // of its loops
	data      *server.Server
	admin     *server.Server
	http      *http.Server
	httpLis   net.Listener
	certs     *certificates

	reload   func() error
	draining atomic.Bool
	drain    chan struct{} // closed when a drain was asked for
	once     sync.Once
}

// startTimeout bounds what a start may wait for: etcd, and the first word of a shard.
const startTimeout = 15 * time.Second

// maxDigests bounds SHOW DIGESTS.
const maxDigests = 5000

// openProxy starts everything and listens; nothing is accepted before run.
func openProxy(ctx context.Context, cfg *config.Config, log *slog.Logger) (p *proxy, err error) {
	p = &proxy{cfg: cfg, log: log, drain: make(chan struct{}), reload: func() error { return nil }}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.certs, err = loadCertificates(cfg); err != nil {
		return p, err
	}
	shardTLS, err := backendTLS(cfg)
	if err != nil {
		return p, err
	}
	if err := p.listenHTTP(); err != nil { // a port in use is found before etcd is started
		return p, err
	}
	spec, err := cfg.Spec()
	if err != nil {
		return p, err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p.store, err = topo.Open(startCtx, topo.Options{
		Endpoints: cfg.Etcd.Endpoints, Prefix: cfg.Etcd.Prefix, DataDir: cfg.DataDir, Node: cfg.Node, Listen: cfg.Listen, Cache: cacheStore(cfg),
		Version: version, Log: log, Initial: spec,
	})
	if err != nil {
		return p, fmt.Errorf("the cluster's map: %w", err)
	}
	faults, err := fault.FromEnvironment()
	if err != nil {
		return p, err
	}
	registry, digests, limits := metrics.New(), metrics.NewDigests(maxDigests), limit.New()
	if p.engine, err = openEngine(); err != nil {
		return p, err
	}
	p.pools = backend.Open(backend.Options{Log: log, Metrics: registry, Engine: p.engine, TLS: shardTLS, MaxPacket: cfg.Limits.MaxPacket, NoLimits: faults.Off("backend.limits")}, p.store.Map())
	p.store.OnChange(func(m *shard.Map) {
		p.pools.SetMap(m)
		limits.Follow(m)
	})
	showLimits(registry, limits, p.store)
	registry.Collect("sluice_map_version", "Version of the map that this proxy serves.", nil, func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(p.store.Map().Version)}}
	})
	if err := p.openCache(startCtx, registry, faults); err != nil {
		return p, err
	}
	p.decisions = txn.NewDecisions(txn.Options{Topology: p.store, Shards: p.pools, Log: log, Faults: faults, Late: p.late()})
	countTransactions(registry, p.decisions)
	p.countStalls(registry)
	if cfg.SlowLog.File != "" {
		if p.slow, err = slowlog.Open(cfg.SlowLog.File, cfg.SlowLog.Threshold, log); err != nil {
			return p, fmt.Errorf("slow_log: %w", err)
		}
		registry.Collect("sluice_slow_log_dropped", "Slow statements that were not written, because the file's disk is slow.", nil, func() []metrics.Sample {
			return []metrics.Sample{{Value: float64(p.slow.Dropped())}}
		})
	}
	p.moves = reshard.New(reshard.Options{Node: cfg.Node, Topology: p.store, Migrations: topo.NewMigrations(p.store), Shards: p.pools, Metrics: registry, Log: log, Faults: faults})
	handler := session.New(session.Options{Topology: p.store, Pools: p.pools, Decisions: p.decisions, Metrics: registry, Digests: digests, Log: log, Slow: p.slow, Limits: limits, Cache: p.cache})
	p.data = server.New(p.dataOptions(registry), accounts{p.store}, handler)
	handler.Bind(p.data)
	p.sessions = handler
	registry.Collect("sluice_held_statements", "Statements that wait for rows to switch to another shard.", nil, func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(handler.Held())}}
	})
	console := admin.New(admin.Options{
		Node: cfg.Node, Version: version, Topology: p.store, Pools: p.pools, Decisions: p.decisions, Migrations: p.moves, Data: p.data, Digests: digests, Limits: limits,
		Cache: p.cache, Metrics: registry, Log: log, Reload: func(context.Context) error { return p.reload() }, Drain: p.askDrain, Draining: p.draining.Load,
	})
	p.admin = server.New(p.adminOptions(registry), admins{p.store}, console)
	p.http.Handler = console.HTTP()
	if err := p.data.Listen(cfg.Listen); err != nil {
		return p, fmt.Errorf("listen: %w", err)
	}
	if err := p.admin.Listen(cfg.Admin); err != nil {
		return p, fmt.Errorf("admin: %w", err)
	}
	return p, nil
}

func (p *proxy) listenHTTP() (err error) {
	p.http = &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	if p.cfg.HTTP == "" {
		return nil
	}
	if p.httpLis, err = net.Listen("tcp", p.cfg.HTTP); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// dataOptions are those of the application's port.
func (p *proxy) dataOptions(registry *metrics.Registry) server.Options {
	g := &greeting{status: p.pools.Status}
	return server.Options{
		Name: "data", IDs: clientIDs(), ServerVersion: g.version, Collation: g.collation, Extended: g.extended, AuthPlugin: "mysql_native_password", TLS: p.certs.config(), RequireTLS: p.cfg.TLS.Require,
		ProxyNetworks: p.cfg.ProxyProtocolNetworks, MaxConnections: p.cfg.Limits.MaxConnections, HandshakeTimeout: p.cfg.Limits.HandshakeTimeout,
		StallTimeout: p.cfg.Limits.StallTimeout, MaxPacket: p.cfg.Limits.MaxPacket, Compression: p.cfg.Compression, LocalFiles: p.cfg.LocalInfile, Engine: p.engine, Log: p.log, Metrics: registry,
	}
}

// clientIDs counts from a number that is another one in each proxy, most likely, and after a restart: a KILL that comes
// to the wrong proxy finds nobody there. Ids stay below 2^31, as those of servers do for long.
func clientIDs() func() uint32 {
	var last atomic.Uint32
	last.Store(rand.Uint32N(1<<11) << 20)
	return func() uint32 { return last.Add(1) & (1<<31 - 1) }
}

func (p *proxy) adminOptions(registry *metrics.Registry) server.Options {
	return server.Options{
		Name: "admin", ServerVersion: func() string { return "8.0.0-sluice-" + version }, AuthPlugin: "mysql_native_password",
		TLS: p.certs.config(), RequireTLS: p.cfg.TLS.Require, MaxConnections: 100, HandshakeTimeout: p.cfg.Limits.HandshakeTimeout,
		StallTimeout: p.cfg.Limits.StallTimeout, MaxPacket: 1 << 20, Log: p.log, Metrics: registry,
	}
}

// run serves until ctx ends or a drain is asked for, then drains:
//
//  1. /readyz says no, nothing new is accepted
//  2. open statements and transactions finish, up to drain_timeout
//  3. what is left is closed, then the pools, then the store
func (p *proxy) run(ctx context.Context, hangup <-chan os.Signal) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	moving, still := context.WithCancel(serving)
	defer still()
	failed := make(chan error, 3)
	var wg sync.WaitGroup
	wg.Go(func() { p.decisions.Run(serving) })
	wg.Go(func() { p.engine.Watch(serving, stallTime, p.stalled) })
	moved := make(chan struct{})
	wg.Go(func() {
		defer close(moved)
		p.moves.Run(moving)
	})
	wg.Go(func() { p.sessions.Run(serving) })
	wg.Go(func() { p.sessions.Cache(serving, p.cluster) })
	wg.Go(func() { failed <- p.data.Serve(serving) })
	wg.Go(func() { failed <- p.admin.Serve(serving) })
	if p.httpLis != nil {
		wg.Go(func() { failed <- p.http.Serve(p.httpLis) })
	}
	p.log.Info("sluice serves", "node", p.cfg.Node, "version", version, "listen", p.data.Addr().String(), "admin", p.admin.Addr().String(),
		"http", p.cfg.HTTP, "map_version", p.store.Map().Version)
	err := p.wait(ctx, hangup, failed)
	p.draining.Store(true)
	still() // another proxy goes on with the migrations
	p.log.Info("draining", "timeout", p.cfg.DrainTimeout)
	limit, cancel := context.WithTimeout(context.Background(), p.cfg.DrainTimeout)
	defer cancel()
	if drainErr := p.data.Drain(limit); drainErr != nil {
		p.log.Warn("some clients were cut off at the end of drain_timeout", "error", drainErr)
	}
	select {
	case <-moved:
	case <-time.After(5 * time.Second): // a shard may not answer; whoever takes over knows what to do
	}
	stop()
	p.close()
	wg.Wait()
	p.log.Info("sluice has ended")
	return err
}

// wait returns when the node should end: nil when it was asked to.
func (p *proxy) wait(ctx context.Context, hangup <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.drain:
			return nil
		case err := <-failed:
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				return err
			}
		case <-hangup:
			if err := p.reload(); err != nil {
				p.log.Error("the configuration was not reloaded", "error", err)
			}
		}
	}
}

func (p *proxy) askDrain() { p.once.Do(func() { close(p.drain) }) }

// close ends everything that was opened, from the clients down to the store.
func (p *proxy) close() {
	if p.data != nil {
		p.data.Close()
	}
	if p.admin != nil {
		p.admin.Close()
	}
	if p.httpLis != nil {
		p.http.Close()
		p.httpLis.Close()
	}
	p.slow.Close()
	if p.cache != nil {
		p.cache.Close()
	}
	if p.pools != nil {
		p.pools.Close()
	}
	p.engine.Close()
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			p.log.Warn("the store was not closed in order", "error", err)
		}
	}
}

// certificates holds the front's TLS configuration; SIGHUP reads the files again.
type certificates struct{ current atomic.Pointer[tls.Config] }

// config is nil when no certificate is configured.
func (c *certificates) config() *tls.Config {
	if c.current.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	}
}
