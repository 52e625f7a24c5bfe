// PUT: store an entry only if nothing it depends on was invalidated since it was read, or is being written.
import { GUARD } from './guard.js';
import { MARKS } from './marks.js';

/**
 * KEYS[3] entry. ARGV[4] epoch of the entry, ARGV[5] asOf, ARGV[6] oldest asOf among inherited values (or asOf),
 * ARGV[7] time to live in ms, ARGV[8] header, ARGV[9] body, ARGV[10] number n of the entry's own tags, then n tags, the
 * key's own tag, then pairs of inherited tag and its asOf.
 * Returns head + {code}; code: `stored`, `epoch`, `stale`, `flux`.
 * What was there goes as a whole, since its body may stand in another field than `b`.
 * Not allowed above maxmemory: a full Redis declines entries, never invalidations.
 */
export const PUT = `#!lua
${GUARD}${MARKS}
local function answer(code)
  local reply = head()
  reply[#reply + 1] = code
  return reply
end
if ep ~= ARGV[4] then return answer('epoch') end
local asOf = tonumber(ARGV[5])
local n = tonumber(ARGV[10])
local tags, bounds, own = {}, {}, {}
for i = 11, 11 + n do
  tags[#tags + 1] = ARGV[i]
  bounds[#bounds + 1] = asOf
  if i < 11 + n then own[#own + 1] = ARGV[i] end
end
for i = 12 + n, #ARGV - 1, 2 do
  tags[#tags + 1] = ARGV[i]
  bounds[#bounds + 1] = tonumber(ARGV[i + 1])
end
local everything = influx({'*'})
local flux = influx(tags) or everything
-- After the marks: an expired one has just raised the floor or the number of a tag.
if tonumber(ARGV[6]) < floor then return answer('stale') end
for from = 1, #tags, 1000 do
  local fields = {}
  for i = from, math.min(from + 999, #tags) do fields[#fields + 1] = ':' .. tags[i] end
  local seqs = redis.call('HMGET', t, unpack(fields))
  for i = 1, #seqs do
    if seqs[i] and tonumber(seqs[i]) > bounds[from + i - 1] then return answer('stale') end
  end
end
if flux then return answer('flux') end
redis.call('UNLINK', KEYS[3])
redis.call('HSET', KEYS[3], 'g', ep .. ' ' .. ARGV[5] .. ' ' .. table.concat(own, ' '), 'h', ARGV[8], 'b', ARGV[9])
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return answer('stored')
`;
