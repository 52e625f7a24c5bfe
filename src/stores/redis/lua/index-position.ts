// INDEX: the current position, for readers who hold the entry; and where wanted a lease that writers wait for.
import { ALLOW_OOM, GUARD } from './guard.js';

/**
 * ARGV[4] name of the process that wants a lease, or '', ARGV[5] its length in ms.
 * Returns the head.
 */
export const INDEX = `${ALLOW_OOM}${GUARD}
if ARGV[4] ~= '' then
  local leases = {ARGV[4] .. ' ' .. clock() + tonumber(ARGV[5])}
  for name, due in string.gmatch(redis.call('HGET', t, '!leases') or '', '(%S+) (%d+)') do
    if name ~= ARGV[4] and tonumber(due) > clock() then leases[#leases + 1] = name .. ' ' .. due end
  end
  redis.call('HSET', t, '!leases', table.concat(leases, ' '))
end
return head()
`;
