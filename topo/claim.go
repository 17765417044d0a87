package topo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Process names this process among all that are or were proxies of the cluster: 12 hex digits.
func (s *Store) Process() string { return processOf(s.member.instance) }

func processOf(instance string) string { return instance[strings.LastIndexByte(instance, '.')+1:] }

// Processes lists the processes whose proxies are alive, this one included.
func (s *Store) Processes(ctx context.Context) ([]string, error) {
	resp, err := s.c.get(ctx, s.opts.Prefix+"/proxies/", clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("proxies: %w", err)
	}
	list := []string{s.Process()}
	for _, kv := range resp.Kvs {
		a, err := decodeAnnouncement(kv.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		list = append(list, processOf(a.Instance))
	}
	return list, nil
}

// Claim makes this proxy the one that does some work of the cluster, as long as it lives,
// and tells whether it is. When it dies another one's Claim succeeds after the end of its
// lease. A proxy that was stopped may do the work of its claim although another has it by
// now: what must not be done twice needs a fence of its own.
func (s *Store) Claim(ctx context.Context, work string) (bool, error) {
	id := s.member.lease.alive()
	if id == 0 {
		return false, errors.New("this proxy's lease in etcd is not alive")
	}
	key := claimKey(s.opts, work)
	resp, err := s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(key), "=", 0)},
		[]clientv3.Op{clientv3.OpPut(key, s.member.instance, clientv3.WithLease(id))}, []clientv3.Op{clientv3.OpGet(key)})
	if err != nil {
		return false, fmt.Errorf("claim of %s: %w", work, err)
	}
	if resp.Succeeded {
		return true, nil
	}
	kvs := resp.Responses[0].GetResponseRange().Kvs
	return len(kvs) == 1 && string(kvs[0].Value) == s.member.instance && clientv3.LeaseID(kvs[0].Lease) == id, nil
}

func claimKey(o Options, work string) string { return o.Prefix + "/claims/" + work }

// clusterFile keeps the cluster's id for a start without etcd.
const clusterFile = "cluster.json"

type savedCluster struct {
	Prefix string `json:"prefix"`
	ID     string `json:"id"`
}

// Cluster gives 8 hex digits that no other cluster has, also when it shares servers with
// this one. They were drawn when the first proxy of the cluster asked.
func (s *Store) Cluster(ctx context.Context) (string, error) {
	if id := s.cluster.Load(); id != nil {
		return *id, nil
	}
	id, err := s.clusterID(ctx)
	if err != nil {
		var saved savedCluster
		if ok, readErr := s.dir.read(clusterFile, &saved); !ok || readErr != nil || saved.Prefix != s.opts.Prefix {
			return "", fmt.Errorf("the cluster's id: %w", err)
		}
		id = saved.ID
	} else if err := s.dir.write(clusterFile, savedCluster{Prefix: s.opts.Prefix, ID: id}); err != nil {
		s.log.Warn("the cluster's id could not be saved on local disk", "error", err)
	}
	s.cluster.Store(&id)
	return id, nil
}

func (s *Store) clusterID(ctx context.Context) (string, error) {
	var random [4]byte
	rand.Read(random[:]) // never fails
	mine, key := hex.EncodeToString(random[:]), s.opts.Prefix+"/cluster"
	resp, err := s.c.swap(ctx, []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(key), "=", 0)},
		[]clientv3.Op{clientv3.OpPut(key, mine)}, []clientv3.Op{clientv3.OpGet(key)})
	if err != nil {
		return "", err
	}
	if resp.Succeeded {
		return mine, nil
	}
	kvs := resp.Responses[0].GetResponseRange().Kvs
	if len(kvs) != 1 || len(kvs[0].Value) != len(mine) {
		return "", fmt.Errorf("%s holds no id", key)
	}
	return string(kvs[0].Value), nil
}
