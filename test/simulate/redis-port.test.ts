// The simulation's port of the Lua scripts against the scripts themselves on a real Redis: same commands, same replies, same data, same pushes.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { CLAIM_BODIES } from '../../simulate/redis/claims.mjs';
import { BODIES, Script } from '../../simulate/redis/script.mjs';
import { RedisServer, WALL } from '../../simulate/redis/server.mjs';
import { CLAIM_SCRIPTS, SCRIPTS } from '../../src/stores/redis/scripts.js';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';

type Name = keyof typeof BODIES;
type Step =
  | { readonly script: Name; readonly entries: readonly string[]; readonly args: readonly (string | number)[] }
  | { readonly lose: 't' | 'x' | 'e' }
  | { readonly owner: 'another' };

const CHANNEL = '{ns}:c';
/** Nobody waits for it. */
const LATER = 9_000_000_000_000;

let redis: PrivateRedis;
let client: Redis;
let subscriber: Redis;
let replicationId = '';

beforeAll(async () => {
  redis = await startPrivateRedis();
  client = new Redis(redis.url);
  subscriber = new Redis(redis.url);
  await subscriber.subscribe(CHANNEL);
  replicationId = /master_replid:(\w+)/.exec(await client.info('replication'))?.[1] ?? '';
});

afterAll(async () => {
  const ended = [client, subscriber].map((one) => once(one, 'end'));
  client.disconnect();
  subscriber.disconnect();
  await Promise.all(ended);
  await redis.stop();
});

const tag = fc.constantFrom('a:1', 'a:2', 'b:1', '*');
const tags = fc.array(tag, { minLength: 1, maxLength: 3 }).map((all) => [...new Set(all)]);
const named = fc.array(fc.constantFrom('a:1', 'a:2', 'b:1'), { maxLength: 3 }).map((all) => [...new Set(all)]);
const key = fc.constantFrom('k1', 'k2');
/** The first is the one that most sequences begin with. */
const epoch = fc.constantFrom('e1', 'e1', 'e1', 'e2', 'e3');
const seq = fc.nat(12);
const lsn = fc.constantFrom('', '00000000000000a1', '00000000000000b2', '00000000000000c3');
const id = fc.constantFrom('m1', 'm2');
/** Over at once, or never: the clock of a real Redis cannot be held. */
const ttl = fc.constantFrom(0, LATER);
const entryName = (name: string) => `{ns}:e:${name}`;

const script = (name: Name, args: fc.Arbitrary<readonly (string | number)[]>, entries: fc.Arbitrary<string[]>) =>
  fc.record({ script: fc.constant(name), entries, args });
const none = fc.constant<string[]>([]);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(key, { minLength: 1, maxLength: 2 }).map((keys) => ({
      script: 'check' as const,
      entries: keys.map(entryName),
      args: keys.map((one) => `key:${one}`),
    })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(key, epoch, seq, seq, named, fc.array(fc.tuple(fc.constantFrom('a:1', 'b:1', '*'), seq), { maxLength: 2 }))
      .map(([one, ep, asOf, oldest, own, inherited]) => ({
        script: 'put' as const,
        entries: [entryName(one)],
        args: [
          ...[ep, asOf, Math.min(asOf, oldest), 1e9, 'header', `body ${asOf}`],
          ...[own.length, ...own, `key:${one}`, ...inherited.flat()],
        ],
      })),
  },
  {
    weight: 4,
    arbitrary: script(
      'bump',
      fc
        .tuple(fc.constantFrom(8, 1000), fc.option(id, { nil: '' }), lsn, epoch, fc.constantFrom('P1', 'P2'), tags)
        .map((a) => a.flat()),
      none,
    ),
  },
  {
    weight: 3,
    arbitrary: script(
      'mark',
      fc.tuple(id, ttl, tags).map((a) => a.flat()),
      none,
    ),
  },
  {
    weight: 1,
    arbitrary: script(
      'clear',
      id.map((one) => [one]),
      none,
    ),
  },
  { weight: 2, arbitrary: script('index', fc.tuple(fc.constantFrom('', 'P1', 'P2'), ttl), none) },
  { weight: 1, arbitrary: script('observe', none, none) },
  {
    weight: 2,
    arbitrary: script('live', fc.tuple(epoch, fc.constantFrom(5, 6, LATER), fc.constant(300), seq, lsn), none),
  },
  { weight: 1, arbitrary: script('adopt', fc.tuple(epoch, epoch, fc.constantFrom('', '3')), none) },
  { weight: 1, arbitrary: script('prune', fc.tuple(fc.constant('0'), seq, epoch), none) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ lose: 't' }, { lose: 'x' }, { lose: 'e' }, { owner: 'another' }) },
);

