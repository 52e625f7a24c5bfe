// Answers that vary by request headers, and compression on either side of the cache.
import zlib from 'node:zlib';
import compression from 'compression';
import { expect, it } from '@jest/globals';
import type { Response } from 'express';
import { onBoth, stage } from './stage.js';

const LONG = JSON.stringify({ rows: Array.from({ length: 500 }, (_, i) => ({ student: i, grade: i % 100 })) });

/** What the `on-headers` package does, by which sessions and compression set headers at the last moment. */
function beforeHead(res: Response, hook: () => void): void {
  const original = Reflect.get(res, 'writeHead') as (...args: unknown[]) => unknown;
  res.writeHead = function writeHead(...args: unknown[]) {
    hook();
    return Reflect.apply(original, res, args) as typeof res;
  } as typeof res.writeHead;
}

onBoth('Vary of the handler (RFC 9111 §4.1)', (express) => {
  const language = (express4or5: typeof express) =>
    stage(express4or5, {
      handler: (req, res) => void res.vary('Accept-Language').send(`in ${req.headers['accept-language'] ?? 'nothing'}`),
    });

  it('keeps variants side by side; absent is not empty', async () => {
    const s = await language(express);
    const ask = async (value?: string) =>
      (await s.ask({ headers: value === undefined ? {} : { 'Accept-Language': value } })).text;
    for (let round = 0; round < 2; round++) {
      expect(await ask('de')).toBe('in de');
      expect(await ask('fr')).toBe('in fr');
      expect(await ask('')).toBe('in ');
      expect(await ask()).toBe('in nothing');
    }
    expect(s.runs()).toBe(4);
    expect(s.reader.entries.size).toBe(4);
  });

  it('stores the first variant under its own key, so the next one does not get it', async () => {
    const s = await language(express);
    await s.ask({ headers: { 'Accept-Language': 'de' } });
    expect([...s.reader.entries.keys()]).toEqual([
      JSON.stringify([JSON.stringify(['ann', '/report']), ['accept-language'], ['de']]),
    ]);
    expect((await s.ask({ headers: { 'Accept-Language': 'fr' } })).text).toBe('in fr');
  });

  it('does not count names that earlier middleware added', async () => {
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          res.vary('Origin');
          next();
        },
      ],
      handler: (_req, res) => void res.vary('Accept').json(1),
    });
    await s.ask({ headers: { Origin: 'a' } });
    const hit = await s.ask({ headers: { Origin: 'b' } });
    expect([hit.headers['x-cache'], hit.headers.vary]).toEqual(['HIT', 'Origin, Accept']);
    const variant = await s.ask({ headers: { Accept: 'text/csv' } });
    expect(variant.headers['x-cache']).toBe('MISS');
    // With header values in the key nobody knows which part was new (RFC 9211 §2.2).
    expect(variant.headers['cache-status']).toBe('reports; fwd=miss; stored');
  });

  it('does not store what varies by more than a key should hold', async () => {
    const s = await stage(express, {
      handler: (_req, res) => void res.vary(Array.from({ length: 9 }, (_, i) => `X-${i}`).join(', ')).json(1),
    });
    await s.ask();
    await s.ask();
    expect(s.reader.declined).toEqual(['vary-star', 'vary-star']);
  });
});

