package cache

import (
	"context"
	"crypto/sha1"
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

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
	// KEYS: tags. ARGV: version, life in ms, the mark of a tag of everything that was not there, and for how
	// long in ms. Gives their states.
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
  elseif string.sub(k, -3) == '}:*' and tonumber(ARGV[4]) > 0 then
    rest = '|' .. ARGV[3] .. ':' .. string.format('%.0f', now + ARGV[4])
  end
  if over then
    cur = ARGV[1] .. rest
    redis.call('SET', k, cur, 'PX', ARGV[2])
  end
  out[i] = cur
end
return out`)
	// KEYS: entry, lock, tags. ARGV: value, life in ms, the lock's name, states.
	fillScript = newScript(`
if ARGV[3] ~= '' and redis.call('GET', KEYS[2]) == ARGV[3] then redis.call('DEL', KEYS[2]) end
for i = 3, #KEYS do
  if redis.call('GET', KEYS[i]) ~= ARGV[i + 1] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)
	// KEYS: lock. ARGV: its name.
	unlockScript = newScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`)
	// KEYS: process, the tag of everything. ARGV: run id, version, mark and for how long in ms.
	greetScript = newScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
local cur, rest = redis.call('GET', KEYS[2]), ''
if cur then
  for m in string.gmatch(cur, '|%w+:%d+') do rest = rest .. m end
end
if tonumber(ARGV[4]) > 0 then
  local t = redis.call('TIME')
  rest = rest .. '|' .. ARGV[3] .. ':' .. string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[4])
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
	return []*script{beginScript, endScript, freshScript, fillScript, unlockScript, greetScript}
}
