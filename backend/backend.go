// Package backend holds the connections to the shards' servers: dialling and logging in,
// one bounded pool a shard, bringing a connection to a session's state, health. A leased
// connection has one way back: Put when it is clean, else Close. It knows nothing of
// clients, plans or transactions, and it never retries what a caller has sent.
package backend

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"sluice/engine"
	"sluice/metrics"
)

// Options configures Pools. Zero values get defaults.
type Options struct {
	Log         *slog.Logger
	Metrics     *metrics.Registry
	Engine      *engine.Engine // drives connections without TLS; nil: goroutines do
	TLS         *tls.Config    // used as the Map's Backend.TLS says
	DialTimeout time.Duration  // dial + login, or bringing a connection to a state; default 5 s
	WaitTimeout time.Duration  // longest wait for a connection of a full pool; default 5 s
	MaxWaiters  int            // waiting leases a shard; default 4096
	MaxAge      time.Duration  // a connection is retired after this (with jitter); default 30 min
	IdleTimeout time.Duration  // idle connections above a few are closed after this; default 5 min
	HangTimeout time.Duration  // a server that answers nothing for so long is given up; default 10 s
	MaxPacket   int            // default 64 MiB
	NoLimits    bool           // of statements at once and of patience: a control for measurements
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&o.DialTimeout, 5 * time.Second}, {&o.WaitTimeout, 5 * time.Second}, {&o.MaxAge, 30 * time.Minute}, {&o.IdleTimeout, 5 * time.Minute}, {&o.HangTimeout, 10 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	if o.MaxWaiters <= 0 {
		o.MaxWaiters = 4096
	}
	if o.MaxPacket <= 0 {
		o.MaxPacket = 64 << 20
	}
	return o
}

// Class is what is fixed at login and therefore part of the pool's key.
type Class struct {
	FoundRows bool // CLIENT_FOUND_ROWS: matched rows are reported
	LocalFile bool // CLIENT_LOCAL_FILES: LOAD DATA LOCAL is possible
	Extended  bool // MARIADB_CLIENT_EXTENDED_METADATA: what comes from it can be relayed to clients that have it, and to no others
}

// classes is the number of different Classes.
const classes = 8

// index numbers the classes.
func (c Class) index() int {
	i := 0
	if c.FoundRows {
		i |= 1
	}
	if c.LocalFile {
		i |= 2
	}
	if c.Extended {
		i |= 4
	}
	return i
}

// Settings is the session state that a connection must have. It is immutable; equal
// states should share one pointer (the pool compares pointers first, then Key).
type Settings struct {
	Key string // identifies Set
	Set string // one SET statement that brings a fresh connection to the state; "" for a fresh one's own

	AfterUse bool // Set sets what a change of the schema sets, too, and comes after each
}

// same tells whether two settings are equal; nil is a fresh connection's state.
func same(a, b *Settings) bool {
	return a == b || a != nil && b != nil && a.Key == b.Key
}

// Unavailable says why no connection could be had. Nothing was sent.
type Unavailable struct {
	Shard string
	Full  bool // the server has as much to do as it can: try again
	Err   error
}

func (e *Unavailable) Error() string {
	if e.Full {
		return fmt.Sprintf("shard %s takes no more statements now: %v; nothing was done", e.Shard, e.Err)
	}
	return fmt.Sprintf("shard %s is not available: %v", e.Shard, e.Err)
}

func (e *Unavailable) Unwrap() error { return e.Err }

// Status is a pool's state for SHOW BACKENDS and metrics.
type Status struct {
	Shard, Address, Role string // role: primary or replica
	State                string // up, down, unknown
	Version              string
	Collation            uint8 // the lower byte of the server's default collation's number
	Extended             bool  // the server has MariaDB's extended metadata
	Open, Idle, Waiting  int
	Max                  int
	Limit                int    // statements that it is given at once
	Busy                 int    // connections at work
	AllLimit, AllBusy    int    // of all shards together
	Refused, Severed     uint64 // leases that got none; connections given up because the server hangs
	Breaker              string // closed, open, half-open
	LastError            string
	Since                time.Time // of State
}
