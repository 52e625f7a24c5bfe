// Faults between a process and Redis: slow, cut, reset, half-open, and everything that can happen to pushes.
import { setTimeout as pause } from 'node:timers/promises';
import { LAMBDA_MS } from '../levels.mjs';

/** @typedef {import('./table.mjs').Fault} Fault */
/** @typedef {import('../run.mjs').Stage} Stage */
/** @typedef {import('../proxy.mjs').Proxy} Proxy */

/** @param {Stage} stage @returns {Proxy} */
export function someProxy({ redisProxies, random }) {
  return /** @type {Proxy} */ (redisProxies[Math.floor(random.next() * redisProxies.length)]);
}

/** Cut off for some time: nothing arrives, nobody is told, nothing new is let in. @param {Proxy} proxy @param {number} ms */
export async function cutOff(proxy, ms) {
  proxy.turn({ toServer: 'drop', toClient: 'drop', refuse: true });
  await pause(ms);
  proxy.clear();
  // What was lost on the way cannot be made up for on the same connection.
  proxy.cut();
}

/** @param {Stage} stage */
const channelOf = ({ namespace }) => `{${namespace}}:c`;

/** @type {Pick<Fault, 'proxies' | 'bound'>} */
const OVER_PROXIES = { proxies: ['redis'], bound: () => ({}) };

/** @type {readonly Fault[]} */
export const NETWORK_FAULTS = [
  {
    name: 'slow-redis',
    rows: '38, 40',
    what: 'each way between one process and Redis takes 20 to 150 ms, for 500 ms',
    ...OVER_PROXIES,
    everyMs: 50,
    async inject(stage) {
      const proxy = someProxy(stage);
      proxy.turn({ delayMs: 20 + 130 * stage.random.next() });
      await pause(500);
      proxy.clear();
    },
  },
  {
    name: 'held-redis',
    rows: '38, 40',
    what: 'all bytes between one process and Redis are held for 400 ms, past every deadline, and then arrive',
    ...OVER_PROXIES,
    everyMs: 300,
    async inject(stage) {
      const proxy = someProxy(stage);
      proxy.turn({ toServer: 'hold', toClient: 'hold' });
      await pause(400);
      proxy.clear();
    },
  },
  {
    name: 'cut-from-redis',
    rows: '24',
    what: 'one process cut from Redis and not from the database, for 1 s',
    ...OVER_PROXIES,
    everyMs: 700,
    inject: (stage) => cutOff(someProxy(stage), 1_000),
  },
  {
    name: 'cut-long',
    rows: '24',
    what: 'one process cut from Redis and not from the database, for longer than writers are held: 5 s',
    proxies: ['redis'],
    bound: ({ durable }) => (durable ? {} : { answered: Infinity }),
    everyMs: 1_500,
    inject: (stage) => cutOff(someProxy(stage), 2_500 + LAMBDA_MS),
  },
  {
    name: 'reset',
    rows: '24, 40',
    what: 'the connections of one process to Redis are reset',
    ...OVER_PROXIES,
    everyMs: 500,
    inject: async (stage) => someProxy(stage).cut(),
  },
  {
    name: 'half-open',
    rows: '40',
    what: 'Redis hears one process and is not heard by it, for 800 ms; then the connections are reset',
    ...OVER_PROXIES,
    everyMs: 500,
    async inject(stage) {
      const proxy = someProxy(stage);
      proxy.turn({ toClient: 'drop' });
      await pause(800);
      proxy.clear();
      proxy.cut();
    },
  },
  {
    name: 'push-black-hole',
    rows: '21',
    what: 'no push reaches one process, and its connection seems well, for 3 s',
    ...OVER_PROXIES,
    everyMs: 300,
    async inject(stage) {
      const proxy = someProxy(stage);
      proxy.turn({ toClient: 'drop', which: 'pubsub' });
      await pause(3_000);
      proxy.clear();
    },
  },
  {
    name: 'push-late',
    rows: '34',
    what: 'pushes to one process are 200 ms late, for 2 s',
    ...OVER_PROXIES,
    everyMs: 100,
    async inject(stage) {
      const proxy = someProxy(stage);
      proxy.turn({ delayMs: 200, which: 'pubsub' });
      await pause(2_000);
      proxy.clear();
    },
  },
  {
    name: 'push-killed',
    rows: '22',
    what: 'CLIENT KILL TYPE pubsub every 700 ms',
    bound: () => ({}),
    everyMs: 700,
    inject: ({ redis }) => redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  },
  {
    name: 'push-repeated',
    rows: '23',
    what: 'old pushes come again, in any order',
    bound: () => ({}),
    everyMs: 30,
    async begin(stage) {
      const ear = stage.redis.admin.duplicate();
      /** @type {string[]} */
      const heard = [];
      // What it publishes itself comes back too, and is one more old push.
      ear.on('message', (/** @type {string} */ _channel, /** @type {string} */ message) => {
        heard.push(message);
        if (heard.length > 500) heard.shift();
      });
      await ear.subscribe(channelOf(stage));
      stage.own['heard'] = heard;
      stage.own['close'] = async () => ear.disconnect();
    },
    async inject(stage) {
      /** @type {string[]} */
      const heard = stage.own['heard'];
      for (let i = 0; i < 5 && heard.length > 0; i += 1) {
        const old = /** @type {string} */ (heard[Math.floor(stage.random.next() * heard.length)]);
        await stage.redis.admin.publish(channelOf(stage), old);
      }
    },
  },
];
