// Package cache keeps results of SELECT statements: in Redis, which all proxies of a cluster
// share, or in this process when it is the only one. It promises that after an acknowledged write
// no proxy gives an older result, whatever dies; docs/CACHE.md has the protocol and its proof.
//
//	read:  look at the tags' versions and the entry ─▶ all clean and as in the entry ─▶ hit
//	                     └─▶ run the statement ─▶ store it under the versions looked at before
//	write: mark the tags "being written" ─▶ commit ─▶ new versions, mark off ─▶ answer the client
//	       └─ cannot ─▶ suspend the cache on all proxies ─▶ commit ─▶ answer the client
//
// What it refuses to do: to guess. A tag that is missing, that somebody writes, or that a Redis
// with another history holds is no hit; when it cannot be told what others may serve, a write waits or is
// refused before it is carried out. It knows no SQL: what a statement depends on, and what it changes, is the caller's to say.
package cache

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/internal/fault"
	"sluice/metrics"
)

// Bounds of what is kept.
const (
	MaxResult = 256 << 10 // bytes of a result's packets
	maxTTL    = 24 * time.Hour
	maxKeys   = 16 // of a read that are tags of their own; with more it depends on its tables as a whole
	MaxWrites = 64 // keys of a write; with more it is one of the whole table
)

// Times. A read waits no longer for Redis than a point read of the database takes on a bad day;
// a write may, because what comes after it is dearer for everybody.
const (
	readBudget  = 10 * time.Millisecond
	writeBudget = 250 * time.Millisecond
	greetBudget = 2 * time.Second  // of a connection that nobody waits for
	markLease   = 60 * time.Second // the servers' longest waits for an answer to COMMIT are a fifth of it
	suspendWait = 15 * time.Second // a proxy that hangs loses its lease after 10 s
)

// Cluster is what the cache needs of the cluster's store.
type Cluster interface {
	// CacheState gives what the newest map says.
	CacheState() State
	// Sure tells whether others that wait for this proxy still do: what the map said a moment ago holds.
	Sure() bool
	// Suspend writes this node into the map's list of those that cannot keep the cache right, and
	// returns when every live proxy serves that map.
	Suspend(ctx context.Context) error
	// Resume takes this node and those that are gone out of the list, under a new epoch.
	Resume(ctx context.Context) error
}

// State is the part of the map that the cache goes by.
type State struct {
	Secret    string // authenticates values and hides texts; "": no table is cached
	Epoch     int64  // results of another epoch are unreachable
	Ready     bool   // every proxy marks its writes: there may be hits
	Suspended bool   // a node cannot: no hits
	Self      bool   // this one is among them
	Hurry     bool   // slots are about to switch: whoever waits for another holds that up
}

// Options are what a Cache is made of.
type Options struct {
	Cluster Cluster
	Redis   *Redis // nil: the results stay in this process, which must be the cluster's only one
	Metrics *metrics.Registry
	Log     *slog.Logger
	Faults  *fault.Points
}

// Redis says where the shared level is. Several addresses are a Redis Cluster.
type Redis struct {
	Addrs              []string
	Username, Password string
}

// Cache is the result cache of one proxy. It is safe for concurrent use.
type Cache struct {
	cluster Cluster
	store   store
	log     *slog.Logger
	faults  *fault.Points
	budget  time.Duration // of a read
	writers string        // begins the names of this proxy's writes
	writes  atomic.Uint64
	ring    atomic.Pointer[ring]
	breaker breaker
	guard   guard
	near    *near // of what is in Redis; nil: none
	flights flights
	stats   stats
}

// New makes a cache. It connects when it is first asked something.
func New(opts Options) *Cache {
	c := &Cache{cluster: opts.Cluster, log: opts.Log, faults: opts.Faults, budget: readBudget, writers: strings.ToLower(token()[:10])}
	if c.faults.Off("cache.hurry") { // on a slow machine tests would see few hits
		c.budget = 5 * time.Second
	}
	c.guard.changed, c.flights.most = make(chan struct{}), loadWait
	if opts.Redis != nil {
		c.store = newRedis(opts.Redis, opts.Log, opts.Faults)
		if !c.faults.Off("cache.near") {
			c.near = newNear()
		}
	} else {
		c.store = newLocal()
	}
	register(c, opts.Metrics)
	return c
}

// Close ends its connections.
func (c *Cache) Close() {
	c.store.close()
	c.near.close()
}

// Table is a table that a statement reads or writes.
type Table struct {
	Schema, Name string
	Keyed        bool   // the statement's keys say which of its rows
	Rule         string // by which it is counted
}

func (t Table) id() string { return t.Schema + "." + t.Name }

// Query is a read that may be answered from the cache.
type Query struct {
	Key    []byte // all that its answer depends on besides the data
	Tables []Table
	Keys   []uint32 // of the keyed tables' rows
	TTL    time.Duration
	Stale  time.Duration // for so long after TTL the result is kept, for when the database fails
	Rule   string        // by which it is counted
	Asker  Asker         // nil: one that is not interrupted
}

// Asker is who waits for a read.
type Asker interface {
	// Interrupted gives an error when he has been told to stop.
	Interrupted() error
}

// Result is an answer: its packets as they go to a client, from sequence number 1 on.
type Result struct {
	Packets []byte
	Next    uint8  // the sequence number behind them
	Rows    uint64 // sent
	Found   uint64 // as FOUND_ROWS() tells
}

// jitter takes up to a tenth off a time, so that what was stored together does not end together.
func jitter(d time.Duration) time.Duration {
	var b [1]byte
	rand.Read(b[:]) // never fails
	return d - d*time.Duration(b[0])/2560
}

// written tells whether somebody writes one of the tags, or has not ended it.
func written(states []string) bool {
	return slices.ContainsFunc(states, func(s string) bool { return strings.IndexByte(s, '|') >= 0 })
}

// clean tells whether all tags have a version and nobody writes.
func clean(states []string) bool {
	return !slices.Contains(states, "") && !written(states)
}

// token is a version that was never there before and never comes again.
func token() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// errMixed is the answer of a Redis whose keys are not where they were expected.
var errMixed = errors.New("the answer of Redis is not understood")
