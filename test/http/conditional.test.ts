// If-None-Match and If-Modified-Since: awkward headers by table, the list parser by property.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  entityTagOf,
  isEntityTag,
  isNotModified,
  listEntityTags,
  matchesNoneMatch,
} from '../../src/http/conditional.js';
import { parseHttpDate } from '../../src/http/http-date.js';
import { EXPRESSES } from './stage.js';

const NOW = Date.UTC(2026, 9, 5);

describe('If-None-Match (RFC 9110 §13.1.2)', () => {
  it.each([
    // header, current tag, matches
    ['"a"', '"a"', true],
    ['W/"a"', '"a"', true],
    ['"a"', 'W/"a"', true],
    ['W/"a"', 'W/"a"', true],
    ['"A"', '"a"', false],
    ['"x", "a"', '"a"', true],
    ['"x","a"', '"a"', true],
    ['"x"\t,\t"a"\t', '"a"', true],
    [',, "x" ,, "a" ,,', '"a"', true],
    ['"x, y", "a"', '"x, y"', false], // a blank is no etagc, so this is not an entity-tag
    ['"x,y"', '"x,y"', true],
    ['"x,y"', '"y"', false],
    ['"x,a"', '"a"', false],
    ['"a,"', '"a"', false],
    ['""', '""', true],
    ['""', '"a"', false],
    ['*', '"a"', true],
    [' \t*\t ', '"a"', true],
    ['"*"', '"a"', false],
    ['"*"', '"*"', true],
    ['"x", *', '"a"', false],
    ['', '"a"', false],
    [',', '"a"', false],
    ['a', '"a"', false],
    ["'a'", '"a"', false],
    ['w/"a"', '"a"', false],
    ['W/ "a"', '"a"', false],
    ['W/a, "a"', '"a"', true],
    ['garbage "b", "a"', '"a"', true],
    ['"x" "a"', '"a"', false],
    ['"a', '"a"', false],
    ['a"', '"a"', false],
    ['"\xe4"', '"\xe4"', true],
    ['"a\\"b"', '"a\\"', false],
    ['"a"', 'a', false],
    ['"a"', undefined, false],
    ['*', undefined, true],
  ])('%j against %j: %s', (header, current, matches) => {
    expect(matchesNoneMatch(header, current)).toBe(matches);
  });

  const opaque = fc.string({
    unit: fc.constantFrom(...Array.from("!#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\xe4\xff")),
    maxLength: 12,
  });
  const tag = fc.tuple(fc.boolean(), opaque).map(([weak, text]) => `${weak ? 'W/' : ''}"${text}"`);
  const blanks = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });

  it('finds every tag of a well-formed list, however it is spaced', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(blanks, fc.option(tag), blanks)), (members) => {
        const header = members.map(([before, one, after]) => `${before}${one ?? ''}${after}`).join(',');
        const tags = members.flatMap(([, one]) => one ?? []);
        expect(listEntityTags(header)).toEqual(tags);
      }),
    );
  });

  it('matches exactly the tags of the list, weak or strong', () => {
    fc.assert(
      fc.property(fc.array(opaque, { minLength: 1 }), opaque, fc.boolean(), (list, current, weak) => {
        const header = list.map((text, index) => `${index % 2 ? 'W/' : ''}"${text}"`).join(', ');
        expect(matchesNoneMatch(header, `${weak ? 'W/' : ''}"${current}"`)).toBe(list.includes(current));
      }),
    );
  });

  it('never throws, never hangs, and finds nothing but entity-tags', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', 'W', '/', ',', ' ', '\t', 'a', '*', '\\') }), (header) => {
        for (const one of listEntityTags(header)) {
          expect(isEntityTag(one)).toBe(true);
          expect(header).toContain(one);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes no more than linear time over a long hostile header', () => {
    const hostile = `${' \t'.repeat(8000)}${'"a" '.repeat(4000)}`;
    expect(listEntityTags(hostile)).toEqual([]);
  });
});

describe('If-Modified-Since (RFC 9110 §13.1.3)', () => {
  const lastModified = 'Sun, 06 Nov 1994 08:49:37 GMT';

  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', true],
    ['Sunday, 06-Nov-94 08:49:37 GMT', true],
    ['Sun Nov  6 08:49:37 1994', true],
    ['Sun, 06 Nov 1994 08:49:36 GMT', false],
    ['Sun, 06 Nov 1994 08:49:38 GMT', true],
    ['1994-11-06T08:49:37Z', false],
    ['2099', false],
    ['Sun, 06 Nov 2094 08:49:37', false],
    ['Sun, 06 Nov 2094 08:49:37 UTC', false],
    ['Sun, 06 Nov 2094 08:49:37 +0000', false],
    ['sun, 06 nov 2094 08:49:37 GMT', false],
    ['Sun, 31 Feb 2094 08:49:37 GMT', false],
    ['Sun, 06 Nov 2094 24:00:00 GMT', false],
    ['Sun, 06 Nov 1994 08:49:37 GMT, Mon, 07 Nov 1994 08:49:37 GMT', false],
    ['', false],
  ])('%j: %s', (since, notModified) => {
    expect(isNotModified({ ifNoneMatch: undefined, ifModifiedSince: since }, { etag: '"a"', lastModified }, NOW)).toBe(
      notModified,
    );
  });

  it('is ignored where If-None-Match is present, match or mismatch, even an empty one', () => {
    const validators = { etag: '"a"', lastModified };
    expect(isNotModified({ ifNoneMatch: '"b"', ifModifiedSince: lastModified }, validators, NOW)).toBe(false);
    expect(isNotModified({ ifNoneMatch: '', ifModifiedSince: lastModified }, validators, NOW)).toBe(false);
    const old = 'Sun, 06 Nov 1993 08:49:37 GMT';
    expect(isNotModified({ ifNoneMatch: '"a"', ifModifiedSince: old }, validators, NOW)).toBe(true);
  });

  it('is ignored where Last-Modified is absent or no date', () => {
    const since = { ifNoneMatch: undefined, ifModifiedSince: lastModified };
    expect(isNotModified(since, { etag: '"a"', lastModified: undefined }, NOW)).toBe(false);
    expect(isNotModified(since, { etag: '"a"', lastModified: '1990-01-01' }, NOW)).toBe(false);
  });
});

describe('HTTP-date (RFC 9110 §5.6.7)', () => {
  it('reads every second that toUTCString writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString(), NOW)).toBe(seconds * 1000);
      }),
    );
  });

  it('reads a two-digit year more than 50 years ahead as past', () => {
    expect(parseHttpDate('Monday, 01-Jan-76 00:00:00 GMT', NOW)).toBe(Date.UTC(2076, 0, 1));
    expect(parseHttpDate('Monday, 01-Jan-77 00:00:00 GMT', NOW)).toBe(Date.UTC(1977, 0, 1));
  });

  it('reads asctime as UTC, not as local time', () => {
    expect(parseHttpDate('Sun Nov  6 08:49:37 1994', NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
  });

  it('takes a leap second as the second before', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW)).toBe(Date.UTC(2016, 11, 31, 23, 59, 59));
  });
});

describe('the entity-tag', () => {
  it.each(EXPRESSES)('is the one that %s makes, so that a reader of an uncached route keeps its copy', (_, express) => {
    const body = Buffer.from('{"a":1}');
    const makeTag = express().get('etag fn') as (body: Buffer) => string;
    expect(entityTagOf(body)).toBe(makeTag(body));
    expect(entityTagOf(body)).toMatch(/^W\//);
  });
});
