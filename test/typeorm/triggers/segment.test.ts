// report_cache_segment in PostgreSQL writes ids exactly as encodeSegment() does.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeSegment } from '../../../src/entry/encode.js';
import { openOutbox, type Outbox } from './support.js';

let box: Outbox;
let name: string;

beforeAll(async () => {
  box = await openOutbox('segment', { rules: [] });
  [{ name }] = await box.dataSource.query(
    `SELECT oid::regproc::text AS name FROM pg_proc WHERE proname ~ '^report_cache_.*_segment$'`,
  );
});
afterAll(() => box.close());

async function segments(ids: readonly string[]): Promise<(string | null)[]> {
  const rows: { s: string | null }[] = await box.dataSource.query(
    `SELECT ${name}(id) AS s FROM unnest($1::text[]) WITH ORDINALITY AS x(id, i) ORDER BY i`,
    [ids],
  );
  return rows.map(({ s }) => s);
}

describe('the segment of an id', () => {
  it('is that of the library for any text', async () => {
    const unit = fc.oneof(
      { weight: 3, arbitrary: fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }) },
      fc.constantFrom(
        'a',
        'Z',
        '9',
        '.',
        '-',
        '_',
        '%',
        '~',
        '*',
        ':',
        ' ',
        '\n',
        'ß',
        '€',
        '😀',
        '\u{10ffff}',
        '\uffff',
      ),
    );
    // PostgreSQL holds neither.
    const held = fc
      .string({ unit, minLength: 1, maxLength: 150 })
      .filter((text) => !text.includes('\0') && !/\p{Cs}/u.test(text));
    await fc.assert(
      fc.asyncProperty(fc.array(held, { minLength: 1, maxLength: 20 }), async (ids) => {
        expect(await segments(ids)).toEqual(ids.map(encodeSegment));
      }),
      { numRuns: 150 },
    );
  });

  it('keeps the borders: 120 characters, a line end, long ids of one unit and of two', async () => {
    const ids = [119, 120, 121, 1000].flatMap((n) => ['a'.repeat(n), '\u{1f600}'.repeat(n)]);
    ids.push('a\n', '\na', ' ', '%', '~', '*', 'é'.repeat(20), 'é'.repeat(21), '\uffff'.repeat(60));
    expect(await segments(ids)).toEqual(ids.map(encodeSegment));
  });

  it('is none where there is no tag, or it would take too long: the whole kind then', async () => {
    expect(await segments(['', 'a'.repeat(2001)])).toEqual([null, null]);
  });
});
