// Entry point: reads the environment, starts the platform, ends it on a signal.
import { pino } from 'pino';
import { banner } from './banner.js';
import { loadConfig } from './config.js';
import { startPlatform } from './platform.js';

const config = loadConfig();
// Logs go to stderr, so that what a person should read stays readable on stdout.
const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));

// A signal during the start waits for the start: half a database cannot be closed cleanly.
const starting = startPlatform(config, logger);

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (stopping) process.exit(1); // asked twice: do not wait for running requests
    stopping = true;
    logger.info({ signal }, 'stopping');
    void starting
      .then((platform) => platform.close())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  });

try {
  const platform = await starting;
  process.stdout.write(`${await banner(platform, config.production)}\n`);
} catch (error) {
  logger.fatal({ err: error }, 'the platform did not start');
  process.exitCode = 1;
}
