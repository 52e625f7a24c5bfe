// What happens beside the straight way: answers given meanwhile, hooks in front that fail, what is said in front.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Load, Turn } from '../../src/contract/reading.js';
import { gate } from '../support/gate.js';
import { onBoth, stage } from './stage.js';

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
  if (unhandled.length > 0) throw new AggregateError(unhandled);
});
const turnOfLoop = () => new Promise<void>((resolve) => setImmediate(resolve));

onBoth('an answer that was given in front while the cache was asked', (express) => {
  async function scene() {
    const errors: unknown[] = [];
    let timeOut: () => void = () => undefined;
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          timeOut = () => res.status(503).send('too slow');
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
      onError: (error, _req, _res, _next) => void errors.push(error),
    });
    await s.ask();
    const { entry } = s.reader;
    const answer = gate<Turn>();
    s.reader.script = () => answer.opened;
    const asked = s.reader.asked.length;
    const asking = s.ask();
    await s.reader.until(() => s.reader.asked.length > asked);
    timeOut();
    return { s, errors, entry, answer, asking };
  }

  it('is not disturbed by a hit', async () => {
    const { errors, entry, answer, asking } = await scene();
    answer.open({ next: 'serve', entry, layer: 'redis', coalesced: false });
    await turnOfLoop();
    expect([(await asking).status, errors]).toEqual([503, []]);
  });

  it('needs no computation: the load is given up, the handler does not run', async () => {
    const { s, errors, answer, asking } = await scene();
    const declined: string[] = [];
    const load = { decline: (reason: string) => void declined.push(reason), run: (task: () => unknown) => task() };
    answer.open({ next: 'lead', load: load as unknown as Load, reason: 'absent' });
    await turnOfLoop();
    expect([(await asking).status, errors, s.runs(), declined]).toEqual([503, [], 1, ['incomplete']]);
  });
});

onBoth('a hook in front that throws at the end', (express) => {
  it('of an unsafe request which was held closes the connection, and nothing is rejected unheard', async () => {
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          res.end = () => {
            throw new Error('hook');
          };
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    await expect(s.ask({ method: 'POST' })).rejects.toThrow(/hang up|reset/);
    await turnOfLoop();
    expect(s.invalidated.length).toBe(1);
  });
});

onBoth('a Vary that was said in front', (express) => {
  it('counts where the handler repeats it: the bytes depend on it (RFC 9111 §4.1)', async () => {
    const s = await stage(express, {
      front: [(_req, res, next) => (res.vary('Accept'), next())],
      handler: (_req, res) => void res.format({ json: () => res.json(1), 'text/csv': () => res.send('a,b') }),
    });
    const ask = async (accept: string) => (await s.ask({ headers: { Accept: accept } })).headers['content-type'];
    for (let round = 0; round < 2; round += 1) {
      expect(await ask('application/json')).toContain('json');
      expect(await ask('text/csv')).toContain('csv');
    }
    expect(s.runs()).toBe(2);
  });
});

onBoth('unusual ways', (express) => {
  it('early hints go out before the answer and stay out of the entry', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' });
        res.json(1);
      },
    });
    for (const label of ['MISS', 'HIT']) {
      const { status, text, headers } = await s.ask();
      expect([status, text, headers['x-cache'], headers.link]).toEqual([200, '1', label, undefined]);
    }
  });

  it('requests sent at once over one connection are answered in their order, each with its own', async () => {
    const s = await stage(express, { handler: (req, res) => void setImmediate(() => res.json(req.url)) });
    s.reader.later = true;
    const get = (query: number, more = '') => `GET /report?${query} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await s.raw(get(1) + get(2) + get(1, 'Connection: close\r\n'));
    expect(text.match(/"\/report\?\d"/g)).toEqual(['"/report?1"', '"/report?2"', '"/report?1"']);
    expect(s.reader.running).toBe(0);
  });
});
