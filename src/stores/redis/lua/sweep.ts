// OBSERVE, LIVE, ADOPT, PRUNE: what the sweeper asks and tells Redis.
import { ALLOW_OOM, begin, GUARD, UNKNOWN_LSN } from './guard.js';

/** Returns head + {clock of Redis in ms, generation or ''}. */
export const OBSERVE = `${ALLOW_OOM}${GUARD}
local reply = head()
reply[6] = clock()
reply[7] = redis.call('HGET', t, '!gen') or ''
return reply
`;

/**
 * LIVE moves the watermark. ARGV[4] the epoch it is meant for, ARGV[5] the moment up to which every committed write has
 * been invalidated (clock of Redis, ms), ARGV[6] lambda in ms. Never backwards, never into the future: a clock of Redis
 * that was set back makes the cache wait. ARGV[7] sequence number and ARGV[8] WAL position that shows everything up to it, or
 * ''. Returns head + {`live` or `refused`}.
 */
export const LIVE = `${ALLOW_OOM}${GUARD}
local moved = 'refused'
local at = tonumber(ARGV[5])
-- A watermark from the future is the trace of a clock that was set back: it would stop the cache until it is passed.
if ep == ARGV[4] and at <= clock() and (not live or at > live or live > clock()) then
  live, lambda, moved = at, tonumber(ARGV[6]), 'live'
  redis.call('HSET', t, '!live', live, '!lambda', lambda)
  if seq == tonumber(ARGV[7]) and ARGV[8] ~= '' then
    lsn = ARGV[8]
    redis.call('HSET', t, '!lsn', lsn)
  end
end
local reply = head()
reply[6] = moved
return reply
`;

/**
 * ADOPT begins a new epoch in place of the expected one: empty, so nothing that was stored under another history is
 * served. ARGV[4] expected epoch, ARGV[5] new epoch, ARGV[6] generation or ''. Returns head + {`adopted` or `changed`}.
 */
export const ADOPT = `${ALLOW_OOM}${GUARD}
local outcome = 'changed'
if ep == ARGV[4] then
  if inc == 'none' and owner then inc = owner end
  ${begin('ARGV[5]')}
  if ARGV[6] ~= '' then
    -- The sweep that follows knows the position; writers of before the epoch may not.
    lsn = '${UNKNOWN_LSN}'
    redis.call('HSET', t, '!gen', ARGV[6], '!lsn', lsn)
  end
  outcome = 'adopted'
end
local reply = head()
reply[6] = outcome
return reply
`;

/**
 * PRUNE forgets tags whose last invalidation is as old as any entry can be, one page at a time. ARGV[4] cursor, ARGV[5]
 * sequence number: it becomes the floor, so that an entry that old is invalid without its tags being known. A number
 * above the present one, or of another epoch (ARGV[6]), is that of a history that was lost meanwhile: as floor it would
 * keep out everything for long. Returns head + {next cursor}; '0' is the last page.
 */
export const PRUNE = `${ALLOW_OOM}${GUARD}
local reply = head()
reply[6] = '0'
if ep ~= ARGV[6] then return reply end
local upTo = math.min(tonumber(ARGV[5]), seq)
if upTo > floor then
  floor = upTo
  redis.call('HSET', t, '!floor', floor)
end
local page = redis.call('HSCAN', t, ARGV[4], 'COUNT', 500)
local old = {}
for i = 1, #page[2], 2 do
  if string.sub(page[2][i], 1, 1) == ':' and tonumber(page[2][i + 1]) <= upTo then old[#old + 1] = page[2][i] end
end
-- A small table comes as one page, whatever the count asked for.
for from = 1, #old, 500 do redis.call('HDEL', t, unpack(old, from, math.min(from + 499, #old))) end
reply[6] = page[1]
return reply
`;
