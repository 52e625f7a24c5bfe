// BUMP: one new sequence number for all tags of a write, told to every process.
import { ALLOW_OOM, GUARD } from './guard.js';

/**
 * KEYS[1] tag table. ARGV[1] spare epoch, ARGV[2] channel, ARGV[3] most fields of the table, then the tags.
 * The tag `*` raises the floor: every entry read before is invalid. So does a table that would outgrow its bound.
 * Returns {epoch, seq}. Publishes `<epoch> <seq> <tag> ...`. Cost: O(tags), whatever the number of entries.
 */
export const BUMP = `${ALLOW_OOM}${GUARD}
seq = redis.call('HINCRBY', t, '!seq', 1)
local all = false
for from = 4, #ARGV, 500 do
  local pairs = {}
  for i = from, math.min(from + 499, #ARGV) do
    if ARGV[i] == '*' then
      all = true
    else
      pairs[#pairs + 1] = ':' .. ARGV[i]
      pairs[#pairs + 1] = seq
    end
  end
  if #pairs > 0 then redis.call('HSET', t, unpack(pairs)) end
end
if all or redis.call('HLEN', t) > tonumber(ARGV[3]) then
  redis.call('UNLINK', t)
  redis.call('HSET', t, '!ep', ep, '!inc', inc, '!seq', seq, '!floor', seq)
  redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq .. ' *')
else
  redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq .. ' ' .. table.concat(ARGV, ' ', 4))
end
return {ep, seq}
`;
