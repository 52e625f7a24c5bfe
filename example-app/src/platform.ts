// Puts the platform together: database, data, cache, server; and takes it apart in the opposite order.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { createApp } from './app.js';
import { createCaching, type createReportCache, type Reports } from './cache.js';
import type { Config } from './config.js';
import { createDataSource } from './data-source.js';
import { prepareData } from './data/prepare.js';
import { startEmbedded } from './embedded/server.js';
import { createAnalytics } from './insights/analytics.js';
import { enginesOf } from './insights/engines.js';
import { createInsights } from './insights/insights.js';
import { Uses } from './insights/uses.js';
import type { LoadedData } from './entities/index.js';
import { createLessons } from './lessons/lessons.js';
import { localWriter } from './lessons/local-writer.js';
import type { LessonWriter } from './lessons/writer.js';
import { createTimetable, type Timetable } from './timetable/timetable.js';

export interface Platform {
  readonly url: string;
  readonly server: Server;
  readonly dataSource: DataSource;
  readonly loaded: LoadedData;
  readonly reports: Reports;
  readonly timetable: Timetable;
  /** Finishes running requests, then closes cache and database, and stops the embedded server. */
  close(): Promise<void>;
}

const DRAIN_MS = 10_000;

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const giveUp = new AbortController();
  await Promise.race([
    closed,
    pause(DRAIN_MS, undefined, { signal: giveUp.signal }).then(
      () => server.closeAllConnections(),
      () => undefined,
    ),
  ]);
  giveUp.abort();
  await closed;
}

/**
 * @param create makes the cache of the platform's options, see `createCaching`.
 * @param writer of the lessons.
 */
export async function startPlatform(
  config: Config,
  logger: Logger,
  create?: typeof createReportCache,
  writer: LessonWriter = localWriter(config.lessons.writerMs),
): Promise<Platform> {
  /** What has been started, to be undone last in, first out; also when a later step fails. */
  const undo: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      for (const step of undo.toReversed())
        await step().catch((error: unknown) => logger.error({ err: error }, 'a step of the shutdown failed'));
    })());

  try {
    let url = config.databaseUrl;
    if (url === undefined) {
      const embedded = await startEmbedded(config.embeddedDir, logger);
      undo.push(() => embedded.stop());
      url = embedded.url;
    }
    const dataSource = createDataSource(url, config.schema);
    await dataSource.initialize();
    undo.push(() => dataSource.destroy());
    const { loaded, fresh } = await prepareData(dataSource, config, logger);

    const caching = createCaching(config, logger, create);
    undo.push(() => caching.close());
    await caching.connect(dataSource, fresh);

    const { reports } = caching;
    const timetable = createTimetable(reports, dataSource, config.persistTimetable);
    const uses = new Uses(dataSource, logger);
    undo.push(() => uses.close());
    const insights = {
      insights: createInsights(reports, dataSource, enginesOf(config)),
      analytics: createAnalytics(reports, dataSource),
      uses,
    };
    const lessons = createLessons({ reports, writer, patienceMs: config.lessons.patienceMs, logger });
    const { production } = config;
    const metrics = caching.register;
    const app = createApp({ dataSource, reports, timetable, insights, lessons, metrics, logger, production });
    const server = createServer(app);
    const address = await listen(server, config.port);
    undo.push(() => drain(server));
    return { url: address, server, dataSource, loaded, reports, timetable, close };
  } catch (error) {
    await close();
    throw error;
  }
}
