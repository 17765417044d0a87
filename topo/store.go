// Package topo keeps the cluster's map in etcd: an embedded server by default, or the
// endpoints of an external one. It writes the first map once, watches for newer ones,
// keeps the last good one on local disk, announces this proxy under a lease, and hands
// out ids of sequences. It is the only importer of etcd.
//
// Keys, all under the cluster's prefix:
//
//	map                              the Spec as JSON; its mod revision is the map's version
//	proxies/NODE                     a living proxy, under its lease
//	cluster                          the cluster's id, drawn once
//	claims/WORK                      the proxy that does a work of the cluster, under its lease
//	migrations/ID                    the record of an online move, changed by compare-and-swap
//	progress/ID                      what its mover reported last; nothing is decided by it
//	migration-number                 the number of the newest online move
//	ids/SEQUENCE/next                the counter of a sequence
//	ids/SEQUENCE/blocks/INSTANCE     the ids that a proxy took and has not handed out
//	ids/SEQUENCE/give/OWNER/ASKER    a request to a proxy to give ids up
//
// An embedded etcd serves one proxy; several proxies of one cluster need an external one.
// Passwords lie in etcd and in the local copy as they were given, so etcd and the data
// directory are to be protected like the shards themselves. A map older than one that
// was served before is refused: rows may have moved since.
package topo

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"sluice/shard"
)

// Store is the open topology. Safe for concurrent use.
type Store struct {
	opts   Options
	log    *slog.Logger
	c      *conn
	dir    *directory
	stored *stored
	member *member
	ids    *ids
	presence

	cluster atomic.Pointer[string] // its id, once known

	stop   context.CancelFunc
	tasks  sync.WaitGroup
	closed sync.Once
}

// Open connects (or starts the embedded server), stores Initial if nothing is there (one
// proxy of several that start together wins), loads the map, starts watching and
// announces the proxy. With etcd unreachable it serves the last map from DataDir if there
// is one, and goes on trying; else it fails within ctx.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts, err := opts.check()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	dir, err := openDirectory(opts.DataDir)
	if err != nil {
		return nil, err
	}
	var c *conn
	if len(opts.Endpoints) > 0 {
		c, err = dial(opts.Endpoints)
	} else {
		c, err = startEmbedded(ctx, opts.DataDir, opts.Log)
	}
	if err != nil {
		dir.close()
		return nil, err
	}
	s, err := open(ctx, opts, dir, c)
	if err != nil {
		c.stop()
		dir.close()
		return nil, err
	}
	return s, nil
}

// open is Open over a connection, which stays the caller's if it fails.
func open(ctx context.Context, opts Options, dir *directory, c *conn) (*Store, error) {
	var random [6]byte
	rand.Read(random[:]) // never fails
	instance := opts.Node + "." + hex.EncodeToString(random[:])
	s := &Store{opts: opts, log: opts.Log, c: c, dir: dir, stored: newStored(c, dir, opts)}
	s.ids = newIDs(c, opts.Log, opts.Prefix+"/ids/", instance)
	s.member = newMember(c, opts, instance)
	s.presence.of(s.stored, s.member)

	first, connected, err := s.stored.first(ctx)
	if err != nil {
		return nil, err
	}
	if connected {
		s.revokeOld(ctx)
		if err := s.member.join(ctx, first.Version); err != nil {
			s.abandon()
			return nil, err
		}
		if err := s.ids.lease.grant(ctx); err != nil {
			opts.Log.Warn("no lease for sequences yet", "error", err)
		}
		s.saveLeases()
		// Read again, now that others wait for this proxy: what was changed before that is in it.
		if again, err := s.stored.read(ctx); err == nil && again.Version >= first.Version && s.member.answers.Load() {
			first = again
			s.extend()
		}
	}
	s.stored.maps.publish(first)
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.ids.start(run, &s.tasks)
	s.tasks.Go(func() { s.stored.maps.run(run, s.served) })
	s.tasks.Go(func() { s.keepLeases(run) })
	s.tasks.Go(func() { follow(run, s.c, s.log, s.stored.key, s.stored.loaded, s.stored.changed) })
	s.tasks.Go(func() { follow(run, s.c, s.log, s.ids.prefix, s.ids.loaded, s.ids.changed, clientv3.WithPrefix()) })
	return s, nil
}

// Map gives the newest known map; never nil after Open.
func (s *Store) Map() *shard.Map { return s.stored.maps.newest.Load() }

// OnChange registers a function that is called, one at a time with all others, first with
// the newest map and then with every new one, in their order. Where maps follow each other
// faster than the functions return, only the newest is given. A function must not wait for
// Update.
func (s *Store) OnChange(f func(*shard.Map)) { s.stored.maps.subscribe(f) }

