// The memo of queries: it saves work and decides nothing.
import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import fc from 'fast-check';
import { describeRoute } from '../../src/http/describe.js';
import { QueryMemo } from '../../src/http/query-memo.js';
import type { RouteOptions } from '../../src/options/options.js';
import { parseOptions, parseRoute } from '../../src/options/parse.js';

const options: RouteOptions = {
  report: () => 42,
  filters: { term: 'string', subject: { type: 'array', of: 'string' }, page: 'integer' },
  unknownParameters: 'ignore',
};

function describer() {
  const policy = parseOptions({ identify: () => undefined }).types.get('custom')!;
  const describe = describeRoute('custom', options, parseRoute(options, policy), () => ({ user: 7 }));
  return (req: Request) => {
    const description = describe(req);
    return 'tags' in description ? { ...description, tags: description.tags() } : description;
  };
}

/** As Express 4 has it, or any middleware that puts a query of its own into the request. */
const request = (originalUrl: string, query: unknown) =>
  ({
    originalUrl,
    url: originalUrl,
    query,
    headers: { host: 'school' },
    socket: {},
    app: { get: () => 'simple' },
  }) as unknown as Request;

describe('query memo', () => {
  it('what middleware has put into req.query counts, also where the URL is known', () => {
    const describeRequest = describer();
    const url = '/r?term=a';
    const first = describeRequest(request(url, { term: 'a' }));
    expect(describeRequest(request(url, { term: 'a' }))).toEqual(first);
    for (const query of [{ term: 'b' }, {}, { term: 'a', page: '2' }, { page: 'a' }, { subject: ['a'] }, ['a']]) {
      expect(describeRequest(request(url, query))).toEqual(describer()(request(url, query)));
      expect(describeRequest(request(url, query))).not.toEqual(first);
    }
  });

  it('whatever was asked before, a request is described as if it were the first', () => {
    const word = fc.constantFrom('', 'a', 'b', '1', '01', '2');
    const query = fc.dictionary(
      fc.constantFrom('term', 'subject', 'page', 'other', '__proto__'),
      fc.oneof(word, fc.array(word, { maxLength: 2 })),
    );
    const asked = fc.tuple(fc.constantFrom('/r?x', '/r?y', '/s?x'), query);
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 12 }), (requests) => {
        const remembering = describer();
        for (const [url, each] of requests) {
          expect(remembering(request(url, each))).toEqual(describer()(request(url, each)));
        }
      }),
    );
  });

  it('keeps neither long URLs nor more than its bound', () => {
    const memo = new QueryMemo();
    const long = `/r?q=${'x'.repeat(600)}`;
    memo.set(long, request(long, {}), 'hash');
    expect(memo.get(long, request(long, {}))).toBeUndefined();
    for (let index = 0; index <= 1000; index += 1) memo.set(`/r?q=${index}`, request('/r', {}), 'hash');
    expect(memo.get('/r?q=0', request('/r', {}))).toBeUndefined();
    expect(memo.get('/r?q=1000', request('/r', {}))).toBe('hash');
  });
});
