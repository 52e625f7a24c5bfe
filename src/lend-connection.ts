// A connection of the host's DataSource for the cache itself, kept where the pool is large enough.
import type { Clock } from './contract/clock.js';
import type { Ask } from './contract/outbox.js';
import type { Session } from './sql/lane.js';
import { OwnConnection, poolSizeOf, type OwnRunner } from './sql/own-connection.js';
import { askAs, type DataSourceLike } from './typeorm/typeorm-like.js';

export interface LendOptions {
  /** With a smaller pool the application needs each of its connections: then one is borrowed for each task. */
  readonly fewest: number;
  /** A statement without an answer for so long means that the connection is dead, ms. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

export interface Lent {
  readonly ask: Ask;
  /** Several statements on one connection. */
  readonly session: Session;
  close(): Promise<void>;
}

export function lendConnection(dataSource: DataSourceLike, { fewest, patienceMs, clock }: LendOptions): Lent {
  const createRunner = () => dataSource.createQueryRunner('master') as OwnRunner;
  const own = new OwnConnection({ createRunner, patienceMs, clock });
  const session: Session = (task) => own.session((ask) => task(askAs({ query: ask })));
  if ((poolSizeOf(dataSource.driver) ?? fewest) < fewest) {
    return {
      ask: askAs(dataSource),
      session: async (task) => {
        try {
          return await session(task);
        } finally {
          await own.release();
        }
      },
      close: () => own.close(),
    };
  }
  // A pool ends only when all its connections have been given back.
  const { destroy } = dataSource;
  const releaseFirst = async (): Promise<unknown> => {
    await own.release();
    return destroy?.call(dataSource);
  };
  dataSource.destroy = releaseFirst;
  return {
    ask: askAs({ query: own.ask }),
    session,
    async close() {
      await own.close();
      // Somebody may have wrapped destroy() after us; theirs stays, and calls ours, which does nothing more.
      if (destroy && dataSource.destroy === releaseFirst) dataSource.destroy = destroy;
    },
  };
}
