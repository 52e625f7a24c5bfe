// A real Redis client that holds, refuses or loses chosen scripts on their way to the server.
import type { Redis } from 'ioredis';
import type { RedisLike } from '../../../../src/contract/redis-like.js';
import { CLAIM_SCRIPTS, SCRIPTS } from '../../../../src/stores/redis/scripts.js';

const ALL = { ...SCRIPTS, ...CLAIM_SCRIPTS };

type Name = keyof typeof ALL;

interface Gate {
  readonly arrived: () => void;
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export interface Held {
  /** Resolves when a script has come as far as the gate. */
  readonly arrived: Promise<void>;
  open(): void;
}

export class GatedRedis implements RedisLike {
  readonly #gates = new Map<Name, Gate>();
  readonly #refused = new Set<Name>();

  constructor(readonly client: Redis) {}

  get status(): string {
    return this.client.status;
  }

  on(event: 'close' | 'ready', listener: () => void): unknown {
    return this.client.on(event, listener);
  }

  off(event: 'close' | 'ready', listener: () => void): unknown {
    return this.client.off(event, listener);
  }

  get options(): { readonly keyPrefix?: string | undefined } {
    return this.client.options;
  }

  /** From now on this script does not reach the server before {@link Held.open}. */
  hold(name: Name): Held {
    let reached = (): void => undefined;
    let open = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (reached = resolve));
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.#gates.set(name, { arrived: () => reached(), opened, open });
    return {
      arrived,
      open: () => {
        this.#gates.delete(name);
        open();
      },
    };
  }

  refuse(name: Name): void {
    this.#refused.add(name);
  }

  /** Lets everything pass again. */
  open(): void {
    this.#refused.clear();
    for (const { open } of this.#gates.values()) open();
    this.#gates.clear();
  }

  async call(command: string, ...args: (string | Buffer | number)[]): Promise<unknown> {
    const name = (Object.keys(ALL) as Name[]).find((one) => ALL[one].sha === args[0] || ALL[one].lua === args[0]);
    if (name !== undefined && this.#refused.has(name)) throw new Error(`${name} refused`);
    const gate = name === undefined ? undefined : this.#gates.get(name);
    if (gate) {
      gate.arrived();
      await gate.opened;
    }
    return this.client.call(command, ...args);
  }

  pipeline(): ReturnType<RedisLike['pipeline']> {
    return this.client.pipeline() as unknown as ReturnType<RedisLike['pipeline']>;
  }

  /** What others push is not heard any more. */
  deaf = false;

  duplicate(): unknown {
    const own = this.client.duplicate();
    const on = own.on.bind(own) as (event: string, listener: (...args: unknown[]) => void) => unknown;
    const heard = (event: string, listener: (...args: unknown[]) => void): unknown =>
      on(event, event === 'message' ? (...args) => (this.deaf ? undefined : listener(...args)) : listener);
    return Object.assign(own, { on: heard });
  }
}
