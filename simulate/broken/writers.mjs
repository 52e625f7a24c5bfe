// Writers that take their steps in another order, or leave one out.
import { GuardedStore } from '../library.mjs';
import { Writing } from '../workload.mjs';

/** @typedef {import('../variant.mjs').Broken} Broken */
/** @typedef {import('../oracle.mjs').Versions} Versions */

class BumpBeforeCommit extends Writing {
  /** @type {import('../../src/contract/entry.js').Position | undefined} */
  position;

  /** @override @type {Writing['commit']} */
  async commit(transaction, versions, ...rest) {
    this.position = await this.process.invalidations.invalidate(this.tags, 'early');
    return super.commit(transaction, versions, ...rest);
  }

  /** @override @type {Writing['afterCommit']} */
  async afterCommit(_tags, versions) {
    this.acknowledge(versions, this.position);
  }
}

class AnswerBeforeBump extends Writing {
  /** @override @type {Writing['afterCommit']} */
  async afterCommit(tags, versions, committed) {
    this.acknowledge(versions, { epoch: '', seq: 0 });
    await super.afterCommit(tags, versions, committed);
  }
}

class UnknownIsRolledBack extends Writing {
  /** @override */
  async outcomeUnknown() {
    return { epoch: '', seq: 0 };
  }
}

/** Its writers do not hear whom they would have to wait for. */
class NobodyAwaited extends GuardedStore {
  /** @override @type {InstanceType<typeof GuardedStore>['invalidate']} */
  async invalidate(tags, options) {
    const { epoch, seq } = await super.invalidate(tags, options);
    return { epoch, seq };
  }
}

/** @type {readonly Broken[]} */
export const BROKEN_WRITERS = [
  { name: 'bump before commit only', level: 'strict', writing: BumpBeforeCommit, only: [] },
  { name: 'answer before bump', level: 'strict', writing: AnswerBeforeBump, only: [] },
  {
    name: 'unknown commit is rolled back',
    level: 'strict',
    writing: UnknownIsRolledBack,
    only: ['lose the commit reply'],
  },
  { name: 'barrier that does not wait', level: 'barrier', parts: { GuardedStore: NobodyAwaited }, only: [] },
];
