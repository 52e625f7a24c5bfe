// Hits in a content coding: one entry, several representations, each of them right in every header.
import zlib from 'node:zlib';
import compression from 'compression';
import { expect, it } from '@jest/globals';
import type { Request, RequestHandler, Response } from 'express';
import { Negotiation } from '../../src/http/negotiate.js';
import { replay } from '../../src/http/replay.js';
import type { ResolvedRoute } from '../../src/http/route.js';
import { VaryMemory } from '../../src/http/vary.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { onBoth, resolvedRoute, stage, type Answer, type Scene, type Stage } from './stage.js';

const LONG = JSON.stringify({ rows: Array.from({ length: 500 }, (_, i) => ({ student: i, grade: i % 100 })) });
const ON: Partial<ResolvedRoute> = { compress: { codings: ['br', 'gzip'], minBytes: 1024 } };

const json: RequestHandler = (_req, res) => void res.type('json').send(LONG);

const accepting = (line: string, more: Record<string, string> = {}) => ({
  headers: { 'Accept-Encoding': line, ...more },
});

function decoded({ headers, body }: Answer): string {
  switch (headers['content-encoding']) {
    case undefined:
      return body.toString();
    case 'br':
      return zlib.brotliDecompressSync(body).toString();
    case 'gzip':
      return zlib.gunzipSync(body).toString();
    default:
      throw new Error(`${headers['content-encoding']} was not asked for`);
  }
}

/** Once a body has been compressed, and kept if it could be. */
async function compressed(s: Stage): Promise<void> {
  while (!s.events.some(({ kind }) => kind === 'compressed')) await new Promise((resolve) => setImmediate(resolve));
}

/** A miss, a hit that makes somebody want the form, and the form kept. */
async function made(s: Stage, line: string): Promise<void> {
  await s.ask();
  await s.ask(accepting(line));
  await compressed(s);
}

