// One clock for the driver and the processes, so that the moment of an answer can be told across them.

/** ms of the machine's monotonic clock: the same in every process, unlike `performance.now()`. */
export function monotonic() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
