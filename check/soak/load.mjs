// What is asked of the processes: readers of few reports and of many, writers, browsers with copies, leavers, attackers.
import { Agent, request } from 'node:http';

const POPULAR = 40;
const USERS = 6;
const LEAVES_WITHIN_MS = 6;
const LIMIT_MS = 20_000;
/** A route remembers a thousand URLs: full from the start, that is no growth. */
const FILLING = 1100;
const FILLED_AT_ONCE = 20;

/** Share of each in 100 requests; the rest reads what is popular. */
const MIX = /** @type {const} */ ([
  ['unpopular', 10],
  ['changed', 8],
  ['leaves', 10],
  ['copy', 12],
  ['attack', 12],
]);

/** Parameters that nobody declared, values that do not fit, too much of everything, nobody, and always somebody new. */
const ATTACKS = /** @type {((n: number) => { path: string, user?: string })[]} */ ([
  (n) => ({ path: `/reports/1?x${n}=1`, user: '1' }),
  (n) => ({ path: `/reports/1?page=${n}`, user: '1' }),
  (n) => ({ path: `/reports/1?term=${'t'.repeat(2_000)}${n}`, user: '1' }),
  (n) => ({ path: `/reports/1?term[a]=${n}&term[b]=1`, user: '1' }),
  (n) => ({ path: `/reports/${'9'.repeat(200)}${n}`, user: '1' }),
  () => ({ path: '/reports/1' }),
  (n) => ({ path: `/reports/1?term=${n}`, user: `stranger-${n}` }),
]);

/**
 * @param {readonly string[]} urls
 * @param {{ next(): number, below(bound: number): number, pick<T>(list: readonly T[]): T }} random
 */
export function createLoad(urls, random) {
  const agent = new Agent({ keepAlive: true, noDelay: true });
  /** @type {Map<string, string>} */
  const etags = new Map();
  /** @type {Record<string, number>} */
  const tally = { errors: 0 };
  let number = 0;

  /** @param {string} url @param {{ method?: string, headers?: Record<string, string>, leave?: boolean }} how */
  function ask(url, { method = 'GET', headers = {}, leave = false }) {
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent, method, headers, timeout: LIMIT_MS });
      const gone = leave ? setTimeout(() => sent.destroy(), random.below(LEAVES_WITHIN_MS)) : undefined;
      const end = (/** @type {{ status: number, etag?: string | undefined, cache?: string }} */ answer) => {
        clearTimeout(gone);
        resolve(answer);
      };
      sent.once('timeout', () => sent.destroy(new Error(`No answer within ${LIMIT_MS} ms.`)));
      sent.once('error', (error) => (leave ? end({ status: 0 }) : reject(error)));
      sent.once('response', (response) => {
        response.resume();
        response.once('error', (error) => (leave ? end({ status: 0 }) : reject(error)));
        response.once('close', () =>
          end({
            status: response.statusCode ?? 0,
            etag: response.headers.etag,
            cache: String(response.headers['x-cache'] ?? 'none'),
          }),
        );
      });
      sent.end();
    });
  }

  function kindOf() {
    let left = random.next() * 100;
    for (const [kind, share] of MIX) {
      left -= share;
      if (left < 0) return kind;
    }
    return 'popular';
  }

  async function one() {
    const kind = kindOf();
    const url = random.pick(urls);
    const id = random.below(POPULAR);
    const user = String(random.below(USERS));
    const path = `/reports/${id}`;
    const n = (number += 1);
    let answer;
    if (kind === 'changed') answer = await ask(`${url}/changed/${id}`, { method: 'POST' });
    else if (kind === 'attack') {
      const attack = random.pick(ATTACKS)(n);
      const headers = attack.user === undefined ? {} : { 'x-user': attack.user };
      answer = await ask(url + attack.path, { headers });
    } else if (kind === 'unpopular') answer = await ask(`${url}/reports/u${n}`, { headers: { 'x-user': user } });
    else {
      const etag = kind === 'copy' ? etags.get(`${user} ${path}`) : undefined;
      const headers = { 'x-user': user, ...(etag === undefined ? {} : { 'if-none-match': etag }) };
      answer = await ask(url + path, { headers, leave: kind === 'leaves' });
      if (answer.etag !== undefined) etags.set(`${user} ${path}`, answer.etag);
    }
    const label = `${kind} ${answer.status} ${answer.cache ?? ''}`.trim();
    tally[label] = (tally[label] ?? 0) + 1;
  }

  /** @param {string} url */
  async function fill(url) {
    for (let from = 0; from < FILLING; from += FILLED_AT_ONCE)
      await Promise.all(
        Array.from({ length: FILLED_AT_ONCE }, (_, at) =>
          ask(`${url}/reports/f${from + at}`, { headers: { 'x-user': '1' } }),
        ),
      );
  }

  return {
    tally,
    /** What is bounded by a number of requests is full after this. */
    fill: () => Promise.all(urls.map(fill)),
    one: () =>
      one().catch(() => {
        tally['errors'] = (tally['errors'] ?? 0) + 1;
      }),
    close: () => agent.destroy(),
  };
}
