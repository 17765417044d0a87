// Package admin is the DBA's side of a proxy: the admin port, where any MySQL client types
// statements such as SHOW SHARDS, and the HTTP pages: metrics, health, a small dashboard.
//
// Every statement of the admin port is a row of one table (commands.go): its syntax, its
// help and what runs it. The package reads the numbers of all the others; it never answers
// an application's statement, and it knows nothing of sessions but what the server's
// registry tells.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/backend"
	"sluice/cache"
	"sluice/limit"
	"sluice/metrics"
	"sluice/server"
	"sluice/shard"
	"sluice/topo"
	"sluice/txn"
	"sluice/wire"
)

// Topology is what the admin port needs of the cluster's store.
type Topology interface {
	Map() *shard.Map
	Update(ctx context.Context, change func(*shard.Spec) error) (*shard.Map, error)
	Proxies(ctx context.Context) ([]topo.Proxy, error)
	Healthy() bool
}

// Options is what an Admin works on.
type Options struct {
	Node       string
	Version    string
	Topology   Topology
	Pools      *backend.Pools
	Decisions  *txn.Decisions // of transactions over several shards
	Migrations Migrations
	Data       *server.Server // the application's port
	Digests    *metrics.Digests
	Limits     *limit.Table
	Cache      *cache.Cache // of results; nil: none
	Metrics    *metrics.Registry
	Reload     func(ctx context.Context) error // reloads what can be reloaded
	Drain      func()                          // starts the drain; returns at once
	Draining   func() bool
	Log        *slog.Logger
}

// Admin serves the admin port (it is a server.Handler) and the HTTP pages.
type Admin struct {
	Options
	commands []command
	started  time.Time
}

// New makes an Admin.
func New(opts Options) *Admin {
	return &Admin{Options: opts, commands: commands(), started: time.Now()}
}

// statementTimeout bounds one admin statement: etcd or a shard may not answer.
const statementTimeout = 30 * time.Second

// Open implements server.Handler.
func (a *Admin) Open(ctx context.Context, c *server.Client) server.Service {
	s := &conn{admin: a, client: c, ctx: ctx}
	c.SetSession(s)
	return s
}

// refuse makes an error of the admin port's own.
func refuse(code uint16, state, message string) *wire.Error {
	return &wire.Error{Code: code, SQLState: state, Message: "sluice: " + message}
}

// asError gives what the DBA sees of an error.
func asError(err error) *wire.Error {
	var we *wire.Error
	switch {
	case errors.As(err, &we):
		return we
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(1105, "HY000", "no answer in time: "+err.Error())
	}
	return refuse(1105, "HY000", err.Error())
}
