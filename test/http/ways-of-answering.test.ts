// Every way in which a handler can answer goes to the client untouched and into the entry whole (facts: writeHead, write, end).
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import express5, { type RequestHandler, type Response } from 'express';
import { gate } from '../support/gate.js';
import { onBoth, stage } from './stage.js';

let folder: string;
let file: string;
const CSV = 'student,grade\n'.repeat(20_000);

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'report-'));
  file = path.join(folder, 'report.csv');
  await fs.writeFile(file, CSV);
});
afterAll(() => fs.rm(folder, { recursive: true }));

const ways: [string, string, RequestHandler][] = [
  ['res.json', '{"a":"ä"}', (_req, res) => void res.json({ a: 'ä' })],
  ['res.send of a string', '<p>ä</p>', (_req, res) => void res.send('<p>ä</p>')],
  ['res.send of a Buffer', 'bytes', (_req, res) => void res.send(Buffer.from('bytes'))],
  ['res.send of nothing', '', (_req, res) => void res.send()],
  ['res.end of a string', 'ä', (_req, res) => void res.end('ä')],
  ['res.end of nothing', '', (_req, res) => void res.end()],
  ['res.end with a callback only', '', (_req, res) => void res.end(() => undefined)],
  ['res.end of hex', 'hex!', (_req, res) => void res.end('68657821', 'hex')],
  ['res.end of base64 with callback', 'b64', (_req, res) => void res.end('YjY0', 'base64', () => undefined)],
  ['res.end of a Uint8Array', 'abc', (_req, res) => void res.end(new Uint8Array([97, 98, 99]))],
  [
    'res.end of a view into a buffer',
    'bc',
    (_req, res) => void res.end(new Uint8Array([97, 98, 99, 100]).subarray(1, 3)),
  ],
  [
    'res.write in pieces of every kind',
    'ähex\xe9Ub64last',
    (_req, res) => {
      res.write('ä');
      res.write('686578', 'hex');
      res.write('\xe9', 'utf8', () => undefined);
      res.write(new Uint8Array([85]), () => undefined);
      res.write('YjY0', 'base64');
      res.end('last');
    },
  ],
  [
    'a recycled buffer',
    'onetwo',
    (_req, res) => {
      const buffer = Buffer.from('one');
      res.write(buffer, () => {
        buffer.write('two');
        res.end(buffer, () => buffer.fill(0));
      });
    },
  ],
  ['pipe', CSV, (_req, res) => void Readable.from([CSV.slice(0, 9), CSV.slice(9)]).pipe(res)],
  ['pipeline', CSV, (_req, res) => void pipeline(Readable.from([CSV]), res)],
  ['sendFile', CSV, (_req, res) => res.sendFile(file)],
  ['download', CSV, (_req, res) => res.download(file, 'grades.csv')],
  [
    'writeHead with an object',
    'w',
    (_req, res) => void res.writeHead(200, { 'Content-Type': 'text/x-object', 'X-A': ['1', '2'] }).end('w'),
  ],
  ['writeHead with a reason', 'w', (_req, res) => void res.writeHead(200, 'Fine', { 'X-A': '1' }).end('w')],
  ['writeHead with a flat array', 'w', (_req, res) => void res.writeHead(200, ['X-A', '1', 'X-A', '2']).end('w')],
  [
    'writeHead with pairs',
    'w',
    (_req, res) =>
      void res
        .writeHead(200, [
          ['X-A', '1'],
          ['X-A', '2'],
        ] as never)
        .end('w'),
  ],
  [
    'flushHeaders first',
    'later',
    (_req, res) => {
      res.flushHeaders();
      res.end('later');
    },
  ],
  ['an async handler', '{"late":true}', async (_req, res) => void (await Promise.resolve(), res.json({ late: true }))],
];

