// Keeps house in Redis, page by page: entries that cannot be served any more, books of those that are gone, tags that no entry is as old as.
import { askTogether, pairsOf, type RedisLike } from '../../contract/redis-like.js';
import { keyTag } from '../../entry/tags.js';
import { AUDIT, REAP } from './lua/reap.js';
import type { RedisHistory } from './redis-history.js';
import type { RedisKeys } from './redis-keys.js';
import { runScript, script, SCRIPTS, type Scripts } from './scripts.js';

export interface RedisUpkeepParts {
  readonly client: RedisLike;
  readonly keys: RedisKeys;
  readonly scripts: Scripts;
  readonly history: RedisHistory;
}

/** What ends it: between two pages, and a page that is not answered. */
export interface Patience {
  readonly signal: AbortSignal;
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

export interface Swept {
  /** Entries looked at. */
  readonly entries: number;
  /** Of them were invalidated, and unlinked. */
  readonly unlinked: number;
  /** Entries that were gone before, and counted until now. */
  readonly uncounted: number;
}

export interface Tidied {
  /** Tags in the table, before and after. */
  readonly tagsBefore: number;
  readonly tags: number;
  /** What accounts held of entries that the index does not know. */
  readonly orphans: number;
}

/** Entries of one script: others wait for it a few tenths of a millisecond. */
const AT_ONCE = 100;
const PAGE = 500;
/** Positions remembered; of a longest life as many as these are apart. */
const MOST_SAMPLES = 100;
const REAP_SCRIPT = script(REAP);
const AUDIT_SCRIPT = script(AUDIT);

export class RedisUpkeep {
  constructor(private readonly parts: RedisUpkeepParts) {}

  /** Unlinks what was invalidated, of this release, and uncounts what is gone, of all. @throws where Redis does not answer */
  async sweep(patience: Patience): Promise<Swept> {
    const { client, keys, scripts } = this.parts;
    const { inTime } = patience;
    const swept = { entries: 0, unlinked: 0, uncounted: 0 };
    const prefix = keys.entry('');
    const release = prefix.slice(prefix.indexOf('}:e:') + 4);
    for await (const members of this.#pages(patience)) {
      for (let at = 0; at < members.length; at += AT_ONCE) {
        patience.signal.throwIfAborted();
        const some = members.slice(at, at + AT_ONCE);
        const own = some.flatMap(({ name }) => (name.startsWith(release) ? [name.slice(release.length)] : []));
        if (own.length > 0) {
          const entries = own.map((key) => keys.entry(key));
          const { rest } = await inTime(scripts.run(SCRIPTS.check, entries, own.map(keyTag)));
          swept.unlinked += rest.filter((code) => code === 'epoch' || code === 'invalidated').length;
        }
        const texts = some.map(({ member }) => member);
        swept.uncounted += Number(await inTime(runScript(client, REAP_SCRIPT, [1, keys.budget, ...texts])));
        swept.entries += some.length;
      }
    }
    // Those that were unlinked just now have gone from the books, too; they are no news.
    swept.uncounted = Math.max(0, swept.uncounted - swept.unlinked);
    return swept;
  }

  /**
   * Forgets tags whose last invalidation is older than any entry, and puts accounts right.
   * @param keepMs the longest life of an entry
   * @throws where Redis does not answer
   */
  async tidy(keepMs: number, patience: Patience): Promise<Tidied> {
    const { client, keys } = this.parts;
    const { inTime } = patience;
    const size = async () => Number((await askTogether(client, [['HLEN', keys.table]], inTime))[0]);
    const tagsBefore = await size();
    await this.#prune(keepMs, patience);
    const orphans = await this.#audit(patience);
    return { tagsBefore, tags: await size(), orphans };
  }

  /** What was the present position when is remembered in Redis: whoever prunes next may be another process. */
  async #prune(keepMs: number, { inTime }: Patience): Promise<void> {
    const { client, history, keys } = this.parts;
    const { now, position } = await inTime(history.observe());
    const [found] = await askTogether(client, [['LRANGE', keys.samples, 0, -1]], inTime);
    // Newest first.
    const samples = (found as readonly unknown[])
      .map((one) => String(one).split(' '))
      .map(([epoch = '', at, seq]) => ({ epoch, at: Number(at), seq: Number(seq) }))
      .filter(({ epoch, at }) => epoch === position.epoch && at <= now);
    const old = samples.find(({ at }) => at <= now - keepMs);
    if (old !== undefined) await inTime(history.prune({ epoch: old.epoch, seq: old.seq }));
    const latest = samples[0]?.at ?? -Infinity;
    if (now - latest < keepMs / (MOST_SAMPLES - 2)) return;
    const noted = [
      ['LPUSH', keys.samples, `${position.epoch} ${now} ${position.seq}`] as const,
      ['LTRIM', keys.samples, 0, MOST_SAMPLES - 1] as const,
      ['PEXPIRE', keys.samples, Math.ceil(2 * keepMs) + 86_400_000 * 30] as const,
    ];
    await askTogether(client, noted, inTime);
  }

  /** Of every owner whom the index names. */
  async #audit(patience: Patience): Promise<number> {
    const { client, keys } = this.parts;
    const seen = new Set<string>();
    let orphans = 0;
    for await (const members of this.#pages(patience))
      for (const { owner } of members) {
        if (seen.has(owner)) continue;
        seen.add(owner);
        let cursor = '0';
        do {
          patience.signal.throwIfAborted();
          const args = [2, keys.budget, `${keys.budget}:${owner}`, cursor];
          const [next, gone] = (await patience.inTime(runScript(client, AUDIT_SCRIPT, args))) as [string, number];
          cursor = String(next);
          orphans += Number(gone);
        } while (cursor !== '0');
      }
    return orphans;
  }

  /** Of the index of the budget, so that the key space is never scanned. What is there all the time comes once at least. */
  async *#pages({ inTime, signal }: Patience) {
    const { client, keys } = this.parts;
    let cursor = '0';
    do {
      signal.throwIfAborted();
      const [answer] = await askTogether(client, [['ZSCAN', keys.budget, cursor, 'COUNT', PAGE]], inTime);
      const [next, members] = answer as [unknown, unknown];
      cursor = String(next);
      yield pairsOf(members).flatMap(([member]) => {
        const [, owner, name] = /^(\S+) \d+ \d+ (.*)$/s.exec(member) ?? [];
        return owner === undefined || name === undefined ? [] : [{ member, owner, name }];
      });
    } while (cursor !== '0');
  }
}
