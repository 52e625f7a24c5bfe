// The members of an ioredis client that are used; a type test holds Redis and Cluster of both majors to it.

export interface PipelineLike {
  call(command: string, ...args: (string | Buffer | number)[]): unknown;
  hmgetBuffer(key: string, ...fields: string[]): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** An ioredis `Redis` or `Cluster`, version 5.4+ or 6. It stays the host's: never closed here, never reconfigured. */
export interface RedisLike {
  readonly status: string;
  readonly options?: { readonly keyPrefix?: string | undefined };
  call(command: string, ...args: (string | Buffer | number)[]): Promise<unknown>;
  pipeline(): PipelineLike;
  duplicate(...overrides: never[]): unknown;
  on(event: 'close' | 'ready', listener: () => void): unknown;
  off(event: 'close' | 'ready', listener: () => void): unknown;
}

/** Connected, or about to connect on the first command (`lazyConnect`). Anything else would queue and hang. */
const USABLE: ReadonlySet<string> = new Set(['ready', 'wait']);

export const isUsable = ({ status }: Pick<RedisLike, 'status'>): boolean => USABLE.has(status);

/** The second connection, made by `duplicate()` and owned here. */
export interface SubscriberLike {
  readonly status: string;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  on(event: 'ready' | 'close' | 'end' | 'error', listener: () => void): unknown;
  subscribe(...channels: string[]): Promise<unknown>;
  disconnect(): void;
}

/**
 * Several commands in one round trip; one that fails fails all. Not for what has to be atomic.
 * @throws where Redis is not connected, or does not answer `inTime`
 */
export async function askTogether(
  client: RedisLike,
  commands: readonly (readonly [name: string, ...args: (string | number)[]])[],
  inTime: <T>(answer: Promise<T>) => Promise<T>,
): Promise<readonly unknown[]> {
  if (!isUsable(client)) throw new Error('Redis is not connected.');
  if (commands.length === 0) return [];
  const pipeline = client.pipeline();
  for (const [name, ...args] of commands) pipeline.call(name, ...args);
  const answers = (await inTime(pipeline.exec())) ?? [];
  return answers.map(([error, answer]) => {
    if (error !== null) throw error;
    return answer;
  });
}

/** Names with their values, as `call` gives them: one after the other, or in pairs; RESP3: as an object or a map. */
export function pairsOf(answer: unknown): [name: string, value: string][] {
  const flat: readonly unknown[] = Array.isArray(answer)
    ? answer.flat()
    : answer instanceof Map
      ? [...(answer as Map<unknown, unknown>)].flat()
      : Object.entries(answer ?? {}).flat();
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.push([String(flat[at]), String(flat[at + 1])]);
  return pairs;
}
