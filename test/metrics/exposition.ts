// Prometheus' text format, read as strictly as its grammar is written, and by promtool where that is installed.
import { spawnSync } from 'node:child_process';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const METRIC_NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const NUMBER = '[+-]?(?:\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|Inf)|NaN';
const HELP = new RegExp(`^# HELP (${METRIC_NAME}) ((?:[^\\\\]|\\\\[\\\\n])+)$`);
const TYPE = new RegExp(`^# TYPE (${METRIC_NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE = new RegExp(`^(${METRIC_NAME})(?:\\{(${LABEL}(?:,${LABEL})*)?\\})? (${NUMBER})$`);
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'] };

/** @throws for whatever the grammar does not have, and what each kind of metric may not say */
export function readExposition(text: string): Family[] {
  if (!text.endsWith('\n')) throw new Error('The last line must end.');
  const families: (Family & { samples: Sample[] })[] = [];
  const lines = text.split('\n').filter((line) => line !== '');
  for (let at = 0; at < lines.length;) {
    const [, name, help] = HELP.exec(lines[at] ?? '') ?? fail(lines[at]);
    const [, typed, type] = TYPE.exec(lines[at + 1] ?? '') ?? fail(lines[at + 1]);
    if (name !== typed || families.some((family) => family.name === name)) fail(lines[at + 1]);
    const samples: Sample[] = [];
    for (at += 2; at < lines.length && !lines[at]?.startsWith('#'); at += 1) samples.push(sampleOf(lines[at] ?? ''));
    const allowed = (SUFFIXES[type ?? ''] ?? ['']).map((suffix) => `${name}${suffix}`);
    for (const sample of samples) if (!allowed.includes(sample.name)) fail(sample.name);
    families.push({ name: name ?? '', type: type ?? '', help: help ?? '', samples });
  }
  for (const family of families) check(family);
  return families;
}

/** What `promtool check metrics` says; undefined where it is not installed. */
export function promtool(text: string): string | undefined {
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  if (error !== undefined) return undefined;
  return status === 0 ? '' : `${stdout}${stderr}`;
}

function sampleOf(line: string): Sample {
  const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? fail(line);
  const pairs = [...labels.matchAll(new RegExp(LABEL, 'g'))].map(([pair]) => {
    const cut = pair.indexOf('=');
    return [pair.slice(0, cut), pair.slice(cut + 2, -1)] as const;
  });
  if (new Set(pairs.map(([label]) => label)).size < pairs.length) fail(line);
  return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('Inf', 'Infinity')) };
}

function check({ name, type, samples }: Family): void {
  const seen = new Set<string>();
  for (const sample of samples) {
    const series = sample.name + seriesOf(sample.labels);
    if (seen.has(series)) fail(`${series} twice`);
    seen.add(series);
    if (type !== 'gauge' && !(sample.value >= 0)) fail(`${series} ${sample.value}`);
  }
  if (type === 'counter' && !name.endsWith('_total')) fail(`${name} must end in _total`);
  if (type !== 'histogram') return;
  for (const count of samples.filter((sample) => sample.name.endsWith('_count'))) {
    const series = seriesOf(count.labels);
    const buckets = samples.filter((one) => one.name.endsWith('_bucket') && seriesOf(one.labels, 'le') === series);
    const values = buckets.map(({ value }) => value);
    const growing = values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
    if (!growing || buckets.at(-1)?.labels['le'] !== '+Inf' || values.at(-1) !== count.value)
      fail(`${name} ${values.join(' ')}`);
  }
}

function seriesOf(labels: Sample['labels'], without = ''): string {
  const pairs = Object.entries(labels).filter(([label]) => label !== without);
  return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function fail(line: string | undefined): never {
  throw new Error(`Not in the text format: ${line ?? 'the end'}`);
}
