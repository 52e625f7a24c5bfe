// What a reader gets from an entry: the same answer, its age, and the labels.
import { describe, expect, it } from '@jest/globals';
import { gate } from '../support/gate.js';
import { onBoth, stage } from './stage.js';

onBoth('a hit', (express) => {
  it('sends the same status, body and content headers without running the handler', async () => {
    const s = await stage(express, {
      handler: (_req, res) => void res.set('X-Report', 'yes').json({ grade: 'ä', list: [1, { deep: true }] }),
    });
    const miss = await s.ask();
    const hit = await s.ask();
    expect(s.runs()).toBe(1);
    expect(hit.status).toBe(200);
    expect(hit.body.equals(miss.body)).toBe(true);
    for (const name of ['content-type', 'content-length', 'etag', 'x-report', 'cache-control']) {
      expect([name, hit.headers[name]]).toEqual([name, miss.headers[name]]);
    }
    expect(miss.headers['x-cache']).toBe('MISS');
    expect(hit.headers['x-cache']).toBe('HIT');
  });

  it('carries Age in whole seconds since the computation began; a miss carries none (RFC 9111 §5.1)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(1) });
    expect((await s.ask()).headers.age).toBeUndefined();
    expect((await s.ask()).headers.age).toBe('0');
    s.clock.advance(61_999);
    expect((await s.ask()).headers.age).toBe('61');
  });

  it('is never younger than new, even if the clock was set back', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(1) });
    await s.ask();
    s.clock.advance(-5_000);
    expect((await s.ask()).headers.age).toBe('0');
  });

  it('adds the Age that the handler had received (RFC 9111 §4.2.3)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.set('age', '40').json(1) });
    await s.ask();
    s.clock.advance(5_000);
    expect((await s.ask()).headers.age).toBe('45');
  });

  it('does not grow older than its ttl, and hits do not prolong it (RFC 9111 §4.2)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(1) });
    await s.ask();
    s.clock.advance(200_000);
    expect((await s.ask()).headers['x-cache']).toBe('HIT');
    s.clock.advance(100_000);
    const late = await s.ask();
    expect(late.headers['x-cache']).toBe('MISS');
    expect(late.headers['cache-status']).toBe('reports; fwd=stale; stored');
  });

  it('says where it came from and why not (RFC 9211)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(1) });
    expect((await s.ask()).headers['cache-status']).toBe('reports; fwd=uri-miss; stored');
    s.clock.advance(60_000);
    expect((await s.ask()).headers['cache-status']).toBe('reports; hit; ttl=240; detail=memory');
    s.reader.invalidate();
    expect((await s.ask()).headers['cache-status']).toBe('reports; fwd=miss; stored; detail=invalidated');
  });

  it('appends to the Cache-Status of caches nearer to the data, and never stores either label (RFC 9211 §2)', async () => {
    const s = await stage(express, {
      route: { cacheName: 'my reports' },
      handler: (_req, res) => void res.set('Cache-Status', 'db; hit').set('X-Cache', 'HIT').json(1),
    });
    expect((await s.ask()).headers['cache-status']).toBe('db; hit, "my reports"; fwd=uri-miss; stored');
    const hit = await s.ask();
    expect(hit.headers['cache-status']).toBe('"my reports"; hit; ttl=300; detail=memory');
    expect(hit.headers['x-cache']).toBe('HIT');
  });

  it('labels an entry past its ttl STALE, should the reader be given one', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(1) });
    await s.ask();
    const { entry } = s.reader;
    s.clock.advance(310_000);
    s.reader.script = () => ({ next: 'serve', entry, layer: 'redis', coalesced: false });
    const stale = await s.ask();
    expect(stale.headers['x-cache']).toBe('STALE');
    expect(stale.headers['cache-status']).toBe('reports; hit; ttl=-10; detail=redis');
  });

  it('answers HEAD from the GET: same headers, exact length, no body (RFC 9110 §9.3.2)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json({ a: 1 }) });
    const get = await s.ask();
    const head = await s.ask({ method: 'HEAD' });
    expect(s.runs()).toBe(1);
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    expect(head.headers['content-length']).toBe(String(get.body.length));
    expect(head.headers.etag).toBe(get.headers.etag);
    expect(head.headers['x-cache']).toBe('HIT');
  });

  it('writes no body where none belongs, as strict servers demand', async () => {
    const s = await stage(express, {
      server: { rejectNonStandardBodyWrites: true },
      handler: (_req, res) => void res.json({ a: 1 }),
    });
    const { headers } = await s.ask();
    expect((await s.ask({ method: 'HEAD' })).headers['x-cache']).toBe('HIT');
    const match = { 'If-None-Match': headers.etag ?? '' };
    expect((await s.ask({ headers: match })).headers['x-cache']).toBe('HIT');
    s.reader.invalidate();
    expect((await s.ask({ headers: match })).status).toBe(304);
  });

  it('keeps a 204 without Content-Length, where the route stores it (RFC 9110 §8.6)', async () => {
    const s = await stage(express, {
      route: { storeStatuses: new Set([200, 204]) },
      handler: (_req, res) => void res.status(204).end(),
    });
    await s.ask();
    const hit = await s.ask();
    expect([hit.status, hit.headers['x-cache'], hit.headers['content-length']]).toEqual([204, 'HIT', undefined]);
  });

  it('answers 304 only where the plain answer is 2xx (RFC 9110 §13.2.1)', async () => {
    const s = await stage(express, {
      route: { storeStatuses: new Set([200, 404]) },
      handler: (_req, res) => void res.status(404).set('ETag', '"none"').json({ error: 'none' }),
    });
    const miss = await s.ask({ headers: { 'If-None-Match': '"none"' } });
    expect(miss.status).toBe(404);
    const hit = await s.ask({ headers: { 'If-None-Match': '"none"' } });
    expect([hit.status, hit.headers['x-cache']]).toEqual([404, 'HIT']);
    expect(hit.text).toBe('{"error":"none"}');
  });

  it('repeats repeated header lines as lines, and other fields word for word (RFC 9111 §3.1)', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.append('Link', '</a>; rel=next').append('Link', '</b>; rel=prev');
        res.set('Content-Disposition', 'attachment; filename="r.csv"').type('text/csv').send('a,b');
      },
    });
    await s.ask();
    const { rawHeaders, headers } = await s.ask();
    expect(rawHeaders.filter((_, i) => rawHeaders[i - 1] === 'Link')).toEqual(['</a>; rel=next', '</b>; rel=prev']);
    expect(headers['content-disposition']).toBe('attachment; filename="r.csv"');
    expect(headers['content-type']).toBe('text/csv; charset=utf-8');
  });

  it('drops what belonged to the first connection or message (RFC 9110 §7.6.1)', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.set({ Connection: 'close, X-Hop', 'X-Hop': '1', 'Keep-Alive': 'timeout=9', Upgrade: 'h9', Date: 'x' });
        res.set({ 'Proxy-Authenticate': 'Basic', 'X-Stays': '1', 'Accept-Ranges': 'bytes' }).json(1);
      },
    });
    await s.ask();
    const names = s.reader.entry.headers.map(([name]) => name);
    expect(names).toEqual(['X-Stays', 'Content-Type']);
  });

  it('stores nothing that earlier middleware set for one request, and lets it set it anew', async () => {
    let request = 0;
    const s = await stage(express, {
      front: [
        (req, res, next) => {
          request += 1;
          res.set('X-Request-Id', String(request)).set('Access-Control-Allow-Origin', String(req.headers.origin));
          res.vary('Origin').cookie('session', `s${request}`);
          next();
        },
      ],
      handler: (_req, res) => void res.vary('Accept-Language').json(1),
    });
    await s.ask({ headers: { Origin: 'https://a.example' } });
    const hit = await s.ask({ headers: { Origin: 'https://b.example' } });
    expect(hit.headers['x-cache']).toBe('HIT');
    expect(hit.headers['x-request-id']).toBe('2');
    expect(hit.headers['access-control-allow-origin']).toBe('https://b.example');
    expect(hit.headers['set-cookie']).toEqual(['session=s2; Path=/']);
    expect(hit.headers.vary).toBe('Origin, Accept-Language');
  });

  it('lets hooks of earlier middleware see the answer, 304 included', async () => {
    const seen: string[] = [];
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          res.on('finish', () => seen.push(`${res.statusCode} ${String(res.getHeader('X-Cache'))}`));
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    const { headers } = await s.ask();
    await s.ask();
    await s.ask({ headers: { 'If-None-Match': headers.etag ?? '' } });
    expect(seen).toEqual(['200 MISS', '200 HIT', '304 HIT']);
  });

  it('ignores Range, as a server may (RFC 9110 §14.2), and If-Match, as a cache may (§13.1.1)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.send('0123456789') });
    await s.ask();
    const hit = await s.ask({ headers: { Range: 'bytes=0-1', 'If-Range': '"x"', 'If-Match': '"other"' } });
    expect([hit.status, hit.text]).toEqual([200, '0123456789']);
    expect(hit.headers['accept-ranges']).toBeUndefined();
  });

  it('answers readers who waited, labelled HIT and collapsed', async () => {
    const computed = gate();
    const s = await stage(express, { handler: (_req, res) => void computed.opened.then(() => res.json(1)) });
    const first = s.ask();
    await s.reader.until(() => s.reader.asked.length === 1);
    const second = s.ask();
    await s.reader.until(() => s.reader.asked.length === 2);
    computed.open();
    expect((await first).headers['x-cache']).toBe('MISS');
    const waited = await second;
    expect(s.runs()).toBe(1);
    expect([waited.text, waited.headers['x-cache'], waited.headers.age]).toEqual(['1', 'HIT', '0']);
    expect(waited.headers['cache-status']).toBe('reports; fwd=miss; collapsed; detail=memory');
  });

  it('asks a synchronous reader and answers within the same turn', async () => {
    let turns = 0;
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          queueMicrotask(() => (turns += res.headersSent ? 0 : 1));
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    await s.ask();
    turns = 0;
    await s.ask();
    expect(turns).toBe(0);
  });
});

describe('HTTP/1.0', () => {
  onBoth('a client that knows no chunks', (express) => {
    it('gets Content-Length on hits, streamed reports too (RFC 9112 §6.3)', async () => {
      const s = await stage(express, {
        handler: (_req, res) => {
          res.write('one,');
          res.end('two');
        },
      });
      await s.ask();
      const answer = await s.raw('GET /report HTTP/1.0\r\n\r\n');
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(answer).toMatch(/\r\nContent-Length: 7\r\n/);
      expect(answer).not.toMatch(/Transfer-Encoding/i);
      expect(answer.endsWith('\r\n\r\none,two')).toBe(true);
    });
  });
});
