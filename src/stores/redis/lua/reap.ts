// REAP and AUDIT: what the books of the budgets still hold of entries that are gone.
import { UNCOUNT } from './charge.js';
import { ALLOW_OOM } from './guard.js';

/**
 * KEYS[1] index `{ns}:b`, ARGV members of it. Those whose entry is gone are uncounted, as CHARGE would when they come up in a
 * sample. Returns how many.
 */
export const REAP = `${ALLOW_OOM}
local index = KEYS[1]
local entries = string.sub(index, 1, -2) .. 'e:'
${UNCOUNT}
local gone = 0
for _, member in ipairs(ARGV) do
  local owner, bytes, cost, name = string.match(member, '^(%S+) (%d+) (%d+) (.*)$')
  if owner and redis.call('EXISTS', entries .. name) == 0 and uncount(owner, bytes, cost, name) then gone = gone + 1 end
end
return gone
`;

/**
 * KEYS[1] index, KEYS[2] account `{ns}:b:<owner>`, ARGV[1] cursor. Fields of the account that the index does not know (it was evicted, or
 * lost with a Redis that came back) count for nothing that is there, and keep room from their owner. Returns {next cursor, how many}.
 */
export const AUDIT = `${ALLOW_OOM}
local index, account = KEYS[1], KEYS[2]
local owner = string.sub(account, #index + 2)
local page = redis.call('HSCAN', account, ARGV[1], 'COUNT', 200)
local gone = 0
for i = 1, #page[2], 2 do
  local name, counted = page[2][i], page[2][i + 1]
  if name ~= '!' and not redis.call('ZSCORE', index, owner .. ' ' .. counted .. ' ' .. name) then
    gone = gone + 1
    redis.call('HDEL', account, name)
    if redis.call('HINCRBY', account, '!', -string.match(counted, '^%d+')) <= 0 then redis.call('UNLINK', account) end
  end
end
return {page[1], gone}
`;
