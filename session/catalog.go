package session

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"sluice/shard"
)

// catalogTTL bounds how long a change of a table that was not made through a proxy stays unseen.
const catalogTTL = 30 * time.Second

// catalog keeps what has been looked up of tables as immutable snapshots.
type catalog struct {
	mu  sync.Mutex
	cur atomic.Pointer[known]
}

// known is a snapshot and what ends it: another map (every proxy's DDL makes one), or time.
type known struct {
	catalog    *shard.Catalog
	mapVersion int64
	until      time.Time // zero while nothing is known
}

func newCatalog() *catalog {
	c := &catalog{}
	c.cur.Store(&known{catalog: emptyCatalog(1)})
	return c
}

// passed tells whether the catalog is of a newer map than a session's: what that looks up is not the catalog's.
func (c *catalog) passed(mapVersion int64) bool { return c.cur.Load().mapVersion > mapVersion }

func emptyCatalog(version int64) *shard.Catalog {
	return &shard.Catalog{Version: version, Tables: map[[2]string]*shard.TableInfo{}, Programs: map[string]*shard.Programs{}, Views: map[string]map[string]shard.View{},
		Triggers: map[string]map[string][]shard.Trigger{}, Unasked: map[string][]string{}, Hidden: map[string][]string{}}
}

// snapshot gives the tables known under a map's version.
func (c *catalog) snapshot(mapVersion int64, now time.Time) *shard.Catalog {
	k := c.cur.Load()
	if k.mapVersion >= mapVersion && (k.until.IsZero() || now.Before(k.until)) {
		return k.catalog
	}
	return c.renew(mapVersion, now)
}

func (c *catalog) renew(mapVersion int64, now time.Time) *shard.Catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.cur.Load()
	if k.mapVersion >= mapVersion && (k.until.IsZero() || now.Before(k.until)) {
		return k.catalog // another session was first
	}
	next := &known{catalog: emptyCatalog(k.catalog.Version + 1), mapVersion: max(k.mapVersion, mapVersion)}
	c.cur.Store(next)
	return next.catalog
}

// add stores a table's columns, looked up under a snapshot's version; what was looked up
// under an older one may be out of date and is dropped. It does not change the version:
// plans made without the table did not depend on it.
func (c *catalog) add(version int64, schema, table string, info *shard.TableInfo, now time.Time) {
	c.put(version, now, func(cat *shard.Catalog) {
		cat.Tables = maps.Clone(cat.Tables)
		cat.Tables[[2]string{schema, table}] = info
	})
}

// addPrograms stores a schema's stored programs, like add.
func (c *catalog) addPrograms(version int64, schema string, all *shard.Programs, now time.Time) {
	c.put(version, now, func(cat *shard.Catalog) {
		cat.Programs = maps.Clone(cat.Programs)
		cat.Programs[schema] = all
	})
}

// addViews stores a schema's views, like add.
func (c *catalog) addViews(version int64, schema string, all map[string]shard.View, now time.Time) {
	c.put(version, now, func(cat *shard.Catalog) {
		cat.Views = maps.Clone(cat.Views)
		cat.Views[schema] = all
	})
}

// addTriggers stores the triggers of a schema's tables, and the shards that were down, and those that do not show all, like add.
func (c *catalog) addTriggers(version int64, schema string, all map[string][]shard.Trigger, unasked, hidden []string, now time.Time) {
	c.put(version, now, func(cat *shard.Catalog) {
		cat.Triggers = maps.Clone(cat.Triggers)
		cat.Triggers[schema] = all
		if unasked != nil {
			cat.Unasked = maps.Clone(cat.Unasked)
			cat.Unasked[schema] = unasked
		}
		if hidden != nil {
			cat.Hidden = maps.Clone(cat.Hidden)
			cat.Hidden[schema] = hidden
		}
	})
}

func (c *catalog) put(version int64, now time.Time, change func(*shard.Catalog)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.cur.Load()
	if k.catalog.Version != version {
		return
	}
	cat := *k.catalog
	change(&cat)
	next := &known{catalog: &cat, mapVersion: k.mapVersion, until: k.until}
	if next.until.IsZero() {
		next.until = now.Add(catalogTTL)
	}
	c.cur.Store(next)
}

// forget drops everything: a table was changed.
func (c *catalog) forget() { c.forgetSince(math.MaxInt64) }

// forgetSince drops what is known, unless that has been looked up anew since a version.
func (c *catalog) forgetSince(version int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.cur.Load()
	if k.catalog.Version > version {
		return
	}
	c.cur.Store(&known{catalog: emptyCatalog(k.catalog.Version + 1), mapVersion: k.mapVersion})
}
