// What the management API answers, as it arrives here.
import type * as answers from '../contract/answers.js';
import type { Health as Standing } from '../contract/health.js';
import type { StatisticsBucket } from '../contract/statistics.js';

export type { Outcome } from '../contract/statistics.js';
type Sent<T> = answers.Sent<T>;

export type Bucket = Sent<StatisticsBucket>;
export type Stats = Sent<answers.Stats>;
export type StatsEvent = Sent<answers.StatsEvent>;
export type Health = Sent<Standing>;
export type Entry = Sent<answers.ListedEntry>;
export type EntryPage = Sent<answers.ListedEntries>;
export type Invalidation = Sent<answers.Invalidation>;
export type Invalidations = Sent<answers.Invalidations>;
export type Explanation = Sent<answers.Explanation>;
export type OfferedLists = Sent<answers.OfferedLists>;
export type OfferedList = OfferedLists['lists'][number];
export type ListedItems = answers.ListedItems;
export type Warming = Sent<answers.Warming>;
export type WarmRun = Sent<answers.ShownRun>;
export type Warmed = Sent<answers.Warmed>;
export type WarmingEvent = Sent<answers.WarmingEvent>;
export type Task = Sent<answers.Task>;
export type Tasks = Sent<answers.Tasks>;
export type WouldGo = answers.WouldGo;
export type Costs = answers.Costs;
export type CostDay = answers.CostDay;

/** What the page hears, by name. */
export type Hears = { readonly [Name in keyof answers.LiveEvents]?: (data: Sent<answers.LiveEvents[Name]>) => void };
