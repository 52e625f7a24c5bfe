// What can still be served is computed anew once over all processes, and whoever does not compute it waits for nobody.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { structuredCodec } from '../../src/entry/value-codec.js';
import { BACKOFF_MS } from '../../src/core/backoff.js';
import { Values } from '../../src/core/get-or-load.js';
import { CLAIM_MS, Peers, WAIT_MS, type Peer } from './peers.js';
import { draft, lead, request, served, tick } from './set-up.js';

const TTL = 60_000;
const GRACE = 10 * WAIT_MS;
const graceful = { freshness: { graceMs: GRACE, jitter: 0, refreshAhead: 0 } };

let peers: Peers;
let a: Peer;
let b: Peer;
beforeEach(async () => {
  peers = await Peers.open();
  [a, b] = await Promise.all([peers.peer(), peers.peer()]);
});
afterEach(() => peers.close());

const read = (peer: Peer, overrides = {}) => peer.read({ ...graceful, ...overrides });
const outcome = (peer: Peer, overrides = {}) => served(read(peer, overrides));

/** `old` is in Redis and past its ttl. */
async function stale() {
  await (await lead(read(a))).store(draft('old'));
  await peers.holderIs(null);
  peers.clock.advance(TTL);
}

/** The computation, beside which the old entry is at hand. */
async function refresh(peer: Peer, overrides = {}) {
  const turn = await read(peer, overrides);
  if (turn.next !== 'lead' || turn.fallback === undefined) throw new Error(`no fallback: ${turn.next}`);
  return turn.load;
}

/** A process that holds the fresh `old` in memory, and refreshes it as soon as chance says so. */
const EARLY = { freshness: { graceMs: 0, jitter: 0, refreshAhead: 10 } };
const lucky = () => peers.peer({ chance: () => 1 - 1e-12 });
async function costly(first: Peer) {
  const load = await lead(first.read(EARLY));
  peers.clock.advance(1000);
  await load.store(draft('old'));
  await peers.holderIs(null);
}

describe('two processes and one stale report', () => {
  it('one computes, the other is told so in one round trip and serves the old one', async () => {
    await stale();
    const load = await refresh(a);
    const before = b.attempts();
    expect(await outcome(b)).toBe('old');
    expect(b.attempts() - before).toBe(1);
    expect(b.events.at(-1)).toMatchObject({ kind: 'staleHit', layer: 'redis' });
    expect(await load.store(draft('new'))).toBe('stored');
    await peers.holderIs(null);
    expect([await outcome(a), await outcome(b)]).toEqual(['new', 'new']);
    expect(b.events.filter(({ kind }) => kind === 'miss')).toEqual([]);
  });

  it('fifty readers of the other are served, while one of them asks', async () => {
    await stale();
    const load = await refresh(a);
    const answers = await Promise.all(Array.from({ length: 50 }, () => outcome(b)));
    expect(new Set(answers)).toEqual(new Set(['old']));
    expect(b.attempts()).toBe(1);
    load.decline('incomplete');
  });

  it('nobody waits for the claim but who asks for it', async () => {
    await stale();
    const { arrived, open } = b.redis.hold('claim');
    const asking = read(b);
    await arrived;
    expect(await outcome(b)).toBe('old');
    open();
    (await lead(asking)).decline('incomplete');
  });

  it('the claim is renewed while it runs', async () => {
    await stale();
    const load = await refresh(a);
    await peers.client.pexpire(peers.claimKey, CLAIM_MS / 2);
    peers.clock.advance(CLAIM_MS / 3);
    while ((await peers.client.pttl(peers.claimKey)) <= CLAIM_MS / 2);
    expect(await outcome(b)).toBe('old');
    load.decline('incomplete');
    await peers.holderIs(null);
  });

  it('FAULT the computing process dies: another takes over when its claim is over', async () => {
    await stale();
    await refresh(a);
    expect(await outcome(b)).toBe('old');
    await peers.client.unlink(peers.claimKey);
    await (await refresh(b)).store(draft('new'));
    expect(await outcome(b)).toBe('new');
  });

  it.each(['incomplete', 'busy'] as const)(
    '%s says nothing of the report: the other computes at once',
    async (reason) => {
      await stale();
      (await refresh(a)).decline(reason);
      await peers.holderIs(null);
      expect(await (await refresh(b)).store(draft('new'))).toBe('stored');
    },
  );

  it('a report that is coalesced by process is computed once in each, and asks for no claim', async () => {
    await stale();
    const by = { coalesce: 'process' };
    const [asked, loads] = [a.attempts(), [await refresh(a, by), await refresh(b, by)]];
    expect(a.attempts() + b.attempts()).toBe(asked);
    for (const load of loads) load.decline('incomplete');
  });

  it('a reader who wants nothing stale waits for the process that computes', async () => {
    await stale();
    const load = await refresh(a);
    const { arrived, open } = b.redis.hold('claim');
    const content = outcome(b);
    await arrived;
    const strict = served(b.read());
    await peers.round();
    open();
    expect(await content).toBe('old');
    await peers.looks(b, 2);
    await load.store(draft('new'));
    expect(await peers.during(strict)).toBe('new');
  });

  it('loaders: the background of one process runs it, the other returns the old value', async () => {
    const asked = request({ coalesce: 'shared', ...graceful });
    let finish: (value: string) => void = () => undefined;
    const [one, other] = [a, b].map(({ cache, scopes }) => new Values(cache, scopes, peers.clock, () => undefined));
    const get = (values: Values, loader: () => string | Promise<string>) =>
      values.getOrLoad(asked, loader, structuredCodec).then(({ value }) => value);
    await get(one!, () => 'old');
    peers.clock.advance(TTL);
    expect(await get(one!, () => new Promise<string>((resolve) => (finish = resolve)))).toBe('old');
    let runs = 0;
    expect(await get(other!, () => ((runs += 1), 'another'))).toBe('old');
    finish('new');
    await Promise.all([one!.drained(), other!.drained()]);
    expect(await get(other!, () => 'another')).toBe('new');
    expect(runs).toBe(0);
  });
});

