// One process of killed.test.ts: makes reports that cost something, until it is killed.
import { DataSource } from 'typeorm';

/** @type {typeof import('../../src/index.js')} */
const { createReportCache } = await import(new URL('../../dist/esm/index.js', import.meta.url).href);
const { COSTS_URL = '', COSTS_SCHEMA = '', COSTS_NAMESPACE = '' } = process.env;

const db = await new DataSource({ type: 'postgres', url: COSTS_URL, schema: COSTS_SCHEMA }).initialize();
const reports = createReportCache({
  namespace: COSTS_NAMESPACE,
  identify: () => null,
  costs: { flush: '50ms' },
});
await reports.connect(db);

let made = 0;
/** @param {{ runs: number, hang?: boolean }} task */
async function work({ runs, hang }) {
  // From here on nothing reaches the table any more, as if the process had died before its next flush.
  if (hang === true) db.query = () => new Promise(() => undefined);
  for (let run = 0; run < runs; run += 1) {
    made += 1;
    await reports.getOrLoad({ type: 'custom', report: made, share: 'everyone' }, ({ cost }) => {
      cost({ inputTokens: 10 });
      return 1;
    });
  }
  process.send?.({ made });
}
process.on('message', (/** @type {{ runs: number, hang?: boolean }} */ task) => void work(task));
process.send?.({ ready: true });
// It does not outlive the test.
process.once('disconnect', () => process.exit());
