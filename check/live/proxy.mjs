// A TCP proxy that can be told to be a bad network: slow, cut, half-open, deaf, or leading somewhere else.
import { connect, createServer } from 'node:net';

/**
 * What becomes of bytes: `pass`, `hold` (arrive when the fault ends), or `drop` (never arrive).
 * @typedef {'pass' | 'hold' | 'drop'} Fate
 */

/**
 * @typedef {object} Link one connection through the proxy
 * @property {import('node:net').Socket} client
 * @property {import('node:net').Socket} server
 * @property {boolean} pubsub whether the client has subscribed on it
 * @property {(() => void)[]} held
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
    const to = way === 'toServer' ? link.server : link.client;
    const write = () => void (to.destroyed || to.write(chunk));
    if (link.doomed && way === 'toClient') return;
    if (!concerned(link)) return write();
    if (weather[way] === 'drop') return;
    // What is held keeps its order, also once the weather is fine again.
    if (weather[way] === 'hold') link.held.push(write);
    else if (weather.delayMs > 0) setTimeout(write, weather.delayMs);
    else write();
  }

  const listening = createServer((client) => {
    if (weather.refuse) return void client.destroy();
    const server = connect({ host: '127.0.0.1', port: target });
    /** @type {Link} */
    const link = { client, server, pubsub: false, held: [], doomed: false };
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
    links,
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
      for (const link of links) for (const write of link.held.splice(0)) write();
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
