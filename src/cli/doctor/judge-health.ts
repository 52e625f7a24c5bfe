// Pure: what is to be said of a process that answers the management API: its health and its schedule.
import type { Health, HealthReason } from '../../contract/health.js';
import { isLoopback } from './judge-server.js';
import { finding, ok, type Finding } from './finding.js';
import { judgeTask } from './judge-namespace.js';

/** Each reason with what it means and what to do. */
export const REASONS: Readonly<Record<HealthReason, readonly [meaning: string, fix: string]>> = {
  'store-unreachable': [
    'Redis does not answer: reports are computed.',
    'Look at Redis and the network between; run doctor --redis.',
  ],
  'breaker-open': [
    'Redis has failed so often that readers do not ask it for a while: reports are computed.',
    'Look at its round trip and load; run doctor --redis.',
  ],
  'database-failing': [
    'The database of persisted reports has failed so often that it is not asked for a while.',
    'Look at its load; raise databaseDeadline if it is only slow.',
  ],
  'watermark-dead': [
    'No sweeper vouches for what is cached: reports are computed.',
    'Look at sweeps-failing and fenced in the log, and at the database.',
  ],
  fenced: [
    'The database follows another Redis than this process: it is on the old side of a split.',
    'Let all processes use the same Redis; look at its failovers.',
  ],
  'invalidations-late': [
    'Redis has refused invalidations, which are tried again; meanwhile other processes may serve what is old.',
    'Run doctor --redis: memory, role and permissions.',
  ],
  'sweeps-failing': [
    'The outbox cannot be read, or Redis not be told.',
    'Run doctor --redis --database, and look for the event sweepFailed.',
  ],
  'rows-set-aside': [
    'Rows of the outbox could not be read; they were taken for everything, and kept.',
    'Look at them: SELECT * FROM report_cache_outbox WHERE set_aside IS NOT NULL. Then delete them.',
  ],
  'views-failing': [
    'A materialised view cannot be refreshed: its reports are as of longer ago.',
    'Look for the event of the view in the log.',
  ],
  closed: ['The cache of this process was closed.', 'Do not close it before the server.'],
};

export function judgeHealth({ state, reasons }: Pick<Health, 'state' | 'reasons'>): Finding[] {
  if (state === 'ready' && reasons.length === 0) return [ok('health', 'The process that answered is ready.')];
  return reasons.map((reason) => {
    const [meaning, fix] = REASONS[reason] ?? [
      'It is not known to this version.',
      'Use the version of the application.',
    ];
    const severity = state === 'down' ? 'error' : 'warning';
    return finding(severity, `health-${reason}`, `The process that answered is ${state}: ${reason}.`, meaning, fix);
  });
}

interface Told {
  readonly tasks?: readonly (Parameters<typeof judgeTask>[1] & { readonly name: string })[];
}

/** As GET /schedule tells it. */
export function judgeSchedule({ tasks = [] }: Told): Finding[] {
  return tasks.flatMap(({ name, last, running, missed }) =>
    // JSON has null for what there is none of.
    judgeTask(name, { last: last ?? undefined, running: running ?? undefined, missed }),
  );
}

export function judgeAddress(url: URL): Finding[] {
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return [];
  return [
    finding(
      'advice',
      'api-plaintext',
      'The management API is asked without TLS.',
      'Credentials and names of users pass the network as they are.',
      'Use its https address.',
    ),
  ];
}
