// GUARD, the opening of every script: makes sure that the tag table belongs to this very Redis server's history.

/**
 * In the place of a WAL position: nobody knows how far a replica must have replayed. Greater than any, so that it stays
 * until a sweep says better: a writer may have read his own position before the unknown write was committed.
 */
export const UNKNOWN_LSN = 'ffffffffffffffff';

/** Begins a history, empty and under another name, and tells every process. */
export const begin = (epoch: string) => `
  ep, seq = ${epoch}, seq + 1
  owner, floor, live, lambda, lsn, marked = inc, seq, nil, 0, '', nil
  redis.call('UNLINK', t, x)
  redis.call('HSET', t, '!ep', ep, '!inc', owner, '!seq', seq, '!floor', floor, '!born', clock())
  redis.call('PUBLISH', ARGV[2], ep .. ' ' .. seq)
`;

/**
 * Purpose: a table that is missing (evicted, flushed) or was written under another replication id (restart, old
 * snapshot, promoted replica) proves nothing; it is replaced by an empty one with a new epoch, so everything is cold
 * instead of stale. The id is read inside the script because a key alone would come back with an old snapshot.
 * KEYS[1] tag table `{ns}:t`, KEYS[2] marks `{ns}:x`. ARGV[1] epoch to use if a new one is needed, ARGV[2] channel,
 * ARGV[3] `info`, or `none` where the user may not run INFO and tells restarts by other means.
 * Leaves the locals `t`, `x`, `ep`, `owner`, `seq`, `floor`, `live`, `lambda`, `lsn`, `marked`, and `clock()`, the time of
 * Redis in ms, and `head()`, the opening of every reply: {epoch, seq, age of the watermark in ms or -1, its
 * lambda or 0, lsn or ''}.
 * Fields of the table: `!ep` epoch, `!inc` replication id, `!seq` sequence, `!floor` oldest valid asOf, `!born` when the
 * epoch began, `!live` and `!lambda` the watermark, `!gen` generation, `!lsn` WAL position, {@link UNKNOWN_LSN}, or one with `?` behind it: at least this, perhaps more; `!leases` who holds a lease that
 * writers wait for, `!marks` there are marks, `:<tag>` last invalidation. Publishes `<epoch> <seq>` on a change of epoch.
 */
export const GUARD = `
local t, x = KEYS[1], KEYS[2]
local meta = redis.call('HMGET', t, '!ep', '!inc', '!seq', '!floor', '!live', '!lambda', '!lsn', '!marks')
local inc = 'none'
if ARGV[3] == 'info' then
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then return redis.error_reply('NOINFO this user may not run INFO') end
  -- Found without a pattern: this text is long, and every script reads it.
  local from = string.find(info, 'master_replid:', 1, true) + 14
  inc = string.sub(info, from, from + 39)
end
local ep, owner, seq, floor = meta[1], meta[2], tonumber(meta[3]) or 0, tonumber(meta[4]) or 0
local live, lambda, lsn, marked = tonumber(meta[5]), tonumber(meta[6]) or 0, meta[7] or '', meta[8]
local now = 0
local function clock()
  if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return now
end
if not ep or (inc ~= 'none' and owner ~= inc) then
  ${begin('ARGV[1]')}
end
local function head()
  return {ep, seq, live and clock() - live or -1, lambda, lsn}
end
`;

/** Lets a script run while Redis is above maxmemory: an invalidation must never be refused for lack of space. */
export const ALLOW_OOM = '#!lua flags=allow-oom\n';
