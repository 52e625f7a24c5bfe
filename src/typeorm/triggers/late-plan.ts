// What a change adds to the paths of other rows, whose writers may have looked before it and commit after it.
import { wholeKind } from '../../entry/tags.js';
import { keyColumns, type ResolvedPath } from '../relation-path.js';
import type { Schema } from '../schema.js';
import type { ColumnLike, EntityMetadataLike } from '../typeorm-like.js';
import { distinct, endsOf, farWay, sourceOf, wayOf, type Source } from './source.js';

/**
 * A path is followed when a statement ends. Another transaction may give it a new end afterwards and be committed
 * first: that end is then missing among the tags of the first. So whoever adds ends to paths has them told again until
 * every transaction that was open at that time has ended (outbox/late-rows.ts).
 */
export interface LatePlan {
  /** An update that leaves all of these alone adds nothing. */
  readonly watched: readonly string[];
  /** Also a new row adds ends, because it refers to rows that were there before. */
  readonly inserts: boolean;
  readonly sources: readonly Source[];
  /** Whole kinds, where the ends cannot be told exactly. */
  readonly tags: readonly string[];
}

interface Draft {
  readonly watched: Set<string>;
  inserts: boolean;
  readonly sources: Source[];
  readonly tags: Set<string>;
}

/** By table path. */
export function latePlans(metadatas: readonly EntityMetadataLike[], schema: Schema): ReadonlyMap<string, LatePlan> {
  const drafts = new Map<string, Draft>();
  const add = (
    table: EntityMetadataLike,
    watched: readonly ColumnLike[],
    inserts: boolean,
    kind: string,
    source: Source | undefined,
  ): void => {
    const draft = drafts.get(table.tablePath) ?? { watched: new Set(), inserts: false, sources: [], tags: new Set() };
    drafts.set(table.tablePath, draft);
    for (const column of watched) draft.watched.add(column.databaseName);
    draft.inserts ||= inserts;
    if (source) draft.sources.push(source);
    else draft.tags.add(wholeKind(kind));
  };
  const follow = (kind: string, { hops, column }: ResolvedPath): void => {
    for (const [i, hop] of hops.entries()) {
      const rest = { hops: hops.slice(i + 1), column };
      const junction = hop.junctionEntityMetadata;
      const own = keyColumns(hop);
      if (hop.isManyToMany && junction)
        add(junction, endsOf(hop, junction).flat(), true, kind, sourceOf(kind, farWay(hop, junction, rest)));
      else if (own.length === 0)
        add(hop.inverseEntityMetadata, hop.inverseRelation?.joinColumns ?? [], true, kind, sourceOf(kind, wayOf(rest)));
      // The first row of a path is the changed one itself: nobody else can change it meanwhile.
      else if (i > 0)
        add(
          (own[0] as ColumnLike).entityMetadata,
          own,
          false,
          kind,
          sourceOf(kind, wayOf({ hops: hops.slice(i), column })),
        );
    }
    if (hops.length > 0) add(column.entityMetadata, [column], false, kind, sourceOf(kind, { joins: [], end: column }));
  };
  for (const metadata of metadatas)
    for (const rule of schema.rulesOf(metadata)) if (rule.form === 'path') follow(rule.kind, rule.path);
  return new Map(
    [...drafts].map(([table, { watched, inserts, sources, tags }]) => {
      const open = distinct(sources).filter(({ kind }) => !tags.has(wholeKind(kind)));
      return [table, { watched: [...watched].sort(), inserts, sources: open, tags: [...tags].sort() }];
    }),
  );
}
