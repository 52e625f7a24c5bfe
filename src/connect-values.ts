// Composition: values without a route, as the core is asked for them.
import type { EventSink } from './contract/events.js';
import type { AnyLoader, Loader } from './contract/loader.js';
import type { ReadRequest } from './contract/reading.js';
import type { Answer } from './core/answer.js';
import type { Values } from './core/get-or-load.js';
import type { Scopes } from './core/scope.js';
import { identitySegment, reportKey } from './entry/key.js';
import { tag, tableTag } from './entry/tags.js';
import { structuredCodec } from './entry/value-codec.js';
import { viewerTags } from './http/describe.js';
import type { ValueRequest } from './options/options.js';
import { parsePolicy, type TypePolicy } from './options/parse.js';
import type { Policies } from './policies.js';
import type { Tracing } from './tracing/tracing.js';
import type { Views } from './views/views.js';

export interface CachedValuesParts {
  readonly values: Values;
  readonly policies: Policies;
  readonly views: Views;
  readonly scopes: Scopes;
  readonly tracing: Tracing;
  readonly emit: EventSink;
}

type Asked = ValueRequest & Pick<ReadRequest, 'warms' | 'looksUp'>;

export class CachedValues {
  constructor(private readonly parts: CachedValuesParts) {}

  /** @throws ERC_TYPE_UNKNOWN, ERC_OPTION; what `answer` throws */
  async answerTo<T>(request: ValueRequest, loader: Loader<T>): Promise<Answer<T>> {
    const { policies } = this.parts;
    const policy = policies.follow(parsePolicy(request, policies.of(request.type), 'getOrLoad()'));
    return this.traced(request, policy, loader);
  }

  /** {@link answer}, told as a span. */
  traced<T>(request: Asked, policy: TypePolicy, loader: AnyLoader<T>): Promise<Answer<T>> {
    return this.parts.tracing.value(request.type, () => this.answer(request, policy, loader));
  }

  /** @throws ERC_FILTER_VALUE, ERC_TAG, ERC_VIEW, ERC_TIMEOUT, ERC_SPEND; what the loader throws */
  async answer<T>(request: Asked, policy: TypePolicy, loader: AnyLoader<T>): Promise<Answer<T>> {
    const { emit, scopes, values, views } = this.parts;
    const share = request.share ?? 'user';
    const identity = identitySegment(request.identity, share);
    const { type, report, filters = {}, tables = [], warms = false, looksUp = false } = request;
    const read = views.of(request.views ?? []);
    const viewTags = read === undefined ? [] : read.tags();
    const tags = [
      tag('report', report),
      ...tables.map((table) => tableTag(table)),
      ...(viewTags ?? []),
      ...(request.tags ?? []),
    ];
    if (viewTags === undefined) {
      emit({ kind: 'bypass', type, reason: 'unavailable', detail: 'a view is not connected' });
      // Nobody knows what would have to invalidate the report around it.
      scopes.readFromThePast();
      return values.loadAlone(loader, { type, owner: identity ?? '', looksUp });
    }
    if (identity === undefined) {
      emit({ kind: 'bypass', type, reason: 'no-identity' });
      scopes.computation?.addTags(tags);
      return values.loadAlone(loader, { type, owner: '', looksUp });
    }
    return values.getOrLoad(
      {
        key: reportKey({ type, report, identity, filters }),
        type,
        owner: identity,
        tags: [tag('type', type), ...viewerTags(request.identity ?? undefined, share), ...tags],
        ttlMs: policy.ttlMs,
        freshness: policy.freshness,
        consistency: policy.consistency,
        coalesce: policy.coalesce,
        waitMs: policy.waitMs,
        persist: policy.persist,
        looksUp,
        warms,
      },
      loader,
      request.codec ?? structuredCodec,
      policy,
    );
  }
}
