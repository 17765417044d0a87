package cache

import (
	"context"
	"crypto/sha1"
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

// The scripts. What is not there has no version, and nobody believes an entry without one. A new version is made
// of ARGV[1] and what was there: the same command carried out twice, as a retry may be, gives another one.
var (
	// KEYS: tags. ARGV: version, writer, lease and life in ms, and the mark as below. A tag that was not there need
	// not outlive its mark.
	beginScript = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, k in ipairs(KEYS) do
  local cur, rest, life = redis.call('GET', k), '', ARGV[4]
  if cur then
    for id, e in string.gmatch(cur, '|(%w+):(%d+)') do
      if id ~= ARGV[2] and tonumber(e) > now then rest = rest .. '|' .. id .. ':' .. e end
    end
  elseif string.sub(k, -3) ~= '}:*' then
    life = ARGV[3]
  elseif tonumber(ARGV[6]) > 0 then
    rest = '|' .. ARGV[5] .. ':' .. string.format('%.0f', now + ARGV[6])
  end
  local version = string.sub(redis.sha1hex(ARGV[1] .. (cur or table.concat(t))), 1, 24)
  redis.call('SET', k, version .. rest .. '|' .. ARGV[2] .. ':' .. string.format('%.0f', now + ARGV[3]), 'PX', life)
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
    redis.call('SET', k, string.sub(redis.sha1hex(ARGV[1] .. cur), 1, 24) .. rest, 'PX', ARGV[3])
  end
end
return 1`)
	// KEYS: tags. ARGV: version, life in ms, the mark of a tag of everything that was not there, and for how
	// long in ms. Gives their states.
	freshScript = newScript(freshText + `
return out`)
	// KEYS: tags, lock. ARGV: as above, the lock's name and its lease in ms. Gives the states, and 1 behind them when the
	// lock was made.
	openScript = newScript(`local lock = table.remove(KEYS)` + freshText + `
for _, s in ipairs(out) do
  if string.find(s, '|', 1, true) then return out end
end
if redis.call('SET', lock, ARGV[5], 'NX', 'PX', ARGV[6]) then out[#out + 1] = '1' end
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

const freshText = `
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
    cur = string.sub(redis.sha1hex(ARGV[1] .. (cur or table.concat(t))), 1, 24) .. rest
    redis.call('SET', k, cur, 'PX', ARGV[2])
  end
  out[i] = cur
end`

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
	return []*script{beginScript, endScript, freshScript, openScript, fillScript, unlockScript, greetScript}
}