onBoth('hits in a coding', (express) => {
  const scene = (more: Partial<Scene> = {}) => stage(express, { route: ON, handler: json, ...more });

  it.each(['br', 'gzip'])('%s: the first hit is as it was written, the next ones are coded', async (coding) => {
    const s = await scene();
    const miss = await s.ask(accepting(coding));
    const first = await s.ask(accepting(coding));
    await compressed(s);
    const second = await s.ask(accepting(coding));
    expect([miss, first, second].map(({ headers }) => [headers['x-cache'], headers['content-encoding']])).toEqual([
      ['MISS', undefined],
      ['HIT', undefined],
      ['HIT', coding],
    ]);
    expect([miss, first, second].map(decoded)).toEqual([LONG, LONG, LONG]);
    expect(second.headers['content-length']).toBe(String(second.body.length));
    expect(second.body.length).toBeLessThan(LONG.length / 4);
    expect(s.runs()).toBe(1);
    expect(s.events.filter(({ kind }) => kind === 'compressed')).toMatchObject([
      { coding, bytes: second.body.length, type: 'student_progress' },
    ]);
  });

  it('serves whoever wants none as before', async () => {
    const s = await scene();
    await made(s, 'br');
    for (const headers of [{}, { 'Accept-Encoding': 'identity' }, { 'Accept-Encoding': 'br;q=0, *;q=0' }]) {
      const plain = await s.ask({ headers });
      expect([plain.headers['content-encoding'], plain.text]).toEqual([undefined, LONG]);
      expect(plain.headers['content-length']).toBe(String(LONG.length));
    }
  });

  it('names Accept-Encoding in Vary on misses, on hits of every form and on 304, once', async () => {
    const s = await scene();
    const all = [await s.ask(), await s.ask(), await s.ask(accepting('br'))];
    const condition = { 'If-None-Match': all[0]?.headers.etag ?? '' };
    await compressed(s);
    all.push(
      await s.ask(accepting('br')),
      await s.ask(accepting('br', condition)),
      await s.ask({ headers: condition }),
    );
    s.reader.invalidate();
    all.push(await s.ask({ headers: condition }));
    expect(all.map(({ status, headers }) => [status, headers.vary])).toEqual(
      [200, 200, 200, 200, 304, 304, 304].map((status) => [status, 'Accept-Encoding']),
    );
  });

  it('knows that Vary on a 304 before any 200 was sent by this process', async () => {
    const first = await scene();
    const { headers } = await first.ask();
    const second = await scene();
    second.reader.entries.set(first.reader.asked[0]?.key ?? '', first.reader.entry);
    const same = await second.ask({ headers: { 'If-None-Match': headers.etag ?? '' } });
    expect([same.status, same.headers.vary]).toEqual([304, 'Accept-Encoding']);
  });

  it('keeps the Vary that others have named', async () => {
    const s = await scene({
      front: [(_req, res, next) => (res.vary('Origin'), next())],
      handler: (_req, res) => void res.vary('X-Tenant').type('json').send(LONG),
    });
    const lines = [(await s.ask()).headers.vary, (await s.ask()).headers.vary];
    expect(lines).toEqual(['Origin, X-Tenant, Accept-Encoding', 'Origin, X-Tenant, Accept-Encoding']);
  });

  it('has one weak entity-tag for all forms, and answers 304 to it whatever is accepted', async () => {
    const s = await scene();
    await made(s, 'br');
    const plain = await s.ask();
    const packed = await s.ask(accepting('br'));
    expect(packed.headers.etag).toBe(plain.headers.etag);
    expect(plain.headers.etag).toMatch(/^W\//);
    for (const line of ['br', 'gzip', 'identity']) {
      const same = await s.ask(accepting(line, { 'If-None-Match': packed.headers.etag ?? '' }));
      expect([same.status, same.headers.etag, same.body.length]).toEqual([304, plain.headers.etag, 0]);
      expect(same.headers['content-encoding']).toBeUndefined();
    }
  });

  it("weakens a handler's strong entity-tag where the bytes are others (RFC 9110 §8.8.3.3)", async () => {
    const s = await scene({ handler: (_req, res) => void res.set('ETag', '"v7"').type('json').send(LONG) });
    await made(s, 'br');
    const plain = await s.ask();
    const packed = await s.ask(accepting('br'));
    expect([plain.headers.etag, packed.headers.etag]).toEqual(['"v7"', 'W/"v7"']);
    for (const tag of ['"v7"', 'W/"v7"']) {
      const same = await s.ask(accepting('br', { 'If-None-Match': tag }));
      expect([same.status, same.headers.etag]).toEqual([304, 'W/"v7"']);
      const identity = await s.ask({ headers: { 'If-None-Match': tag } });
      expect([identity.status, identity.headers.etag]).toEqual([304, '"v7"']);
    }
    expect((await s.ask(accepting('br', { 'If-None-Match': '"v8"' }))).status).toBe(200);
  });

  it('HEAD has the headers of GET', async () => {
    const s = await scene();
    await made(s, 'gzip');
    for (const line of ['gzip', 'identity']) {
      const get = await s.ask(accepting(line));
      const head = await s.ask({ method: 'HEAD', ...accepting(line) });
      expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' });
      expect(head.body.length).toBe(0);
    }
  });

  it('ignores Range, as for any hit', async () => {
    const s = await scene();
    await made(s, 'gzip');
    const answer = await s.ask(accepting('gzip', { Range: 'bytes=0-9' }));
    expect([answer.status, decoded(answer)]).toEqual([200, LONG]);
  });

  it('makes one form for all who take it, although some would rather have another', async () => {
    const s = await scene();
    await made(s, 'gzip');
    const browser = await s.ask(accepting('gzip, deflate, br, zstd'));
    expect(browser.headers['content-encoding']).toBe('gzip');
    expect(Object.keys(s.reader.entry.forms ?? {})).toEqual(['gzip']);
  });

  it('does not compress for readers who have a current copy', async () => {
    const s = await scene();
    const { headers } = await s.ask();
    await s.ask(accepting('br', { 'If-None-Match': headers.etag ?? '' }));
    await made(s, 'gzip');
    expect(Object.keys(s.reader.entry.forms ?? {})).toEqual(['gzip']);
  });

  it.each<[string, RequestHandler]>([
    ['small bodies', (_req, res) => void res.json({ grade: 78 })],
    ['images', (_req, res) => void res.type('png').send(Buffer.alloc(5000))],
    ['no-transform', (_req, res) => void res.set('Cache-Control', 'no-transform').type('json').send(LONG)],
    ['digests', (_req, res) => void res.set('Repr-Digest', 'sha-256=:AA==:').type('json').send(LONG)],
    ['coded bodies', (_req, res) => void res.set('Content-Encoding', 'x-own').type('json').send(LONG)],
  ])('leaves alone: %s', async (_name, handler) => {
    const s = await scene({ handler });
    const miss = await s.ask(accepting('br'));
    const hit = await s.ask(accepting('br'));
    expect([hit.headers['x-cache'], hit.headers['content-encoding']]).toEqual([
      'HIT',
      miss.headers['content-encoding'],
    ]);
    expect(hit.body.equals(miss.body)).toBe(true);
    expect([miss.headers.vary, hit.headers.vary]).toEqual([undefined, undefined]);
  });

  it('leaves alone what middleware in front has said no-transform of', async () => {
    let front = 'private, no-transform';
    const s = await scene({ front: [(_req, res, next) => (res.set('Cache-Control', front), next())] });
    await s.ask();
    front = 'private';
    await made(s, 'br');
    front = 'private, no-transform';
    const answer = await s.ask(accepting('br'));
    expect([answer.headers['content-encoding'], answer.headers['cache-control']]).toEqual([undefined, front]);
  });

  it('does nothing where it is switched off, but undoes what another process has done', async () => {
    const on = await scene();
    await made(on, 'gzip');
    const { forms, ...entry } = on.reader.entry;
    const off = await stage(express, { handler: json });
    const gzip = forms?.gzip ?? Buffer.alloc(0);
    off.reader.entries.set(on.reader.asked[0]?.key ?? '', { ...entry, body: gzip, coding: 'gzip' });
    const answer = await off.ask(accepting('gzip'));
    expect([answer.headers['content-encoding'], answer.headers.vary, answer.text]).toEqual([
      undefined,
      undefined,
      LONG,
    ]);
    expect(answer.headers['content-length']).toBe(String(LONG.length));
  });

  it('an entry that came coded: sent as it is to who takes it, decoded once for who does not', async () => {
    const from = await scene();
    await made(from, 'br');
    const { forms, ...entry } = from.reader.entry;
    const s = await scene();
    s.reader.later = true;
    s.reader.entries.set(from.reader.asked[0]?.key ?? '', {
      ...entry,
      body: forms?.br ?? Buffer.alloc(0),
      coding: 'br',
    });
    const packed = await s.ask(accepting('br'));
    expect([packed.headers['content-encoding'], decoded(packed)]).toEqual(['br', LONG]);
    expect(s.reader.entry.forms).toBeUndefined();
    for (let i = 0; i < 2; i++) {
      const plain = await s.ask();
      expect([plain.headers['x-cache'], plain.headers['content-encoding'], plain.text]).toEqual([
        'HIT',
        undefined,
        LONG,
      ]);
      expect(plain.headers['content-length']).toBe(String(LONG.length));
    }
    expect(s.reader.entry.forms?.identity?.toString()).toBe(LONG);
    expect((await s.ask({ method: 'HEAD' })).headers['content-length']).toBe(String(LONG.length));
    expect(s.runs()).toBe(0);
  });

  it('bytes that cannot be decoded are a bypass and an event, not an error', async () => {
    const from = await scene();
    await from.ask();
    const s = await scene();
    const broken = { ...from.reader.entry, body: Buffer.from('not brotli'), coding: 'br' as const };
    s.reader.entries.set(from.reader.asked[0]?.key ?? '', broken);
    const answer = await s.ask();
    expect([answer.status, answer.headers['x-cache'], answer.text]).toEqual([200, 'BYPASS', LONG]);
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(s.events).toMatchObject([
      { kind: 'layerFailed', operation: 'decompress' },
      { kind: 'bypass', reason: 'unavailable' },
    ]);
  });
});

it('a form that is not there is never said to be sent: nothing is touched', () => {
  const untouched = new Proxy({} as Response, {
    set: () => {
      throw new Error('touched');
    },
    get: () => {
      throw new Error('touched');
    },
  });
  const entry = makeEntry({ epoch: 'one', seq: 0 }, 0);
  const route = resolvedRoute();
  const send = () =>
    replay(
      {
        req: { headers: {}, method: 'GET' } as Request,
        res: untouched,
        route,
        vary: new VaryMemory(),
        negotiation: new Negotiation(route.compress),
      },
      entry,
      { form: 'br', negotiable: true },
      { label: 'HIT', status: '; hit' },
      0,
    );
  expect(send).toThrow('The entry is not there as br.');
});

onBoth('compression in front of coded hits', (express) => {
  it('leaves a coded hit alone and compresses the others as ever', async () => {
    const s = await stage(express, { route: ON, front: [compression()], handler: json });
    const answers = [await s.ask(accepting('gzip')), await s.ask(accepting('gzip'))];
    await compressed(s);
    answers.push(await s.ask(accepting('gzip')));
    expect(answers.map(({ headers }) => [headers['x-cache'], headers['content-encoding'], headers.vary])).toEqual([
      ['MISS', 'gzip', 'Accept-Encoding'],
      ['HIT', 'gzip', 'Accept-Encoding'],
      ['HIT', 'gzip', 'Accept-Encoding'],
    ]);
    expect(answers.map(decoded)).toEqual([LONG, LONG, LONG]);
    // What `compression` makes on the way has no length.
    expect(answers.map(({ headers }) => headers['content-length'])).toEqual([
      undefined,
      undefined,
      String(s.reader.entry.forms?.gzip?.length),
    ]);
    expect(answers[2]?.body.equals(s.reader.entry.forms?.gzip ?? Buffer.alloc(0))).toBe(true);
    const tags = new Set(answers.map(({ headers }) => headers.etag));
    expect(tags.size).toBe(1);
    const same = await s.ask(accepting('gzip', { 'If-None-Match': [...tags][0] ?? '' }));
    expect([same.status, same.headers.vary]).toEqual([304, 'Accept-Encoding']);
  });

  it('behind: has chosen already, by header and key, and nothing is compressed twice', async () => {
    const s = await stage(express, { route: ON, behind: [compression()], handler: json });
    for (const line of ['gzip', 'identity']) {
      for (const label of ['MISS', 'HIT', 'HIT']) {
        const answer = await s.ask(accepting(line));
        await s.reader.until(() => s.reader.running === 0);
        expect([answer.headers['x-cache'], decoded(answer)]).toEqual([label, LONG]);
        expect(answer.headers.vary).toBe('Accept-Encoding');
      }
    }
    expect([...s.reader.entries.values()].map(({ forms }) => forms)).toEqual([undefined, undefined]);
  });
});
