// KEEP: put a coded body in the place of the plain one, if the entry is still the one that was coded.
import { ALLOW_OOM, GUARD } from './guard.js';

/**
 * KEYS[3] entry. ARGV[4] its guard, ARGV[5] its header, ARGV[6] the field of the coding, ARGV[7] the coded body.
 * Returns head + {code}; code: `kept`, `gone` (there is none, or another), `held` (in a coding already).
 * The body of a newer entry is never replaced: guard and header must be equal to the byte. Time to live and validity
 * stay as they are. Allowed above maxmemory, because it takes less than it gives back.
 */
export const KEEP = `${ALLOW_OOM}${GUARD}
local reply = head()
local code = 'gone'
local held = redis.call('HMGET', KEYS[3], 'g', 'h')
if held[1] == ARGV[4] and held[2] == ARGV[5] then
  code = 'held'
  if redis.call('HDEL', KEYS[3], 'b') == 1 then
    redis.call('HSET', KEYS[3], ARGV[6], ARGV[7])
    code = 'kept'
  end
end
reply[#reply + 1] = code
return reply
`;
