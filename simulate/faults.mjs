// Everything that may go wrong, each as what happens and how it ends.
import { RedisServer } from './redis/server.mjs';

/** @typedef {import('./simulation.mjs').World} World */

/**
 * A fault happens at once; what it returns ends it, some steps later.
 * @type {Readonly<Record<string, (world: World) => (() => void) | void | false>>} false: it makes no sense now
 */
export const FAULTS = {
  'lose pushes'(world) {
    const subscriber = world.someProcess().link.subscribers[0];
    if (subscriber === undefined || subscriber.deaf) return false;
    subscriber.deaf = true;
    return () => {
      // A black hole ends when somebody notices.
      if (subscriber.deaf) subscriber.drop();
    };
  },

  'lose one push'(world) {
    const { pushes } = world.someProcess().link;
    const messages = pushes.waiting.filter(({ label }) => /^\S+ \d+ /.test(String(label)));
    if (messages.length === 0) return false;
    const lost = world.random.pick(messages);
    pushes.waiting = pushes.waiting.filter((one) => one !== lost);
  },

  'shuffle pushes'(world) {
    const { link } = world.someProcess();
    link.pushes.shuffle = 2;
    for (const subscriber of link.subscribers) subscriber.echo = 0.5;
    return () => {
      link.pushes.shuffle = 0;
      for (const subscriber of link.subscribers) subscriber.echo = 0;
    };
  },

  'drop subscriber'(world) {
    for (const subscriber of world.someProcess().link.subscribers) subscriber.drop();
  },

  'break connection'(world) {
    world.someProcess().link.breakDown();
  },

  'hold connection'(world) {
    const { link } = world.someProcess();
    link.cut(true);
    return () => link.cut(false);
  },

  'restart Redis empty'(world) {
    restart(world, new Map());
  },

  'restart Redis from a snapshot'(world) {
    const { saved } = world;
    if (saved === undefined) return false;
    restart(world, saved);
    world.save();
  },

  'promote a replica'(world) {
    const { saved } = world;
    if (saved === undefined || world.isSplit) return false;
    promote(world, saved);
  },

  'promote and come back'(world) {
    if (world.isSplit || world.saved === undefined) return false;
    const first = world.master;
    promote(world, world.saved);
    // The old master kept its data and its scripts; promoted again, its replication id is a new one.
    return () => {
      if (world.isSplit) return;
      first.replicationId = RedisServer.newReplicationId();
      world.master = first;
      for (const process of world.processes) process.link.moveTo(first);
    };
  },

  'evict the table'(world) {
    world.master.unlink(...world.master.keys.filter((key) => key.endsWith(':t')));
  },

  /** Cannot happen to one hash; it happened to tags with keys of their own. */
  'evict a tag'(world) {
    const { master } = world;
    const tags = [...(master.hash('{ns}:t')?.keys() ?? [])].filter((field) => field.startsWith(':row:'));
    if (tags.length === 0) return false;
    master.hdel('{ns}:t', world.random.pick(tags));
  },

  'evict the marks'(world) {
    world.master.unlink(...world.master.keys.filter((key) => key.endsWith(':x')));
  },

  'evict an entry'(world) {
    const entries = world.master.keys.filter((key) => key.includes(':e:'));
    if (entries.length === 0) return false;
    world.master.unlink(world.random.pick(entries));
  },

  'pause a process'(world) {
    const process = world.someProcess();
    if (process.paused) return false;
    const since = world.scheduler.now;
    // Not where wall clocks are set: with both clocks wrong at once nothing could be told.
    const machine = world.random.chance(0.5) && !world.faults.includes('step the clock of a process');
    process.paused = true;
    return () => {
      world.someTimePasses();
      process.paused = false;
      if (!machine) return;
      // A virtual machine that is paused: its monotonic clock has not moved.
      const ms = world.scheduler.now - since;
      process.frozen += ms;
      world.scheduler.delayTimers(process, ms);
    };
  },

  'crash a process'(world) {
    world.crash(world.someProcess());
  },

  split(world) {
    if (world.isSplit || world.processes.length < 2 || world.saved === undefined) return false;
    const old = world.master;
    world.isSplit = true;
    world.oracle.split = true;
    const left = world.someProcess();
    promote(world, world.saved, [left]);
    return () => {
      world.isSplit = false;
      // The old one becomes a replica of the new one: its processes move.
      for (const process of world.processes) if (process.link.server === old) process.link.moveTo(world.master);
    };
  },

  'stop the sweepers'(world) {
    const stopped = world.processes.filter(({ sweeper }) => sweeper !== undefined);
    for (const process of stopped) process.stopSweeper();
    return () => {
      world.someTimePasses();
      for (const process of stopped) if (!process.dead) process.startSweeper();
    };
  },

  'cut from the database'(world) {
    const process = world.someProcess();
    process.cutDatabase(true);
    return () => process.cutDatabase(false);
  },

  'fail the database over'(world) {
    const { rows } = world.database.loseCommits(world.random.between(1, 4));
    world.oracle.lostAfter(rows);
    world.lastAnswer = undefined;
  },

  'step the clock of Redis'(world) {
    const ms = world.random.pick([-400, -100, -20, 50, 400]);
    world.master.clockOffset += ms;
    if (ms < 0) world.oracle.clockDebt -= ms;
  },

  'step the clock of a process'(world) {
    world.someProcess().wallOffset += world.random.pick([-3_600_000, -50, 50, 3_600_000]);
  },
};

/** @param {World} world @param {ReturnType<RedisServer['copy']>} keys */
function restart(world, keys) {
  const { master } = world;
  master.restore(keys);
  master.replicationId = RedisServer.newReplicationId();
  master.loaded.clear();
  master.scriptCache = RedisServer.newReplicationId();
  for (const process of world.processes) if (process.link.server === master) process.link.breakDown(true);
}

/** A replica that lags becomes the master; all processes but those left behind go to it. @param {World} world @param {ReturnType<RedisServer['copy']>} keys @param {readonly import('./world/process.mjs').SimProcess[]} [left] */
function promote(world, keys, left = []) {
  const replica = world.addServer();
  replica.restore(keys);
  for (const sha of world.master.loaded) if (world.random.chance(0.5)) replica.loaded.add(sha);
  world.master = replica;
  for (const process of world.processes) if (!left.includes(process)) process.link.moveTo(replica);
  world.save();
}
