// A history that tells of what a sweep brings into force: nobody else does.
import type { Clock } from '../contract/clock.js';
import type { EventSink } from '../contract/events.js';
import type { History } from '../contract/history.js';

export function telling(history: History, clock: Clock, emit: EventSink): History {
  return {
    observe: () => history.observe(),
    keepAlive: (...args) => history.keepAlive(...args),
    adopt: (...args) => history.adopt(...args),
    prune: (upTo) => history.prune(upTo),
    async invalidate(tags, options) {
      const started = clock.monotonic();
      const position = await history.invalidate(tags, options);
      const { epoch, seq } = position;
      emit({ kind: 'invalidate', tags, cause: 'outbox', epoch, seq, durationMs: clock.monotonic() - started });
      return position;
    },
  };
}
