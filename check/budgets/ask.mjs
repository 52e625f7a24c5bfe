// Asks over kept connections, and tells what the cache did.
import { Agent, get } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 100 });

/**
 * @param {number} port @param {{ path: string, headers: Record<string, string> }} request
 * @returns {Promise<string>} X-Cache
 */
export function ask(port, { path, headers }) {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, headers, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(String(response.headers['x-cache'])));
    }).on('error', reject);
  });
}
