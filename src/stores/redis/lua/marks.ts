// MARKS: writes that have announced themselves before their COMMIT and have not ended.

/**
 * Marks live in `{ns}:x`, which is absent most of the time: `<tag>` → `id deadline id deadline …`, and `!<id>` →
 * `deadline tag tag …` so that whoever ends a mark need not repeat its tags. Deadlines are times of Redis, ms.
 * `influx(tag)`: whether a write to this tag is under way. A mark past its deadline never just disappears, because its
 * writer may have committed: whoever finds it invalidates the tag instead.
 * `unmark(id)`: takes a mark away.
 */
export const MARKS = `
local marked = redis.call('EXISTS', x) == 1
local function drop(tag, id)
  local marks = redis.call('HGET', x, tag)
  if not marks then return end
  local left = {}
  for one, due in string.gmatch(marks, '(%S+) (%d+)') do
    if one ~= id then left[#left + 1] = one .. ' ' .. due end
  end
  if #left > 0 then redis.call('HSET', x, tag, table.concat(left, ' ')) else redis.call('HDEL', x, tag) end
end
local function unmark(id)
  local tags = redis.call('HGET', x, '!' .. id)
  if not tags then return end
  redis.call('HDEL', x, '!' .. id)
  for tag in string.gmatch(string.match(tags, '^%d+(.*)$'), '%S+') do drop(tag, id) end
end
local function expire(tag, id)
  drop(tag, id)
  seq = redis.call('HINCRBY', t, '!seq', 1)
  if tag == '*' then
    floor = seq
    redis.call('HSET', t, '!floor', seq)
  else
    redis.call('HSET', t, ':' .. tag, seq)
  end
  redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq .. ' ' .. tag)
end
local function influx(tag)
  if not marked then return false end
  local marks = redis.call('HGET', x, tag)
  if not marks then return false end
  local open = false
  for id, due in string.gmatch(marks, '(%S+) (%d+)') do
    if tonumber(due) > clock() then open = true else expire(tag, id) end
  end
  return open
end
`;
