// One line that tells how far an arm is: rewritten on a terminal, repeated every few seconds elsewhere.

const ON_A_TERMINAL_MS = 200;
const ELSEWHERE_MS = 5_000;

/** @param {import('./arms.mjs').Arm} arm */
export function createProgress(arm) {
  const terminal = process.stdout.isTTY === true;
  const every = terminal ? ON_A_TERMINAL_MS : ELSEWHERE_MS;
  const started = performance.now();
  let next = started + every;

  /** @param {import('./tally.mjs').Tally} tally */
  const line = (tally) =>
    `${arm.name.padEnd(22)} ${tally.reads}/${arm.reads} reads, ${tally.grades} grades, ${tally.stale} stale, ` +
    `${tally.errors} errors, ${((performance.now() - started) / 1000).toFixed(0)} s`;

  return {
    /** @param {import('./tally.mjs').Tally} tally */
    show(tally) {
      if (performance.now() < next) return;
      next = performance.now() + every;
      process.stdout.write(terminal ? `\r\x1b[K${line(tally)}` : `${line(tally)}\n`);
    },
    /** @param {import('./tally.mjs').Tally} tally */
    end(tally) {
      process.stdout.write(`${terminal ? '\r\x1b[K' : ''}${line(tally)}\n`);
    },
  };
}
