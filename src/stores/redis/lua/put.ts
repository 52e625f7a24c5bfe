// PUT: store an entry only if nothing it depends on was invalidated since it was read.
import { GUARD } from './guard.js';

/**
 * KEYS[1] tag table, KEYS[2] entry. ARGV[1] spare epoch, ARGV[2] channel, ARGV[3] epoch of the entry, ARGV[4] asOf,
 * ARGV[5] oldest asOf among inherited values (or asOf), ARGV[6] time to live in ms, ARGV[7] header, ARGV[8] body,
 * ARGV[9] number n of the entry's own tags, then n tags, the key's own tag, then pairs of inherited tag and its asOf.
 * Returns {epoch, seq, code}; code: `stored`, `epoch`, `stale`.
 * Not allowed above maxmemory: a full Redis declines entries, never invalidations.
 */
export const PUT = `#!lua
${GUARD}
if ep ~= ARGV[3] then return {ep, seq, 'epoch'} end
local asOf = tonumber(ARGV[4])
if tonumber(ARGV[5]) < floor then return {ep, seq, 'stale'} end
local n = tonumber(ARGV[9])
local fields, bounds, own = {}, {}, {}
for i = 10, 10 + n do
  fields[#fields + 1] = ':' .. ARGV[i]
  bounds[#bounds + 1] = asOf
  if i < 10 + n then own[#own + 1] = ARGV[i] end
end
for i = 11 + n, #ARGV - 1, 2 do
  fields[#fields + 1] = ':' .. ARGV[i]
  bounds[#bounds + 1] = tonumber(ARGV[i + 1])
end
for from = 1, #fields, 1000 do
  local to = math.min(from + 999, #fields)
  local marks = redis.call('HMGET', t, unpack(fields, from, to))
  for i = 1, #marks do
    if marks[i] and tonumber(marks[i]) > bounds[from + i - 1] then return {ep, seq, 'stale'} end
  end
end
redis.call('HSET', KEYS[2], 'g', ep .. ' ' .. ARGV[4] .. ' ' .. table.concat(own, ' '), 'h', ARGV[7], 'b', ARGV[8])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return {ep, seq, 'stored'}
`;
