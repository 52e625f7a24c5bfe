// CLAIM and SETTLE: who computes an entry, so that other processes wait for him.

/**
 * KEYS[1] claim: a hash, because hashes are what the other scripts may use too, with the token in `by`. KEYS[2] entry.
 * ARGV[1] token, ARGV[2] time to live in ms, ARGV[3] and ARGV[4] guard and header of the entry that is known, or ''.
 * Returns the token that has it from here on, or {@link PRIVATE}, and 1 if there is an entry that is not known: what the last
 * holder has stored is seen by whoever gets the claim after him.
 * No GUARD: nothing is served or stored by a claim. Not allowed above maxmemory: what is computed is not stored there either.
 */
export const CLAIM = `#!lua
local holder = redis.call('HGET', KEYS[1], 'by')
if not holder then
  holder = ARGV[1]
  redis.call('HSET', KEYS[1], 'by', holder)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local entry = redis.pcall('HMGET', KEYS[2], 'g', 'h')
local other = entry[1] and (entry[1] ~= ARGV[3] or entry[2] ~= ARGV[4])
return {holder, other and 1 or 0}
`;

/**
 * KEYS[1] claim. ARGV[1] token, ARGV[2] what it becomes: the same token, {@link PRIVATE}, or '' for nothing, ARGV[3] time
 * to live in ms. Returns `held`, or `lost` where somebody else has it, or nobody: then nothing is changed.
 */
export const SETTLE = `#!lua flags=allow-oom
if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then return 'lost' end
if ARGV[2] == '' then
  redis.call('UNLINK', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'by', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 'held'
`;

/** In the place of a token: what was computed was not fit to be shared. No token is like this. */
export const PRIVATE = '!';
