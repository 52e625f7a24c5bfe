// Exports too big to keep, and clients that read slowly or leave: back-pressure and flat memory, with the cache in between.
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { onBoth, stage } from './stage.js';

const MB = 1_000_000;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
const EXPORT = 100 * MB;
/** What waits in buffers of sockets and of this process. */
const SMALL_ENOUGH = 30 * MB;
const LOOK_EVERY = 10 * MB;

/** What is garbage says how lazy the collector is, and not how much is kept. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().arrayBuffers;
}

/** Buffers are given back beside the program, so now and then a look comes before. */
const median = (values: readonly number[]) => values.toSorted((one, other) => one - other)[values.length >> 1] ?? NaN;

/** So many bytes, made when they are asked for. */
function source(bytes: number) {
  const made = { bytes: 0, kept: [] as number[] };
  const stream = new Readable({
    read() {
      if (made.bytes >= bytes) return void this.push(null);
      const chunk = Buffer.from(CHUNK.subarray(0, Math.min(CHUNK.length, bytes - made.bytes)));
      const looksNow = Math.floor((made.bytes + chunk.length) / LOOK_EVERY) > Math.floor(made.bytes / LOOK_EVERY);
      made.bytes += chunk.length;
      if (looksNow) made.kept.push(keptBytes());
      this.push(chunk);
    },
  });
  return { stream, made };
}

/** The answer's head; its body is read by whoever wants it. */
function open(port: number): Promise<{ request: http.ClientRequest; response: http.IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path: '/report', agent: false }, (response) => resolve({ request, response }));
    request.on('error', reject);
  });
}

onBoth('an export of 100 MB', (express) => {
  it('goes through in full with flat memory, and is not stored', async () => {
    const before = keptBytes();
    const { stream, made } = source(EXPORT);
    const s = await stage(express, { handler: (_req, res) => void pipeline(stream, res).catch(() => undefined) });
    const { response } = await open(s.port);
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(EXPORT);
    expect(response.headers['x-cache']).toBe('MISS');
    expect(s.reader.declined).toEqual(['too-large']);
    expect(median(made.kept) - before).toBeLessThan(SMALL_ENOUGH);
  });

  it('waits for a client that reads slowly, while others are answered; nothing is left when he leaves', async () => {
    const { stream, made } = source(EXPORT);
    let first = true;
    const s = await stage(express, {
      handler: (_req, res) => {
        if (!first) return void res.json('small');
        first = false;
        pipeline(stream, res).catch(() => undefined);
      },
    });
    const { request, response } = await open(s.port);
    // Not read at all. What is made before he reads has room in buffers of sockets and of this process.
    response.pause();
    await s.reader.until(() => s.reader.declined.length === 1);
    for (let last = -1; last !== made.bytes;) {
      last = made.bytes;
      expect((await s.ask()).text).toBe('"small"');
    }
    expect(made.bytes).toBeLessThan(SMALL_ENOUGH);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    request.destroy();
    await closed;
    expect(made.bytes).toBeLessThan(SMALL_ENOUGH);
    expect(s.reader.running).toBe(0);
  });
});
