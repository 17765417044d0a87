package cache

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"sluice/internal/fault"
)

// redisStore is the shared level. Nothing of it is trusted across a change of the Redis process:
// each new connection first finds out which process it has reached, and where the data are
// not known to be that process's own, all that was stored becomes unreachable (see greet).
type redisStore struct {
	client redis.UniversalClient
	n      int
	log    *slog.Logger
	faults *fault.Points

	mu   sync.Mutex
	told string // the last complaint, said once
}

// tagLife is how long a tag lives that nobody writes: longer than any entry.
const tagLife = maxTTL + time.Hour

// The scripts. What is not there has no version, and nobody believes an entry without one.
var (
	// KEYS: tags. ARGV: version, writer, lease and life in ms.
	beginScript = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, k in ipairs(KEYS) do
  local cur, rest = redis.call('GET', k), ''
  if cur then
    for id, e in string.gmatch(cur, '|(%w+):(%d+)') do
      if id ~= ARGV[2] and tonumber(e) > now then rest = rest .. '|' .. id .. ':' .. e end
    end
  end
  redis.call('SET', k, ARGV[1] .. rest .. '|' .. ARGV[2] .. ':' .. string.format('%.0f', now + ARGV[3]), 'PX', ARGV[4])
end
return 1`)
	// KEYS: tags. ARGV: version, writer, life in ms.
	endScript = newScript(`
for _, k in ipairs(KEYS) do
  local cur, rest = redis.call('GET', k), ''
  if cur then
    for id, e in string.gmatch(cur, '|(%w+):(%d+)') do
      if id ~= ARGV[2] then rest = rest .. '|' .. id .. ':' .. e end
    end
    redis.call('SET', k, ARGV[1] .. rest, 'PX', ARGV[3])
  end
end
return 1`)
	// KEYS: tags. ARGV: version, life in ms. Gives their states.
	freshScript = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local out = {}
for i, k in ipairs(KEYS) do
  local cur = redis.call('GET', k)
  local rest, over = '', not cur
  if cur then
    for id, e in string.gmatch(cur, '|(%w+):(%d+)') do
      if tonumber(e) > now then rest = rest .. '|' .. id .. ':' .. e else over = true end
    end
  end
  if over then
    cur = ARGV[1] .. rest
    redis.call('SET', k, cur, 'PX', ARGV[2])
  end
  out[i] = cur
end
return out`)
	// KEYS: entry, tags. ARGV: value, life in ms, states.
	fillScript = newScript(`
for i = 2, #KEYS do
  if redis.call('GET', KEYS[i]) ~= ARGV[i + 1] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)
	// KEYS: process, the tag of everything. ARGV: run id, version.
	greetScript = newScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
local cur, rest = redis.call('GET', KEYS[2]), ''
if cur then
  for m in string.gmatch(cur, '|%w+:%d+') do rest = rest .. m end
end
redis.call('SET', KEYS[2], ARGV[2] .. rest)
redis.call('SET', KEYS[1], ARGV[1])
return 1`)
)

// script is a Lua script and the name by which a Redis that has it runs it.
type script struct{ text, sha string }

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text)) // the protocol's choice
	return &script{text, hex.EncodeToString(sum[:])}
}

func (s *script) run(ctx context.Context, p redis.Scripter, keys []string, args ...any) *redis.Cmd {
	return p.EvalSha(ctx, s.sha, keys, args...)
}

func scripts() []*script {
	return []*script{beginScript, endScript, freshScript, fillScript, greetScript}
}

func newRedis(o *Redis, log *slog.Logger, faults *fault.Points) *redisStore {
	s := &redisStore{n: 1, log: log, faults: faults}
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
	})
	return s
}

func (s *redisStore) buckets() int { return s.n }

func (s *redisStore) close() { s.client.Close() }

func (s *redisStore) ping(ctx context.Context) error {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return m.Ping(ctx).Err() })
	}
	return s.client.Ping(ctx).Err()
}

// greet is what is said first on every connection. A process that started from a dump, or a replica that
// was promoted, may have lost what the last one was told: the name of the process that
// the data were last used under stands beside them, and where it is another one everything
// stored so far is made unreachable before the connection is used. A process keeps its data as long as its
// connections live, except where it is made a replica and back: replicas are left alone.
func (s *redisStore) greet(_ context.Context, cn *redis.Conn) error {
	// The reader in whose time the connection is made may have little left of it.
	ctx, cancel := context.WithTimeout(context.Background(), writeBudget)
	defer cancel()
	var info *redis.StringCmd
	var role *redis.Cmd
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		info, role = p.Info(ctx, "server"), p.Do(ctx, "ROLE")
		for _, sc := range scripts() {
			p.ScriptLoad(ctx, sc.text)
		}
		return nil
	})
	if err != nil {
		return s.complain(err)
	}
	if kind, _ := role.Slice(); len(kind) == 0 || kind[0] != "master" {
		return errors.New("this Redis is a replica")
	}
	id := runID(info.Val())
	if id == "" {
		return s.complain(errors.New("this Redis does not tell its run_id; the result cache cannot use it"))
	}
	if s.faults.Off("cache.process") {
		return nil
	}
	greeted, _ := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		for b := range s.n {
			tag := everythingIn(b)
			greetScript.run(ctx, p, []string{strings.TrimSuffix(tag, everything) + "process", tag}, id, token())
		}
		return nil
	})
	for _, cmd := range greeted {
		if err := cmd.Err(); err != nil && !strings.HasPrefix(err.Error(), "MOVED ") {
			return s.complain(err)
		}
	}
	return nil
}

