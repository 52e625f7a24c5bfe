// The second connection: hears what other processes invalidate, and who has taken what this one has invalidated.
import type { Backplane, BackplaneListener } from '../../contract/backplane.js';
import { isUsable, type RedisLike, type SubscriberLike } from '../../contract/redis-like.js';
import type { RedisKeys } from './redis-keys.js';

/** In front of the name of a process whose writer waits; no tag begins like that. */
const AWAITED = '!b:';

export class Pushes implements Backplane {
  #subscriber: SubscriberLike | undefined;

  /** @param process the name of this process */
  constructor(
    private readonly client: RedisLike,
    private readonly keys: RedisKeys,
    private readonly process: string,
  ) {}

  listen(listener: BackplaneListener): void {
    const subscriber = this.client.duplicate() as SubscriberLike;
    this.#subscriber = subscriber;
    const { channel } = this.keys;
    const acknowledgements = this.keys.acknowledgements(this.process);
    subscriber.on('message', (from: string, message: string) => {
      const words = message.split(' ');
      if (from === acknowledgements) {
        const [other = '', epoch = '', seq = ''] = words;
        listener.acknowledged(other, epoch, Number(seq));
        return;
      }
      const last = words.at(-1);
      const awaitedBy = last?.startsWith(AWAITED) ? last.slice(AWAITED.length) : undefined;
      if (awaitedBy !== undefined) words.pop();
      const [epoch = '', seq = '', ...tags] = words;
      listener.push(epoch, Number(seq), tags, awaitedBy);
    });
    subscriber.on('close', () => listener.lost());
    // Without a listener ioredis prints; the reconnect is its own business and `close` has already been told.
    subscriber.on('error', () => listener.lost());
    // ioredis renews a subscription after a reconnect only if it was in force before; this one may have been given up.
    const subscribe = () => {
      subscriber.subscribe(channel, acknowledgements).catch(() => listener.lost());
    };
    subscriber.on('ready', subscribe);
    subscribe();
  }

  acknowledge(writer: string, epoch: string, seq: number): void {
    // Queued it would come when the writer has long stopped waiting.
    if (!isUsable(this.client)) return;
    const channel = this.keys.acknowledgements(writer);
    this.client.call('publish', channel, `${this.process} ${epoch} ${seq}`).catch(() => undefined);
  }

  /** Resolves once the connection is closed, as far as it was open. */
  async close(): Promise<void> {
    const subscriber = this.#subscriber;
    if (subscriber === undefined) return;
    const closed = new Promise<void>((resolve) => {
      if (subscriber.status === 'ready') subscriber.on('end', () => resolve());
      else resolve();
    });
    subscriber.disconnect();
    await closed;
  }
}
