// Writers that take their steps in another order, or leave one out.
import { GuardedStore } from '../library.mjs';
import { Writing } from '../writing.mjs';

/** @typedef {import('../variant.mjs').Broken} Broken */

class BumpBeforeCommit extends Writing {
  /** @override @type {Writing['commit']} */
  async commit(...args) {
    await this.delivery.deliver(this.runner, this.bag, 'commit');
    return super.commit(...args);
  }

  /** @override @type {Writing['afterCommit']} */
  async afterCommit(versions) {
    this.acknowledge(versions);
  }
}

class AnswerBeforeBump extends Writing {
  /** @override @type {Writing['afterCommit']} */
  async afterCommit(versions, prepared) {
    this.position = { epoch: '', seq: 0 };
    this.acknowledge(versions);
    await this.delivery.deliver(this.runner, this.bag, 'commit', prepared);
  }
}

class UnknownIsRolledBack extends Writing {
  /** @override */
  async outcomeUnknown() {
    this.position = { epoch: '', seq: 0 };
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
