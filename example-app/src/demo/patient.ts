// The cache of tests and measurements: a busy machine answers late, and what Redis or the database does not answer in time is no HIT.
import { createReportCache } from '../cache.js';

export const patient: typeof createReportCache = (options) =>
  createReportCache({ ...options, redisDeadline: '5s', databaseDeadline: '5s' });
