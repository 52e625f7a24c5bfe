// One process of the platform for whoever forks it, a demonstration or a test: says where it listens, and does not outlive him.
import { pino } from 'pino';
import { loadConfig } from '../config.js';
import { startPlatform } from '../platform.js';
import { patient } from './patient.js';

const platform = await startPlatform(loadConfig(), pino({ level: 'error' }, pino.destination(2)), patient);
process.once('disconnect', () => {
  void platform.close().finally(() => process.exit());
});
process.send?.({ url: platform.url });
