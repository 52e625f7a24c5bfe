// MARK and CLEAR: a write announces itself before its COMMIT; one that was rolled back takes it back.
import { ALLOW_OOM, GUARD } from './guard.js';
import { MARKS } from './marks.js';

/**
 * ARGV[4] id of the mark, ARGV[5] its time to live in ms, then the tags. Until it ends, entries of these tags are neither
 * served nor stored. The number that it takes is told to every process, so that their memories drop the tags; the table
 * keeps the old numbers, so that after a rollback what Redis holds is valid again.
 * Returns the head. Publishes `<epoch> <seq> <tag> ...`.
 */
export const MARK = `${ALLOW_OOM}${GUARD}${MARKS}
-- What a dead writer has announced, and nobody asks about: a few are looked at each time, so that they do not pile up.
if marked then influx(redis.call('HRANDFIELD', x, 10)) end
local tags = {}
for i = 6, #ARGV do tags[#tags + 1] = ARGV[i] end
-- An expired mark of somebody else must become an invalidation, not live on beside this one; its number comes first.
influx(tags)
seq = redis.call('HINCRBY', t, '!seq', 1)
local due = clock() + tonumber(ARGV[5])
for i = 1, #tags do
  local others = redis.call('HGET', x, tags[i])
  redis.call('HSET', x, tags[i], (others and others .. ' ' or '') .. ARGV[4] .. ' ' .. due)
end
redis.call('HSET', x, '!' .. ARGV[4], due .. ' ' .. table.concat(tags, ' '))
redis.call('HSET', t, '!marks', 1)
redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq .. ' ' .. table.concat(tags, ' '))
return head()
`;

/** ARGV[4] id of the mark. Returns the head. */
export const CLEAR = `${ALLOW_OOM}${GUARD}${MARKS}
unmark(ARGV[4])
return head()
`;
