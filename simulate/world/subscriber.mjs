// The second connection of an ioredis client, as far as the library uses it: pushes, and how they get lost.

/** @typedef {import('../redis/server.mjs').RedisServer} RedisServer */

export class Subscriber {
  status = 'ready';
  channels = new Set();
  /** Pushes are lost without a sign. */
  deaf = false;
  /** How often a push comes twice. */
  echo = 0;
  /** @type {Map<string, Function[]>} */
  #listeners = new Map();
  #subscribedAt = /** @type {RedisServer | undefined} */ (undefined);

  /** @param {import('./network.mjs').RedisLink} link */
  constructor(link) {
    this.link = link;
  }

  /** @param {string} event @param {Function} listener */
  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }

  /** @param {string} event @param {unknown[]} args */
  #emit(event, ...args) {
    for (const listener of this.#listeners.get(event) ?? []) listener(...args);
  }

  /** @param {string[]} channels */
  subscribe(...channels) {
    return new Promise((resolve) => {
      this.link.scheduler.add(this.link.pushes, 'subscribed', () => {
        for (const channel of channels) this.channels.add(channel);
        this.#subscribedAt = this.link.server;
        this.#subscribedAt.subscriptions.add(this);
        resolve(undefined);
      });
    });
  }

  /** @param {string} channel @param {string} message */
  deliver(channel, message) {
    if (this.deaf) return;
    const { scheduler, pushes } = this.link;
    const times = scheduler.random.chance(this.echo) ? 2 : 1;
    for (let time = 0; time < times; time += 1)
      scheduler.add(pushes, message, () => this.#emit('message', channel, message));
  }

  /** The connection is lost, and comes back. */
  drop() {
    const { scheduler, pushes } = this.link;
    this.silence();
    pushes.waiting = [];
    this.deaf = false;
    scheduler.add(pushes, 'connection for pushes lost', () => this.#emit('close'));
    scheduler.add(pushes, 'connection for pushes back', () => this.#emit('ready'));
  }

  silence() {
    this.#subscribedAt?.subscriptions.delete(this);
    this.#subscribedAt = undefined;
  }

  disconnect() {
    this.silence();
    this.status = 'end';
    this.#emit('end');
  }
}
