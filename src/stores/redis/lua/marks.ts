// MARKS: writes that have announced themselves before their COMMIT and have not ended.
import { UNKNOWN_LSN } from './guard.js';

/**
 * Marks live in `{ns}:x`, which is absent most of the time: `<tag>` → `id deadline id deadline …`, and `!<id>` →
 * `deadline tag tag …` so that whoever ends a mark need not repeat its tags. Deadlines are times of Redis, ms.
 * The table says whether there are any: marks that were evicted without it must not just disappear, nor must one past its
 * deadline, because its writer may have committed. Both become invalidations, by whoever finds them first.
 * `influx(tags)`: whether a write to any of them is under way. `unmark(id)`: takes a mark away; its tags, if it was there.
 */
export const MARKS = `
local function unmark() end
local function influx() return false end
if marked then
  local function invalidate(tags)
    seq = redis.call('HINCRBY', t, '!seq', 1)
    -- What its write, if there was one, needs of a replica is not known.
    lsn = '${UNKNOWN_LSN}'
    redis.call('HSET', t, '!lsn', lsn)
    for i = 1, #tags do
      if tags[i] == '*' then
        floor = seq
        redis.call('HSET', t, '!floor', seq)
      else
        redis.call('HSET', t, ':' .. tags[i], seq)
      end
    end
    redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq .. ' ' .. table.concat(tags, ' '))
  end
  local function forget()
    marked = nil
    redis.call('HDEL', t, '!marks')
  end
  unmark = function(id)
    local record = redis.call('HGET', x, '!' .. id)
    if not record then return nil end
    redis.call('HDEL', x, '!' .. id)
    local tags = {}
    for tag in string.gmatch(string.match(record, '^%d+(.*)$'), '%S+') do
      tags[#tags + 1] = tag
      local left = {}
      for one, due in string.gmatch(redis.call('HGET', x, tag) or '', '(%S+) (%d+)') do
        if one ~= id then left[#left + 1] = one .. ' ' .. due end
      end
      if #left > 0 then redis.call('HSET', x, tag, table.concat(left, ' ')) else redis.call('HDEL', x, tag) end
    end
    if redis.call('EXISTS', x) == 0 then forget() end
    return tags
  end
  influx = function(tags)
    local open = false
    for from = 1, #tags, 1000 do
      local marks = redis.call('HMGET', x, unpack(tags, from, math.min(from + 999, #tags)))
      for i = 1, #marks do
        for id, due in string.gmatch(marks[i] or '', '(%S+) (%d+)') do
          if tonumber(due) > clock() then
            open = true
          else
            -- As a whole: it has one end, and whoever asks about another of its tags need not find it again.
            local expired = unmark(id)
            if expired then invalidate(expired) end
          end
        end
      end
    end
    return open
  end
  if redis.call('EXISTS', x) == 0 then
    forget()
    invalidate({'*'})
  end
end
`;
