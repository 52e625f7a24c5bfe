// CHECK: may this entry be served, and what is the position to capture if not.
import { ALLOW_OOM, GUARD } from './guard.js';

/**
 * KEYS[1] tag table, KEYS[2] entry. ARGV[1] spare epoch, ARGV[2] channel, ARGV[3] the key's own tag.
 * Returns {epoch, seq, code}; code: `hit`, `absent`, `epoch` (another history), `invalidated`.
 * An entry found invalid is unlinked, so that its body is not sent after this reply.
 * The guard field `g` reads `<epoch> <asOf> <tag> <tag> ...`.
 */
export const CHECK = `${ALLOW_OOM}${GUARD}
local g = redis.call('HGET', KEYS[2], 'g')
if not g then return {ep, seq, 'absent'} end
local gep, gas, rest = string.match(g, '^(%S+) (%d+)(.*)$')
local asOf = tonumber(gas)
local code = 'hit'
if gep ~= ep then
  code = 'epoch'
elseif asOf < floor then
  code = 'invalidated'
else
  local fields = {':' .. ARGV[3]}
  for tag in string.gmatch(rest, '%S+') do fields[#fields + 1] = ':' .. tag end
  local marks = redis.call('HMGET', t, unpack(fields))
  for i = 1, #marks do
    if marks[i] and tonumber(marks[i]) > asOf then code = 'invalidated' end
  end
end
if code ~= 'hit' then redis.call('UNLINK', KEYS[2]) end
return {ep, seq, code}
`;
