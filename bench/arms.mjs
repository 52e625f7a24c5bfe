// What is measured: every arm with the floor that it is held against, and the load that all of them get.

/** Bodies of exactly so many bytes. */
export const SIZES = { '2 kB': 2048, '50 kB': 51_200 };

export const CONNECTIONS = 16;

/** Every connection goes round so many reports of its own. */
export const REPORTS_PER_CONNECTION = 4;

/**
 * The L2 arm keeps this share of its reports in memory. A report comes round again only after all the others, so by
 * then it has been pushed out: every request is a hit in Redis, and pays for entering memory as such a hit does.
 */
export const L2_MEMORY_SHARE = 1 / 8;

/**
 * `floor`: the arm that answers the same without this library. `aim`: least ratio of CPU time, floor to arm.
 * `shows`: what every answer of the arm must say in Cache-Status. `copies`: the arm whose headers a floor sends.
 * @typedef {object} Arm
 * @property {string} name
 * @property {string} title
 * @property {string} [floor]
 * @property {number} [aim]
 * @property {string} [shows]
 * @property {string} [copies]
 * @property {boolean} [conditional] asks with If-None-Match
 * @property {number} [connections]
 * @property {boolean} [fullRunOnly]
 * @property {boolean} [smallOnly]
 */

/** @type {readonly Arm[]} Side by side in the order in which a round runs them. */
export const ARMS = [
  { name: 'bare', title: 'bare Express', copies: 'memory' },
  { name: 'memory', title: 'L1 hit, one process', floor: 'bare', aim: 0.9, shows: 'memory' },
  { name: 'lease', title: 'L1 hit over Redis, lease', floor: 'bare', aim: 0.9, shows: 'memory' },
  { name: 'strict', title: 'L1 hit over Redis, strict', floor: 'bare', shows: 'memory' },
  { name: 'bare-304', title: 'bare Express 304', copies: 'memory-304', conditional: true },
  { name: 'memory-304', title: '304 from memory', floor: 'bare-304', aim: 0.9, shows: 'memory', conditional: true },
  { name: 'bare-get', title: 'bare Express and one Redis GET', copies: 'l2' },
  { name: 'l2', title: 'L2 hit', floor: 'bare-get', aim: 0.85, shows: 'redis' },
  {
    name: 'bare-256',
    title: 'bare Express, 256 connections',
    copies: 'memory',
    connections: 256,
    fullRunOnly: true,
    smallOnly: true,
  },
  {
    name: 'strict-256',
    title: 'L1 hit, strict, 256 connections',
    floor: 'bare-256',
    shows: 'memory',
    connections: 256,
    fullRunOnly: true,
    smallOnly: true,
  },
];

/** The requests of one connection. */
export function requestsOf(connection) {
  return Array.from({ length: REPORTS_PER_CONNECTION }, (_, index) => ({
    path: `/reports/students/${1000 + connection * REPORTS_PER_CONNECTION + index}?term=2026-spring&page=2`,
    headers: { 'x-user': `user-${connection}` },
  }));
}
