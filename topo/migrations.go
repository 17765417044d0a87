package topo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Migrations keeps the records of online moves, which are bytes to this package: a record
// under migrations/ID that is changed by compare-and-swap only, and beside it what its
// mover reports every now and then, under progress/ID, which nothing is decided by.
type Migrations struct {
	s *Store
}

// NewMigrations gives the records of a cluster's online moves.
func NewMigrations(s *Store) *Migrations { return &Migrations{s} }

// StoredMigration is a record as it was read.
type StoredMigration struct {
	ID       int64
	Value    []byte
	revision int64
}

var (
	// ErrMigrationChanged says that a record is not what it was when it was read, or that
	// this proxy does not hold the claim under which it wanted to write: nothing was stored.
	ErrMigrationChanged = errors.New("the record of the migration was changed meanwhile")
	// ErrNoMigration says that there is no such record.
	ErrNoMigration = errors.New("there is no such migration")
)

func (m *Migrations) key(id int64) string {
	return m.s.opts.Prefix + "/migrations/" + strconv.FormatInt(id, 10)
}

func (m *Migrations) progressKey(id int64) string {
	return m.s.opts.Prefix + "/progress/" + strconv.FormatInt(id, 10)
}

// Create stores a new record under a number that no record had before.
func (m *Migrations) Create(ctx context.Context, value func(id int64) ([]byte, error)) (StoredMigration, error) {
	counter := m.s.opts.Prefix + "/migration-number"
	for {
		resp, err := m.s.c.get(ctx, counter)
		if err != nil {
			return StoredMigration{}, fmt.Errorf("migrations: %w", err)
		}
		last, revision := int64(0), int64(0)
		if len(resp.Kvs) > 0 {
			revision = resp.Kvs[0].ModRevision
			if last, err = strconv.ParseInt(string(resp.Kvs[0].Value), 10, 64); err != nil {
				return StoredMigration{}, fmt.Errorf("%s: %w", counter, err)
			}
		}
		id := last + 1
		v, err := value(id)
		if err != nil {
			return StoredMigration{}, err
		}
		swap, err := m.s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(counter), "=", revision)},
			[]clientv3.Op{clientv3.OpPut(counter, strconv.FormatInt(id, 10)), clientv3.OpPut(m.key(id), string(v))}, nil)
		switch {
		case err != nil:
			return StoredMigration{}, fmt.Errorf("it is unknown whether migration %d was stored: %w", id, err)
		case swap.Succeeded:
			return StoredMigration{ID: id, Value: v, revision: swap.Header.Revision}, nil
		}
	}
}

// List reads all records by number.
func (m *Migrations) List(ctx context.Context) ([]StoredMigration, error) {
	resp, err := m.s.c.get(ctx, m.s.opts.Prefix+"/migrations/", clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	list := make([]StoredMigration, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		if id, ok := numberOf(kv); ok {
			list = append(list, StoredMigration{ID: id, Value: kv.Value, revision: kv.ModRevision})
		}
	}
	slices.SortFunc(list, func(a, b StoredMigration) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

func numberOf(kv *mvccpb.KeyValue) (int64, bool) {
	key := string(kv.Key)
	id, err := strconv.ParseInt(key[strings.LastIndexByte(key, '/')+1:], 10, 64)
	return id, err == nil
}

// Read reads one record.
func (m *Migrations) Read(ctx context.Context, id int64) (StoredMigration, error) {
	resp, err := m.s.c.get(ctx, m.key(id))
	if err != nil {
		return StoredMigration{}, fmt.Errorf("migration %d: %w", id, err)
	}
	if len(resp.Kvs) == 0 {
		return StoredMigration{}, ErrNoMigration
	}
	return StoredMigration{ID: id, Value: resp.Kvs[0].Value, revision: resp.Kvs[0].ModRevision}, nil
}

// Write replaces the record that old is. With a claim, it does so only while this proxy
// holds that claim under its present lease. Where etcd did not answer, it finds out what
// became of the write.
func (m *Migrations) Write(ctx context.Context, old StoredMigration, value []byte, claim string) (StoredMigration, error) {
	if len(value) > maxValue {
		return StoredMigration{}, fmt.Errorf("the record of migration %d has %d bytes and etcd takes %d", old.ID, len(value), maxValue)
	}
	key := m.key(old.ID)
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(key), "=", old.revision)}
	if claim != "" {
		lease := m.s.member.lease.alive()
		if lease == 0 {
			return StoredMigration{}, fmt.Errorf("%w: this proxy's lease in etcd is not alive", ErrMigrationChanged)
		}
		held := claimKey(m.s.opts, claim)
		cmps = append(cmps, clientv3.Compare(clientv3.Value(held), "=", m.s.member.instance), clientv3.Compare(clientv3.LeaseValue(held), "=", lease))
	}
	swap, err := m.s.c.swap(ctx, cmps, []clientv3.Op{clientv3.OpPut(key, string(value))}, nil)
	if err != nil {
		now, readErr := m.Read(ctx, old.ID)
		switch {
		case readErr != nil:
			return StoredMigration{}, fmt.Errorf("it is unknown whether a step of migration %d was stored: %w", old.ID, err)
		case now.revision > old.revision && bytes.Equal(now.Value, value):
			return now, nil
		case now.revision != old.revision:
			return StoredMigration{}, ErrMigrationChanged
		}
		return StoredMigration{}, fmt.Errorf("migration %d: %w", old.ID, err)
	}
	if !swap.Succeeded {
		return StoredMigration{}, ErrMigrationChanged
	}
	return StoredMigration{ID: old.ID, Value: value, revision: swap.Header.Revision}, nil
}

// Forget deletes a record and its progress, unless the record was changed.
func (m *Migrations) Forget(ctx context.Context, old StoredMigration) error {
	swap, err := m.s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(m.key(old.ID)), "=", old.revision)},
		[]clientv3.Op{clientv3.OpDelete(m.key(old.ID)), clientv3.OpDelete(m.progressKey(old.ID))}, nil)
	if err == nil && !swap.Succeeded {
		err = ErrMigrationChanged
	}
	return err
}

// Report stores what a mover says of its progress; whoever writes last is believed.
func (m *Migrations) Report(ctx context.Context, id int64, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := m.s.c.Put(ctx, m.progressKey(id), string(value))
	return m.s.c.explain(err)
}

// Progress reads what the movers have reported, by migration.
func (m *Migrations) Progress(ctx context.Context) (map[int64][]byte, error) {
	resp, err := m.s.c.get(ctx, m.s.opts.Prefix+"/progress/", clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("progress of migrations: %w", err)
	}
	all := make(map[int64][]byte, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		if id, ok := numberOf(kv); ok {
			all[id] = kv.Value
		}
	}
	return all, nil
}

// Release gives a claim up, if this proxy has it.
func (m *Migrations) Release(ctx context.Context, work string) error {
	key := claimKey(m.s.opts, work)
	_, err := m.s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.Value(key), "=", m.s.member.instance)}, []clientv3.Op{clientv3.OpDelete(key)}, nil)
	return err
}

// Claim is Store.Claim.
func (m *Migrations) Claim(ctx context.Context, work string) (bool, error) {
	return m.s.Claim(ctx, work)
}
