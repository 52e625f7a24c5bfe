// The engine behind HTTP: one POST to {url}/chat/completions, as OpenAI and many others speak it; every way to fail has its code.
import { analysisOf } from './chat-answer.js';
import { type Engine, EngineError } from './engine.js';
import { messagesOf } from './prompt.js';
import { secondsOf } from './retry-after.js';

export interface HttpEngineOptions {
  /** Up to `/chat/completions`, without it. */
  readonly url: string;
  readonly key: string;
  readonly model: string;
  /** For the whole call, ms. */
  readonly timeoutMs: number;
}

/** A long analysis has a few kilobytes. */
const MOST_BYTES = 256 * 1024;
const MOST_TOKENS = 1200;
/** After a 429 that names no time, in seconds. */
const REST_S = 30;

export function httpEngine({ url, key, model, timeoutMs }: HttpEngineOptions): Engine {
  /** Until then the provider wants to be left alone: asking sooner is refused, too, and counts against us. */
  let restsUntil = 0;

  async function ask(body: string, signal: AbortSignal): Promise<string> {
    const response = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', authorization: `Bearer ${key}` },
      body,
      signal,
      // The key is for this address alone.
      redirect: 'error',
    });
    if (response.ok) return readText(response);
    // What it says may repeat the key, so nobody reads it.
    await response.body?.cancel();
    throw refusal(response);
  }

  function refusal({ status, headers }: Response): EngineError {
    if (status === 429) {
      const retryAfter = secondsOf(headers.get('retry-after'), Date.now()) ?? REST_S;
      restsUntil = Date.now() + retryAfter * 1000;
      return limited(retryAfter);
    }
    if (status >= 500) return new EngineError('ai_unavailable', `The AI service failed (${status}).`);
    return new EngineError('ai_refused', `The AI service refused the request (${status}).`);
  }

  return {
    name: 'openai',
    model,
    async analyse(figures) {
      const rests = restsUntil - Date.now();
      if (rests > 0) throw limited(Math.ceil(rests / 1000));
      const signal = AbortSignal.timeout(timeoutMs);
      const body = JSON.stringify({
        model,
        messages: messagesOf(figures),
        max_tokens: MOST_TOKENS,
        response_format: { type: 'json_object' },
      });
      let text: string;
      try {
        text = await ask(body, signal);
      } catch (error) {
        if (error instanceof EngineError) throw error;
        if (signal.aborted) throw new EngineError('ai_timeout', `The AI service took longer than ${timeoutMs} ms.`);
        throw new EngineError('ai_unavailable', 'The AI service cannot be reached, or broke off.');
      }
      return analysisOf(text, model);
    },
  };
}

function limited(retryAfter: number): EngineError {
  return new EngineError('ai_rate_limited', 'The AI service takes no more requests for a while.', { retryAfter });
}

/** @throws EngineError as soon as it is too large, whatever a header has said */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new EngineError('ai_too_large', 'The answer of the AI service is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
