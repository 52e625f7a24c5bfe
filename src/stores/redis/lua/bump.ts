// BUMP: one new sequence number for all tags of a write, told to every process.
import { ALLOW_OOM, GUARD, UNKNOWN_LSN } from './guard.js';
import { MARKS } from './marks.js';

/**
 * ARGV[4] most fields of the table, ARGV[5] the mark that ends, or '', ARGV[6] WAL position after the commit, or '',
 * ARGV[7] an epoch that had begun when it was asked for, or '', ARGV[8] name of the writer's process, then the tags.
 * The tag `*` raises the floor: every entry read before is invalid. So does a table that would outgrow its bound.
 * Returns head + {ms since the epoch began, names of the other processes that hold a lease for which writers wait}.
 * Publishes `<epoch> <seq> <tag> ...`, and ` !b:<writer>` behind it where somebody is waited for: an older release takes
 * that for a tag that nobody carries. Cost: O(tags), whatever the number of entries.
 */
export const BUMP = `${ALLOW_OOM}${GUARD}${MARKS}
if ARGV[5] ~= '' then unmark(ARGV[5]) end
seq = redis.call('HINCRBY', t, '!seq', 1)
local needed = ARGV[6] == '' and '${UNKNOWN_LSN}' or ARGV[6]
local least, open = string.sub(lsn, 1, 16), #lsn ~= 16
if needed < least then needed = least end
-- One from before this history says nothing of what was committed after it and invalidated under the last one.
if open and ARGV[7] ~= ep and needed ~= '${UNKNOWN_LSN}' then needed = needed .. '?' end
if needed ~= lsn then
  lsn = needed
  redis.call('HSET', t, '!lsn', lsn)
end
local all = false
for from = 9, #ARGV, 500 do
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
local others = redis.call('HMGET', t, '!leases', '!born', '!gen')
local waited = {}
for name, due in string.gmatch(others[1] or '', '(%S+) (%d+)') do
  if name ~= ARGV[8] and tonumber(due) > clock() then waited[#waited + 1] = name end
end
local told = table.concat(ARGV, ' ', 9)
if all or redis.call('HLEN', t) > tonumber(ARGV[4]) then
  floor = seq
  redis.call('UNLINK', t)
  redis.call('HSET', t, '!ep', ep, '!inc', owner, '!seq', seq, '!floor', floor, '!born', others[2] or clock())
  if lsn ~= '' then redis.call('HSET', t, '!lsn', lsn) end
  if live then redis.call('HSET', t, '!live', live, '!lambda', lambda) end
  if marked then redis.call('HSET', t, '!marks', 1) end
  if others[1] then redis.call('HSET', t, '!leases', others[1]) end
  if others[3] then redis.call('HSET', t, '!gen', others[3]) end
  told = '*'
end
if #waited > 0 then told = told .. ' !b:' .. ARGV[8] end
redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq .. ' ' .. told)
local reply = head()
reply[6] = clock() - (tonumber(others[2]) or 0)
reply[7] = table.concat(waited, ' ')
return reply
`;
