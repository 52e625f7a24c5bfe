// What is measured: every arm with the floor that it is held against, and the load that all of them get.

/** Bodies of exactly so many bytes. */
export const SIZES = { '2 kB': 2048, '50 kB': 51_200, '500 kB': 512_000 };

/** The only one of a quick run. */
export const QUICK_SIZE = '50 kB';

export const CONNECTIONS = 16;

/** Every connection goes round so many reports of its own. */
export const REPORTS_PER_CONNECTION = 4;

/** Files of peers/. A value cache is asked by the floor's route, `middleware` stands before the handler as ours does. */
export const PEERS = [
  { name: 'apicache', middleware: true },
  { name: 'async-cache-dedupe' },
  { name: 'bentocache' },
  { name: 'cache-manager' },
  { name: 'cacheable' },
  { name: 'cachified' },
];

/**
 * `floor`: the arm that answers the same without a cache. `aim`: least ratio of CPU time, floor to arm. `most`: most µs
 * above the floor, at 50 kB. `shows`: what every answer of the arm must say in Cache-Status. `copies`: the arm whose
 * headers and bytes this one sends. `asks`: what its requests are, if not plain ones for the same few reports.
 * @typedef {object} Arm
 * @property {string} name
 * @property {string} title
 * @property {string} [floor]
 * @property {number} [aim]
 * @property {number} [most]
 * @property {string} [shows]
 * @property {string} [copies]
 * @property {'conditional' | 'unique' | 'compressed'} [asks]
 * @property {'strict' | 'lease'} [consistency] over Redis; without it one process alone
 * @property {{ name: string, middleware?: boolean }} [peer]
 * @property {'memory' | 'redis'} [layer] where a peer keeps its values
 * @property {number} [tags] of every report, one without it
 * @property {number} [connections]
 * @property {boolean} [fullRunOnly]
 * @property {boolean} [smallOnly]
 */

/** @returns {Arm[]} one arm per peer */
function peers(floor, more) {
  return PEERS.map((peer) => ({
    name: `${peer.name}-${floor}`,
    title: peer.name,
    floor,
    peer,
    layer: 'memory',
    ...more,
    // It makes its own headers.
    ...(peer.middleware && { copies: undefined }),
  }));
}

const MANY = { connections: 256, fullRunOnly: true, smallOnly: true };
const SMALL = { fullRunOnly: true, smallOnly: true };

/** @type {readonly Arm[]} Side by side in the order in which a round runs them. */
export const ARMS = [
  { name: 'bare', title: 'bare Express', copies: 'memory' },
  { name: 'bare-http', title: 'bare node:http', floor: 'bare', copies: 'memory' },
  { name: 'bare-context', title: 'bare Express, AsyncLocalStorage in use', floor: 'bare', copies: 'memory' },
  { name: 'memory', title: 'L1 hit, one process', floor: 'bare', aim: 0.95, shows: 'memory' },
  {
    name: 'lease',
    title: 'L1 hit over Redis, lease',
    floor: 'bare',
    aim: 0.95,
    shows: 'memory',
    consistency: 'lease',
  },
  {
    name: 'strict',
    title: 'L1 hit over Redis, strict',
    floor: 'bare',
    aim: 0.85,
    shows: 'memory',
    consistency: 'strict',
  },
  { name: 'tags-10', title: 'L1 hit, 10 tags', floor: 'bare', shows: 'memory', tags: 10, ...SMALL },
  { name: 'tags-50', title: 'L1 hit, 50 tags', floor: 'bare', shows: 'memory', tags: 50, ...SMALL },
  ...peers('bare', { copies: 'memory' }),

  { name: 'bare-304', title: 'bare Express 304', copies: 'memory-304', asks: 'conditional' },
  { name: 'memory-304', title: '304 from memory', floor: 'bare-304', aim: 0.95, shows: 'memory', asks: 'conditional' },

  { name: 'bare-get', title: 'bare Express and one Redis GET', copies: 'l2' },
  { name: 'l2', title: 'L2 hit', floor: 'bare-get', aim: 0.9, shows: 'redis', consistency: 'strict' },
  ...peers('bare-get', { layer: 'redis', copies: 'l2' }),

  { name: 'handler', title: 'the handler without a cache', asks: 'unique' },
  { name: 'miss', title: 'miss, one process', floor: 'handler', most: 100, asks: 'unique' },
  { name: 'miss-redis', title: 'miss over Redis', floor: 'handler', asks: 'unique', consistency: 'strict' },
  ...peers('handler', { asks: 'unique' }),

  { name: 'bare-compressed', title: 'bare Express, compressed bytes', copies: 'compressed', asks: 'compressed' },
  {
    name: 'compressed',
    title: 'compressed L1 hit',
    floor: 'bare-compressed',
    aim: 0.95,
    shows: 'memory',
    asks: 'compressed',
  },

  { name: 'bare-256', title: 'bare Express, 256 connections', copies: 'memory', ...MANY },
  {
    name: 'strict-256',
    title: 'L1 hit, strict, 256 connections',
    floor: 'bare-256',
    aim: 0.85,
    shows: 'memory',
    consistency: 'strict',
    ...MANY,
  },
];

export function armOf(name) {
  return ARMS.find((arm) => arm.name === name);
}

/** The requests of one connection. */
export function requestsOf(connection, asks) {
  return Array.from({ length: REPORTS_PER_CONNECTION }, (_, index) => ({
    path: `/reports/students/${1000 + connection * REPORTS_PER_CONNECTION + index}?term=2026-spring&page=2`,
    headers: { 'x-user': `user-${connection}`, ...(asks === 'compressed' ? { 'accept-encoding': 'gzip, br' } : {}) },
  }));
}
