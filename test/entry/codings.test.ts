// Content codings: whatever goes in comes out, in every coding that this Node knows.
import zlib from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ALL_CODINGS, CODINGS, decode, encode } from '../../src/entry/codings.js';

describe('content codings', () => {
  it('are those of this Node', () => {
    expect(CODINGS).toEqual(ALL_CODINGS.filter((coding) => coding !== 'zstd' || 'zstdCompress' in zlib));
    expect(CODINGS).toEqual(expect.arrayContaining(['br', 'gzip']));
  });

  it.each(CODINGS)('%s: the decoded bytes are the body', async (coding) => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 300_000, size: 'max' }).map((bytes) => Buffer.from(bytes)),
      fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text.repeat(50))),
    );
    await fc.assert(
      fc.asyncProperty(body, async (bytes) => {
        expect((await decode(await encode(bytes, coding), coding)).equals(bytes)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('are what other programs read', async () => {
    const body = Buffer.from('{"grade":78}'.repeat(100));
    expect(zlib.gunzipSync(await encode(body, 'gzip')).equals(body)).toBe(true);
    expect(zlib.brotliDecompressSync(await encode(body, 'br')).equals(body)).toBe(true);
  });

  it.each(CODINGS)('%s: rejects bytes that are in no coding', async (coding) => {
    await expect(decode(Buffer.from('{"grade":78}'), coding)).rejects.toThrow();
  });

  it('reject what this Node does not know', async () => {
    for (const coding of ALL_CODINGS.filter((one) => !CODINGS.includes(one)))
      await expect(encode(Buffer.from('x'), coding)).rejects.toThrow(/does not know/);
  });
});
