// Gives up waiting for work that does not end, so that one dead connection does not stop what is done again and again.
import type { Clock, TimerHandle } from '../contract/clock.js';

/** Pieces of work given up that may hang at the same time; each may hold a connection. */
const MOST_HANGING = 2;
/** After this a piece of work is taken for lost: a connection without traffic may never tell that it is dead. */
const LOST_MS = 300_000;

/** The work had no answer in time, or was not begun because earlier work still has none. */
export class NoAnswer extends Error {}

export class InTime {
  #hanging = 0;

  constructor(
    private readonly ms: number,
    private readonly clock: Clock,
  ) {}

  /**
   * Work that is given up goes on unseen: it must do no harm.
   * @throws NoAnswer
   */
  run<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#hanging >= MOST_HANGING) return Promise.reject(new NoAnswer('earlier attempts have no answer yet'));
    return new Promise<T>((resolve, reject) => {
      let timer: TimerHandle = this.clock.after(this.ms, () => {
        reject(new NoAnswer(`no answer within ${this.ms} ms`));
        this.#hanging += 1;
        timer = this.clock.after(LOST_MS, over);
        end = () => {
          timer.cancel();
          over();
        };
      });
      const over = () => {
        this.#hanging -= 1;
        end = () => undefined;
      };
      let end = () => timer.cancel();
      begin()
        .finally(() => end())
        .then(resolve, reject);
    });
  }
}
