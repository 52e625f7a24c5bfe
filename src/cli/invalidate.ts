// `invalidate`: ends what is named, through the same protocol that writers use.
import { tag } from '../entry/tags.js';
import type { Command, Given, Running } from './command.js';
import { failed, usageError } from './failures.js';
import { countOf, printable } from './text.js';
import type { Answer, Way } from './way.js';

interface Invalidated {
  readonly tags?: readonly string[];
  readonly exact?: boolean;
  readonly entries?: { readonly memory: number; readonly redis?: number };
}

/** Ways to name what is meant, of which one is taken. */
const NAMES = ['tag', 'report', 'user', 'type', 'key', 'pattern', 'everything'] as const;
type Name = (typeof NAMES)[number];

/** What may reach further than whoever typed it believes. */
const ASKED_FIRST: readonly Name[] = ['pattern', 'everything'];

export const invalidate: Command = {
  summary: 'Ends what is named: it is computed anew for whoever asks next',
  ways: ['url', 'redis'],
  flags: {
    tag: {
      type: 'string',
      multiple: true,
      value: '<tag>',
      summary: 'What carries a tag such as student:5; repeat it for more',
    },
    report: { type: 'string', value: '<id>', summary: 'Every copy of a report' },
    user: { type: 'string', value: '<id>', summary: 'Everything that a user looks at' },
    type: { type: 'string', value: '<type>', summary: 'Every report of a type' },
    key: { type: 'string', value: '<key>', summary: 'One entry' },
    pattern: { type: 'string', value: '<pattern>', summary: "A pattern such as 'report:*:7:*'" },
    everything: { type: 'boolean', summary: 'Everything' },
    'dry-run': { type: 'boolean', summary: 'Count what would end, and change nothing' },
    yes: { type: 'boolean', summary: 'Do not ask before --pattern and --everything' },
  },
  notes: [
    'With --redis the same script runs that every process runs, so all of them hear of it; nothing is deleted. Reports that are',
    'kept in a database (persist) are reached with --url only.',
  ],
  async run(running) {
    const { given, open } = running;
    const name = nameOf(given);
    const dryRun = given.has('dry-run');
    const mustAsk = ASKED_FIRST.includes(name) && !given.has('yes') && !dryRun;
    if (mustAsk && !running.terminal.isInteractive)
      throw usageError(`--${name} without a terminal takes --yes: nobody is there to be asked.`);
    const way = await open.one(['url', 'redis']);
    try {
      if (mustAsk) await confirmed(name, way, running);
      const { body } = await carryOut(name, given, way, dryRun);
      return { document: body, text: () => textOf(body as Invalidated, way, dryRun) };
    } finally {
      await way.close();
    }
  },
};

function nameOf(given: Given): Name {
  const named = NAMES.filter((one) => given.has(one) || given.text(one) !== undefined || given.texts(one).length > 0);
  const [name] = named;
  if (name === undefined || named.length > 1)
    throw usageError(`Name one of ${NAMES.map((one) => `--${one}`).join(', ')}.`);
  return name;
}

async function confirmed(name: Name, way: Way, { given, terminal, signal }: Running): Promise<void> {
  const { body } = await carryOut(name, given, way, true);
  const entries = countedIn(body as Invalidated);
  if (await terminal.confirm(`This ends ${entries} at ${way.name}. Go on?`, signal)) return;
  throw failed('Nothing was invalidated.');
}

function carryOut(name: Name, given: Given, way: Way, dryRun: boolean): Promise<Answer> {
  if (name === 'everything') return way.ask('DELETE', '/', { query: { dry_run: String(dryRun) } });
  return way.ask('POST', '/invalidate', { body: { ...bodyOf(name, given, way), ...(dryRun && { dry_run: true }) } });
}

function bodyOf(name: Exclude<Name, 'everything'>, given: Given, way: Way): Record<string, unknown> {
  if (name === 'tag') return { tags: given.texts('tag') };
  const value = given.text(name) ?? '';
  // Which types are declared only the application knows.
  if (name === 'type' && way.kind === 'redis') return { tags: [tag('type', value)] };
  return { [name]: value };
}

function textOf(found: Invalidated, way: Way, dryRun: boolean): string {
  const { tags, exact } = found;
  const lines = [dryRun ? `This would end ${countedIn(found)}.` : 'Invalidated.'];
  if (tags !== undefined) lines.push(`Tags: ${printable(tags.join(' '))}`);
  if (exact === false) lines.push('No tag says exactly that, so a little more is meant.');
  if (way.kind === 'redis')
    lines.push('Reports that are kept in a database (persist) are not reached from here: use --url.');
  return lines.join('\n');
}

function countedIn({ entries }: Invalidated): string {
  const { memory = 0, redis } = entries ?? {};
  if (redis === undefined) return `${countOf(memory, 'entry', 'entries')} in the memory of one process`;
  return `${countOf(redis, 'entry', 'entries')} in Redis`;
}
