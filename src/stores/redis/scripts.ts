// Runs the Lua scripts: by their hash, with what all of them need, and reads the opening of their replies.
import { createHash, randomBytes } from 'node:crypto';
import type { Position } from '../../contract/entry.js';
import { isUsable, type RedisLike } from '../../contract/redis-like.js';
import { BUMP } from './lua/bump.js';
import { KEEP } from './lua/keep.js';
import { UNKNOWN_LSN } from './lua/guard.js';
import { CHECK } from './lua/check.js';
import { CLAIM, SETTLE } from './lua/claim.js';
import { INDEX } from './lua/index-position.js';
import { CLEAR, MARK } from './lua/mark.js';
import { PUT } from './lua/put.js';
import { ADOPT, LIVE, OBSERVE, PRUNE } from './lua/sweep.js';
import { Reconnects } from './reconnects.js';
import type { RedisKeys } from './redis-keys.js';

export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });

export const SCRIPTS = {
  check: script(CHECK),
  put: script(PUT),
  keep: script(KEEP),
  bump: script(BUMP),
  mark: script(MARK),
  clear: script(CLEAR),
  index: script(INDEX),
  observe: script(OBSERVE),
  live: script(LIVE),
  adopt: script(ADOPT),
  prune: script(PRUNE),
} as const;

/** They have no opening, and run by themselves. */
export const CLAIM_SCRIPTS = { claim: script(CLAIM), settle: script(SETTLE) } as const;

export type Argument = string | Buffer | number;

/** A client with `stringNumbers` gives integers as text, and as text 10 comes before 9. */
type Field = string | number | null;

export interface Reply {
  readonly position: Position;
  /** Age of the watermark, ms; undefined: there is none. */
  readonly ageMs: number | undefined;
  /** What the script answers behind the opening. */
  readonly rest: readonly Field[];
}

/** A reply, and beside it fields of entries. */
export interface Fetched {
  readonly reply: Reply;
  readonly fetched: readonly [error: Error | null, fields: unknown][];
}

export interface Tell {
  /** Once, when the user turns out not to be allowed INFO. */
  infoRefused(): void;
  /** What is cached is vouched for again, or no longer. */
  watermark(live: boolean): void;
}

export class Scripts {
  /** This process, as other processes know it. Never the same twice. */
  readonly process = randomBytes(9).toString('base64url');
  /** Without a watermark not older than this nothing may be served, ms; undefined: only if the table names one. */
  #lambdaMs: number | undefined;
  #spares = 0;
  readonly #reconnects: Reconnects;

  /** Undefined: required, and not seen yet. */
  #live: boolean | undefined = true;

  constructor(
    private readonly client: RedisLike,
    private readonly keys: RedisKeys,
    private readonly tell: Tell,
  ) {
    this.#reconnects = new Reconnects(client, () => this.#beginHistory(), tell.infoRefused);
  }

  /** From now on a watermark is required. */
  requireWatermark(lambdaMs: number | undefined): void {
    this.#lambdaMs = lambdaMs;
    this.#live = lambdaMs === undefined ? true : undefined;
  }

  close(): void {
    this.#reconnects.close();
  }

  async run(script: Script, entryKeys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    this.assertUsable();
    return this.#reconnects.ask(() => this.#send(script, entryKeys, args));
  }

  /** A script that needs nothing of what the others open with; its reply as it is. */
  async runAlone(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    this.assertUsable();
    return this.#call(script, [keys.length, ...keys, ...args]);
  }

  async #send(script: Script, entryKeys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    return this.read(await this.#call(script, this.#arguments(entryKeys, args)));
  }

  #call(one: Script, args: readonly Argument[]): Promise<unknown> {
    return runScript(this.client, one, args);
  }

  /** The script, and in the same round trip some fields of each of its entries. */
  async runAndFetch(
    script: Script,
    entryKeys: readonly string[],
    args: readonly Argument[],
    fields: readonly string[],
  ): Promise<Fetched> {
    this.assertUsable();
    return this.#reconnects.ask(() => this.#sendAndFetch(script, entryKeys, args, fields));
  }

  async #sendAndFetch(
    { lua, sha }: Script,
    entryKeys: readonly string[],
    args: readonly Argument[],
    fields: readonly string[],
  ): Promise<Fetched> {
    const all = this.#arguments(entryKeys, args);
    let [first, ...fetched] = await this.#pipelined('evalsha', sha, all, entryKeys, fields);
    if (isNoScript(first?.[0])) [first, ...fetched] = await this.#pipelined('eval', lua, all, entryKeys, fields);
    if (first === undefined) throw new Error('Redis answered a pipeline with nothing.');
    if (first[0] !== null) throw first[0];
    return { reply: this.read(first[1]), fetched };
  }

  /** A new name for a history, used only if one has to begin. Never the same twice. */
  spareEpoch(): string {
    this.#spares += 1;
    return `${this.process}.${this.#spares.toString(36)}`;
  }

  assertUsable(): void {
    if (!isUsable(this.client)) throw new Error(`Redis connection is ${this.client.status}.`);
  }

  read(reply: unknown): Reply {
    const [epoch, seq, age, lambda, lsn, ...rest] = reply as [string, Field, Field, Field, string | null, ...Field[]];
    const ageMs = Number(age) === -1 ? undefined : Number(age);
    const lambdaMs = this.#lambdaMs ?? Number(lambda);
    // A watermark from the future is as good as none: somebody has set the clock of Redis.
    const live = lambdaMs === 0 || (ageMs !== undefined && ageMs >= 0 && ageMs <= lambdaMs);
    this.#see(live);
    const position = {
      epoch,
      seq: Number(seq),
      ...(lsn && isKnown(lsn) ? { lsn } : {}),
      ...(live ? {} : { live }),
    };
    return { position, ageMs, rest };
  }

  /** Before the first watermark there is nothing that could have died. */
  #see(live: boolean): void {
    if (live === this.#live || (this.#live === undefined && !live)) return;
    if (this.#live !== undefined) this.tell.watermark(live);
    this.#live = live;
  }

  #arguments(entryKeys: readonly string[], args: readonly Argument[]): Argument[] {
    const { table, marks, channel } = this.keys;
    const { mode } = this.#reconnects;
    return [2 + entryKeys.length, table, marks, ...entryKeys, this.spareEpoch(), channel, mode, ...args];
  }

  /** Everything is cold from here on. Who finds it changed meanwhile has his wish: somebody has begun another one. */
  async #beginHistory(): Promise<void> {
    const { position } = await this.#send(SCRIPTS.index, [], ['', 0]);
    await this.#send(SCRIPTS.adopt, [], [position.epoch, this.spareEpoch(), '']);
  }

  async #pipelined(
    command: string,
    scriptText: string,
    args: readonly Argument[],
    entryKeys: readonly string[],
    fields: readonly string[],
  ) {
    const pipeline = this.client.pipeline();
    pipeline.call(command, scriptText, ...args);
    for (const entryKey of entryKeys) pipeline.hmgetBuffer(entryKey, ...fields);
    return (await pipeline.exec()) ?? [];
  }
}

/** @param args how many keys, the keys, and what else the script takes */
export async function runScript(client: RedisLike, { lua, sha }: Script, args: readonly Argument[]): Promise<unknown> {
  try {
    return await client.call('evalsha', sha, ...args);
  } catch (error) {
    if (!isNoScript(error)) throw error;
    return client.call('eval', lua, ...args);
  }
}

function isKnown(lsn: string): boolean {
  return lsn !== UNKNOWN_LSN && !lsn.endsWith('?');
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
