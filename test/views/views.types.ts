// What the compiler says of views: their sources, their times, and who may name them.
import type { ReportCache, View, ViewHealth } from '../../src/index.js';

declare const reports: ReportCache;
abstract class Grade {
  abstract id: number;
}

export async function checks(): Promise<void> {
  const stats: View = reports.view('class_stats', { sources: [Grade, 'submission'], delay: '2s', maxDelay: '1m' });
  reports.view('best', { sources: [stats, { options: { name: 'Grade' } }], schema: 'reporting', query: 'SELECT 1' });
  const asOf: Date | undefined = await stats.asOf();
  const relation: string = stats.relation;
  const health: readonly ViewHealth[] | undefined = (await reports.health()).views;
  reports.cache('analytics', { views: ['class_stats'] });
  void [asOf, relation, health];

  // @ts-expect-error it has to be said what it is made of
  reports.view('none', {});
  // @ts-expect-error durations carry their unit
  reports.view('none', { sources: ['grade'], delay: 5 });
  // @ts-expect-error a list of names
  reports.cache('analytics', { views: 'class_stats' });
}
