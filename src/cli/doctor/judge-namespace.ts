// Pure: what is to be said of one namespace in a Redis: its history, watermark, marks, budget and tasks.
import { BOUNDS } from '../../options/defaults.js';
import type { TaskState } from '../../contract/schedule.js';
import type { Info } from '../redis-info.js';
import { bytesText, countOf, countText, msText } from '../text.js';
import { finding, ok, type Finding } from './finding.js';
import type { NamespaceFacts } from './redis-facts.js';

/** How much of a bound may be used before it is worth a word. */
const MUCH = 0.8;

/** @param now by the clock of Redis, ms @param budget bytes that entries may take */
export function judgeNamespace(
  name: string,
  facts: NamespaceFacts,
  info: Info | undefined,
  now: number,
  budget: number,
): Finding[] {
  if (facts.head.ep === null)
    return [
      finding(
        'warning',
        'namespace-empty',
        `There is nothing in the namespace "${name}".`,
        'No process has asked for a report here yet, Redis has lost or evicted its tag table, or the namespace is another one.',
        'Compare --namespace, --key-prefix and the database number of the URL with the options of the application.',
      ),
    ];
  return [
    ok('namespace-found', `The namespace "${name}" is at invalidation ${countText(Number(facts.head.seq))}.`),
    ...judgeHistory(facts, info),
    judgeWatermark(facts, now),
    judgeTags(facts),
    judgeBudget(facts, budget),
    judgeMarks(facts, now),
    ...Object.entries(facts.tasks).flatMap(([task, state]) => judgeTask(task, state)),
  ];
}

function judgeHistory({ head }: NamespaceFacts, info: Info | undefined): Finding[] {
  const here = info?.['master_replid'];
  if (here === undefined || head.inc === null || head.inc === 'none' || head.inc === here) return [];
  return [
    finding(
      'advice',
      'history-over',
      'The tag table was written before this server was restarted or promoted, or it had no replica then.',
      'The next question of a process begins a new history: everything is cold once.',
      'Nothing, if it happens once. If it comes back, look for restarts and failovers of Redis.',
    ),
  ];
}

/** As scripts see it: dead is what is too old, and what is from the future. */
export function judgeWatermark({ head }: Pick<NamespaceFacts, 'head'>, now: number): Finding {
  const lambda = Number(head.lambda ?? 0);
  if (lambda === 0) return ok('watermark', 'No sweeper is needed here: no process uses the outbox.');
  const age = head.live === null ? Infinity : now - Number(head.live);
  if (age >= 0 && age <= lambda)
    return ok(
      'watermark',
      `A sweeper has vouched for what is cached ${msText(age)} ago; ${msText(lambda)} is the bound.`,
    );
  return finding(
    'error',
    'watermark',
    age < 0
      ? 'The watermark is from the future.'
      : `No sweeper has vouched for what is cached ${age === Infinity ? 'yet' : `for ${msText(age)}`}; ${msText(lambda)} is the bound.`,
    'Nothing is served from the cache: every report is computed. Where no process runs, that is as it should be.',
    'Look at health() of a process (sweeps-failing, fenced), at its connection to the database, and whether one runs at all.',
  );
}

function judgeTags({ head, fields }: NamespaceFacts): Finding {
  const tags = Math.max(0, fields - Object.values(head).filter((value) => value !== null).length);
  const most = BOUNDS.tagsInRedis;
  const what = `${countOf(tags, 'tag', 'tags')} of ${countText(most)} remembered.`;
  if (tags < most * MUCH) return ok('tags', what);
  return finding(
    'warning',
    'tags',
    what,
    'When the table is full it is emptied, and everything is cold at once.',
    'Schedule the task `keys`, which forgets tags that no report is as old as; or name fewer, larger things by tags.',
  );
}

function judgeBudget({ entries, bytes }: NamespaceFacts, budget: number): Finding {
  if (bytes === undefined)
    return finding(
      'advice',
      'budget',
      'No entry is counted against a budget.',
      'Either nothing was stored, or the Redis user may not run what the budgets need, and only ttl and maxmemory bound it.',
      'See redis-permissions-budgets.',
    );
  const what = `${countOf(entries, 'entry', 'entries')}, ${bytesText(bytes)} of ${bytesText(budget)}.`;
  if (bytes <= budget * NEARLY_FULL) return ok('budget', what);
  return finding(
    'advice',
    'budget',
    what,
    'The cheapest, largest and idlest reports are pushed out to make room.',
    'Raise redisMaxBytes (and maxmemory) if reports are computed again that should not be; tell this check of it by --budget.',
  );
}

/** Room is made down to fifteen sixteenths, so a cache that is well used stays there. */
const NEARLY_FULL = 0.95;

function judgeMarks({ marks }: NamespaceFacts, now: number): Finding {
  const late = marks.filter((deadline) => deadline < now).length;
  if (late === 0) return ok('marks', `${countOf(marks.length, 'write is', 'writes are')} under way.`);
  return finding(
    'advice',
    'marks',
    `${countOf(late, 'announced write has', 'announced writes have')} not ended in time.`,
    'A process has died between announcing a write and its end, or Redis did not answer it. Who finds the mark next invalidates what it names, so nothing old is served.',
    'If they come back, look for processes that are killed, or raise markTtl above your longest COMMIT.',
  );
}

export function judgeTask(
  task: string,
  { last, missed, running }: Pick<TaskState, 'last' | 'missed' | 'running'>,
): Finding[] {
  const findings: Finding[] = [];
  if (last !== undefined && last.outcome !== 'done')
    findings.push(
      finding(
        'warning',
        `task-${task}`,
        `The task "${task}" ended as ${last.outcome} after ${countOf(last.attempts, 'attempt', 'attempts')}${last.error ? ` (${last.error})` : ''}.`,
        'What it looks after is not done until it is due again.',
        `Look into the log of ${last.process}; run it by POST /schedule/${task}/run.`,
      ),
    );
  if (missed > 0)
    findings.push(
      finding(
        'advice',
        `task-${task}-missed`,
        `The task "${task}" has missed ${countOf(missed, 'due time', 'due times')} since its first.`,
        'No process could run it for a minute: none was there, Redis was away, or the run before took too long.',
        'If the number grows, look at what its runs take, and whether processes run when it is due.',
      ),
    );
  if (findings.length > 0 || (last === undefined && running === undefined)) return findings;
  return [ok(`task-${task}`, `The task "${task}" ${running === undefined ? 'has ended well' : 'is running'}.`)];
}