/** An entry, and its body coded: as it was, later, again, or after something else was put. */
const coded = fc
  .tuple(epoch, seq, named, fc.constantFrom('header', 'another'), fc.array(step, { maxLength: 2 }))
  .map(([ep, asOf, own, header, between]): Step[] => {
    const [entry, guard] = [entryName('k1'), `${ep} ${asOf} ${own.join(' ')}`];
    const put = [ep, asOf, asOf, 1e9, 'header', `body ${asOf}`, own.length, ...own, 'key:k1'];
    const keep = (field: string): Step => ({ script: 'keep', entries: [entry], args: [guard, header, field, 'coded'] });
    return [{ script: 'put', entries: [entry], args: put }, ...between, keep('br'), keep('gz')];
  });

const sequence = fc
  .array(fc.oneof({ weight: 12, arbitrary: step.map((one) => [one]) }, { weight: 1, arbitrary: coded }), {
    minLength: 1,
    maxLength: 40,
    size: 'max',
  })
  .map((parts) => parts.flat());

/** Times of Redis are of today; ages are the difference to one of the fixed times above. */
const masked = (value: unknown) => JSON.stringify(value).replaceAll(/-?\d{12,15}\b/g, 'TIME');

/** A bump also tells how old the epoch is. */
const shown = (name: Name, reply: readonly unknown[]) =>
  `${name} ${masked(name === 'bump' ? reply.toSpliced(5, 1, 'AGE') : reply)}`;

/** Fields have no order. */
const sorted = (fields: Iterable<[string, unknown]>) =>
  [...fields].map(([field, value]) => [field, String(value)]).toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));

/** How often the real scripts answered what, so that a test that never reaches anything is noticed. */
const answered = new Set<string>();

async function onRedis(steps: readonly Step[]): Promise<string[]> {
  await client.flushall();
  const pushed: string[] = [];
  let wake: () => void = () => undefined;
  const hear = (_channel: string, message: string) => (message === 'end' ? wake() : pushed.push(message));
  subscriber.on('message', hear);
  const seen: string[] = [];
  for (const [at, one] of steps.entries()) {
    if ('lose' in one) await client.unlink(one.lose === 'e' ? entryName('k1') : `{ns}:${one.lose}`);
    else if ('owner' in one) {
      if (await client.exists('{ns}:t')) await client.hset('{ns}:t', '!inc', 'f'.repeat(40));
    } else {
      const keys = ['{ns}:t', '{ns}:x', ...one.entries];
      const args = [`e${(at % 3) + 1}`, CHANNEL, at % 5 === 4 ? 'none' : 'info', ...one.args];
      const reply = (await client.eval(SCRIPTS[one.script].lua, keys.length, ...keys, ...args)) as unknown[];
      for (const code of reply.slice(5)) answered.add(`${one.script} ${String(code)}`);
      seen.push(shown(one.script, reply));
    }
    seen.push(masked(await contents()));
  }
  const ended = new Promise<void>((resolve) => {
    wake = resolve;
  });
  await client.publish(CHANNEL, 'end');
  await ended;
  subscriber.off('message', hear);
  return [...seen, ...pushed.map(masked)];
}

