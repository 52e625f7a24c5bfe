// Accept-Encoding, line by line, and which answers may be sent in a coding at all.
import { describe, expect, it } from '@jest/globals';
import type { Coding } from '../../src/contract/entry.js';
import { isNegotiable, Negotiation, preferredCodings } from '../../src/http/negotiate.js';
import { makeEntry } from '../../src/testing/store-suite.js';

const ALL: readonly Coding[] = ['br', 'zstd', 'gzip'];
const POSITION = { epoch: 'one', seq: 0 };

describe('Accept-Encoding (RFC 9110 §12.5.3)', () => {
  it.each<[line: string | undefined, preferred: string]>([
    // What clients really send.
    ['gzip, deflate, br, zstd', 'br zstd gzip'],
    ['gzip, deflate, br', 'br gzip'],
    ['gzip, deflate', 'gzip'],
    ['br;q=1.0, gzip;q=0.8, *;q=0.1', 'br gzip zstd'],
    ['gzip', 'gzip'],
    ['deflate', ''],
    ['identity', ''],
    // Absent, and empty: none.
    [undefined, ''],
    ['', ''],
    // Weights.
    ['br;q=0.5, gzip;q=0.9', 'gzip br'],
    ['gzip;q=0, br', 'br'],
    ['gzip;q=0.000, br;q=0.001', 'br'],
    ['br;q=1.000', 'br'],
    ['br ; q=0.2 , gzip ; Q=0.4', 'gzip br'],
    // The asterisk: whatever is not named.
    ['*', 'br zstd gzip'],
    ['*;q=0', ''],
    ['*;q=0, gzip', 'gzip'],
    ['br;q=0, *', 'zstd gzip'],
    ['br;q=0.3, *;q=0.7', 'zstd gzip br'],
    // Identity liked better, as well, less, and not at all.
    ['gzip;q=0.5, identity', ''],
    ['gzip;q=0.5, identity;q=0.5', 'gzip'],
    ['br;q=0.2, gzip, identity;q=0.5', 'gzip'],
    ['identity;q=0, gzip', 'gzip'],
    ['identity;q=0', ''],
    // Names: any case, and the old one of gzip.
    ['GZIP, Br', 'br gzip'],
    ['x-gzip', 'gzip'],
    ['x-br', ''],
    // Malformed members are not there; the others are.
    ['gzip;q=2', ''],
    ['gzip;q=-1, br', 'br'],
    ['gzip;q=0.1234', ''],
    ['gzip;q=', ''],
    ['gzip;level=9', ''],
    ['gz ip, br', 'br'],
    [', ,,gzip,', 'gzip'],
    ['gzip;q=1;q=0', ''],
    ['"gzip"', ''],
  ])('%p prefers %p', (line, preferred) => {
    expect(preferredCodings(line, ALL).join(' ')).toBe(preferred);
  });

  it('offers nothing but what the route offers, in its order', () => {
    expect(preferredCodings('gzip, br, zstd', ['gzip', 'br'])).toEqual(['gzip', 'br']);
    expect(preferredCodings('gzip, br', [])).toEqual([]);
  });
});

