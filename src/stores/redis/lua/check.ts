// CHECK: may these entries be served, and what is the position to capture if not.
import { ALLOW_OOM, GUARD } from './guard.js';

/**
 * KEYS[1] tag table, KEYS[2...] entries. ARGV[1] spare epoch, ARGV[2] channel, ARGV[3...] each key's own tag.
 * Returns {epoch, seq, code...}, a code for each entry: `hit`, `absent`, `epoch` (another history), `invalidated`.
 * An entry found invalid is unlinked, so that its body is not sent after this reply.
 * The guard field `g` reads `<epoch> <asOf> <tag> <tag> ...`.
 */
export const CHECK = `${ALLOW_OOM}${GUARD}
local reply = {ep, seq}
for k = 2, #KEYS do
  local code = 'absent'
  -- pcall: a key of another type is its reader's misfortune, not that of all who are asked about here.
  local g = redis.pcall('HGET', KEYS[k], 'g')
  if type(g) == 'string' then
    code = 'hit'
    local gep, gas, rest = string.match(g, '^(%S+) (%d+)(.*)$')
    local asOf = tonumber(gas)
    if gep ~= ep then
      code = 'epoch'
    elseif asOf < floor then
      code = 'invalidated'
    else
      local fields = {':' .. ARGV[k + 1]}
      for tag in string.gmatch(rest, '%S+') do fields[#fields + 1] = ':' .. tag end
      local marks = redis.call('HMGET', t, unpack(fields))
      for i = 1, #marks do
        if marks[i] and tonumber(marks[i]) > asOf then code = 'invalidated' end
      end
    end
    if code ~= 'hit' then redis.call('UNLINK', KEYS[k]) end
  end
  reply[k + 1] = code
end
return reply
`;
