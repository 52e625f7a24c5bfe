// One computation over all processes: whoever has the claim computes, the others wait for him, and none of it decides what is right.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Claims } from '../../src/contract/store.js';
import { CLAIM_MS, Peers, PRIVATE_MS, WAIT_MS, type Peer } from './peers.js';
import { draft, lead, served, tick } from './set-up.js';

let peers: Peers;
let a: Peer;
let b: Peer;
beforeEach(async () => {
  peers = await Peers.open();
  [a, b] = await Promise.all([peers.peer(), peers.peer()]);
});
afterEach(() => peers.close());

/** What a read came to. */
const outcome = (peer: Peer, overrides = {}) => served(peer.read(overrides));

/** What was told, but for the beginning. */
const kinds = ({ events }: Peer) => events.map(({ kind }) => kind).filter((kind) => kind !== 'distrust');

describe('two processes and one cold report', () => {
  it('the second waits for the first and serves what it has stored', async () => {
    const load = await lead(a.read());
    const waiting = outcome(b);
    await peers.looks(b, 3);
    expect(await load.store(draft('one'))).toBe('stored');
    expect(await peers.during(waiting)).toBe('one');
    expect(kinds(b)).toEqual(['hit']);
    expect(b.events.at(-1)).toMatchObject({ layer: 'redis', coalesced: true });
    await peers.holderIs(null);
  });

  it('fifty readers of the second ask no more often than one', async () => {
    const load = await lead(a.read());
    const waiting = Promise.all(Array.from({ length: 50 }, () => outcome(b)));
    await peers.looks(b, 3);
    await load.store(draft('one'));
    expect(await peers.during(waiting)).toEqual(Array.from({ length: 50 }, () => 'one'));
    expect(b.attempts()).toBeLessThan(10);
    expect(b.events.filter(({ kind }) => kind === 'miss')).toEqual([]);
  });

  it('RACE a look-up that is answered late: what was stored meanwhile is served, not computed again', async () => {
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const lookup = b.store.lookup.bind(b.store);
    b.store.lookup = async (...args) => {
      const found = await lookup(...args);
      b.store.lookup = lookup;
      await answered;
      return found;
    };
    const late = outcome(b);
    await (await lead(a.read())).store(draft('one'));
    await peers.holderIs(null);
    answer();
    expect(await late).toBe('one');
    await peers.holderIs(null);
  });

  it('a reader who does not accept what the other has computed computes, the others are served', async () => {
    const load = await lead(a.read());
    const picky = b.read({ accept: () => false });
    const content = outcome(b);
    await peers.looks(b);
    await load.store(draft('one'));
    (await peers.during(lead(picky))).decline('error');
    expect(await content).toBe('one');
  });

  it('a forced refresh, and a report that is coalesced by process, ask for no claim', async () => {
    await (await lead(a.read({ coalesce: 'process' }))).store(draft('one'));
    await (await lead(a.read({ refresh: true }))).store(draft('two'));
    expect(await outcome(b)).toBe('two');
    for (const cold of [{ refresh: true }, { coalesce: 'process' as const }])
      (await lead(b.read({ key: 'cold', ...cold }))).decline('error');
    expect([a.attempts(), b.attempts()]).toEqual([0, 0]);
  });
});

