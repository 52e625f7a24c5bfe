// The claims of this process: taken before a computation, renewed while it runs, ended when it lands.
import { randomBytes } from 'node:crypto';
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { Entry } from '../contract/entry.js';
import type { ClaimAnswer, Claims } from '../contract/store.js';

/** One claim of this process. */
export interface Claim {
  /** @param unfit the result is not fit to be shared: for a moment everybody computes at once. Later calls do nothing. */
  end(unfit: boolean): void;
}

export type Attempt =
  | { readonly state: 'taken'; readonly stored: boolean; readonly claim: Claim }
  | Exclude<ClaimAnswer, { readonly state: 'taken' }>
  /** The store did not answer, or this process is closing. */
  | { readonly state: 'unknown' };

export interface OwnClaimsOptions {
  /** How long a claim outlives a process that has died, ms. It is renewed three times in that. */
  readonly claimMs: number;
  /** For how long nobody queues for a result that was not fit to be shared, ms. */
  readonly privateMs: number;
}

interface Held {
  readonly key: string;
  readonly token: string;
  /** When nobody waits for it any more, by the monotonic clock, ms. */
  readonly until: number;
}

/** Never rejects: without a claim a computation is as right, there may only be two of them. */
export class OwnClaims {
  readonly #shared: Claims;
  readonly #options: OwnClaimsOptions;
  readonly #clock: Clock;
  /** Tokens begin with this, so that no two processes use the same. */
  readonly #process = randomBytes(9).toString('base64url');
  #attempts = 0;
  readonly #held = new Set<Held>();
  #timer: TimerHandle | undefined;
  #closed = false;

  constructor(shared: Claims, options: OwnClaimsOptions, clock: Clock) {
    this.#shared = shared;
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * @param longestMs a computation that runs for longer than anybody waits keeps its claim no longer, ms
   * @param known the entry that is to be computed anew
   */
  async take(key: string, longestMs: number, known?: Entry): Promise<Attempt> {
    if (this.#closed) return { state: 'unknown' };
    this.#attempts += 1;
    const held: Held = {
      key,
      token: `${this.#process}.${this.#attempts.toString(36)}`,
      until: this.#clock.monotonic() + longestMs,
    };
    try {
      const answer = await this.#shared.claim(key, held.token, this.#options.claimMs, known);
      return answer.state === 'taken' ? { ...answer, claim: this.#hold(held) } : answer;
    } catch {
      // It may have been taken all the same, and must not let the others wait for nobody.
      void this.#giveBack(held, 0);
      return { state: 'unknown' };
    }
  }

  #hold(held: Held): Claim {
    this.#held.add(held);
    this.#timer ??= this.#clock.after(this.#options.claimMs / 3, () => this.#renew());
    return { end: (unfit) => void this.#end(held, unfit ? this.#options.privateMs : 0) };
  }

  /** Gives back what is held, so that the others need not wait until it is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.all([...this.#held].map((held) => this.#end(held, 0)));
  }

  async #end(held: Held, privateMs: number): Promise<void> {
    if (this.#held.delete(held)) await this.#giveBack(held, privateMs);
  }

  async #giveBack({ key, token }: Held, privateMs: number): Promise<void> {
    try {
      await this.#shared.endClaim(key, token, privateMs);
    } catch {
      // The guard has told it; the claim ends by itself.
    }
  }

  /** One timer for all: it goes on while there are any. */
  #renew(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const held of this.#held) {
      if (now >= held.until) void this.#end(held, 0);
      else void this.#renewOne(held);
    }
    if (this.#held.size > 0) this.#timer = this.#clock.after(this.#options.claimMs / 3, () => this.#renew());
  }

  async #renewOne(held: Held): Promise<void> {
    try {
      if (!(await this.#shared.renewClaim(held.key, held.token, this.#options.claimMs))) this.#held.delete(held);
    } catch {
      // Tried again with the next one, while the claim is still there.
    }
  }
}