describe('what may be sent in a coding', () => {
  const may = (fields: Record<string, string>, bytes: number | undefined = 2000) =>
    isNegotiable({ codings: ALL, minBytes: 1024 }, (name) => fields[name], bytes);

  it.each([
    ['application/json; charset=utf-8', true],
    ['Application/JSON', true],
    ['application/problem+json', true],
    ['application/vnd.api+json;v=1', true],
    ['text/html', true],
    ['text/csv; header=present', true],
    ['application/xml', true],
    ['application/atom+xml', true],
    ['image/svg+xml', true],
    ['application/javascript', true],
    ['application/x-ndjson', true],
    ['text/event-stream', false],
    ['image/png', false],
    ['application/pdf', false],
    ['application/octet-stream', false],
    ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', false],
    ['application/jsonx', false],
    ['text/', false],
  ])('%s: %p', (type, expected) => {
    expect(may({ 'content-type': type })).toBe(expected);
  });

  const json = { 'content-type': 'application/json' };

  it.each([
    ['content-encoding', 'gzip'],
    ['content-encoding', 'identity'],
    ['content-digest', 'sha-256=:AA==:'],
    ['repr-digest', 'sha-256=:AA==:'],
    ['content-md5', 'AA=='],
    ['content-range', 'bytes 0-1/2'],
    ['cache-control', 'private, No-Transform'],
    ['vary', 'Cookie, accept-encoding'],
  ])('not with %s: %s', (name, value) => {
    expect(may({ ...json, [name]: value })).toBe(false);
  });

  it('not without a Content-Type, not below the size, and not where nothing is offered', () => {
    expect(may({})).toBe(false);
    expect([may(json, 1023), may(json, 1024), may(json, undefined)]).toEqual([false, true, true]);
    expect(isNegotiable({ codings: [], minBytes: 1 }, () => 'application/json', 2000)).toBe(false);
  });
});

describe('a choice', () => {
  const negotiation = new Negotiation({ codings: ALL, minBytes: 10 });
  const bare = { getHeader: () => undefined };
  const body = Buffer.alloc(100, 'x');
  const entry = makeEntry(POSITION, 0, { body });
  const gzip = Buffer.from('g');

  it('is the best of what is there, and makes nothing beside it', () => {
    const there = { ...entry, forms: { gzip } };
    expect(negotiation.choose(there, 'br, gzip', bare)).toEqual({ form: 'gzip', negotiable: true });
    const both = { ...entry, forms: { gzip, br: gzip } };
    expect(negotiation.choose(both, 'br, gzip', bare)).toEqual({ form: 'br', negotiable: true });
    expect(negotiation.choose(both, 'br;q=0.5, gzip', bare)).toEqual({ form: 'gzip', negotiable: true });
  });

  it('is identity where nothing wanted is there, and says what was wanted', () => {
    expect(negotiation.choose(entry, 'gzip, br', bare)).toEqual({ form: 'identity', negotiable: true, wanted: 'br' });
    expect(negotiation.choose(entry, 'identity;q=0, gzip', bare)).toMatchObject({ form: 'identity', wanted: 'gzip' });
    expect(negotiation.choose(entry, undefined, bare)).toEqual({ form: 'identity', negotiable: true });
  });

  it('is the one form that came from Redis, for who takes it', () => {
    const coded = { ...entry, body: gzip, coding: 'gzip' as const };
    expect(negotiation.choose(coded, 'br, gzip', bare).form).toBe('gzip');
    expect(negotiation.choose(coded, undefined, bare).form).toBe('identity');
    expect(negotiation.choose(coded, 'br', bare)).toEqual({ form: 'identity', negotiable: true, wanted: 'br' });
  });

  it('is no choice where the response in front is fixed already', () => {
    const there = { ...entry, forms: { gzip } };
    const front = (name: string, value: string) => ({
      getHeader: (asked: string) => (asked === name ? value : undefined),
    });
    const untouched = { form: 'identity', negotiable: false };
    expect(negotiation.choose(there, 'gzip', front('Cache-Control', 'no-transform'))).toEqual(untouched);
    expect(negotiation.choose(there, 'gzip', front('Content-Encoding', 'aes128gcm'))).toEqual(untouched);
  });

  it('does not remember more lines than browsers send, nor long ones', () => {
    const fresh = new Negotiation({ codings: ALL, minBytes: 10 });
    expect(fresh.choose(entry, `gzip, ${'x'.repeat(200)}`, bare).wanted).toBe('gzip');
    expect(fresh.remembered).toBe(0);
    for (let i = 0; i < 1000; i++) {
      expect(fresh.choose(entry, `gzip, x-${i}`, bare).wanted).toBe('gzip');
    }
    expect(fresh.remembered).toBe(64);
  });
});
