// What happens, told to those who watch: counts every two seconds, invalidations of all processes in batches, health when it changes.
import type { ServerResponse } from 'node:http';
import type { LiveEvents, TaskEvent, WarmingEvent } from '../contract/answers.js';
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { CacheEvent, CacheEventKind } from '../contract/events.js';
import type { LoggedInvalidation } from '../contract/invalidation-log.js';
import type { Observer } from '../contract/observer.js';
import { EventStream, eventText } from './event-stream.js';
import { InvalidationBatch } from './invalidation-batch.js';
import { recordOf } from './invalidation-log.js';
import { Pulse, type PulseSource, type Told } from './pulse.js';

export interface LiveParts {
  /** Names this process. */
  readonly process: string;
  readonly clock: Clock;
}

interface Watcher {
  readonly stream: EventStream;
  readonly mayStillLook: () => Promise<boolean>;
  checkedAt: number;
}

const MOST_STREAMS = 20;
const PULSE_MS = 2000;
const BATCH_MS = 250;
const HEARTBEAT_MS = 15_000;
const ASK_AGAIN_MS = 60_000;

export class Live implements Observer {
  readonly kinds: ReadonlySet<CacheEventKind> = new Set<CacheEventKind>(['invalidate', 'warming', 'task']);
  readonly #watchers = new Set<Watcher>();
  #pulse: Pulse | undefined;
  #timer: TimerHandle | undefined;
  #beatAt = 0;
  readonly #batch = new InvalidationBatch();
  #batchTimer: TimerHandle | undefined;
  #closed = false;

  constructor(private readonly parts: LiveParts) {}

  get isFull(): boolean {
    return this.#closed || this.#watchers.size >= MOST_STREAMS;
  }

  open(res: ServerResponse, source: PulseSource, mayStillLook: () => Promise<boolean>): void {
    if (this.isFull) {
      res.destroy();
      return;
    }
    const stream: EventStream = new EventStream(res, () => this.#leave(watcher));
    const watcher: Watcher = { stream, mayStillLook, checkedAt: this.parts.clock.monotonic() };
    this.#watchers.add(watcher);
    this.#pulse ??= new Pulse(source, this.parts.clock);
    for (const one of this.#pulse.latest) stream.send(toText(one));
    if (this.#watchers.size === 1) void this.#beat();
  }

  hear(event: CacheEvent): void {
    if (this.#watchers.size === 0) return;
    if (event.kind === 'invalidate') this.#gather(recordOf(event, this.parts));
    // As rare as what people do by hand: told at once.
    else if (event.kind === 'warming') this.#tell('warming', warmingShown(event));
    else if (event.kind === 'task') this.#tell('task', taskShown(event));
  }

  close(): void {
    this.#closed = true;
    for (const { stream } of this.#watchers) stream.end();
    this.#watchers.clear();
    this.#rest();
  }

  #leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size === 0) this.#rest();
  }

  /** Nobody watches: nothing is read, and nothing kept. */
  #rest(): void {
    this.#timer?.cancel();
    this.#batchTimer?.cancel();
    this.#batchTimer = undefined;
    this.#batch.take();
    this.#pulse = undefined;
  }

  /** What happens in a burst is told together. */
  #gather(record: LoggedInvalidation): void {
    this.#batch.add(record);
    this.#batchTimer ??= this.parts.clock.after(BATCH_MS, () => {
      this.#batchTimer = undefined;
      this.#tell('invalidation', this.#batch.take());
    });
  }

  async #beat(): Promise<void> {
    const pulse = this.#pulse;
    if (pulse === undefined) return;
    const [told, others] = await Promise.all([pulse.next(), pulse.others()]);
    // All have left meanwhile, or others have come and begun a pulse of their own.
    if (pulse !== this.#pulse) return;
    for (const one of told) this.#tellAll(toText(one));
    for (const one of others) this.#gather(one);
    const now = this.parts.clock.monotonic();
    if (now - this.#beatAt >= HEARTBEAT_MS) {
      this.#beatAt = now;
      for (const { stream } of this.#watchers) stream.send(':\n\n');
    }
    for (const watcher of this.#watchers) {
      if (now - watcher.checkedAt < ASK_AGAIN_MS) continue;
      watcher.checkedAt = now;
      void watcher.mayStillLook().then((may) => (may ? undefined : watcher.stream.end()));
    }
    this.#timer = this.parts.clock.after(PULSE_MS, () => void this.#beat());
  }

  #tell<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): void {
    this.#tellAll(eventText(name, data));
  }

  /** Put into text once, for all. */
  #tellAll(text: string): void {
    for (const { stream } of this.#watchers) stream.send(text);
  }
}

const toText = ({ name, data }: Told): string => eventText(name, data);

type Happened<Kind extends CacheEventKind> = Extract<CacheEvent, { kind: Kind }>;

function warmingShown({
  run,
  name,
  way,
  state,
  total,
  cached,
  computed,
  failed,
  stopped,
}: Happened<'warming'>): WarmingEvent {
  const counts = { total, cached, computed, failed };
  return { run, ...(name !== undefined && { name }), way, state, ...counts, ...(stopped && { stopped }) };
}

function taskShown({ task, state, attempt, due, durationMs, error, retryMs, count }: Happened<'task'>): TaskEvent {
  return {
    task,
    state,
    attempt,
    ...(due && { due }),
    ...(durationMs !== undefined && { ms: durationMs }),
    ...(error !== undefined && { error }),
    ...(retryMs !== undefined && { retry_ms: retryMs }),
    ...(count !== undefined && { count }),
  };
}
