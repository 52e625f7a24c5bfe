// The dashboard and the README name exactly the metrics, labels and values that the code has.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { METRICS, openTelemetryName, prometheusName, type Metric } from '../../src/metrics/catalogue.js';
import { root } from '../house/sources.js';

const metrics: readonly Metric[] = Object.values(METRICS);
const text = readFileSync(join(root, 'grafana/report-cache.json'), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const { panels } = JSON.parse(text) as { panels: readonly Panel[] };
const targets = panels.flatMap(({ title, targets: own = [] }) => own.map((target) => ({ title, ...target })));

/** What a scrape shows: histograms as their three parts. */
const exposed = new Map(
  metrics.flatMap((metric) => {
    const name = prometheusName(metric);
    const names = metric.kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => name + part) : [name];
    return names.map((one) => [one, metric] as const);
  }),
);

/** Every selector of a metric with the labels that it names. */
const selectors = [...text.replaceAll('\\"', '"').matchAll(/\b(report_cache_\w+)(?:\{([^}]*)\})?/g)].map(
  ([, name = '', labels = '']) => ({ name, labels: [...labels.matchAll(/(\w+)=~?"/g)].map((match) => match[1] ?? '') }),
);

/** What Prometheus itself adds. */
const SCRAPED = ['job', 'instance'];

describe('the dashboard', () => {
  it('asks for metrics that there are, by labels that they have', () => {
    const wrong = selectors.filter(({ name, labels }) => {
      const known = exposed.get(name)?.labels;
      return known === undefined || labels.some((label) => !known.includes(label) && !SCRAPED.includes(label));
    });
    expect(wrong).toEqual([]);
  });

  it('shows every one of them', () => {
    const shown = new Set(selectors.map(({ name }) => exposed.get(name)?.name));
    expect(metrics.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });

  it('groups and names series by labels that they have', () => {
    const wrong = targets.filter(({ expr, legendFormat }) => {
      const known = [...expr.matchAll(/report_cache_\w+/g)].flatMap(([name]) => exposed.get(name)?.labels ?? []);
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap((match) => (match[1] ?? '').split(', '));
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '');
      const usable = new Set([...known, ...SCRAPED, 'le']);
      return grouped.some((label) => !usable.has(label)) || named.some((label) => !grouped.includes(label));
    });
    expect(wrong).toEqual([]);
  });

  it('has a place and a name for each panel', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(targets.length).toBeGreaterThan(metrics.length);
  });
});

describe('the README', () => {
  it('has them all in its table, with kind and labels, and no other', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const section = readme.slice(readme.indexOf('## Metrics and traces'), readme.indexOf('## Errors'));
    const rows = [...section.matchAll(/^\| `(report_cache_\w+)`\s*\| (\w+)\s*\| ([^|]*?)\s*\|/gm)].map(
      ([, name, kind, labels = '']) => [name, kind, labels.replaceAll('`', '')],
    );
    expect(rows).toEqual(metrics.map((metric) => [prometheusName(metric), metric.kind, metric.labels.join(', ')]));
  });

  it('says how OpenTelemetry calls them', () => {
    expect(openTelemetryName(METRICS.readDuration)).toBe('report_cache.read_duration');
  });
});
