// The load generator in a process of its own: fills the cache, warms the server up, measures one burst. Started by run.mjs.
import http from 'node:http';
import autocannon from 'autocannon';
import { requestsOf } from './arms.mjs';

let asked = 0;

process.on('message', (job) => {
  if (job.do === 'exit') {
    process.disconnect();
    return;
  }
  const done = job.do === 'prime' ? prime(job) : burst(job);
  done.then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error.stack ?? error) }),
  );
});

/** A breaker that has opened on a busy machine closes again meanwhile. */
const LONGEST_PRIMING_MS = 30_000;

/** Asks for every report until all of them are hits. @returns the last answer. */
async function prime({ port, connections, shows, asks }) {
  const agent = new http.Agent({ keepAlive: true });
  const requests = Array.from({ length: connections }, (_, connection) => requestsOf(connection, asks)).flat();
  const until = performance.now() + LONGEST_PRIMING_MS;
  try {
    for (let round = 0; performance.now() < until; round += 1) {
      let last;
      let missed = 0;
      for (const request of requests) {
        last = await get(agent, port, request);
        if (!isShown(last.rawHeaders, shows) || !isCoded(last, asks)) missed += 1;
      }
      if (missed > 0 || round === 0) continue;
      const etag = last.headers.etag;
      if (asks !== 'conditional') return { headers: last.rawHeaders, etag, body: last.body.toString('base64') };
      const [first] = requests;
      const asked = await get(agent, port, { ...first, headers: { ...first.headers, 'if-none-match': etag } });
      if (asked.statusCode !== 304) throw new Error(`Expected 304, got ${asked.statusCode}.`);
      return { headers: asked.rawHeaders, etag, body: '' };
    }
    throw new Error(`The reports do not become hits of "${shows}".`);
  } finally {
    agent.destroy();
  }
}

function get(agent, port, { path, headers }) {
  return new Promise((resolve, reject) => {
    http
      .get({ agent, port, host: '127.0.0.1', path, headers }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve(Object.assign(answer, { body: Buffer.concat(chunks) })));
      })
      .on('error', reject);
  });
}

/** Compressed forms are made beside the readers. */
function isCoded({ headers }, asks) {
  return asks !== 'compressed' || headers['content-encoding'] !== undefined;
}

/** Whether Cache-Status names the layer; floors that copy it say it too, and an arm of `undefined` need not. */
function isShown(rawHeaders, shows) {
  if (shows === undefined) return true;
  const at = rawHeaders.indexOf('Cache-Status');
  return at >= 0 && rawHeaders[at + 1].includes('; hit;') && rawHeaders[at + 1].endsWith(`detail=${shows}`);
}

/** As many requests as the server takes for `seconds`, or so many; each connection has one under way. */
async function burst({ port, connections, seconds, requests: amount, asks, etag, status, shows }) {
  const latencies = [];
  let wrong = 0;
  let elsewhere = 0;
  let next = 0;
  const result = await new Promise((resolve, reject) => {
    const tracker = autocannon(
      {
        url: `http://127.0.0.1:${port}`,
        connections,
        ...(amount === undefined ? { duration: seconds } : { amount }),
        sampleInt: 25,
        requests: [{}],
        setupClient(client) {
          const requests = requestsOf(next++, asks);
          if (asks === 'unique') for (const request of requests) request.setupRequest = neverAskedBefore;
          if (etag !== undefined) for (const { headers } of requests) headers['if-none-match'] = etag;
          client.setRequests(requests);
          client.on('headers', ({ headers }) => {
            if (!isShown(headers, shows)) elsewhere += 1;
          });
        },
      },
      (error, done) => (error ? reject(error) : resolve(done)),
    );
    tracker.on('response', (_client, got, _bytes, ms) => {
      latencies.push(ms);
      if (got !== status) wrong += 1;
    });
  });
  if (wrong + result.errors > 0) throw new Error(`${wrong} wrong answers, ${result.errors} errors.`);
  // The first request of a connection may repeat the last one of the burst before, which memory still holds.
  if (elsewhere > connections) throw new Error(`${elsewhere} of ${latencies.length} not from "${shows}".`);
  return { seconds: result.duration, latencies };
}

/** Another page each time, so that nothing of it is known yet. */
function neverAskedBefore(request) {
  return { ...request, path: `${request.path}${asked++}` };
}