describe('freshness', () => {
  it('RACE an invalidation while others wait: the old computation is refused, and one of them computes anew', async () => {
    const load = await lead(a.read());
    const [first, second] = [b.read(), outcome(b)];
    await peers.looks(b);
    await b.invalidations.invalidate(['student:1'], 'commit');
    expect(await load.store(draft('old'))).toBe('stale');
    const next = await peers.during(lead(first));
    await next.store(draft('new'));
    expect(await second).toBe('new');
    expect(await outcome(a)).toBe('new');
  });

  it('RACE a write after the look: who has arrived after it is not served what was found before it', async () => {
    const load = await lead(a.read());
    const early = outcome(b);
    await peers.looks(b);
    // The next look finds the entry, and is answered after the write.
    let answer: () => void = () => undefined;
    let found: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const asked = new Promise<void>((resolve) => (found = resolve));
    const lookup = b.store.lookup.bind(b.store);
    b.store.lookup = async (...args) => {
      const result = await lookup(...args);
      if (result.outcome !== 'hit') return result;
      b.store.lookup = lookup;
      found();
      await answered;
      return result;
    };
    await load.store(draft('old'));
    await peers.during(asked);
    await a.invalidations.invalidate(['student:1'], 'commit');
    let looked: () => void = () => undefined;
    const joined = new Promise<void>((resolve) => (looked = resolve));
    b.store.lookup = async (...args) => {
      b.store.lookup = lookup;
      const result = await lookup(...args);
      looked();
      return result;
    };
    const late = b.read();
    await joined;
    await tick();
    answer();
    expect(await early).toBe('old');
    const next = await peers.during(lead(late));
    await next.store(draft('new'));
    expect(await outcome(b)).toBe('new');
  });

  it('RACE an invalidation that Redis does not take: this process serves nobody what another one stores meanwhile', async () => {
    const load = await lead(a.read());
    const [first, second] = [b.read(), b.read()];
    await peers.looks(b);
    b.redis.refuse('bump');
    const writing = b.invalidations.invalidate(['student:1'], 'commit');
    await tick();
    expect(await load.store(draft('old'))).toBe('stored');
    const loads = await peers.during(Promise.all([first, second].map((turn) => lead(turn))));
    for (const one of loads) expect(await one.store(draft('new'))).toBe('stale');
    b.redis.open();
    await peers.during(writing);
  });

  it('what was computed after waiting is shared with all who came before it began, stored or not', async () => {
    const load = await lead(a.read());
    const first = b.read();
    await peers.looks(b);
    const second = outcome(b);
    await peers.round();
    load.decline('incomplete');
    const next = await peers.during(lead(first));
    await a.invalidations.invalidate(['student:1'], 'commit');
    expect(await next.store(draft('begun after both had arrived'))).toBe('stale');
    expect(await second).toBe('begun after both had arrived');
  });
});

describe('a claim that is lost', () => {
  it('RACE its deadline passes while it is computed: two compute, and both are right', async () => {
    const slow = await lead(a.read());
    await peers.client.unlink(peers.claimKey);
    const second = await lead(b.read());
    const taken = await peers.holder();
    expect(await slow.store(draft('one'))).toBe('stored');
    // What ends there is the first one's, and not the claim of who has taken over.
    await peers.round();
    await outcome(a);
    expect(await peers.holder()).toBe(taken);
    expect(await second.store(draft('two'))).toBe('stored');
    await peers.holderIs(null);
    expect(await outcome(await peers.peer())).toBe('two');
  });

  it('is renewed three times in its deadline, while the computation runs', async () => {
    const load = await lead(a.read());
    await peers.client.pexpire(peers.claimKey, CLAIM_MS / 2);
    peers.clock.advance(CLAIM_MS / 3);
    while ((await peers.client.pttl(peers.claimKey)) <= CLAIM_MS / 2);
    expect(await peers.client.pttl(peers.claimKey)).toBeLessThanOrEqual(CLAIM_MS);
    load.decline('incomplete');
    await peers.holderIs(null);
  });

  it('is not renewed once another has it', async () => {
    const load = await lead(a.read());
    await peers.client.hset(peers.claimKey, 'by', 'another');
    await peers.client.pexpire(peers.claimKey, 1000);
    peers.clock.advance(CLAIM_MS / 3);
    await tick();
    await outcome(a, { onlyIfCached: true });
    expect(await peers.client.pttl(peers.claimKey)).toBeLessThanOrEqual(1000);
    expect(await peers.holder()).toBe('another');
    load.decline('error');
  });

  it('a computation that takes longer than anybody waits gives it back', async () => {
    const load = await lead(a.read());
    peers.clock.advance(WAIT_MS);
    await peers.holderIs(null);
    const next = await lead(b.read());
    expect(b.attempts()).toBe(1);
    for (const one of [load, next]) one.decline('error');
  });

  it('and keeps it for longer where its readers wait for longer', async () => {
    const patient = { waitMs: 3 * WAIT_MS, ttlMs: 10 * WAIT_MS };
    const load = await lead(a.read(patient));
    const waiting = outcome(b, patient);
    await peers.looks(b);
    const taken = await peers.holder();
    peers.clock.advance(2 * WAIT_MS);
    await peers.looks(b);
    expect(await peers.holder()).toBe(taken);
    expect(await load.store(draft('late'))).toBe('stored');
    expect(await peers.during(waiting)).toBe('late');
  });
});

