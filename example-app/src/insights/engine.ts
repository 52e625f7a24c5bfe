// What an engine is: it makes an analysis of a student's figures, and says what that has used; or why there is none.
import type { Figures } from './figures.js';

/** What is shown of an analysis. */
export interface InsightText {
  readonly summary: string;
  readonly strengths: readonly string[];
  readonly concerns: readonly string[];
  readonly suggestions: readonly string[];
}

/** What a call has used, as its provider tells it. */
export interface Usage {
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface Analysis {
  readonly text: InsightText;
  readonly usage: Usage;
}

export interface Engine {
  /** As requests and keys name it. */
  readonly name: string;
  /** The model that it asks, as the price list names it. */
  readonly model: string;
  /** @throws EngineError, and nothing else */
  analyse(figures: Figures): Promise<Analysis>;
}

/** Codes of failures, each with the status that a reader gets: the fault is behind this server, not with him. */
export const ENGINE_FAILURES = {
  ai_timeout: 504,
  ai_rate_limited: 503,
  ai_unavailable: 502,
  ai_refused: 502,
  ai_too_large: 502,
  ai_broken_json: 502,
  ai_wrong_shape: 502,
} as const;
export type EngineFailure = keyof typeof ENGINE_FAILURES;

/**
 * An engine has made nothing. The text is for the reader and is made here: what a provider writes may repeat the key.
 * It has no `cause` for the same reason.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    readonly code: EngineFailure,
    message: string,
    readonly details: {
      /** When to ask again, in seconds. */
      readonly retryAfter?: number;
      /** Spent in vain. */
      readonly usage?: Usage;
    } = {},
  ) {
    super(message);
  }
}
