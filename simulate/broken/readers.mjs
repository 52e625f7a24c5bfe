// Readers and caches that share, mix or read what they must not.
import { Cache, Scopes } from '../library.mjs';
import { Reading } from '../reading.mjs';

/** @typedef {import('../variant.mjs').Broken} Broken */
/** @typedef {import('../../src/contract/entry.js').Entry} Entry */

/**
 * The same but for what is its own.
 * @template {object} T @param {T} whole @param {{ [K in keyof T]?: T[K] | undefined }} own @returns {T}
 */
function withOwn(whole, own) {
  return new Proxy(whole, {
    get(_whole, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const value = Reflect.get(whole, name);
      return typeof value === 'function' ? value.bind(whole) : value;
    },
  });
}

/** Whoever asks while somebody computes gets what he computes, as soon as it is there. */
class ReleaseWhenLoaded extends Cache {
  /** @type {Map<string, Promise<Entry | undefined>>} */
  #loading = new Map();

  /** @override @param {import('../../src/contract/reading.js').ReadRequest} request @returns {Promise<import('../../src/contract/reading.js').Turn>} */
  async read(request) {
    const loaded = await this.#loading.get(request.key);
    if (loaded !== undefined) return { next: 'serve', entry: loaded, layer: 'memory', coalesced: true };
    const turn = await super.read(request);
    if (turn.next !== 'lead') return turn;
    /** @type {(entry: Entry | undefined) => void} */
    let release = () => undefined;
    this.#loading.set(
      request.key,
      new Promise((resolve) => {
        release = resolve;
      }),
    );
    const done = (/** @type {Entry | undefined} */ entry) => {
      this.#loading.delete(request.key);
      release(entry);
    };
    const { load } = turn;
    return {
      ...turn,
      load: withOwn(load, {
        store: (draft) => {
          const { epoch, seq } = load.position;
          const times = { createdAt: 0, staleAt: 0, deleteAt: 0, computeMs: 0 };
          done({ ...draft, ...times, type: request.type, owner: request.owner, tags: request.tags, epoch, asOf: seq });
          return load.store(draft);
        },
        decline: (reason) => {
          done(undefined);
          load.decline(reason);
        },
        settled: false,
      }),
    };
  }
}

/** What is mixed in gives its tags, and not since when it holds; nor is it asked to be as young as what it goes into. */
class TagsWithoutAge extends Scopes {
  /** @override @returns {import('../../src/core/scope.js').Computation | undefined} */
  get computation() {
    const outer = super.computation;
    if (outer === undefined) return undefined;
    return withOwn(outer, {
      position: undefined,
      inherit: (/** @type {{ tags: readonly string[] }} */ { tags }) => outer.addTags(tags),
    });
  }
}

/** What was once served stands in for a failure, though nobody has looked whether it still holds. */
class FallbackRemembered extends Cache {
  /** @type {Map<string, import('../../src/contract/reading.js').Serving>} */
  #last = new Map();

  /** @override @param {import('../../src/contract/reading.js').ReadRequest} request @returns {Promise<import('../../src/contract/reading.js').Turn>} */
  async read(request) {
    const turn = await super.read(request);
    if (turn.next === 'serve') this.#last.set(request.key, turn);
    const last = this.#last.get(request.key);
    if (turn.next !== 'lead' || last === undefined) return turn;
    return { ...turn, fallback: { entry: last.entry, take: () => last } };
  }
}

class ReplicaUnasked extends Reading {
  /** @override */
  isCurrent() {
    return true;
  }
}

class OldSnapshotUntold extends Reading {
  /** @override */
  keepSnapshot() {}
}

/** @type {readonly Broken[]} */
export const BROKEN_READERS = [
  { name: 'joiners released when loaded', level: 'strict', parts: { Cache: ReleaseWhenLoaded }, only: [] },
  { name: 'nested value without its age', level: 'lease', parts: { Scopes: TagsWithoutAge }, only: [] },
  { name: 'fallback not proved', level: 'lease+claims+grace', parts: { Cache: FallbackRemembered }, only: [] },
  { name: 'replica without WAL position', level: 'strict', reading: ReplicaUnasked, only: [] },
  { name: 'old snapshot stored', level: 'strict', reading: OldSnapshotUntold, only: [] },
];
