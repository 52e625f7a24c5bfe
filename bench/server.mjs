// One arm in a process of its own: listens on a free port, tells its CPU time when asked. Started by run.mjs.
import { once } from 'node:events';
import http from 'node:http';
import { armOf } from './arms.mjs';
import { cachedApp, floorApp, floorListener, handlerApp, peerApp } from './routes.mjs';

/**
 * @typedef {object} Job
 * @property {string} arm
 * @property {number} size
 * @property {number} connections
 * @property {string} namespace
 * @property {string} redisUrl
 * @property {{ headers: [string, string][], body: string }} [answer] what an arm that copies sends; base64
 */

const [job] = await once(process, 'message');
const arm = armOf(job.arm);
const handled = { runs: 0 };

try {
  const server = http.createServer(await listener()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send({ port: server.address().port });
} catch (error) {
  // An option that the library does not have (yet): the arm is left out.
  if (error.code !== 'ERC_OPTION') throw error;
  process.send({ lacks: error.message });
}

process.on('message', (message) => {
  if (message === 'usage') process.send({ cpu: process.cpuUsage(), handlerRuns: handled.runs });
  // Closing all would end the process by itself; this way a profile is written at once.
  else process.exit();
});

// Whoever started it is gone.
process.on('disconnect', () => process.exit());

function listener() {
  if (arm.peer !== undefined) return peerApp(job, arm, handled);
  if (arm.name === 'bare-http') return floorListener(job);
  if (arm.name === 'handler') return handlerApp(job, handled);
  return arm.name.startsWith('bare') ? floorApp(job, arm, handled) : cachedApp(job, arm, handled);
}
