// The two ways to a cache: its management API, or the Redis that it uses. Commands ask both alike, in the words of the API.
import type { RedisLike } from '../contract/redis-like.js';
import type { RedisKeys } from '../stores/redis/redis-keys.js';

export interface Asking {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Answers that take as long as they take; default: 30 s. */
  readonly patient?: true;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** @throws CliFailure for an answer that is no success, but for the 503 of a cache that is down */
export type Ask = (method: 'GET' | 'POST' | 'DELETE', path: string, asking?: Asking) => Promise<Answer>;

interface AnyWay {
  readonly ask: Ask;
  /** In words, without anything secret. */
  readonly name: string;
  close(): Promise<void>;
}

export interface ApiWay extends AnyWay {
  readonly kind: 'url';
  readonly url: URL;
}

/** A client of one's own, on the node that has the namespace. */
export interface OwnRedis extends RedisLike {
  disconnect(): void;
  connect(): Promise<unknown>;
  once(event: 'end', listener: () => void): unknown;
  on(event: 'close' | 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface RedisWay extends AnyWay {
  readonly kind: 'redis';
  readonly url: URL;
  readonly client: OwnRedis;
  readonly namespace: string;
  readonly keyPrefix: string;
  readonly keys: RedisKeys;
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

export type Way = ApiWay | RedisWay;

export interface Open {
  /** The one that was asked for. @throws CliFailure, where there are none or both */
  one(allowed: readonly Way['kind'][]): Promise<Way>;
  /** As many as were asked for, for who looks at all of them. */
  all(): { readonly url?: ApiWay; readonly redis?: () => Promise<RedisWay> };
}
