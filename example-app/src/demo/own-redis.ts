// A Redis for one demonstration, from the machine's own programs, where it has them: empty, on a free port, gone with this process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface OwnRedis {
  readonly url: string;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 10_000;
const POLL_MS = 50;

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

/** Undefined where there is no `redis-server`. */
export async function startOwnRedis(): Promise<OwnRedis | undefined> {
  const port = await freePort();
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', options, { stdio: 'ignore' });
  let over = false;
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      over = true;
      resolve();
    };
    child.once('error', end);
    child.once('exit', end);
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const url = `redis://127.0.0.1:${port}`;
  for (let waited = 0; !over && waited < START_LIMIT_MS; waited += POLL_MS) {
    if (await answers(url))
      return {
        url,
        async stop() {
          process.off('exit', kill);
          kill();
          await gone;
        },
      };
    await pause(POLL_MS);
  }
  process.off('exit', kill);
  kill();
  return undefined;
}