func runID(info string) string {
	_, rest, _ := strings.Cut(info, "run_id:")
	id, _, _ := strings.Cut(rest, "\r\n")
	return strings.TrimSpace(id)
}

// complain says once what is wrong.
func (s *redisStore) complain(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := err.Error(); text != s.told {
		s.told = text
		s.log.Warn("the result cache cannot use its Redis", "error", err)
	}
	return err
}

// split deals keys to their buckets, in the order of the first of each.
func split(tags []key) (parts [][]int) {
	if len(tags) == 0 {
		return nil
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

func names(tags []key, part []int, before ...string) []string {
	list := append(make([]string, 0, len(before)+len(part)), before...)
	for _, i := range part {
		list = append(list, tags[i].name)
	}
	return list
}

func (s *redisStore) look(ctx context.Context, at *place) ([]string, []byte, error) {
	states := make([]string, len(at.tags))
	parts := split(at.tags)
	if len(parts) == 1 {
		got, err := s.client.MGet(ctx, names(at.tags, parts[0], at.entry.name)...).Result()
		if err != nil {
			return nil, nil, err
		}
		value, _ := got[0].(string)
		take(states, parts[0], got[1:])
		return states, bytesOf(value), nil
	}
	cmds := make([]*redis.SliceCmd, len(parts))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, part := range parts {
			if i == 0 {
				cmds[i] = p.MGet(ctx, names(at.tags, part, at.entry.name)...)
				continue
			}
			cmds[i] = p.MGet(ctx, names(at.tags, part)...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var value string
	for i, part := range parts {
		got := cmds[i].Val()
		if i == 0 {
			value, _ = got[0].(string)
			got = got[1:]
		}
		take(states, part, got)
	}
	return states, bytesOf(value), nil
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
	states := make([]string, len(at.tags))
	parts := split(at.tags)
	got, err := s.each(ctx, parts, func(p redis.Scripter, part []int) *redis.Cmd {
		return freshScript.run(ctx, p, names(at.tags, part), version, tagLife.Milliseconds())
	})
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		list, err := got[i].Slice()
		if err != nil || len(list) != len(part) {
			return nil, errMixed
		}
		take(states, part, list)
	}
	return states, nil
}

// fill looks at the tags of the entry's own bucket. Those of others are looked at by who reads it: its stamp
// is that of all.
func (s *redisStore) fill(ctx context.Context, at *place, states []string, value []byte, ttl time.Duration) (bool, error) {
	var part []int
	args := []any{value, max(ttl.Milliseconds(), 1)}
	for i, t := range at.tags {
		if t.bucket == at.entry.bucket {
			part = append(part, i)
			args = append(args, states[i])
		}
	}
	got, err := s.each(ctx, [][]int{part}, func(p redis.Scripter, part []int) *redis.Cmd {
		return fillScript.run(ctx, p, names(at.tags, part, at.entry.name), args...)
	})
	if err != nil {
		return false, err
	}
	n, err := got[0].Int()
	return n == 1, err
}

func (s *redisStore) begin(ctx context.Context, tags []key, version, writer string, lease time.Duration) error {
	_, err := s.each(ctx, split(tags), func(p redis.Scripter, part []int) *redis.Cmd {
		return beginScript.run(ctx, p, names(tags, part), version, writer, lease.Milliseconds(), tagLife.Milliseconds())
	})
	return err
}

func (s *redisStore) end(ctx context.Context, tags []key, version, writer string) error {
	_, err := s.each(ctx, split(tags), func(p redis.Scripter, part []int) *redis.Cmd {
		return endScript.run(ctx, p, names(tags, part), version, writer, tagLife.Milliseconds())
	})
	return err
}

// each runs a script in every bucket, all at once; again when a Redis has forgotten it.
func (s *redisStore) each(ctx context.Context, parts [][]int, run func(p redis.Scripter, part []int) *redis.Cmd) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(parts))
	var err error
	for range 2 {
		if len(parts) == 1 {
			cmds[0] = run(s.client, parts[0])
			err = cmds[0].Err()
		} else {
			_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i, part := range parts {
					cmds[i] = run(p, part)
				}
				return nil
			})
		}
		if !redis.HasErrorPrefix(err, "NOSCRIPT") {
			break
		}
		for _, sc := range scripts() {
			if err := s.client.ScriptLoad(ctx, sc.text).Err(); err != nil {
				return nil, err
			}
		}
	}
	return cmds, err
}
