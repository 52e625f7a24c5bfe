// Who computes an entry, agreed on in Redis.
import type { Entry } from '../../contract/entry.js';
import type { ClaimAnswer, Claims } from '../../contract/store.js';
import { encodeGuard, encodeHeader } from '../../entry/codec.js';
import { PRIVATE } from './lua/claim.js';
import type { RedisKeys } from './redis-keys.js';
import { CLAIM_SCRIPTS, type Scripts } from './scripts.js';

/** Throws on every failure of Redis. */
export class RedisClaims implements Claims {
  readonly #scripts: Scripts;
  readonly #keys: RedisKeys;

  constructor(scripts: Scripts, keys: RedisKeys) {
    this.#scripts = scripts;
    this.#keys = keys;
  }

  async claim(key: string, token: string, ttlMs: number, known?: Entry): Promise<ClaimAnswer> {
    const keys = [this.#keys.claim(key), this.#keys.entry(key)];
    const very = known === undefined ? ['', ''] : [encodeGuard(known), encodeHeader(known)];
    const reply = await this.#scripts.runAlone(CLAIM_SCRIPTS.claim, keys, [token, ttlMs, ...very]);
    const [holder, others] = reply as [string, string | number];
    if (holder === PRIVATE) return { state: 'private' };
    const stored = Number(others) > 0;
    return holder === token ? { state: 'taken', stored } : { state: 'held', by: holder, stored };
  }

  async renewClaim(key: string, token: string, ttlMs: number): Promise<boolean> {
    return (await this.#settle(key, token, token, ttlMs)) === 'held';
  }

  async endClaim(key: string, token: string, privateMs: number): Promise<void> {
    await this.#settle(key, token, privateMs > 0 ? PRIVATE : '', privateMs);
  }

  #settle(key: string, token: string, next: string, ttlMs: number): Promise<unknown> {
    return this.#scripts.runAlone(CLAIM_SCRIPTS.settle, [this.#keys.claim(key)], [token, next, ttlMs]);
  }
}