onBoth('stored whole and replayed byte for byte', (express) => {
  it.each(ways)('%s', async (name, expected, handler) => {
    const s = await stage(express, { handler });
    const plain = await stage(express, { handler, route: { ttlMs: 0 } });
    const bare = await plain.ask();
    const miss = await s.ask();
    await s.reader.until(() => s.reader.running === 0);
    const hit = await s.ask();
    expect(miss.text).toBe(expected);
    expect(hit.text).toBe(expected);
    expect(s.runs()).toBe(1);
    expect(s.reader.declined).toEqual([]);
    expect([hit.status, hit.headers['x-cache']]).toEqual([200, 'HIT']);
    expect(hit.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    expect(hit.headers['content-type']).toBe(bare.headers['content-type']);
    // The client of a miss sees what it would see without the cache.
    expect([miss.status, miss.message]).toEqual([bare.status, bare.message]);
    expect(miss.headers['content-type']).toBe(bare.headers['content-type']);
    expect(miss.headers['content-length']).toBe(bare.headers['content-length']);
    expect(miss.headers['transfer-encoding']).toBe(bare.headers['transfer-encoding']);
    const values = ({ rawHeaders }: { rawHeaders: readonly string[] }) =>
      rawHeaders.filter((_, i) => rawHeaders[i - 1] === 'X-A');
    expect(values(miss)).toEqual(
      name === 'writeHead with a flat array' || name === 'writeHead with pairs' ? ['1', '2'] : values(bare),
    );
    expect(values(hit)).toEqual(values(miss));
    // Every hit has an entity-tag, and the reader who sends it back gets 304.
    const again = await s.ask({ headers: { 'If-None-Match': hit.headers.etag ?? '' } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
  });

  it('any sequence of writes', async () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => ({ text, as: 'utf8' as const })),
      fc.base64String().map((text) => ({ text, as: 'base64' as const })),
      fc.uint8Array().map((bytes) => ({ text: Buffer.from(bytes).toString('hex'), as: 'hex' as const })),
      fc.uint8Array().map((bytes) => ({ text: Buffer.from(bytes).toString('latin1'), as: 'latin1' as const })),
    );
    let pieces: readonly { text: string; as: BufferEncoding }[] = [];
    let lastWithEnd = false;
    const s = await stage(express, {
      handler: (_req, res) => {
        const last = lastWithEnd ? pieces.at(-1) : undefined;
        for (const one of last === undefined ? pieces : pieces.slice(0, -1)) res.write(one.text, one.as);
        if (last === undefined) res.end();
        else res.end(last.text, last.as);
      },
    });
    let path = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 5 }), fc.boolean(), async (given, withEnd) => {
        pieces = given;
        lastWithEnd = withEnd;
        path += 1;
        const expected = Buffer.concat(given.map(({ text, as }) => Buffer.from(text, as)));
        const miss = await s.ask({ path: `/report?${path}` });
        const hit = await s.ask({ path: `/report?${path}` });
        expect([miss.headers['x-cache'], hit.headers['x-cache']]).toEqual(['MISS', 'HIT']);
        expect(miss.body.equals(expected)).toBe(true);
        expect(hit.body.equals(expected)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('sendFile and download: their `public, max-age=0` is nobody’s wish, and no ranges are offered', async () => {
    const s = await stage(express, { handler: (_req, res) => res.sendFile(file) });
    const miss = await s.ask({ headers: { Range: 'bytes=0-3' } });
    const hit = await s.ask({ headers: { Range: 'bytes=0-3' } });
    for (const answer of [miss, hit]) {
      expect([answer.status, answer.text.length]).toEqual([200, CSV.length]);
      expect(answer.headers['cache-control']).toBe('private, no-cache');
      expect(answer.headers['accept-ranges']).toBeUndefined();
    }
    expect(hit.headers['last-modified']).toBe(miss.headers['last-modified']);
    const since = { 'If-Modified-Since': hit.headers['last-modified'] ?? '' };
    expect((await s.ask({ headers: since })).status).toBe(304);
  });

  it('gives the handler its request headers back once the answer’s headers are out', async () => {
    const seen: unknown[] = [];
    const s = await stage(express, {
      front: [
        (req, res, next) => {
          res.on('finish', () => seen.push(req.headers['if-none-match'], req.headers.range));
          next();
        },
      ],
      handler: (req, res) => {
        seen.push(req.headers['if-none-match'], req.headers.range, req.fresh);
        res.json(1);
      },
    });
    await s.ask({ headers: { 'If-None-Match': '"x"', Range: 'bytes=0-1' } });
    expect(seen).toEqual([undefined, undefined, false, '"x"', 'bytes=0-1']);
  });

  it('gives them back, too, where nothing is answered', async () => {
    const closed = gate<unknown>();
    const s = await stage(express, {
      front: [
        (req, res, next) => {
          res.on('close', () => setImmediate(() => closed.open(req.headers['if-none-match'])));
          next();
        },
      ],
      handler: (_req, res) => void res.destroy(),
    });
    await s.ask({ headers: { 'If-None-Match': '"x"' } }).catch(() => undefined);
    expect(await closed.opened).toBe('"x"');
  });

  it('returns what the original write returns, and drain comes (back-pressure)', async () => {
    const results: boolean[] = [];
    const s = await stage(express, {
      handler: (_req, res) => {
        results.push(res.write('small'));
        results.push(res.write(Buffer.alloc(900_000)));
        res.once('drain', () => res.end('done'));
      },
    });
    expect((await s.ask()).body.length).toBe(900_009);
    expect(results).toEqual([true, false]);
    expect((await s.ask()).headers['x-cache']).toBe('HIT');
  });

  it('sends the first bytes at once, before the report is complete', async () => {
    let answer: Response | undefined;
    const s = await stage(express, {
      handler: (_req, res) => {
        answer = res;
        res.write('first');
      },
    });
    const first = await new Promise<string>((resolve, reject) => {
      fetch(`http://127.0.0.1:${s.port}/report`).then(async (response) => {
        const reader = response.body?.getReader();
        const chunk = await reader?.read();
        resolve(Buffer.from((chunk?.value as Uint8Array | undefined) ?? []).toString());
        answer?.end();
        await reader?.read();
      }, reject);
    });
    expect(first).toBe('first');
  });

  it('ignores a second end, as Node does', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.end('once');
        res.end();
      },
    });
    await s.ask();
    expect((await s.ask()).text).toBe('once');
  });

  it('leaves writes after the end and bad chunks to Node', async () => {
    const thrown: unknown[] = [];
    const s = await stage(express, {
      handler: (_req, res) => {
        try {
          res.write(7 as never);
        } catch (error) {
          thrown.push((error as NodeJS.ErrnoException).code);
        }
        try {
          res.end({} as never);
        } catch (error) {
          thrown.push((error as NodeJS.ErrnoException).code);
        }
        res.once('error', (error: NodeJS.ErrnoException) => thrown.push(error.code));
        res.end('fine');
        res.write('late');
      },
    });
    expect((await s.ask()).text).toBe('fine');
    expect(thrown).toEqual(['ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_STREAM_WRITE_AFTER_END']);
    expect((await s.ask()).text).toBe('fine');
  });

  it('leaves writes after the end of a swallowed body to Node, too', async () => {
    const errors: unknown[] = [];
    const s = await stage(express, {
      handler: (_req, res) => {
        res.once('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
        res.set('ETag', '"one"').end('fine');
        res.write('late');
      },
    });
    expect((await s.ask({ headers: { 'If-None-Match': '"one"' } })).status).toBe(304);
    expect(errors).toEqual(['ERR_STREAM_WRITE_AFTER_END']);
    expect((await s.ask()).text).toBe('fine');
  });

  it('gives a 304 its own reason phrase', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.statusMessage = 'Fine';
        res.set('ETag', '"one"').json(1);
      },
    });
    const answer = await s.ask({ headers: { 'If-None-Match': '"one"' } });
    expect([answer.status, answer.message]).toEqual([304, 'Not Modified']);
  });

  it('tries again after headers that Node refuses', async () => {
    const s = await stage(express, {
      handler: (_req, res, next) => {
        try {
          res.statusMessage = 'bad\nphrase';
          res.end('a report');
        } catch (error) {
          next(error);
        }
      },
      onError: (_error, _req, res, _next) => {
        res.statusMessage = '';
        res.status(500).end('sorry, that was longer than the report');
      },
    });
    const answer = await s.ask();
    expect([answer.status, answer.text]).toEqual([500, 'sorry, that was longer than the report']);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['cache-status']).toBe('reports; fwd=uri-miss; detail=status');
    expect(s.reader.entries.size).toBe(0);
    expect(s.reader.declined).toEqual(['status']);
  });

  it('sends trailers and drops them from the entry (RFC 9111 §3.1)', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.set('Trailer', 'X-Sum');
        res.write('body');
        res.addTrailers({ 'X-Sum': '1' });
        res.end();
      },
    });
    const miss = await s.ask();
    expect(miss.trailers).toEqual({ 'x-sum': '1' });
    const hit = await s.ask();
    expect([hit.text, hit.headers.trailer, hit.headers['x-sum'], hit.headers['content-length']]).toEqual([
      'body',
      undefined,
      undefined,
      '4',
    ]);
  });

  it('keeps trailers possible for a body sent with end alone', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.set('Trailer', 'X-Sum');
        res.addTrailers({ 'X-Sum': '1' });
        res.end('body');
      },
    });
    expect((await s.ask()).trailers).toEqual({ 'x-sum': '1' });
  });

  it('runs the callbacks of a body that a 304 swallows', async () => {
    const called: string[] = [];
    const s = await stage(express, {
      handler: (_req, res) => {
        res.set('ETag', '"one"').type('text/plain');
        res.write('body', () => called.push('write'));
        res.end('!', () => called.push('end'));
      },
    });
    const answer = await s.ask({ headers: { 'If-None-Match': '"one"' } });
    expect([answer.status, answer.body.length]).toEqual([304, 0]);
    expect(called).toEqual(['write', 'end']);
    expect((await s.ask()).text).toBe('body!');
  });
});

describe('without Express’ own headers', () => {
  it('merges writeHead’s headers when nothing was set before', async () => {
    const s = await stage(express5, {
      settings: (app) => app.disable('x-powered-by'),
      handler: (_req, res) =>
        void res
          .writeHead(200, [
            ['X-A', '1'],
            ['X-A', '2'],
          ] as never)
          .end('w'),
    });
    await s.ask();
    const { rawHeaders } = await s.ask();
    expect(rawHeaders.filter((_, i) => rawHeaders[i - 1] === 'X-A')).toEqual(['1', '2']);
  });
});
