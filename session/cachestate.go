package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"time"

	"sluice/cache"
	"sluice/shard"
	"sluice/topo"
)

// CacheCluster is what the proxies tell each other of the result cache, in the map. A change of it
// holds when every live proxy serves a map that has it: Suspend and Activate wait for that.
type CacheCluster struct {
	Topology Topology
	Node     string
	Store    string // where this proxy's results are; all proxies must say the same
	Log      *slog.Logger

	told string // the last complaint
}

// CacheState implements cache.Cluster.
func (c *CacheCluster) CacheState() cache.State {
	m := c.Topology.Map()
	s := &m.Spec.CacheState
	return cache.State{Secret: s.Secret, Epoch: s.Epoch, Ready: s.Ready, Suspended: len(s.Off) > 0, Self: slices.Contains(s.Off, c.Node), Hurry: m.Frozen()}
}

// Sure implements cache.Cluster.
func (c *CacheCluster) Sure() bool { return sure(c.Topology.SureUntil(), time.Now()) }

// Suspend implements cache.Cluster.
func (c *CacheCluster) Suspend(ctx context.Context) error {
	m, err := c.Topology.Update(ctx, func(s *shard.Spec) error {
		if !slices.Contains(s.CacheState.Off, c.Node) {
			s.CacheState.Off = append(s.CacheState.Off, c.Node)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.served(ctx, m.Version)
}

// Resume implements cache.Cluster.
func (c *CacheCluster) Resume(ctx context.Context) error {
	live, err := c.Topology.Proxies(ctx)
	if err != nil {
		return err
	}
	gone := func(node string) bool {
		return node == c.Node || !slices.ContainsFunc(live, func(p topo.Proxy) bool { return p.Node == node })
	}
	if !slices.ContainsFunc(c.Topology.Map().Spec.CacheState.Off, gone) {
		return nil
	}
	_, err = c.Topology.Update(ctx, func(s *shard.Spec) error {
		s.CacheState.Off = slices.DeleteFunc(s.CacheState.Off, gone)
		s.CacheState.Epoch++
		return nil
	})
	return err
}

// served waits until no live proxy serves an older map.
func (c *CacheCluster) served(ctx context.Context, version int64) error {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		live, err := c.Topology.Proxies(ctx)
		if err == nil && !slices.ContainsFunc(live, func(p topo.Proxy) bool { return p.MapVersion < version }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// activate has all proxies mark their writes, then lets results be given. wants are tables that
// hints ask for.
func (c *CacheCluster) activate(ctx context.Context, wants []shard.CacheTable) error {
	now := &c.Topology.Map().Spec
	news := slices.ContainsFunc(wants, func(t shard.CacheTable) bool { return cacheTable(&now.CacheState, t.Schema, t.Table) == nil })
	pending := slices.ContainsFunc(now.CacheState.Tables, func(t shard.CacheTable) bool { return !t.Ready })
	if len(now.Cache) == 0 && !news && !pending || now.CacheState.Ready && !news && !pending {
		return nil
	}
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	m, err := c.Topology.Update(ctx, func(s *shard.Spec) error {
		st := &s.CacheState
		if st.Secret == "" {
			st.Secret = hex.EncodeToString(secret[:])
		}
		for _, t := range wants {
			if cacheTable(st, t.Schema, t.Table) == nil && len(st.Tables) < maxCacheTables {
				st.Tables = append(st.Tables, shard.CacheTable{Schema: t.Schema, Table: t.Table})
			}
		}
		return nil
	})
	if err == nil {
		err = c.served(ctx, m.Version)
	}
	if err != nil {
		return err
	}
	live, err := c.Topology.Proxies(ctx)
	if err != nil {
		return err
	}
	for _, p := range live {
		if p.Cache != c.Store {
			c.complain("proxy " + p.Node + " has another redis: section than this one, or none; the result cache is off until all proxies have the same")
			return nil
		}
	}
	_, err = c.Topology.Update(ctx, func(s *shard.Spec) error {
		s.CacheState.Ready = true
		for i := range s.CacheState.Tables {
			if t := &s.CacheState.Tables[i]; cacheTable(&m.Spec.CacheState, t.Schema, t.Table) != nil {
				t.Ready = true
			}
		}
		return nil
	})
	return err
}

// maxCacheTables bounds what hints add to the map.
const maxCacheTables = 500

func cacheTable(s *shard.CacheState, schema, table string) *shard.CacheTable {
	for i := range s.Tables {
		if t := &s.Tables[i]; t.Schema == schema && t.Table == table {
			return t
		}
	}
	return nil
}

func (c *CacheCluster) complain(text string) {
	if c.told != text {
		c.told = text
		c.Log.Warn(text)
	}
}

// StandAside keeps a proxy that has no part in the cluster's cache, or another one, from
// making its results old unseen: they are suspended while it lives. It is called before the proxy serves.
func (c *CacheCluster) StandAside(ctx context.Context) error {
	s := &c.Topology.Map().Spec.CacheState
	if s.Secret == "" {
		return nil
	}
	live, err := c.Topology.Proxies(ctx)
	if err != nil {
		return err
	}
	if c.Store != "" && !slices.ContainsFunc(live, func(p topo.Proxy) bool { return p.Node != c.Node && p.Cache != c.Store }) {
		return nil
	}
	c.Log.Warn("the redis: section of this proxy is not that of the others; the result cache is suspended on all of them until this one ends")
	return c.Suspend(ctx)
}
