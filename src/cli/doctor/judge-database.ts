// Pure: what is to be said of the application's database, and of the TypeORM that speaks to it.
import { countOf, countText, msText } from '../text.js';
import type { DatabaseFacts } from './database-facts.js';
import { finding, ok, type Finding } from './finding.js';

/** Rows live for milliseconds; a sweep comes three times in two seconds. */
const OLD_MS = 10_000;
const SILENT_MS = 30_000;

/** @param epoch that Redis has for the namespace; undefined: it was not asked */
export function judgeDatabase(facts: DatabaseFacts, epoch: string | null | undefined): Finding[] {
  const { outbox, versions, triggers, durable, typeorm } = facts;
  return [
    ok('database-reachable', `The database answers (${facts.dialect}).`),
    ...judgeOutbox(outbox, epoch),
    ...(versions === undefined
      ? []
      : [ok('versions', `${countOf(versions, 'version', 'versions')} of results are kept.`)]),
    ...(triggers === undefined ? [] : judgeTriggers(triggers)),
    judgeDurability(durable),
    ...(typeorm === undefined ? [] : judgeTypeorm(typeorm)),
  ];
}

function judgeOutbox(outbox: DatabaseFacts['outbox'], epoch: string | null | undefined): Finding[] {
  if (outbox === undefined)
    return [
      finding(
        'advice',
        'outbox',
        'There is no outbox, or its tables are not complete.',
        'A process that dies between COMMIT and its invalidation loses it: what it changed is served as it was until its ttl ends.',
        'Add outboxMigrations to the migrations of the DataSource. Where the tables lie in a schema, name it by --schema.',
      ),
    ];
  const { waiting, oldestMs, setAside, state } = outbox;
  const findings: Finding[] = [];
  if (oldestMs > OLD_MS)
    findings.push(
      finding(
        'error',
        'outbox-backlog',
        `${countOf(waiting, 'row waits', 'rows wait')} in the outbox, the oldest for ${msText(oldestMs)}.`,
        'No sweeper brings them into force. Nothing old is served for it, because nothing is served that no sweeper vouches for.',
        'Look whether a process runs that is connected to this database, and at sweeps-failing in its health().',
      ),
    );
  else findings.push(ok('outbox-backlog', `${countOf(waiting, 'row waits', 'rows wait')} in the outbox.`));
  if (setAside > 0)
    findings.push(
      finding(
        'warning',
        'outbox-set-aside',
        `${countOf(setAside, 'row was', 'rows were')} set aside, because nobody could read ${setAside === 1 ? 'it' : 'them'}.`,
        'Each was taken for everything, so nothing old is served; something has written what is no list of tags.',
        'Look at them: SELECT * FROM report_cache_outbox WHERE set_aside IS NOT NULL. Then delete them.',
      ),
    );
  findings.push(...judgeSweeps(state, epoch));
  return findings;
}

function judgeSweeps(
  state: NonNullable<DatabaseFacts['outbox']>['state'],
  epoch: string | null | undefined,
): Finding[] {
  if (state === undefined)
    return [
      finding(
        'warning',
        'sweeps',
        'No sweeper has ever looked after this namespace.',
        'What the outbox keeps here is brought into force by nobody.',
        'Compare --namespace with the option of the application; connect its DataSource to the cache.',
      ),
    ];
  if (typeof epoch === 'string' && epoch !== state.epoch)
    return [
      finding(
        'warning',
        'sweeps',
        'The database follows another history than this Redis has.',
        'Either a failover is being brought in order at this moment, or processes use different Redis servers: those on the wrong one serve nothing.',
        'Ask again in some seconds. If it stays, compare the Redis addresses of all processes.',
      ),
    ];
  if (state.silentMs > SILENT_MS)
    return [
      finding(
        'error',
        'sweeps',
        `The last sweep was ${msText(state.silentMs)} ago.`,
        'Nothing is served from the cache. Where no process runs, that is as it should be.',
        'Look whether a process runs that is connected to this database, and at sweeps-failing in its health().',
      ),
    ];
  return [
    ok('sweeps', `The last sweep was ${msText(state.silentMs)} ago, in generation ${countText(state.generation)}.`),
  ];
}

