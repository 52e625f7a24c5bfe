// Faults of the processes themselves: killed, paused, blocked, living in another hour.
import { setTimeout as pause } from 'node:timers/promises';

/** @typedef {import('./table.mjs').Fault} Fault */
/** @typedef {import('../run.mjs').Stage} Stage */

/** @param {Stage} stage @returns {import('../processes.mjs').Slot} */
export function someone({ slots, random }) {
  const alive = slots.filter((slot) => slot.alive);
  const chosen = alive[Math.floor(random.next() * alive.length)];
  if (chosen === undefined) throw new Error('No process is alive.');
  return chosen;
}

/** Asks as soon as it is awake, with what was known just before. @param {Stage} stage @param {import('../processes.mjs').Slot} slot */
export function askAtOnce({ readers }, slot, batches = 6) {
  for (let i = 0; i < batches; i += 1) readers.burst(slot, 40).catch(() => undefined);
}

/** Waits for it to die at the point it was told, then starts another. @param {import('../processes.mjs').Slot} slot @param {string} point */
async function dieAt(slot, point) {
  await slot.ask({ ask: 'dieAt', point });
  await slot.untilGone();
  await slot.start();
}

/** @type {readonly Fault[]} */
export const PROCESS_FAULTS = [
  {
    name: 'kill',
    rows: '7',
    what: 'kill -9 of a process at any moment; another one takes its place',
    bound: () => ({ inversions: true }),
    everyMs: 2_000,
    async inject(stage) {
      const slot = someone(stage);
      await slot.kill();
      await slot.start();
    },
  },
  {
    name: 'kill-before-bump',
    rows: '7',
    what: 'SIGKILL between COMMIT and the invalidation',
    bound: () => ({ inversions: true }),
    everyMs: 600,
    inject: (stage) => dieAt(someone(stage), 'bump'),
  },
  {
    name: 'kill-after-mark',
    rows: '8',
    what: 'SIGKILL after MARK, before COMMIT',
    levels: ({ mark }) => mark,
    bound: () => ({ inversions: true }),
    everyMs: 600,
    inject: (stage) => dieAt(someone(stage), 'mark'),
  },
  {
    name: 'pause',
    rows: '9, 32',
    what: 'SIGSTOP of a process for 1 to 10 s, then questions at once',
    bound: () => ({}),
    everyMs: 500,
    async inject(stage) {
      const slot = someone(stage);
      slot.signal('SIGSTOP');
      // Long ones are rare, so that most of the reads meet a pause.
      await pause(1_000 + 9_000 * stage.random.next() ** 6);
      askAtOnce(stage, slot);
      slot.signal('SIGCONT');
    },
  },
  {
    name: 'blocked-loop',
    rows: '30',
    what: 'the event loop of a process blocked for 500 ms, questions waiting behind it',
    bound: () => ({}),
    everyMs: 150,
    async inject(stage) {
      const slot = someone(stage);
      const blocked = slot.ask({ ask: 'block', ms: 500 });
      await pause(450);
      askAtOnce(stage, slot);
      await blocked.catch(() => undefined);
    },
  },
  {
    name: 'clock',
    rows: '31',
    what: 'the wall clock of one process an hour ahead, then an hour behind (that of Redis cannot be stepped here)',
    bound: () => ({}),
    everyMs: 300,
    async inject(stage) {
      const slot = someone(stage);
      for (const hours of [1, -1, 0]) {
        await slot.ask({ ask: 'shiftClock', ms: hours * 3_600_000 });
        await pause(600);
      }
    },
  },
  {
    name: 'deploy',
    rows: '35',
    what: 'a rolling deploy: processes of two versions of the application side by side',
    bound: () => ({}),
    everyMs: 800,
    async inject(stage) {
      stage.env['LIVE_VERSION'] = stage.env['LIVE_VERSION'] === '2' ? '1' : '2';
      const slot = someone(stage);
      await slot.stop();
      await slot.start();
    },
  },
  {
    name: 'old-snapshot',
    rows: '10',
    what: 'reports read inside REPEATABLE READ transactions that began before the writes',
    bound: () => ({}),
    everyMs: 50,
    async inject(stage) {
      const subjects = Array.from({ length: 12 }, () => Math.floor(stage.random.next() ** 2 * 60));
      const ms = 50 + 250 * stage.random.next();
      await Promise.all(stage.slots.map((slot) => slot.ask({ ask: 'readInSnapshot', subjects, ms })));
    },
  },
];
