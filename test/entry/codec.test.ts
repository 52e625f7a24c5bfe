// The stored form of version 1: what an earlier release of this version wrote is read back field by field.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { WIRE_VERSION, type Entry } from '../../src/contract/entry.js';
import { decodeEntry, encodeGuard, encodeHeader, isSameEntry } from '../../src/entry/codec.js';
import { structuredCodec } from '../../src/entry/value-codec.js';

interface Golden {
  readonly guard: string;
  readonly header: string;
  readonly bodyBase64: string;
  readonly entry: Omit<Entry, 'body'>;
}

const golden = JSON.parse(readFileSync(new URL('../wire/v1.json', import.meta.url), 'utf8')) as Golden;

describe('wire format', () => {
  it('the golden entry belongs to the current version', () => {
    expect(WIRE_VERSION).toBe(1);
  });

  it('reads what was written', () => {
    const body = Buffer.from(golden.bodyBase64, 'base64');
    const { body: bytes, ...entry } = decodeEntry(golden.guard, golden.header, body);
    expect(entry).toEqual(golden.entry);
    expect(bytes.equals(body)).toBe(true);
  });

  it('writes what will be read', () => {
    expect(encodeHeader({ ...golden.entry, body: Buffer.alloc(0) })).toBe(golden.header);
  });

  it('writes the guard as PUT does, so that KEEP finds it equal', () => {
    expect(encodeGuard({ ...golden.entry, body: Buffer.alloc(0) })).toBe(golden.guard);
  });

  it('says with which ttl a report is computed anew, where ttls adapt, and nothing of it elsewhere', () => {
    const entry = { ...golden.entry, body: Buffer.alloc(0), nextTtlMs: 600_000 };
    const header = encodeHeader(entry);
    expect(JSON.parse(header).times).toEqual([...JSON.parse(golden.header).times, 600_000]);
    expect(decodeEntry(golden.guard, header, entry.body)).toEqual(entry);
    expect(isSameEntry(entry, { ...entry, nextTtlMs: 300_000 })).toBe(false);
  });

  it('says what the computation cost where that was told, and takes no byte for it elsewhere', () => {
    const cost = { inputTokens: 9, outputTokens: 6, models: ['small'], money: 0.5, currency: 'USD' };
    const entry = { ...golden.entry, body: Buffer.alloc(0), cost };
    const read = decodeEntry(golden.guard, encodeHeader(entry), entry.body);
    expect(read).toEqual(entry);
    // In whatever order somebody has put it together.
    const { money, ...rest } = cost;
    expect(isSameEntry(read, { ...entry, cost: { money, ...rest } })).toBe(true);
    expect(isSameEntry(read, { ...entry, cost: { ...cost, money: 0.6 } })).toBe(false);
    expect(encodeHeader({ ...golden.entry, body: entry.body })).toBe(golden.header);
  });

  it('an entry that was written and read is the same one, in whatever form', () => {
    const entry = { ...golden.entry, body: Buffer.from('plain') };
    const read = decodeEntry(golden.guard, golden.header, Buffer.from('coded'), 'gzip');
    expect([read.coding, isSameEntry(entry, read)]).toEqual(['gzip', true]);
    for (const other of [{ asOf: 42 }, { epoch: 'x' }, { etag: '"b"' }, { createdAt: 1 }, { computeMs: 12.500_1 }])
      expect(isSameEntry(entry, { ...read, ...other })).toBe(false);
  });

  it('refuses bytes that it did not write', () => {
    expect(() => decodeEntry('', 'not json', Buffer.alloc(0))).toThrow(SyntaxError);
    expect(() => decodeEntry('', '{}', Buffer.alloc(0))).toThrow(TypeError);
  });
});

describe('values of loaders', () => {
  it('come back the same: dates, bigints, maps, sets, nested lists, bytes, cycles', () => {
    const value = {
      at: new Date(0),
      big: 12345678901234567890n,
      scores: new Map([[5, [1.5, -0, NaN]]]),
      names: new Set(['é', '']),
      nested: [[[]], { a: undefined, b: null }],
      bytes: new Uint8Array([1, 2, 3]),
    };
    expect(structuredCodec.decode(structuredCodec.encode(value))).toEqual(value);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const back = structuredCodec.decode(structuredCodec.encode(cycle)) as typeof cycle;
    expect(back.self).toBe(back);
  });

  class Decimal {
    constructor(readonly digits: string) {}
  }
  it.each([
    [() => 1],
    [Symbol('s')],
    [new Decimal('1.50')],
    [{ deep: [new Map([['x', new Decimal('1')]])] }],
    [new Set([() => 1])],
  ])('refuses %p, which would not come back the same', (value) => {
    expect(() => structuredCodec.encode(value)).toThrow(/ERC_VALUE/);
  });
});
