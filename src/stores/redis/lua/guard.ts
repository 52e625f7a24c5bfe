// GUARD, the opening of every script: makes sure that the tag table belongs to this very Redis server's history.

/**
 * Purpose: a table that is missing (evicted, flushed) or was written under another replication id (restart, old
 * snapshot, promoted replica) proves nothing; it is replaced by an empty one with a new epoch, so everything is cold
 * instead of stale. The id is read inside the script because a key alone would come back with an old snapshot.
 * KEYS[1] tag table `{ns}:t`. ARGV[1] epoch to use if a new one is needed, ARGV[2] channel.
 * Leaves the locals `t`, `ep`, `seq`, `floor`. Publishes `<epoch> <seq>` on a change of epoch.
 * Fields: `!ep` epoch, `!inc` replication id, `!seq` sequence, `!floor` oldest valid asOf, `:<tag>` last invalidation.
 */
export const GUARD = `
local t = KEYS[1]
local meta = redis.call('HMGET', t, '!ep', '!inc', '!seq', '!floor')
local inc = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local ep, seq, floor = meta[1], tonumber(meta[3]) or 0, tonumber(meta[4]) or 0
if not ep or meta[2] ~= inc then
  ep, seq = ARGV[1], seq + 1
  floor = seq
  redis.call('UNLINK', t)
  redis.call('HSET', t, '!ep', ep, '!inc', inc, '!seq', seq, '!floor', floor)
  redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq)
end
`;

/** Lets a script run while Redis is above maxmemory: an invalidation must never be refused for lack of space. */
export const ALLOW_OOM = '#!lua flags=allow-oom\n';
