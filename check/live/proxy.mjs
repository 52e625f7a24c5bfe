// A TCP proxy that can be told to be a bad network: slow, cut, half-open, deaf, or leading somewhere else.
import { connect, createServer } from 'node:net';

/**
 * What becomes of bytes: `pass`, `hold` (arrive when the fault ends), or `drop` (never arrive).
 * @typedef {'pass' | 'hold' | 'drop'} Fate
 */

/** Bytes that wait for their time, in their order. @typedef {{ chunk: Buffer, dueAt: number }[]} Line */

/**
 * @typedef {object} Link one connection through the proxy
 * @property {import('node:net').Socket} client
 * @property {import('node:net').Socket} server
 * @property {boolean} pubsub whether the client has subscribed on it
 * @property {Record<'toServer' | 'toClient', Line>} lines
 * @property {boolean} doomed its replies are lost from here on
 */

/**
 * @typedef {object} Weather
 * @property {Fate} toServer
 * @property {Fate} toClient
 * @property {number} delayMs of every chunk, in its order
 * @property {boolean} refuse new connections are closed at once
 * @property {'all' | 'pubsub' | 'commands'} which connections it concerns
 * @property {((chunk: Buffer, link: Link) => void) | undefined} onQuestion sees what clients send, before it is sent on
 */

/** @type {Weather} */
const FINE = { toServer: 'pass', toClient: 'pass', delayMs: 0, refuse: false, which: 'all', onQuestion: undefined };

/** @param {number} port of the server behind it */
export async function startProxy(port) {
  let target = port;
  let weather = FINE;
  /** @type {Set<Link>} */
  const links = new Set();

  /** @param {Link} link */
  function concerned({ pubsub }) {
    return weather.which === 'all' || (weather.which === 'pubsub') === pubsub;
  }

  /** @param {Link} link @param {'toServer' | 'toClient'} way @param {Buffer} chunk */
  function carry(link, way, chunk) {
    if (link.doomed && way === 'toClient') return;
    const fate = concerned(link) ? weather[way] : 'pass';
    if (fate === 'drop') return;
    const dueAt = fate === 'hold' ? Infinity : performance.now() + (concerned(link) ? weather.delayMs : 0);
    link.lines[way].push({ chunk, dueAt });
    // Whoever is in front is waited for by himself: nothing overtakes on a connection, whatever the weather is by then.
    if (link.lines[way].length === 1) move(link, way);
  }

  /** @param {Link} link @param {'toServer' | 'toClient'} way */
  function move(link, way) {
    const line = link.lines[way];
    const to = way === 'toServer' ? link.server : link.client;
    for (let first = line[0]; first !== undefined; first = line[0]) {
      const left = first.dueAt - performance.now();
      if (left === Infinity) return;
      if (left > 0) return void setTimeout(() => move(link, way), Math.ceil(left));
      line.shift();
      if (!to.destroyed) to.write(first.chunk);
    }
  }

  const listening = createServer((client) => {
    if (weather.refuse) return void client.destroy();
    const server = connect({ host: '127.0.0.1', port: target });
    /** @type {Link} */
    const link = { client, server, pubsub: false, lines: { toServer: [], toClient: [] }, doomed: false };
    links.add(link);
    client.setNoDelay(true);
    server.setNoDelay(true);
    const end = () => {
      links.delete(link);
      client.destroy();
      server.destroy();
    };
    client.on('data', (chunk) => {
      if (!link.pubsub && chunk.includes('subscribe')) link.pubsub = true;
      weather.onQuestion?.(chunk, link);
      carry(link, 'toServer', chunk);
    });
    server.on('data', (chunk) => carry(link, 'toClient', chunk));
    for (const socket of [client, server]) {
      socket.on('error', end);
      socket.on('close', end);
    }
  });
  await new Promise((resolve) => listening.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (listening.address());

  return {
    port: address.port,
    /** Pieces that have not gone on yet. */
    get waiting() {
      return [...links].reduce((sum, { lines }) => sum + lines.toServer.length + lines.toClient.length, 0);
    },
    /** New connections lead there. @param {number} to */
    lead(to) {
      target = to;
    },
    /** @param {Partial<Weather>} next */
    turn(next) {
      weather = { ...FINE, ...next };
    },
    /** Fine weather; what was held arrives now. */
    clear() {
      weather = FINE;
      for (const link of links)
        for (const way of /** @type {const} */ (['toServer', 'toClient'])) {
          const line = link.lines[way];
          const held = line[0]?.dueAt === Infinity;
          for (const waiting of line) if (waiting.dueAt === Infinity) waiting.dueAt = 0;
          if (held) move(link, way);
        }
    },
    /** Cuts what is connected. @param {(link: Link) => boolean} [which] */
    cut(which = () => true) {
      for (const { client, server } of [...links].filter(which)) {
        client.resetAndDestroy();
        server.resetAndDestroy();
      }
    },
    async close() {
      for (const { client } of links) client.destroy();
      await new Promise((resolve) => listening.close(() => resolve(undefined)));
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof startProxy>>} Proxy */
