// Several processes' worth of caches over one value, with a witness: it knows the newest acknowledged version and counts older answers.
import { once } from 'node:events';
import type { CacheEvent } from '../../../src/contract/events.js';
import type { RedisLike } from '../../../src/contract/redis-like.js';
import { createReportCache, tag, type ReportCache, type ReportCacheOptions } from '../../../src/index.js';

/** What a host's client offers beside what the library needs. */
export type Client = RedisLike & {
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
};

export interface Member {
  readonly reports: ReportCache;
  readonly events: CacheEvent[];
  readonly client: Client;
}

export class Fleet {
  readonly members: Member[] = [];
  /** Answers older than what was acknowledged before they were asked for. */
  stale = 0;
  reads = 0;
  /** Errors that a reader or a writer was given. */
  readonly errors: unknown[] = [];
  readonly #traffic: (() => Promise<void>)[] = [];
  #truth = 0;
  #acknowledged = 0;

  constructor(
    readonly namespace: string,
    private readonly options: Partial<ReportCacheOptions> = {},
  ) {}

  join(client: Client): Member {
    client.on('error', () => undefined);
    const events: CacheEvent[] = [];
    const reports = createReportCache({
      identify: () => ({ user: 1 }),
      namespace: this.namespace,
      redis: client,
      // An invalidation counts as acknowledged when it is in force, however long that takes.
      hold: '1m',
      ...this.options,
      onEvent: (event) => events.push(event),
    });
    const member = { reports, events, client };
    this.members.push(member);
    return member;
  }

  /** @returns where the answer came from: `memory`, `redis`, or why it was computed. */
  async read({ reports, events }: Member): Promise<string> {
    const expected = this.#acknowledged;
    const from = events.length;
    try {
      const value = await reports.getOrLoad(
        { type: 'custom', report: 'r', identity: { user: 1 }, tags: [tag('student', 1)] },
        async () => this.#truth,
      );
      this.reads += 1;
      if (value < expected) this.stale += 1;
    } catch (error) {
      this.errors.push(error);
    }
    const told = events.slice(from).find(({ kind }) => kind === 'hit' || kind === 'miss' || kind === 'bypass');
    if (told?.kind === 'hit') return told.layer;
    return told?.kind === 'miss' || told?.kind === 'bypass' ? told.reason : 'nothing';
  }

  /** Commits a new version and has it invalidated. */
  async write({ reports }: Member): Promise<void> {
    this.#truth += 1;
    const version = this.#truth;
    try {
      await reports.invalidate(tag('student', 1));
      this.#acknowledged = Math.max(this.#acknowledged, version);
    } catch (error) {
      this.errors.push(error);
    }
  }

  /** Reads at every member and writes at the last one, until told to stop. */
  traffic(): { stop(): Promise<void> } {
    let going = true;
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const readers = this.members.map(async (member) => {
      while (going) {
        await this.read(member);
        await turn();
      }
    });
    const writer = (async () => {
      const last = this.members.at(-1);
      while (going && last) {
        const before = this.reads;
        await this.write(last);
        // So that there are hits between two writes.
        while (going && this.reads < before + 20) await turn();
      }
    })();
    const stop = async () => {
      going = false;
      await Promise.all([...readers, writer]);
    };
    this.#traffic.push(stop);
    return { stop };
  }

  /** Reads until every member serves from its memory again. */
  async warm(): Promise<void> {
    const deadline = performance.now() + 30_000;
    for (const member of this.members) {
      for (;;) {
        const source = await this.read(member);
        if (source === 'memory') break;
        if (performance.now() > deadline) throw new Error(`Not warm within 30 s: ${source}.`);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
  }

  async close(): Promise<void> {
    const stopped = Promise.all(this.#traffic.map((stop) => stop()));
    // A writer who is held would be held for ever: closing lets him go.
    for (const { reports, client } of this.members.splice(0)) {
      await reports.close();
      // While it waits to connect again it ends without saying so.
      const ended = client.status === 'ready' ? once(client as never, 'end') : undefined;
      client.disconnect();
      await ended;
    }
    await stopped;
  }
}