onBoth('compression in front: identity is stored, compressed on every send', (express) => {
  const scene = () =>
    stage(express, { front: [compression()], handler: (_req, res) => void res.type('json').send(LONG) });

  it('sends gzip to who asked and identity to who did not, from one entry', async () => {
    const s = await scene();
    for (const label of ['MISS', 'HIT']) {
      const packed = await s.ask({ headers: { 'Accept-Encoding': 'gzip' } });
      expect([packed.headers['x-cache'], packed.headers['content-encoding']]).toEqual([label, 'gzip']);
      expect(zlib.gunzipSync(packed.body).toString()).toBe(LONG);
    }
    const plain = await s.ask();
    expect([plain.headers['x-cache'], plain.headers['content-encoding'], plain.text]).toEqual(['HIT', undefined, LONG]);
    expect(plain.headers['content-length']).toBe(String(LONG.length));
    expect(s.reader.entry.body.toString()).toBe(LONG);
    expect(s.runs()).toBe(1);
  });

  it('repeats on 304 the Vary that the 200 had (RFC 9110 §15.4.5), on hits and misses', async () => {
    const s = await scene();
    const full = await s.ask();
    expect(full.headers.vary).toBe('Accept-Encoding');
    const headers = { 'If-None-Match': full.headers.etag ?? '' };
    expect([(await s.ask({ headers })).status, (await s.ask({ headers })).headers.vary]).toEqual([
      304,
      'Accept-Encoding',
    ]);
    s.reader.invalidate();
    const miss = await s.ask({ headers });
    expect([miss.status, miss.headers['x-cache'], miss.headers.vary]).toEqual([304, 'MISS', 'Accept-Encoding']);
    expect(miss.headers['content-encoding']).toBeUndefined();
  });

  it('learns that Vary from hits as well, where another process computed the entry', async () => {
    const first = await scene();
    await first.ask();
    const second = await scene();
    second.reader.entries.set(first.reader.asked[0]?.key ?? '', first.reader.entry);
    const hit = await second.ask();
    expect([hit.headers['x-cache'], hit.headers.vary]).toEqual(['HIT', 'Accept-Encoding']);
    const same = await second.ask({ headers: { 'If-None-Match': hit.headers.etag ?? '' } });
    expect([same.status, same.headers.vary]).toEqual([304, 'Accept-Encoding']);
  });

  it('has a weak entity-tag, one for both codings (RFC 9110 §8.8.3.3)', async () => {
    const s = await stage(express, { front: [compression()], handler: (_req, res) => void res.type('json').end(LONG) });
    const plain = await s.ask();
    const packed = await s.ask({ headers: { 'Accept-Encoding': 'gzip' } });
    expect(plain.headers.etag).toMatch(/^W\//);
    expect(packed.headers.etag).toBe(plain.headers.etag);
  });

  it('leaves no-transform untouched on hits', async () => {
    const s = await stage(express, {
      front: [compression()],
      handler: (_req, res) => void res.set('Cache-Control', 'no-transform').type('json').send(LONG),
    });
    for (let i = 0; i < 2; i++) {
      const answer = await s.ask({ headers: { 'Accept-Encoding': 'gzip' } });
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.headers['cache-control']).toBe('private, no-transform');
    }
  });

  it('compresses streams, too', async () => {
    const s = await stage(express, {
      front: [compression()],
      handler: (_req, res) => {
        res.type('json');
        res.write(LONG.slice(0, 100));
        res.end(LONG.slice(100));
      },
    });
    for (let i = 0; i < 2; i++) {
      const answer = await s.ask({ headers: { 'Accept-Encoding': 'gzip' } });
      expect(zlib.gunzipSync(answer.body).toString()).toBe(LONG);
    }
    expect(s.runs()).toBe(1);
  });
});

onBoth('compression behind: the compressed bytes are stored by Accept-Encoding', (express) => {
  it.each([
    ['send', (res: Response) => res.send(LONG)],
    ['end', (res: Response) => res.end(LONG)],
    ['write', (res: Response) => (res.write(LONG.slice(0, 9)), res.end(LONG.slice(9)))],
  ])('res.%s', async (_name, answer) => {
    const s = await stage(express, {
      behind: [compression()],
      handler: (_req, res) => void (res.type('json'), answer(res)),
    });
    for (const label of ['MISS', 'HIT']) {
      const packed = await s.ask({ headers: { 'Accept-Encoding': 'gzip' } });
      await s.reader.until(() => s.reader.running === 0);
      expect([packed.headers['x-cache'], packed.headers['content-encoding']]).toEqual([label, 'gzip']);
      expect(zlib.gunzipSync(packed.body).toString()).toBe(LONG);
      expect(packed.headers.vary).toBe('Accept-Encoding');
    }
    for (const label of ['MISS', 'HIT']) {
      const plain = await s.ask({ headers: { 'Accept-Encoding': 'identity' } });
      expect([plain.headers['x-cache'], plain.headers['content-encoding'], plain.text]).toEqual([
        label,
        undefined,
        LONG,
      ]);
    }
    expect(s.runs()).toBe(2);
  });

  it('sees headers that hooks behind set at the last moment', async () => {
    const s = await stage(express, {
      behind: [
        (_req, res, next) => {
          beforeHead(res, () => void res.setHeader('Set-Cookie', 'session=rotated'));
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    expect((await s.ask()).headers['set-cookie']).toEqual(['session=rotated']);
    expect(s.reader.declined).toEqual(['set-cookie']);
  });

  it('does not see headers that hooks in front set at the last moment', async () => {
    let request = 0;
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          request += 1;
          const id = request;
          beforeHead(res, () => void res.setHeader('Set-Cookie', `session=${id}`));
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    expect((await s.ask()).headers['set-cookie']).toEqual(['session=1']);
    const hit = await s.ask();
    expect([hit.headers['x-cache'], hit.headers['set-cookie']]).toEqual(['HIT', ['session=2']]);
  });
});
