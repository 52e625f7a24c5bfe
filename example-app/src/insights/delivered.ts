// What a reader is told of a costly result beside its content: where it came from, until when it holds, what it took. Pure.
import type { Response } from 'express';
import type { Answer } from '../cache.js';

export type Source = 'ai_model' | 'computed' | 'memory' | 'redis' | 'database';

export interface Delivery {
  readonly cached: boolean;
  readonly source: Source;
  /** Made for another reader who had asked before, while this one waited. */
  readonly joined: boolean;
  readonly created_at: string;
  /** Null: it was not kept, because what it was made of changed meanwhile. */
  readonly expires_at: string | null;
  readonly tokens: { readonly input: number; readonly output: number; readonly used: number; readonly saved: number };
  readonly money: { readonly used: number; readonly saved: number; readonly currency: string } | null;
}

/** @param made the source of what was made for this very reader */
export function deliveryOf(answer: Answer<unknown>, made: Source): Delivery {
  const { cached, source, joined, createdAt, expiresAt, cost } = answer;
  const [input, output] = [cost?.inputTokens ?? 0, cost?.outputTokens ?? 0];
  /** The same amount, spent or spared. */
  const split = (amount: number) => ({ used: cached ? 0 : amount, saved: cached ? amount : 0 });
  return {
    cached,
    source: source === 'loader' ? made : source,
    joined,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
    tokens: { input, output, ...split(input + output) },
    money: cost?.money === undefined ? null : { ...split(cost.money), currency: cost.currency ?? '' },
  };
}

/** The same in headers, for those who count and do not read bodies. */
export function tell(res: Response, delivery: Delivery): Response {
  const { cached, source, tokens, money, created_at, expires_at } = delivery;
  res.set({
    // Kept by nobody else: how often it was read is counted here.
    'Cache-Control': 'private, no-store',
    'X-Cache': cached ? 'HIT' : 'MISS',
    'Result-Source': source,
    'Result-Created': created_at,
    'Result-Tokens-Used': String(tokens.used),
    'Result-Tokens-Saved': String(tokens.saved),
  });
  if (expires_at !== null) res.set('Result-Expires', expires_at);
  if (money !== null) res.set('Result-Money-Used', `${money.used} ${money.currency}`);
  if (money !== null) res.set('Result-Money-Saved', `${money.saved} ${money.currency}`);
  return res;
}
