// Exports too big to keep, and clients that read slowly or leave: back-pressure and flat memory, with the cache in between.
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, it } from '@jest/globals';
import { onBoth, stage } from './stage.js';

const MB = 1_000_000;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
/** Of three hundred: what waits in buffers, and what nobody has collected yet, which is a matter of Node's release. */
const SMALL_ENOUGH = 150 * MB;

/** So many bytes, made when they are asked for. */
function source(bytes: number) {
  const made = { bytes: 0, most: 0 };
  const stream = new Readable({
    read() {
      if (made.bytes >= bytes) return void this.push(null);
      const chunk = Buffer.from(CHUNK.subarray(0, Math.min(CHUNK.length, bytes - made.bytes)));
      made.bytes += chunk.length;
      made.most = Math.max(made.most, process.memoryUsage().arrayBuffers);
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

onBoth('an export of 300 MB', (express) => {
  it('goes through in full with flat memory, and is not stored', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const { stream, made } = source(300 * MB);
    const s = await stage(express, { handler: (_req, res) => void pipeline(stream, res).catch(() => undefined) });
    const { response } = await open(s.port);
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(300 * MB);
    expect(response.headers['x-cache']).toBe('MISS');
    expect(s.reader.declined).toEqual(['too-large']);
    expect(made.most - before).toBeLessThan(SMALL_ENOUGH);
  });

  it('waits for a client that reads slowly, while others are answered; nothing is left when he leaves', async () => {
    const { stream, made } = source(300 * MB);
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