function judgeTriggers({ functions, triggers, disabled, unable }: NonNullable<DatabaseFacts['triggers']>): Finding[] {
  const code = 'triggers';
  if (functions === 0)
    return [
      finding(
        'advice',
        code,
        'There are no triggers of this namespace.',
        'Writes past TypeORM (psql, other services) invalidate nothing.',
        'Install them, if there are such writes: reports.triggers(dataSource).install(), or as a migration.',
      ),
    ];
  const fix = 'Install them again: reports.triggers(dataSource).install(). check() of the same tells all differences.';
  if (disabled.length > 0 || triggers === 0)
    return [
      finding(
        'error',
        code,
        triggers === 0
          ? 'There are functions, but no triggers that call them.'
          : `Triggers do not always fire on ${disabled.join(', ')}.`,
        'Writes past TypeORM to these tables may invalidate nothing.',
        fix,
      ),
    ];
  if (unable.length > 0)
    return [
      finding(
        'error',
        code,
        `The owner of ${unable.join(', ')} may not write into the outbox.`,
        'Writes past TypeORM to these tables invalidate nothing.',
        `Grant INSERT on report_cache_outbox to it. ${fix}`,
      ),
    ];
  return [
    ok(
      code,
      `${countOf(triggers, 'trigger fires', 'triggers fire')}. Whether they fit the rules only triggers().check() can tell.`,
    ),
  ];
}

function judgeDurability({ setting, value }: DatabaseFacts['durable']): Finding {
  const what = `${setting} is ${value}.`;
  const isSafe = setting === 'synchronous_commit' ? value !== 'off' : value === '1';
  if (isSafe) return ok('database-durability', what);
  return finding(
    'advice',
    'database-durability',
    what,
    'A crash of the database loses commits that were answered, and reports show them. With the outbox everything is cold after the restart; without it those reports stay until their ttl.',
    setting === 'synchronous_commit' ? 'Set it to on, or use the outbox.' : 'Set it to 1, or use the outbox.',
  );
}

/** What a version of TypeORM does not tell its subscribers, as far as it matters here. */
const QUIRKS: readonly {
  readonly isIn: (version: Version) => boolean;
  readonly code: string;
  readonly meaning: string;
  readonly fix: string;
}[] = [
  {
    isIn: ({ major }) => major === 0,
    code: 'typeorm-remove-cascade',
    meaning:
      'remove() of a parent with loaded children tells of the parent only, where 1.x tells of each child; so the kinds of the children are invalidated as a whole, or through foreign keys.',
    fix: 'Remove the children by themselves where their tags have to be exact, or use TypeORM 1.x.',
  },
];

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** As the peer range of this package has it: ^0.3.20 || ^1.0.0. */
const isSupported = ({ major, minor, patch }: Version): boolean =>
  major === 1 || (major === 0 && minor === 3 && patch >= 20);

export function judgeTypeorm(text: string): Finding[] {
  const [major = NaN, minor = NaN, patch = NaN] = (/^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const version = { major, minor, patch };
  if (!isSupported(version))
    return [
      finding(
        'error',
        'typeorm-version',
        `TypeORM ${text}.`,
        'This version was not tried: its events may differ, and then changes are not seen.',
        'Use TypeORM 0.3.20 or newer, or 1.x.',
      ),
    ];
  const quirks = QUIRKS.filter(({ isIn }) => isIn(version)).map(({ code, meaning, fix }) =>
    finding('advice', code, `TypeORM ${text}.`, meaning, fix),
  );
  return [ok('typeorm-version', `TypeORM ${text}.`), ...quirks];
}
