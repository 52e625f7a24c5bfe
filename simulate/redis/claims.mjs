// CLAIM and SETTLE of the library in JavaScript: the scripts without an opening. test/simulate holds them to the real ones.

/** @typedef {import('./server.mjs').RedisServer} RedisServer */
/** @typedef {(server: RedisServer, keys: readonly string[], args: readonly (string | number | Uint8Array)[]) => unknown} Body */

/** By the names that the library gives them. @type {Readonly<Record<keyof typeof import('../../src/stores/redis/scripts.js').CLAIM_SCRIPTS, Body>>} */
export const CLAIM_BODIES = {
  claim: (server, [claim = '', entry = ''], [token = '', ttl, guard = '', header = '']) => {
    let holder = server.hash(claim)?.get('by');
    if (holder === undefined) {
      holder = String(token);
      server.hset(claim, [['by', holder]]);
      server.pexpire(claim, Number(ttl));
    }
    const stored = server.hash(entry);
    const known = stored && String(stored.get('g')) === String(guard) && String(stored.get('h')) === String(header);
    return [holder, stored === undefined || known ? 0 : 1];
  },
  settle: (server, [claim = ''], [token = '', next = '', ttl]) => {
    if (server.hash(claim)?.get('by') !== String(token)) return 'lost';
    if (next === '') server.unlink(claim);
    else {
      server.hset(claim, [['by', String(next)]]);
      server.pexpire(claim, Number(ttl));
    }
    return 'held';
  },
};