describe('results that are not fit to be shared', () => {
  it('RACE private in another process: all who wait compute at once, and so does who comes in the next moment', async () => {
    const load = await lead(a.read());
    const waiting = Array.from({ length: 5 }, () => b.read());
    await peers.looks(b);
    load.decline('set-cookie');
    const loads = await peers.during(Promise.all(waiting.map((turn) => lead(turn))));
    expect(new Set(loads).size).toBe(5);
    for (const peer of [a, b]) loads.push(await lead(peer.read()), await lead(peer.read()));
    expect(await peers.client.pttl(peers.claimKey)).toBeLessThanOrEqual(PRIVATE_MS);
    for (const one of loads) one.decline('set-cookie');
  });

  it.each([
    ['a tag too many', (tags: number) => Array.from({ length: tags }, (_, at) => `student:${at}`), 300],
    ['no tag at all', () => ['not a tag'], 1],
  ])('%s', async (_name, tags, count) => {
    const load = await lead(a.read());
    load.addTags(tags(count));
    expect(await load.store(draft('x'))).toBe('declined');
    await peers.holderIs('!');
    const loads = await Promise.all([b.read(), b.read()].map((turn) => lead(turn)));
    for (const one of loads) one.decline('error');
  });

  it('what is over at once, and what is computed during a write', async () => {
    const over = await lead(a.read());
    expect(await over.store(draft('x', { ttlMs: 0 }))).toBe('declined');
    await peers.holderIs('!');
    await peers.client.unlink(peers.claimKey);
    const during = await lead(a.read());
    await peers.client.hset(`{${peers.namespace}}:x`, 'student:1', 'm 9000000000000', '!m', '9000000000000 student:1');
    await peers.client.hset(`{${peers.namespace}}:t`, '!marks', 1);
    expect(await during.store(draft('x'))).toBe('flux');
    await peers.holderIs('!');
  });

  it.each(['incomplete', 'head'] as const)(
    '%s says nothing of them: one of the others begins again',
    async (reason) => {
      const load = await lead(a.read());
      const [first, second] = [b.read(), outcome(b)];
      await peers.looks(b);
      load.decline(reason);
      await (await peers.during(lead(first))).store(draft('two'));
      expect(await second).toBe('two');
    },
  );

  it('after three others who could not store it, a reader computes at once', async () => {
    const turns: string[] = [];
    const claims = (given: Claims): Claims => ({
      ...given,
      claim: async () => {
        turns.push(`other-${Math.floor(turns.length / 2)}`);
        return { state: 'held', by: turns.at(-1) ?? '', stored: false };
      },
      endClaim: () => Promise.resolve(),
    });
    const reader = await peers.peer({ claims });
    const reading = lead(reader.read());
    await a.invalidations.invalidate(['student:1'], 'commit');
    const load = await peers.during(reading);
    expect(new Set(turns).size).toBe(4);
    // It was captured after the wait.
    expect(await load.store(draft('one'))).toBe('stored');
  });
});

