package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/cache"
	"sluice/config"
	"sluice/internal/fault"
	"sluice/metrics"
	"sluice/session"
)

// cacheStore names where this proxy's results are: all proxies of a cluster must say the same. An
// embedded etcd has one proxy only, whose memory will do.
func cacheStore(cfg *config.Config) string {
	switch {
	case cfg.Redis != nil && len(cfg.Redis.Addrs) > 1:
		return "redis cluster " + strings.Join(slices.Sorted(slices.Values(cfg.Redis.Addrs)), " ")
	case cfg.Redis != nil:
		return "redis " + cfg.Redis.Addrs[0]
	case len(cfg.Etcd.Endpoints) == 0:
		return "memory"
	}
	return ""
}

// openCache makes the result cache. Without a Redis and with other proxies there is none.
func (p *proxy) openCache(ctx context.Context, registry *metrics.Registry, faults *fault.Points) error {
	store := cacheStore(p.cfg)
	p.cluster = &session.CacheCluster{Topology: p.store, Node: p.cfg.Node, Store: store, Log: p.log}
	if err := p.cluster.StandAside(ctx); err != nil {
		return fmt.Errorf("the result cache: %w", err)
	}
	if store == "" {
		if len(p.store.Map().Spec.Cache) > 0 {
			p.log.Warn("cluster.cache has rules, but this proxy has no redis: section; several proxies need one for the result cache, which stays off")
		}
		return nil
	}
	opts := cache.Options{Cluster: p.cluster, Metrics: registry, Log: p.log, Faults: faults}
	if r := p.cfg.Redis; store != "memory" {
		opts.Redis = &cache.Redis{Addrs: r.Addrs, Username: r.Username, Password: r.Password.Reveal()}
	}
	p.cache = cache.New(opts)
	return nil
}

// late drops all stored results around a commit that comes after its client was answered.
func (p *proxy) late() func(func() error) error {
	if p.cache == nil {
		return nil
	}
	return func(finish func() error) error {
		mark, err := p.cache.Begin(context.Background(), &cache.Write{All: true})
		if err != nil {
			return err
		}
		err = finish()
		mark.End(err == nil)
		return err
	}
}