describe('what another process has stored meanwhile', () => {
  it('RACE between the look-up and the claim: it is not computed again', async () => {
    await stale();
    const { arrived, open } = b.redis.hold('claim');
    const late = outcome(b);
    await arrived;
    await (await refresh(a)).store(draft('new'));
    await peers.holderIs(null);
    open();
    expect(await late).toBe('old');
    await peers.holderIs(null);
    expect(await outcome(b)).toBe('new');
  });

  it('refreshed ahead of its end: the others do not do it again from what they hold in memory', async () => {
    const [one, other] = [await lucky(), await lucky()];
    await costly(one);
    expect(await served(other.read({ freshness: { ...EARLY.freshness, refreshAhead: 0 } }))).toBe('old');
    await (await refresh(one, EARLY)).store(draft('new'));
    await peers.holderIs(null);
    expect(await served(other.read(EARLY))).toBe('old');
    await peers.holderIs(null);
    await peers.round();
    // Memory holds the new one now; it has cost nothing, so no chance makes it due.
    expect(await served(other.read(EARLY))).toBe('new');
    expect(other.events.at(-1)).toMatchObject({ kind: 'hit', layer: 'memory' });
  });

  it('ahead of its end one computes, the other serves what is fresh', async () => {
    const [one, other] = [await lucky(), await lucky()];
    await costly(one);
    const load = await refresh(one, EARLY);
    expect(await served(other.read(EARLY))).toBe('old');
    expect(other.events.at(-1)).toMatchObject({ kind: 'hit' });
    load.decline('incomplete');
  });
});

describe('a refresh that fails', () => {
  it('rests in the processes that ask meanwhile, too', async () => {
    await stale();
    (await refresh(a)).decline('error');
    await peers.holderIs('!');
    expect([await outcome(a), await outcome(b)]).toEqual(['old', 'old']);
    await peers.client.unlink(peers.claimKey);
    peers.clock.advance(BACKOFF_MS - 1);
    expect([await outcome(a), await outcome(b)]).toEqual(['old', 'old']);
    peers.clock.advance(1);
    (await refresh(b)).decline('incomplete');
  });
});

describe('freshness', () => {
  it('RACE an invalidation while it asks for the claim: what it hears of is not served', async () => {
    await stale();
    const load = await refresh(a);
    const { arrived, open } = b.redis.hold('claim');
    const asking = read(b);
    await arrived;
    await b.invalidations.invalidate(['student:1'], 'commit');
    open();
    await peers.looks(b);
    expect(await load.store(draft('between'))).toBe('stale');
    const next = await peers.during(lead(asking));
    expect(await next.store(draft('new'))).toBe('stored');
    expect(await outcome(a)).toBe('new');
  });
});

describe('a Redis that does not answer the claim', () => {
  it('refuses it: each process computes once, and it is told', async () => {
    await stale();
    b.redis.refuse('claim');
    const load = await refresh(b);
    expect(await outcome(b)).toBe('old');
    expect(b.events).toContainEqual(expect.objectContaining({ kind: 'layerFailed', operation: 'claim' }));
    load.decline('incomplete');
  });

  it('FAULT hangs: the reader waits for one deadline and no longer', async () => {
    await stale();
    const hurried = await peers.peer({ deadlineMs: 250 });
    const { arrived, open } = hurried.redis.hold('claim');
    const asking = refresh(hurried);
    await arrived;
    peers.clock.advance(250);
    expect((await asking).settled).toBe(false);
    open();
  });
});

describe('who does not begin it', () => {
  it('a reader whose answer cannot be stored: he is served stale, and nobody computes', async () => {
    await stale();
    const asked = b.attempts();
    expect(await outcome(b, { storesNothing: true })).toBe('old');
    expect(b.attempts()).toBe(asked);
    expect(await peers.holder()).toBe(null);
    (await refresh(b)).decline('incomplete');
  });

  it('a reader whose tags cannot be made: he fails alone, before anybody takes him for the one who computes', async () => {
    await stale();
    const untagged = {
      ...request({ coalesce: 'shared', ...graceful }),
      get tags(): never {
        throw new Error('no tags');
      },
    };
    await expect(async () => b.cache.read(untagged)).rejects.toThrow('no tags');
    expect(await peers.holder()).toBe(null);
    (await refresh(b)).decline('incomplete');
  });

  it('a process that computes as much as it may: the claim is given back', async () => {
    await stale();
    const limits = { maxWaiting: 1, maxComputing: 1, overload: 'refuse' } as const;
    const full = await peers.peer({ limits });
    const other = await lead(full.read({ key: 'other' }));
    expect(await outcome(full)).toBe('old');
    await peers.holderIs(null);
    other.decline('incomplete');
  });

  it('RACE close() while it asks for the claim: it is given back', async () => {
    await stale();
    const { arrived, open } = b.redis.hold('claim');
    const asking = read(b);
    await arrived;
    await b.close();
    open();
    expect(await asking).toEqual({ next: 'alone', reason: 'closed' });
    await peers.holderIs(null);
  });

  it('leaves no timer behind', async () => {
    await stale();
    const load = await refresh(a);
    await outcome(b);
    await load.store(draft('new'));
    await peers.holderIs(null);
    await tick();
    peers.clock.advance(100 * WAIT_MS);
    expect(peers.clock.waiting).toBe(0);
  });
});
