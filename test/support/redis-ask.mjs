// One question to one Redis server, and waiting for an answer that has to come.
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

export const HOST = '127.0.0.1';

/**
 * One command on a connection of its own.
 * @param {number} port
 * @param {string} command
 * @param {...unknown} args
 */
export async function ask(port, command, ...args) {
  const client = new Redis(port, HOST, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    return await client.call(command, ...args.map(String));
  } finally {
    client.disconnect();
  }
}

/** @param {() => Promise<boolean>} condition */
export async function until(condition, timeoutMs = 90_000) {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${String(condition)}`);
    await delay(20);
  }
}
