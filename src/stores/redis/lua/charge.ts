// CHARGE: counts a stored entry against the budgets of its owner and of the namespace, and makes room where one is passed.
import { ALLOW_OOM } from './guard.js';

/** Takes an entry out of both budgets as it was added, and only if it was there. Needs `index`. Returns whether the index had it. */
export const UNCOUNT = `
local function uncount(whose, bytes, cost, what)
  local had = redis.call('ZREM', index, whose .. ' ' .. bytes .. ' ' .. cost .. ' ' .. what) == 1
  if had then redis.call('ZINCRBY', index, bytes, '!') end
  local theirs = index .. ':' .. whose
  if redis.call('HGET', theirs, what) == bytes .. ' ' .. cost then
    redis.call('HDEL', theirs, what)
    if redis.call('HINCRBY', theirs, '!', -bytes) <= 0 then redis.call('UNLINK', theirs) end
  end
  return had
end
`;

/** Entries looked at before some of them go. Redis itself takes five, and comes close to true LRU with ten. */
const SAMPLE = 16;
/** Of one sample at most so many go: the rest of it is too good an average to be the worst. */
const VICTIMS_PER_SAMPLE = 4;
/** Samples for each of the two budgets, and entries past their time that are uncounted: what one call costs at most. */
const SAMPLES = 8;
const REAPED = 32;
/** Room is made from here on, so that a large entry finds some; what does not fit into the budget all the same, goes. */
const SLACK = 15 / 16;
/**
 * What Redis holds for an entry beside what MEMORY USAGE tells of it and beside its name, which the index repeats twice, in
 * bytes: its places in the index, in its account and among the keys that expire. Measured with one entry for each account;
 * of an owner with many entries each counts for up to 260 B more than it takes. README has the figures.
 */
export const INDEX_OVERHEAD = 544;

/**
 * KEYS[1] index `{ns}:b`, KEYS[2] account of the owner `{ns}:b:<owner>`, KEYS[3] entry. Accounts and entries of victims have
 * names made from these: one slot, by the hash tag. ARGV[1] most bytes of the namespace, ARGV[2] most bytes of the owner,
 * ARGV[3] what the entry cost to compute, ms. Returns how many entries were unlinked.
 *
 * The index is a sorted set of `<owner> <bytes> <cost> <name of the entry>` by the time when the entry ends, ms; its member
 * `!` has the sum of the bytes as a negative score, so that sum and members are lost together or not at all. An
 * account is a hash of `<name>` to `<bytes> <cost>`, and its field `!` is their sum. Both end with their last entry.
 *
 * What is counted is looked up, never believed: size and time to live come from Redis, an entry that is gone (expired,
 * unlinked by CHECK, evicted) is uncounted when it comes up in a sample, when it is stored again, and at the
 * latest at the end of its time. So the sums never fall below the truth, and rise above it by what is gone
 * before its time. Only entries are unlinked here, which is a miss and never a lie.
 *
 * Victims are the worst of a random sample by cost / (bytes * idle time): hyperbolic caching (Blankstein, Sen, Freedman,
 * USENIX ATC 2017) with the recency that Redis keeps by itself, so that a hit costs nothing more.
 */
export const CHARGE = `${ALLOW_OOM}
local index, account, entry = KEYS[1], KEYS[2], KEYS[3]
local entries = string.sub(index, 1, -2) .. 'e:'
local owner, name = string.sub(account, #index + 2), string.sub(entry, #entries + 1)
local unlinked = 0

${UNCOUNT}
local function remove(one)
  unlinked = unlinked + redis.call('UNLINK', entries .. one.name)
  uncount(one.owner, one.bytes, one.cost, one.name)
end

local function read(member)
  local whose, bytes, cost, what = string.match(member, '^(%S+) (%d+) (%d+) (.*)$')
  return whose and {owner = whose, bytes = bytes, cost = cost, name = what}
end

local function keep(key, ttl)
  if redis.call('PEXPIRE', key, ttl, 'NX') == 0 then redis.call('PEXPIRE', key, ttl, 'GT') end
end

local before = redis.call('HGET', account, name)
if before then
  local bytes, cost = string.match(before, '^(%d+) (%d+)$')
  uncount(owner, bytes, cost, name)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = redis.call('PTTL', entry)
local newcomer
if ttl > 0 then
  local bytes = string.format('%d', redis.call('MEMORY', 'USAGE', entry) + 2 * #name + ${INDEX_OVERHEAD})
  newcomer = {owner = owner, bytes = bytes, cost = ARGV[3], name = name}
  if redis.call('ZADD', index, now + ttl, owner .. ' ' .. bytes .. ' ' .. ARGV[3] .. ' ' .. name) == 1 then
    redis.call('ZINCRBY', index, -bytes, '!')
  end
  redis.call('HSET', account, name, bytes .. ' ' .. ARGV[3])
  redis.call('HINCRBY', account, '!', bytes)
  keep(index, ttl)
  keep(account, ttl)
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', index, 0, now, 'LIMIT', 0, ${REAPED})) do
  local one = read(member)
  uncount(one.owner, one.bytes, one.cost, one.name)
end

local function worth(one)
  local idle = redis.pcall('OBJECT', 'IDLETIME', entries .. one.name)
  if not idle then return nil end
  -- Under an LFU policy Redis knows no idle time: then cost and size decide.
  return (one.cost + 1) / (one.bytes * ((type(idle) == 'number' and idle or 0) + 1))
end

local function shrink(most, held, sample)
  local target = math.floor(most * ${SLACK})
  for _ = 1, ${SAMPLES} do
    if held() <= target then return end
    local live = {}
    for _, one in ipairs(sample()) do
      one.worth = worth(one)
      if one.worth then live[#live + 1] = one else uncount(one.owner, one.bytes, one.cost, one.name) end
    end
    table.sort(live, function(a, b) return a.worth < b.worth end)
    for at = 1, math.min(${VICTIMS_PER_SAMPLE}, #live) do
      if held() <= target then return end
      remove(live[at])
    end
  end
  if newcomer and held() > most then remove(newcomer) end
end

local function ofOwner() return tonumber(redis.call('HGET', account, '!') or 0) end
local function ofAll() return -tonumber(redis.call('ZSCORE', index, '!') or 0) end

-- Nobody else goes for what cannot stay.
if newcomer and tonumber(newcomer.bytes) > math.min(tonumber(ARGV[1]), tonumber(ARGV[2])) then remove(newcomer) end
shrink(tonumber(ARGV[2]), ofOwner, function()
  local drawn, found = redis.call('HRANDFIELD', account, ${SAMPLE + 1}, 'WITHVALUES'), {}
  for at = 1, #drawn, 2 do found[#found + 1] = read(owner .. ' ' .. drawn[at + 1] .. ' ' .. drawn[at]) end
  return found
end)
shrink(tonumber(ARGV[1]), ofAll, function()
  local found = {}
  for _, member in ipairs(redis.call('ZRANDMEMBER', index, ${SAMPLE + 1})) do found[#found + 1] = read(member) end
  return found
end)
return unlinked
`;
