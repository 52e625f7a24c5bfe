// The engine behind HTTP against a real server: what it sends, what it makes of the answer, and each way to fail.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EngineError } from '../src/insights/engine.js';
import type { Figures } from '../src/insights/figures.js';
import { httpEngine } from '../src/insights/http-engine.js';
import { answer, completion, INSIGHT, startAiServer, type AiServer, type Reply } from './ai-server.js';

const KEY = 'sk-secret-of-the-house';
const USAGE = { model: 'small', inputTokens: 900, outputTokens: 600 };
const FIGURES: Figures = {
  subject: 'AAA',
  results: ['Pass'],
  graded: 5,
  awaiting: 0,
  late: 1,
  score: 71.5,
  lowest: 40,
  highest: 90,
  trend: 2.5,
  elsewhere: null,
  materials: 12,
  completed: 3,
};

let ai: AiServer;
beforeEach(async () => {
  ai = await startAiServer();
});
afterEach(() => ai.close());

const engine = (timeoutMs = 60_000, url = ai.url) => httpEngine({ url, key: KEY, model: 'small', timeoutMs });

async function failure(reply: Reply, one = engine()): Promise<EngineError> {
  ai.reply = reply;
  const error: unknown = await one.analyse(FIGURES).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  // Whatever is logged of it.
  expect([String(error), JSON.stringify(error), (error as Error).stack, (error as Error).cause].join()).not.toContain(
    KEY,
  );
  return error as EngineError;
}

it('sends one question with the key, the model and the figures, and reads text and usage', async () => {
  expect(await engine().analyse(FIGURES)).toEqual({ text: INSIGHT, usage: USAGE });
  expect(ai.requests).toHaveLength(1);
  const [request] = ai.requests;
  expect(request).toMatchObject({
    url: '/v1/chat/completions',
    authorization: `Bearer ${KEY}`,
    body: { model: 'small' },
  });
  expect(JSON.parse(request?.body.messages.at(-1)?.content ?? '')).toEqual(FIGURES);
});

it('keeps of the answer what was asked for, and nothing else', async () => {
  ai.reply = answer(completion({ ...INSIGHT, html: '<script>' }));
  expect((await engine().analyse(FIGURES)).text).toEqual(INSIGHT);
});

describe('failures', () => {
  it.each<[string, Reply, string, object]>([
    ['5xx', answer('{"error":{}}', 500), 'ai_unavailable', {}],
    ['503 with an echo of the key', answer(`{"error":"${KEY}"}`, 503), 'ai_unavailable', {}],
    ['401 with an echo of the key', answer(`{"error":"Incorrect key: ${KEY}"}`, 401), 'ai_refused', {}],
    ['a redirect', answer('', 307, { location: 'http://127.0.0.1:1/' }), 'ai_unavailable', {}],
    ['a connection that breaks', (res) => res.socket?.destroy(), 'ai_unavailable', {}],
    [
      'half an answer',
      (res) => {
        res.writeHead(200, { 'content-length': '1000' });
        res.write('{"choices":', () => res.socket?.destroy());
      },
      'ai_unavailable',
      {},
    ],
    ['no JSON', answer('<html>'), 'ai_broken_json', {}],
    ['a text that is no JSON', answer(completion('Reads well.')), 'ai_broken_json', { usage: USAGE }],
    ['half a text', answer(completion('{"summary": "Reads')), 'ai_broken_json', { usage: USAGE }],
    [
      'no choices',
      answer('{"usage":{"prompt_tokens":900,"completion_tokens":600}}'),
      'ai_wrong_shape',
      { usage: USAGE },
    ],
    ['JSON of another shape', answer(completion({ text: 'Reads well.' })), 'ai_wrong_shape', { usage: USAGE }],
    ['a list', answer('[]'), 'ai_wrong_shape', {}],
    ['an empty summary', answer(completion({ ...INSIGHT, summary: ' ' })), 'ai_wrong_shape', { usage: USAGE }],
    [
      'too long a text',
      answer(completion({ ...INSIGHT, summary: 'a'.repeat(2001) })),
      'ai_wrong_shape',
      { usage: USAGE },
    ],
    [
      'too many texts',
      answer(completion({ ...INSIGHT, concerns: Array(11).fill('a') })),
      'ai_wrong_shape',
      { usage: USAGE },
    ],
    ['no usage', answer(completion(INSIGHT, null)), 'ai_wrong_shape', {}],
    [
      'a usage below nothing',
      answer(completion(INSIGHT, { prompt_tokens: -1, completion_tokens: 1 })),
      'ai_wrong_shape',
      {},
    ],
    ['more than it may have', answer(completion('a'.repeat(300_000))), 'ai_too_large', {}],
    [
      'an answer without end',
      (res) => {
        const more = () => res.write('a'.repeat(65_536), (error) => error ?? more());
        more();
      },
      'ai_too_large',
      {},
    ],
  ])('%s', async (_name, reply, code, details) => {
    expect(await failure(reply)).toMatchObject({ code, details });
  });

  it('no answer in time, and none to the end in time', async () => {
    expect((await failure(() => undefined, engine(50))).code).toBe('ai_timeout');
    expect((await failure((res) => res.write('{'), engine(50))).code).toBe('ai_timeout');
  });

  it('nobody there', async () => {
    const { url } = ai;
    await ai.close();
    expect((await failure(() => undefined, engine(60_000, url))).code).toBe('ai_unavailable');
    ai = await startAiServer();
  });

  it.each([
    ['seconds', '120', 120],
    ['a date', () => new Date(Date.now() + 120_000).toUTCString(), 120],
    ['a date that is over', 'Wed, 01 Jan 2020 00:00:00 GMT', 1],
    ['longer than anybody is believed', '99999999', 3600],
    ['nonsense', 'soon', 30],
  ])('429: is not asked again until it wants to be (%s)', async (_name, header, seconds) => {
    const one = engine();
    const retryAfter = typeof header === 'string' ? header : header();
    const error = await failure(answer('{}', 429, { 'retry-after': retryAfter }), one);
    expect(error.code).toBe('ai_rate_limited');
    expect(Math.abs((error.details.retryAfter ?? 0) - seconds)).toBeLessThan(5);
    if (seconds > 1) {
      expect((await failure(answer(completion(INSIGHT)), one)).code).toBe('ai_rate_limited');
      expect(ai.requests).toHaveLength(1);
    }
  });
});