// Update changes the stored map by compare-and-swap: change gets a copy of the newest
// Spec, and is called again if another writer was first. It returns when this proxy
// serves the new map and the functions of OnChange know it. A change that changes nothing
// makes a new version too. An error of change is returned as it is. When etcd was lost while it wrote, the error says that the outcome is unknown.
func (s *Store) Update(ctx context.Context, change func(*shard.Spec) error) (*shard.Map, error) {
	return s.stored.update(ctx, change)
}

// Healthy tells whether etcd answers and this proxy's lease is alive.
func (s *Store) Healthy() bool { return s.member.lease.alive() != 0 && s.member.answers.Load() }

// Close gives up the leases, stops the embedded server and waits for all goroutines.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.ids.close()
		s.stop()
		s.tasks.Wait()
		s.abandon()
		s.c.stop()
		s.dir.close()
	})
	return nil
}

// abandon gives up the leases as far as etcd answers soon; they end by themselves too.
func (s *Store) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, l := range []*lease{s.member.lease, s.ids.lease} {
		if err := revoke(ctx, s.c, l.held()); err != nil {
			s.log.Warn("the lease was not given up", "error", err)
			return
		}
	}
}

// served is called when all subscribers have been told of a map.
func (s *Store) served(m *shard.Map) {
	s.member.serves(m)
	s.stored.save(m)
}

// revokeOld ends what an earlier process with this data directory left behind.
func (s *Store) revokeOld(ctx context.Context) {
	var old savedLeases
	if _, err := s.dir.read(leasesFile, &old); err != nil || old.Prefix != s.opts.Prefix {
		return // they end by themselves, a little later
	}
	for _, id := range old.Leases {
		if err := revoke(ctx, s.c, clientv3.LeaseID(id)); err != nil {
			s.log.Warn("the lease of the process before was not given up", "error", err)
		}
	}
}

func (s *Store) saveLeases() {
	l := savedLeases{Prefix: s.opts.Prefix, Leases: []int64{int64(s.member.lease.held()), int64(s.ids.lease.held())}}
	if err := s.dir.write(leasesFile, l); err != nil {
		s.log.Error("the leases could not be saved on local disk", "error", err)
	}
}

// renewEvery is far below the leases' TTLs, so that Healthy follows etcd closely.
const renewEvery = time.Second

// keepLeases renews both leases, takes new ones when they are lost, and announces which
// map is served, until ctx ends.
func (s *Store) keepLeases(ctx context.Context) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	lastErr := ""
	unsure := s.sure.Load().IsZero() // the map has to be read again before it can be relied on
	for {
		renewed, err := s.member.keep(ctx)
		if unsure = unsure || renewed || err != nil; err == nil && (!unsure || s.caughtUp(ctx)) {
			s.extend()
			unsure = false
		}
		var taken sameName
		if err == nil || errors.As(err, &taken) {
			again, idsErr := s.ids.keep(ctx)
			renewed, err = renewed || again, cmp.Or(err, idsErr)
		}
		if renewed {
			s.saveLeases()
		}
		if ctx.Err() != nil {
			return
		}
		s.member.answers.Store(err == nil)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != lastErr {
			if err != nil {
				s.log.Error("etcd: this proxy's lease could not be renewed; it goes on with the last map", "error", err)
			} else {
				s.log.Info("etcd answers again")
			}
			lastErr = text
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.member.wake:
		}
	}
}

// Proxy is a live proxy of the cluster.
type Proxy struct {
	Node       string `json:"node"`
	Listen     string `json:"listen"`
	MapVersion int64  `json:"map_version"`
	Acks       []Ack  `json:"acks,omitempty"`
	Long       []Long `json:"long,omitempty"`
	Version    string `json:"version"`
	Started    string `json:"started"`         // RFC 3339
	Cache      string `json:"cache,omitempty"` // the shared result cache that it keeps right
}

// Ack says that a proxy has seen a migration frozen in that attempt, and that nothing runs
// there any more that touches its slots.
type Ack struct {
	Move    int64 `json:"move"`
	Attempt int64 `json:"attempt"`
}

// Long is the oldest statement of a proxy that has been running for long and touches slots of
// a migration: a switch would wait for it.
type Long struct {
	Move    int64     `json:"move"`
	Session uint32    `json:"session"`
	Since   time.Time `json:"since"` // by the proxy's clock
}

// Proxies lists the proxies whose lease is alive, as etcd has them when it is called or
// later: a proxy that is not in the list has not begun to serve a map yet, and begins with
// one that is as new as the list.
func (s *Store) Proxies(ctx context.Context) ([]Proxy, error) {
	resp, err := s.c.get(ctx, s.opts.Prefix+"/proxies/", clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("proxies: %w", err)
	}
	list := make([]Proxy, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs { // in the order of their names
		a, err := decodeAnnouncement(kv.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		list = append(list, a.Proxy)
	}
	return list, nil
}
