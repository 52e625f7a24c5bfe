// CHECK: may these entries be served, and what is the position to capture if not.
import { ALLOW_OOM, GUARD } from './guard.js';
import { MARKS } from './marks.js';

/**
 * KEYS[3...] entries. ARGV[4...] each key's own tag. Returns head + {code...}, a code for each entry: `hit`, `absent`,
 * `epoch` (another history), `invalidated`, `flux` (a write to it is under way).
 * An entry found invalid is unlinked, so that its body is not sent after this reply. One in flux is kept: if the write is
 * rolled back, it is valid again.
 * The guard field `g` reads `<epoch> <asOf> <tag> <tag> ...`.
 */
export const CHECK = `${ALLOW_OOM}${GUARD}${MARKS}
local codes = {}
for k = 3, #KEYS do
  local code = 'absent'
  -- pcall: a key of another type is its reader's misfortune, not that of all who are asked about here.
  local g = redis.pcall('HGET', KEYS[k], 'g')
  if type(g) == 'string' then
    code = 'hit'
    local gep, gas, rest = string.match(g, '^(%S+) (%d+)(.*)$')
    local asOf = tonumber(gas)
    local flux = false
    if marked then
      local tags = {'*', ARGV[k + 1]}
      for tag in string.gmatch(rest, '%S+') do tags[#tags + 1] = tag end
      flux = influx(tags)
    end
    if gep ~= ep then
      code = 'epoch'
    elseif asOf < floor then
      code = 'invalidated'
    else
      local fields = {':' .. ARGV[k + 1]}
      for tag in string.gmatch(rest, '%S+') do fields[#fields + 1] = ':' .. tag end
      local seqs = redis.call('HMGET', t, unpack(fields))
      for i = 1, #seqs do
        if seqs[i] and tonumber(seqs[i]) > asOf then code = 'invalidated' end
      end
    end
    if code ~= 'hit' then
      redis.call('UNLINK', KEYS[k])
    elseif flux then
      code = 'flux'
    end
  end
  codes[#codes + 1] = code
end
local reply = head()
for i = 1, #codes do reply[#reply + 1] = codes[i] end
return reply
`;
