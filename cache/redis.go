package cache

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"sluice/internal/fault"
)

// redisStore is the shared level. Nothing of it is trusted across a change of the Redis process:
// each new connection first finds out which process it has reached, and where the data are
// not known to be that process's own, all that was stored becomes unreachable (see greet).
type redisStore struct {
	client redis.UniversalClient
	n      int
	looks  looks
	asks   asks
	log    *slog.Logger
	faults *fault.Points

	mu   sync.Mutex
	told string // the last complaint, said once
}

// tagLife is how long a tag lives that nobody writes: longer than any entry.
const tagLife = 2*maxTTL + time.Hour // what is stale lives as long again

func newRedis(o *Redis, log *slog.Logger, faults *fault.Points) *redisStore {
	redis.SetLogger(&logging.VoidLogger{}) // else it writes past our log, a line for each try while a Redis is away
	s := &redisStore{n: 1, log: log, faults: faults}
	s.looks = looks{mget: func(ctx context.Context, keys []string) ([]any, error) { return s.client.MGet(ctx, keys...).Result() }}
	if len(o.Addrs) > 1 {
		s.n = clusterBuckets
	}
	off := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	const pool = 64
	if s.n == 1 {
		s.client = redis.NewClient(&redis.Options{
			Addr: o.Addrs[0], Username: o.Username, Password: o.Password, OnConnect: s.greet, ContextTimeoutEnabled: true, MaxRetries: -1,
			DialTimeout: time.Second, PoolSize: pool, MaxActiveConns: pool, PoolTimeout: writeBudget, DisableIdentity: true, Protocol: 2, MaintNotificationsConfig: off,
		})
		return s
	}
	s.client = redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: o.Addrs, Username: o.Username, Password: o.Password, OnConnect: s.greet, ContextTimeoutEnabled: true, MaxRetries: -1, MaxRedirects: 2,
		DialTimeout: time.Second, PoolSize: pool, MaxActiveConns: pool, PoolTimeout: writeBudget, DisableIdentity: true, Protocol: 2, MaintNotificationsConfig: off,
		ConnMaxLifetime: clusterConnLife,
	})
	return s
}

func (s *redisStore) buckets() int { return s.n }

func (s *redisStore) close() { s.client.Close() }

// learn has a Redis Cluster's client look again which node has which slots, after a question that failed. By itself it does
// only when a node sends it elsewhere (MOVED), or once a minute: but one that is gone sends nobody, and one that has come back as a
// replica is not asked (see greet).
func (s *redisStore) learn(err error) error {
	if c, ok := s.client.(*redis.ClusterClient); ok && err != nil && !errors.Is(err, redis.Nil) {
		c.ReloadState(context.Background()) // asks in the background, one at a time
	}
	return err
}

// ping tells whether every bucket can be written: a Redis that is full answers, and takes no marks.
func (s *redisStore) ping(ctx context.Context) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for b := range s.n {
			p.Set(ctx, strings.TrimSuffix(everythingIn(b), everything)+"ping", "1", time.Second)
		}
		return nil
	})
	return s.learn(err)
}

