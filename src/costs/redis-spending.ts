// Spending of all processes in Redis: a hash for each account, gone two days later.
import type { Clock } from '../contract/clock.js';
import { isUsable, type RedisLike } from '../contract/redis-like.js';
import type { SharedSpending, SpendAccount, Spending } from './spend-guard.js';

export interface RedisSpendingParts {
  readonly client: RedisLike;
  /** No id stands in a name. */
  readonly nameOf: (account: SpendAccount) => string;
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/** The day, and as long again for clocks that differ, and for whoever wants to look. */
const KEPT_MS = 2 * 86_400_000;
/** Questions that Redis has not answered: the client keeps each of them. */
const MOST_UNANSWERED = 1000;

export class RedisSpending implements SharedSpending {
  #unanswered = 0;

  constructor(private readonly parts: RedisSpendingParts) {}

  add(accounts: readonly SpendAccount[], { tokens, nanos }: Spending): void {
    const { client, nameOf } = this.parts;
    if (!this.#mayAsk) return;
    const pipeline = client.pipeline();
    for (const account of accounts) {
      const name = nameOf(account);
      pipeline.call('HINCRBY', name, 't', tokens);
      pipeline.call('HINCRBY', name, 'n', nanos);
      pipeline.call('PEXPIRE', name, KEPT_MS);
    }
    // Not retried: an answer may be all that was lost, and this process goes on counting for itself.
    void this.#count(pipeline.exec()).catch(() => undefined);
  }

  async read(accounts: readonly SpendAccount[]): Promise<readonly Spending[] | undefined> {
    const { client, nameOf } = this.parts;
    if (!this.#mayAsk) return undefined;
    const pipeline = client.pipeline();
    for (const account of accounts) pipeline.call('HMGET', nameOf(account), 't', 'n');
    try {
      const answers = await this.#inTime(this.#count(pipeline.exec()));
      return answers?.map(([error, fields]) => {
        if (error !== null) throw error;
        const [tokens, nanos] = fields as (string | Buffer | null)[];
        return { tokens: Number(tokens ?? 0), nanos: Number(nanos ?? 0) };
      });
    } catch {
      return undefined;
    }
  }

  get #mayAsk(): boolean {
    return isUsable(this.parts.client) && this.#unanswered < MOST_UNANSWERED;
  }

  #count<T>(answer: Promise<T>): Promise<T> {
    this.#unanswered += 1;
    return answer.finally(() => (this.#unanswered -= 1));
  }

  /** @returns null if it comes too late. */
  async #inTime<T>(answer: Promise<T>): Promise<T | null> {
    const { clock, deadlineMs } = this.parts;
    let timer: { cancel(): void } | undefined;
    const late = new Promise<null>((resolve) => {
      timer = clock.after(deadlineMs, () => resolve(null));
    });
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      timer?.cancel();
    }
  }
}
