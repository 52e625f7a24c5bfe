// The cache of tests and measurements: what a busy machine brings late from Redis, the database or a sweeper is no HIT.
import { createReportCache } from '../cache.js';

export const patient: typeof createReportCache = (options) =>
  createReportCache({ ...options, redisDeadline: '5s', lambda: '20s', databaseDeadline: '5s' });