// split deals keys to their buckets, in the order of the first of each.
func split(tags []key) (parts [][]int) {
	if len(tags) == 0 {
		return nil
	}
	if one(tags) {
		all := make([]int, len(tags))
		for i := range all {
			all[i] = i
		}
		return [][]int{all}
	}
	at := map[int]int{}
	for i, k := range tags {
		n, ok := at[k.bucket]
		if !ok {
			n = len(parts)
			at[k.bucket] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}

// one tells whether all keys are in the same bucket.
func one(tags []key) bool {
	for i := range tags {
		if tags[i].bucket != tags[0].bucket {
			return false
		}
	}
	return true
}

func names(tags []key, part []int, before ...string) []string {
	list := append(make([]string, 0, len(before)+len(part)), before...)
	for _, i := range part {
		list = append(list, tags[i].name)
	}
	return list
}

func (s *redisStore) look(ctx context.Context, at *place, entry bool) ([]string, []byte, error) {
	states := make([]string, len(at.tags))
	parts := split(at.tags)
	keys := make([][]string, len(parts))
	for i, part := range parts {
		if i == 0 && entry {
			keys[i] = names(at.tags, part, at.entry.name)
		} else {
			keys[i] = names(at.tags, part)
		}
	}
	lists, err := s.ask(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	var value string
	for i, part := range parts {
		if i == 0 && entry {
			value, _ = lists[i][0].(string)
			lists[i] = lists[i][1:]
		}
		take(states, part, lists[i])
	}
	return states, bytesOf(value), nil
}

// ask gets keys, each list from its bucket.
func (s *redisStore) ask(ctx context.Context, keys [][]string) ([][]any, error) {
	if s.n == 1 {
		list, err := s.looks.get(ctx, keys[0])
		return [][]any{list}, err
	}
	return within(ctx, &s.asks, func(ctx context.Context) ([][]any, error) {
		cmds := make([]*redis.SliceCmd, len(keys))
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range keys {
				cmds[i] = p.MGet(ctx, keys[i]...)
			}
			return nil
		})
		lists := make([][]any, len(keys))
		for i := range cmds {
			lists[i] = cmds[i].Val()
		}
		return lists, s.learn(err)
	})
}

func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func take(states []string, part []int, got []any) {
	for i, n := range part {
		states[n], _ = got[i].(string)
	}
}

func (s *redisStore) fresh(ctx context.Context, at *place, version string) ([]string, error) {
	states, _, err := s.open(ctx, at, version, "", 0)
	return states, err
}

// open makes no lock for a name of "".
func (s *redisStore) open(ctx context.Context, at *place, version, name string, lease time.Duration) ([]string, bool, error) {
	states := make([]string, len(at.tags))
	parts := split(at.tags)
	locks := func(part []int) bool { return name != "" && at.tags[part[0]].bucket == at.entry.bucket }
	got, err := s.eachWithin(ctx, parts, func(ctx context.Context, p redis.Scripter, part []int) *redis.Cmd {
		keys, args := names(at.tags, part), []any{version, tagLife.Milliseconds(), settler, s.settle().Milliseconds()}
		if locks(part) {
			return openScript.run(ctx, p, append(keys, at.lock().name), append(args, name, lease.Milliseconds())...)
		}
		return freshScript.run(ctx, p, keys, args...)
	})
	if err != nil {
		return nil, false, err
	}
	mine := false
	for i, part := range parts {
		list, err := got[i].Slice()
		if err == nil && locks(part) && len(list) == len(part)+1 {
			mine, list = true, list[:len(part)]
		}
		if err != nil || len(list) != len(part) {
			return nil, false, errMixed
		}
		take(states, part, list)
	}
	return states, mine, nil
}

// fill looks at the tags of the entry's own bucket. Those of others are looked at by who reads it: its stamp
// is that of all.
func (s *redisStore) fill(ctx context.Context, at *place, states []string, value []byte, ttl time.Duration, lock string) (bool, error) {
	var part []int
	args := []any{value, max(ttl.Milliseconds(), 1), lock}
	for i, t := range at.tags {
		if t.bucket == at.entry.bucket {
			part = append(part, i)
			args = append(args, states[i])
		}
	}
	got, err := s.eachWithin(ctx, [][]int{part}, func(ctx context.Context, p redis.Scripter, part []int) *redis.Cmd {
		return fillScript.run(ctx, p, names(at.tags, part, at.entry.name, at.lock().name), args...)
	})
	if err != nil {
		return false, err
	}
	n, err := got[0].Int()
	return n == 1, err
}

func (s *redisStore) lock(ctx context.Context, k key, name string, lease time.Duration) (bool, error) {
	return within(ctx, &s.asks, func(ctx context.Context) (bool, error) {
		mine, err := s.client.SetNX(ctx, k.name, name, lease).Result()
		return mine, s.learn(err)
	})
}

func (s *redisStore) unlock(ctx context.Context, k key, name string) error {
	_, err := s.eachWithin(ctx, [][]int{nil}, func(ctx context.Context, p redis.Scripter, _ []int) *redis.Cmd {
		return unlockScript.run(ctx, p, []string{k.name}, name)
	})
	return err
}

func (s *redisStore) begin(ctx context.Context, tags []key, version, writer string, lease time.Duration) error {
	_, err := s.each(ctx, split(tags), func(ctx context.Context, p redis.Scripter, part []int) *redis.Cmd {
		return beginScript.run(ctx, p, names(tags, part), version, writer, lease.Milliseconds(), tagLife.Milliseconds(), settler, s.settle().Milliseconds())
	})
	return err
}

func (s *redisStore) end(ctx context.Context, tags []key, version, writer string) error {
	_, err := s.each(ctx, split(tags), func(ctx context.Context, p redis.Scripter, part []int) *redis.Cmd {
		return endScript.run(ctx, p, names(tags, part), version, writer, tagLife.Milliseconds())
	})
	return err
}

// scripted runs a script for some of the tags.
type scripted func(ctx context.Context, p redis.Scripter, part []int) *redis.Cmd

// eachWithin is each for who waits no longer than ctx lasts.
func (s *redisStore) eachWithin(ctx context.Context, parts [][]int, run scripted) ([]*redis.Cmd, error) {
	return within(ctx, &s.asks, func(ctx context.Context) ([]*redis.Cmd, error) { return s.each(ctx, parts, run) })
}

// each runs a script in every bucket, all at once; again where a Redis has forgotten it.
func (s *redisStore) each(ctx context.Context, parts [][]int, run scripted) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(parts))
	forgotten := func(i int) bool { return cmds[i] == nil || redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") }
	var err error
	for range 2 {
		if len(parts) == 1 {
			cmds[0] = run(ctx, s.client, parts[0])
			err = cmds[0].Err()
		} else {
			_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i, part := range parts {
					if forgotten(i) {
						cmds[i] = run(ctx, p, part)
					}
				}
				return nil
			})
		}
		if !redis.HasErrorPrefix(err, "NOSCRIPT") {
			break
		}
		for _, sc := range scripts() {
			if err := s.client.ScriptLoad(ctx, sc.text).Err(); err != nil {
				return nil, s.learn(err)
			}
		}
	}
	return cmds, s.learn(err)
}
