package topo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"sluice/internal/sleep"
	"sluice/shard"
)

// refusal is an error that trying again does not mend.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// stored is the map as it lies in etcd and on local disk.
type stored struct {
	c       *conn
	log     *slog.Logger
	prefix  string
	key     string
	dir     *directory
	initial *shard.Spec
	maps    *publisher
	saved   int64 // the version on disk; only open and then the publisher's goroutine use it
}

func newStored(c *conn, dir *directory, opts Options) *stored {
	return &stored{c: c, log: opts.Log, prefix: opts.Prefix, key: opts.Prefix + "/map", dir: dir, initial: opts.Initial, maps: newPublisher()}
}

// save writes a map to local disk, unless it is there.
func (s *stored) save(m *shard.Map) {
	if m.Version == s.saved {
		return
	}
	if err := s.dir.saveMap(s.prefix, m); err != nil {
		s.log.Error("the map could not be saved on local disk", "error", err)
		return
	}
	s.saved = m.Version
}

func decodeMap(kv *mvccpb.KeyValue) (*shard.Map, error) {
	var spec shard.Spec
	if err := json.Unmarshal(kv.Value, &spec); err != nil {
		return nil, fmt.Errorf("the map stored in etcd: %w", err)
	}
	m, err := shard.New(kv.ModRevision, spec)
	if err != nil {
		return nil, fmt.Errorf("the map stored in etcd: %w", err)
	}
	return m, nil
}

func encodeSpec(spec shard.Spec) (string, error) {
	if _, err := shard.New(0, spec); err != nil {
		return "", err
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	if len(b) > maxValue {
		return "", fmt.Errorf("the map has %d bytes and etcd takes %d; use patterns instead of a rule for each table", len(b), maxValue)
	}
	return string(b), nil
}

// first gives the map to start with, and whether it came from etcd.
func (s *stored) first(ctx context.Context) (*shard.Map, bool, error) {
	saved, err := s.dir.loadMap(s.prefix)
	if err != nil {
		s.log.Warn("the map on local disk is of no use", "error", err)
	}
	wait := ctx
	if saved != nil {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for {
		m, err := s.readOrCreate(wait, saved)
		var no refusal
		switch {
		case err == nil:
			return m, true, nil
		case errors.As(err, &no):
			return nil, false, err
		case sleep.For(wait, 100*time.Millisecond):
			continue
		case saved != nil:
			s.log.Error("etcd cannot be reached: serving the last map from local disk, and trying again", "version", saved.Version, "error", err)
			s.saved = saved.Version
			return saved, false, nil
		}
		return nil, false, fmt.Errorf("%w; there is no map on local disk to start with", err)
	}
}

// readOrCreate reads the stored map, or stores the initial one if there is none.
func (s *stored) readOrCreate(ctx context.Context, saved *shard.Map) (*shard.Map, error) {
	resp, err := s.c.get(ctx, s.key)
	if err != nil {
		return nil, err
	}
	if len(resp.Kvs) == 0 {
		if err := s.create(ctx, saved); err != nil {
			return nil, err
		}
		if resp, err = s.c.get(ctx, s.key); err != nil {
			return nil, err
		}
		if len(resp.Kvs) == 0 {
			return nil, errors.New("the map was deleted just now")
		}
	}
	m, err := decodeMap(resp.Kvs[0])
	if err != nil {
		return nil, err
	}
	if saved != nil && (m.Version < saved.Version || m.Version == saved.Version && !reflect.DeepEqual(m.Spec, saved.Spec)) {
		return nil, refusal{fmt.Errorf("%s holds map version %d, but this proxy has served version %d: etcd lost its newest data or is another one; restore it, or delete %s if its map is the right one",
			s.c.where, m.Version, saved.Version, filepath.Join(s.dir.path, mapFile))}
	}
	return m, nil
}

// create stores the initial map unless another proxy was first.
func (s *stored) create(ctx context.Context, saved *shard.Map) error {
	if saved != nil {
		// To deal the slots afresh would hide every row that is not where it falls now.
		return refusal{fmt.Errorf("%s holds no map under %s, but this proxy has served version %d: etcd lost its data or the prefix is wrong; restore it, or delete %s to start a new cluster",
			s.c.where, s.prefix, saved.Version, filepath.Join(s.dir.path, mapFile))}
	}
	if s.initial == nil {
		return refusal{fmt.Errorf("%s holds no map under %s and the configuration has no cluster section; write one", s.c.where, s.prefix)}
	}
	value, err := encodeSpec(*s.initial)
	if err != nil {
		return refusal{fmt.Errorf("the cluster section of the configuration: %w", err)}
	}
	resp, err := s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(s.key), "=", 0)},
		[]clientv3.Op{clientv3.OpPut(s.key, value)}, nil)
	if err != nil {
		return err
	}
	if resp.Succeeded {
		s.log.Info("stored the cluster section of the configuration as the first map", "version", resp.Header.Revision)
	}
	return nil
}