async function contents() {
  const names = (await client.keys('*')).toSorted();
  return Promise.all(names.map(async (name) => [name, sorted(Object.entries(await client.hgetall(name)))]));
}

function onPort(steps: readonly Step[]): string[] {
  const server = new RedisServer('port', () => Date.now() - WALL);
  server.replicationId = replicationId;
  const pushed: string[] = [];
  server.subscriptions.add({ channels: new Set([CHANNEL]), deliver: (_channel, message) => pushed.push(message) });
  const seen: string[] = [];
  for (const [at, one] of steps.entries()) {
    if ('lose' in one) server.unlink(one.lose === 'e' ? entryName('k1') : `{ns}:${one.lose}`);
    else if ('owner' in one) {
      if (server.hash('{ns}:t')) server.hset('{ns}:t', [['!inc', 'f'.repeat(40)]]);
    } else {
      const args = [`e${(at % 3) + 1}`, CHANNEL, at % 5 === 4 ? 'none' : 'info', ...one.args];
      const execution = new Script(server, ['{ns}:t', '{ns}:x', ...one.entries], args);
      execution.guard();
      seen.push(shown(one.script, BODIES[one.script](execution)));
    }
    const names = server.keys.toSorted();
    seen.push(masked(names.map((name) => [name, sorted(server.hash(name) ?? [])])));
  }
  return [...seen, ...pushed.map(masked)];
}

describe('the port of the scripts of claims', () => {
  const token = fc.constantFrom('t1', 't2');
  const claims = fc.oneof(
    fc.record({
      name: fc.constant('claim' as const),
      args: fc.tuple(token, fc.constant(LATER), fc.constantFrom('', 'x', 'y'), fc.constantFrom('', 'h')),
    }),
    fc.record({
      name: fc.constant('settle' as const),
      args: fc.tuple(token, fc.constantFrom('t1', '!', ''), fc.constantFrom(1e9, LATER)),
    }),
    fc.record({ entry: fc.boolean() }),
  );

  it('does what they do on a real Redis', async () => {
    const [claim, entry] = ['{ns}:c:k', entryName('k')];
    await fc.assert(
      fc.asyncProperty(fc.array(claims, { minLength: 1, maxLength: 20 }), async (steps) => {
        await client.flushall();
        const server = new RedisServer('port', () => Date.now() - WALL);
        for (const one of steps) {
          if ('entry' in one) {
            if (one.entry) {
              await client.hset(entry, 'g', 'x', 'h', 'h');
              server.hset(entry, [
                ['g', 'x'],
                ['h', 'h'],
              ]);
            } else {
              await client.unlink(entry);
              server.unlink(entry);
            }
            continue;
          }
          const keys = one.name === 'claim' ? [claim, entry] : [claim];
          const reply = await client.eval(CLAIM_SCRIPTS[one.name].lua, keys.length, ...keys, ...one.args);
          expect(CLAIM_BODIES[one.name](server, keys, one.args)).toEqual(reply);
          expect(server.hash(claim)?.get('by') ?? null).toEqual(await client.hget(claim, 'by'));
          expect(await client.pttl(claim)).not.toBe(-1);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('the port of the scripts', () => {
  it('does what the scripts do on a real Redis', async () => {
    await fc.assert(
      fc.asyncProperty(sequence, async (steps) => {
        expect(onPort(steps)).toEqual(await onRedis(steps));
      }),
      { numRuns: 400 },
    );
    const all = [...answered];
    for (const code of ['hit', 'absent', 'epoch', 'invalidated', 'flux']) expect(all).toContain(`check ${code}`);
    for (const code of ['stored', 'epoch', 'stale', 'flux']) expect(all).toContain(`put ${code}`);
    for (const code of ['kept', 'gone', 'held']) expect(all).toContain(`keep ${code}`);
    expect(all).toEqual(expect.arrayContaining(['live live', 'live refused', 'adopt adopted', 'adopt changed']));
  });
});
