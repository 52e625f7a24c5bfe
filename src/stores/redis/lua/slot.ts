// CLAIM_SLOT, RENEW_SLOT, SETTLE_SLOT, RELEASE_SLOT: which process runs a due slot of a task, and that nobody runs it again.

/**
 * KEYS[1] a hash for each task: `slot` the last one settled, `missed` slots that were not run; while somebody runs one: `by`
 * his token, `run` the slot (0: asked for by hand), `attempt`, `since` and `process`, `until` the end of the lease by the clock of
 * Redis, `doubt` since when the lease is known to be over. Times in ms.
 */
const OPEN = `
local k = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function free() redis.call('HDEL', k, 'by', 'run', 'attempt', 'since', 'process', 'until', 'doubt') end
`;

/**
 * ARGV[1] slot, 0 for a run by hand, ARGV[2] token, ARGV[3] lease, ARGV[4] before this nothing is the asker's business, ARGV[5] name
 * of his process, ARGV[6] for how long an ended lease is doubted, ARGV[7] how long the hash is kept. Returns {`early` | `past` |
 * `held` | `taken`, ms to wait or slot, attempt, last slot settled, for how long it was nobody's, begun at}.
 *
 * That a slot is not due yet is for the clock of Redis to say: the clocks of processes differ. A lease that is over is taken only
 * after it was seen to be over for a while: when Redis was away from everybody, the holder has his chance to come back first. A
 * lease longer than any that is given is the trace of a clock that was set back. Allowed above maxmemory: the tasks make room.
 */
export const CLAIM_SLOT = `#!lua flags=allow-oom
${OPEN}
local slot, token, lease, doubtMs = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])
local f = redis.call('HMGET', k, 'slot', 'by', 'run', 'attempt', 'since', 'until', 'doubt')
local last = tonumber(f[1])
if not last then
  last = tonumber(ARGV[4])
  redis.call('HSET', k, 'slot', ARGV[4])
end
redis.call('PEXPIRE', k, ARGV[7])
local attempt, begun, orphaned, ends = 1, now, 0, tonumber(f[6])
if f[2] == token then
  -- Its answer was lost.
  slot, attempt, begun = tonumber(f[3]), tonumber(f[4]), tonumber(f[5])
elseif f[2] then
  local left = ends - now
  if left > 0 and left <= lease then return {'held', left} end
  local doubt = tonumber(f[7])
  if not doubt or doubt > now then
    redis.call('HSET', k, 'doubt', now)
    return {'held', doubtMs}
  end
  if now - doubt < doubtMs then return {'held', doubt + doubtMs - now} end
  if tonumber(f[3]) > 0 then
    if slot == 0 then return {'held', doubtMs} end
    slot, attempt, begun, orphaned = tonumber(f[3]), tonumber(f[4]) + 1, tonumber(f[5]), math.max(now - ends, 1)
  end
end
if orphaned == 0 and slot > 0 and f[2] ~= token then
  if slot <= last then return {'past', last} end
  if slot > now then return {'early', slot - now} end
end
redis.call('HSET', k, 'by', token, 'run', string.format('%d', slot), 'attempt', attempt,
  'since', string.format('%d', begun), 'process', ARGV[5], 'until', string.format('%d', now + lease))
redis.call('HDEL', k, 'doubt')
return {'taken', slot, attempt, last, orphaned, begun}
`;

/** ARGV[1] token, ARGV[2] lease, ARGV[3] attempt. Returns `held` or `lost`. */
export const RENEW_SLOT = `#!lua flags=allow-oom
${OPEN}
if redis.call('HGET', k, 'by') ~= ARGV[1] then return 'lost' end
redis.call('HSET', k, 'until', string.format('%d', now + tonumber(ARGV[2])), 'attempt', ARGV[3])
redis.call('HDEL', k, 'doubt')
return 'held'
`;

/** KEYS[2] list of runs. ARGV[1] token, ARGV[2] missed, ARGV[3] the run as JSON or '', ARGV[4] most runs, ARGV[5] how long they are kept. */
export const SETTLE_SLOT = `#!lua flags=allow-oom
${OPEN}
local f = redis.call('HMGET', k, 'by', 'run', 'slot')
if f[1] ~= ARGV[1] then return 'lost' end
if tonumber(f[2]) > (tonumber(f[3]) or 0) then redis.call('HSET', k, 'slot', f[2]) end
if tonumber(ARGV[2]) > 0 then redis.call('HINCRBY', k, 'missed', ARGV[2]) end
free()
if ARGV[3] ~= '' then
  redis.call('LPUSH', KEYS[2], ARGV[3])
  redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[4]) - 1)
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return 'held'
`;

/** ARGV[1] token. A slot is left to whoever asks next, without a doubt; a run by hand is over. */
export const RELEASE_SLOT = `#!lua flags=allow-oom
${OPEN}
local f = redis.call('HMGET', k, 'by', 'run')
if f[1] ~= ARGV[1] then return 'lost' end
if tonumber(f[2]) > 0 then
  redis.call('HSET', k, 'until', string.format('%d', now), 'doubt', 0)
else
  free()
end
return 'held'
`;
