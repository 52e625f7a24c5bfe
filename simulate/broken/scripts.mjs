// Protocols that go wrong in Redis: what is compared, what marks the history, what a mark does.
import { Script } from '../redis/script.mjs';

/** @typedef {import('../variant.mjs').Broken} Broken */

/** Deletes what it invalidates and stores without comparing: the usual way. */
class DeleteInsteadOfCompare extends Script {
  /** @override */
  offer() {
    return this.epoch === this.arg(4) ? this.keep(this.own()) : 'epoch';
  }

  /** @override */
  bump() {
    const reply = super.bump();
    const tags = this.args.slice(8).map(String);
    for (const key of this.server.keys.filter((one) => one.includes(':e:'))) {
      const guard = String(this.server.hash(key)?.get('g')).split(' ');
      if (tags.some((tag) => guard.includes(tag))) this.server.unlink(key);
    }
    return reply;
  }
}

/** The number of the moment of storing, not of the capture. */
class StampWhenStoring extends Script {
  /** @override */
  offer() {
    return this.epoch === this.arg(4) ? this.keep(this.own(), String(this.seq)) : 'epoch';
  }
}

/** Comes back with an old snapshot, because nothing ties it to the server that wrote it. */
class EpochIsAKey extends Script {
  /** @override */
  isForeign() {
    return this.epoch === '';
  }
}

/** Looks whether the server still knows the scripts, as if that told of every promotion. */
class ScriptCacheAsDetector extends Script {
  /** @override */
  get owner() {
    return this.server.scriptCache;
  }
}

class MissingTableIsEmpty extends Script {
  /** @override */
  begin() {
    this.rename('only');
    this.set(['!ep', this.epoch], ['!inc', this.owner], ['!seq', this.seq]);
  }

  /** @override */
  isForeign() {
    return this.epoch === '';
  }
}

class StoreDuringFlux extends Script {
  /** @override @param {readonly string[]} own */
  offeredInFlux(own) {
    return this.keep(own);
  }
}

class MarkJustDisappears extends Script {
  /** @override @param {string} id */
  expire(id) {
    this.unmark(id);
  }
}

class MarkNotTold extends Script {
  /** @override */
  nextSeq() {
    return this.marking ? this.seq : super.nextSeq();
  }

  /** @override @param {string} message */
  publish(message) {
    if (!this.marking) super.publish(message);
  }

  marking = false;

  /** @override */
  mark() {
    this.marking = true;
    return super.mark();
  }
}

/** A history that nobody has adopted counts as alive. */
class ServedUnadopted extends Script {
  /** @override */
  head() {
    const [epoch, seq, age, ...rest] = super.head();
    return [epoch ?? '', seq ?? 0, this.live === undefined ? 0 : (age ?? 0), ...rest];
  }
}

/** Takes the entries of the history before along. */
class AdoptWarm extends Script {
  /** @override */
  adopt() {
    if (this.epoch !== this.arg(4)) return [...this.head(), 'changed'];
    const [before, next] = [this.epoch, this.arg(5)];
    for (const key of this.server.keys.filter((one) => one.includes(':e:'))) {
      const guard = String(this.server.hash(key)?.get('g'));
      this.server.hset(key, [['g', guard.replace(before, next)]]);
    }
    this.rename(next);
    this.set(['!ep', next], ['!gen', this.arg(6)]);
    return [...this.head(), 'adopted'];
  }
}

/** @type {readonly Broken[]} */
export const BROKEN_SCRIPTS = [
  { name: 'delete instead of compare', level: 'strict', script: DeleteInsteadOfCompare, only: [] },
  { name: 'stamp when storing', level: 'strict', script: StampWhenStoring, only: [] },
  { name: 'tags evicted one by one', level: 'strict', only: ['evict a tag'] },
  { name: 'missing table is empty', level: 'strict', script: MissingTableIsEmpty, only: ['evict the table'] },
  { name: 'epoch is only a key', level: 'strict', script: EpochIsAKey, only: ['restart Redis from a snapshot'] },
  { name: 'script cache as detector', level: 'strict', script: ScriptCacheAsDetector, only: ['promote and come back'] },
  { name: 'store during flux', level: 'strict+mark', script: StoreDuringFlux, only: [] },
  {
    name: 'mark just disappears',
    level: 'strict+mark',
    script: MarkJustDisappears,
    only: ['pause a process', 'crash a process'],
  },
  { name: 'memory not told of marks', level: 'strict+mark', script: MarkNotTold, only: [] },
  { name: 'served unadopted', level: 'strict+durable', script: ServedUnadopted, only: ['split', 'stop the sweepers'] },
  { name: 'adopt without a cold epoch', level: 'strict+durable', script: AdoptWarm, only: ['fail the database over'] },
];