describe('a Redis that does not answer', () => {
  it('refuses claims: everybody computes at once, and it is told', async () => {
    a.redis.refuse('claim');
    (await lead(a.read())).decline('error');
    expect(kinds(a)).toEqual(['layerFailed', 'miss', 'declined']);
  });

  it('RACE the answer of a claim is lost: it is given back, so that nobody waits for nobody', async () => {
    const deaf = await peers.peer({
      claims: (given) => ({
        ...given,
        claim: async (...args) => {
          await given.claim(...args);
          throw new Error('the answer is lost');
        },
      }),
    });
    const load = await lead(deaf.read());
    await peers.holderIs(null);
    const next = await lead(b.read());
    expect(b.attempts()).toBe(1);
    for (const one of [load, next]) one.decline('error');
  });

  it('RACE dies between claim and release: the leader has his answer, who waited with him goes on', async () => {
    const load = await lead(a.read());
    const waiting = a.read();
    await peers.round();
    a.redis.client.disconnect();
    expect(await load.store(draft('one'))).toBe('unavailable');
    expect(await waiting).toEqual({ next: 'alone', reason: 'unavailable' });
    expect(a.events.filter(({ kind }) => kind === 'layerFailed')).not.toEqual([]);
    // The others go on when the claim is over.
    const other = b.read();
    await peers.looks(b);
    await peers.client.unlink(peers.claimKey);
    (await peers.during(lead(other))).decline('error');
  });
});

describe('the end of waiting', () => {
  it('a reader who has waited too long computes for himself, with all who have', async () => {
    const load = await lead(a.read());
    const waiting = Promise.all([b.read(), b.read()].map(async (turn) => turn));
    await peers.looks(b);
    peers.clock.advance(WAIT_MS - 1000);
    const young = b.read();
    await peers.looks(b);
    peers.clock.advance(1000);
    expect(await peers.during(waiting)).toEqual([
      { next: 'alone', reason: 'wait' },
      { next: 'alone', reason: 'wait' },
    ]);
    load.decline('incomplete');
    (await peers.during(lead(young))).decline('error');
  });

  it('RACE close() while it computes: the claim is given back, and another takes over', async () => {
    const load = await lead(a.read());
    const waiting = b.read();
    await peers.looks(b);
    await a.close();
    const next = await peers.during(lead(waiting));
    expect(await load.store(draft('one'))).toBe('unavailable');
    await next.store(draft('two'));
    expect(await outcome(b)).toBe('two');
  });

  it('close() while it waits: its readers compute and store nothing', async () => {
    const load = await lead(a.read());
    const waiting = b.read();
    await peers.looks(b);
    await b.close();
    expect(await peers.during(waiting)).toEqual({ next: 'alone', reason: 'closed' });
    load.decline('error');
  });

  it('RACE close() while it asks for the claim: it is given back', async () => {
    const { arrived, open } = b.redis.hold('claim');
    const asking = b.read();
    await arrived;
    await b.close();
    open();
    expect(await asking).toEqual({ next: 'alone', reason: 'closed' });
    await peers.holderIs(null);
  });

  it('leaves no timer behind', async () => {
    const load = await lead(a.read());
    const waiting = outcome(b);
    await peers.looks(b);
    await load.store(draft('one'));
    expect(await peers.during(waiting)).toBe('one');
    peers.clock.advance(100 * WAIT_MS);
    expect(peers.clock.waiting).toBe(0);
  });
});

describe('limits', () => {
  const limits = { maxWaiting: 2, maxComputing: Infinity, overload: 'refuse' } as const;

  it('more readers than may wait for another process are refused, or compute, as was chosen', async () => {
    for (const overload of ['refuse', 'compute'] as const) {
      const reader = await peers.peer({ limits: { ...limits, overload } });
      const load = await lead(a.read());
      const waiting = [outcome(reader), outcome(reader)];
      await peers.looks(reader);
      const third = await peers.during(reader.read());
      if (overload === 'refuse') expect(third).toEqual({ next: 'refuse', reason: 'overload' });
      else (await lead(third)).decline('error');
      // Other reports have no place either.
      const elsewhere = await lead(a.read({ key: 'other' }));
      const fourth = await peers.during(reader.read({ key: 'other' }));
      expect(fourth.next).toBe(overload === 'refuse' ? 'refuse' : 'lead');
      if (fourth.next === 'lead') fourth.load.decline('error');
      elsewhere.decline('error');
      await load.store(draft('one'));
      expect(await peers.during(Promise.all(waiting))).toEqual(['one', 'one']);
      await a.invalidations.invalidate(['student:1'], 'commit');
    }
  });
});