// loaded and changed take what follow reads of the map's key.
func (s *stored) loaded(resp *clientv3.GetResponse) {
	if len(resp.Kvs) == 0 {
		s.log.Error("etcd holds no map any more; serving the last one", "version", s.maps.newest.Load().Version)
		return
	}
	if stored, serving := resp.Kvs[0].ModRevision, s.maps.newest.Load().Version; stored < serving {
		s.log.Error("etcd holds an older map than this proxy serves; it is refused", "stored", stored, "serving", serving)
	}
	s.take(resp.Kvs[0])
}

func (s *stored) changed(events []*clientv3.Event) {
	for _, e := range events {
		if e.Type == clientv3.EventTypeDelete {
			s.log.Error("the map was deleted in etcd; serving the last one", "version", s.maps.newest.Load().Version)
			continue
		}
		s.take(e.Kv)
	}
}

func (s *stored) take(kv *mvccpb.KeyValue) {
	serving := s.maps.newest.Load().Version
	if kv.ModRevision <= serving {
		return // a watch that was interrupted tells what happened meanwhile
	}
	m, err := decodeMap(kv)
	if err != nil {
		s.log.Error("a new map is refused; serving the last good one", "stored", kv.ModRevision, "serving", serving, "error", err)
		return
	}
	if s.maps.publish(m) {
		s.log.Info("new map", "version", m.Version)
	}
}

// read gives the map as etcd has it now.
func (s *stored) read(ctx context.Context) (*shard.Map, error) {
	resp, err := s.c.get(ctx, s.key)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	if len(resp.Kvs) == 0 {
		return nil, fmt.Errorf("map: %s holds none", s.c.where)
	}
	return decodeMap(resp.Kvs[0])
}

// refresh is Refresh.
func (s *stored) refresh(ctx context.Context) (*shard.Map, error) {
	m, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if serving := s.maps.newest.Load(); serving != nil && m.Version < serving.Version {
		// A newer one came meanwhile, or etcd lost data; what is served is no older in either case.
		m = serving
	}
	s.maps.publish(m)
	if err := s.maps.await(ctx, m.Version); err != nil {
		return nil, fmt.Errorf("map: version %d is not yet served here: %w", m.Version, err)
	}
	return s.maps.newest.Load(), nil
}

// update is Update.
func (s *stored) update(ctx context.Context, change func(*shard.Spec) error) (*shard.Map, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	unsure, after := "", int64(0) // a value whose write was not answered, and the version it was to follow
	for {
		resp, err := s.c.get(ctx, s.key)
		if err != nil {
			if unsure != "" {
				return nil, fmt.Errorf("map: it is unknown whether the change was stored: %w", err)
			}
			return nil, fmt.Errorf("map: %w", err)
		}
		if len(resp.Kvs) == 0 {
			return nil, fmt.Errorf("map: %s holds none", s.c.where)
		}
		kv := resp.Kvs[0]
		if unsure != "" && string(kv.Value) == unsure && kv.ModRevision > after {
			return s.serve(ctx, kv)
		}
		value, err := apply(kv.Value, change)
		if err != nil && unsure != "" {
			return nil, fmt.Errorf("map: it is unknown whether an earlier attempt was stored: %w", err)
		}
		if err != nil {
			return nil, err
		}
		swap, err := s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.key), "=", kv.ModRevision)},
			[]clientv3.Op{clientv3.OpPut(s.key, value)}, nil)
		switch {
		case err != nil && ctx.Err() == nil:
			unsure, after = value, kv.ModRevision
		case err != nil:
			return nil, fmt.Errorf("map: it is unknown whether the change was stored: %w", err)
		case swap.Succeeded:
			return s.serve(ctx, &mvccpb.KeyValue{Value: []byte(value), ModRevision: swap.Header.Revision})
		}
		if !sleep.For(ctx, time.Duration(rand.Int64N(int64(20*time.Millisecond)))) {
			return nil, fmt.Errorf("map: other writers were always first: %w", ctx.Err())
		}
	}
}

// apply gives the stored form of a changed Spec.
func apply(stored []byte, change func(*shard.Spec) error) (string, error) {
	var spec shard.Spec
	dec := json.NewDecoder(bytes.NewReader(stored))
	dec.DisallowUnknownFields() // they would be lost
	if err := dec.Decode(&spec); err != nil {
		return "", fmt.Errorf("map: it was stored by a newer Sluice; change it with that one: %w", err)
	}
	if err := change(&spec); err != nil {
		return "", err
	}
	return encodeSpec(spec)
}

// serve publishes a map that this proxy stored or found, and waits until it is known here.
func (s *stored) serve(ctx context.Context, kv *mvccpb.KeyValue) (*shard.Map, error) {
	m, err := decodeMap(kv)
	if err != nil {
		return nil, err
	}
	s.maps.publish(m)
	if err := s.maps.await(ctx, m.Version); err != nil {
		return nil, fmt.Errorf("map: version %d is stored but not yet served here: %w", m.Version, err)
	}
	return m, nil
}
