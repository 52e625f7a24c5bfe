// Makes other forms of stored bodies: each once, in the thread pool, after somebody has wanted it.
import type { Clock } from '../contract/clock.js';
import type { Coding, Entry, Form } from '../contract/entry.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Forms } from '../contract/reading.js';
import type { Store } from '../contract/store.js';
import { bytesIn, decode, encode } from '../entry/codings.js';

/** Bodies compressed at a time; half of Node's thread pool stays free for what a reader waits for. */
const MOST_AT_ONCE = 2;

/**
 * A form is a function of the body alone, so it is never older than its entry. Whether the entry is still there when the
 * form is done, and is still the same one, is for the store to say, in one step with keeping it.
 */
export class BackgroundForms implements Forms {
  readonly #store: Pick<Store, 'keepForm'>;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  /** Tried once, whatever came of it: what does not become smaller is not tried at every hit. */
  readonly #tried = new WeakMap<Entry, Set<Coding>>();
  readonly #decoding = new WeakMap<Entry, Promise<Entry>>();
  #running = 0;
  #closed = false;

  constructor(store: Pick<Store, 'keepForm'>, clock: Clock, emit: EventSink) {
    this.#store = store;
    this.#clock = clock;
    this.#emit = emit;
  }

  withIdentity(key: string, entry: Entry): Promise<Entry> {
    const known = this.#decoding.get(entry);
    if (known !== undefined) return known;
    const decoding = this.#decode(key, entry);
    this.#decoding.set(entry, decoding);
    return decoding;
  }

  make(key: string, entry: Entry, coding: Coding): void {
    // Whoever comes later asks again.
    if (this.#closed || this.#running >= MOST_AT_ONCE) return;
    const body = bytesIn(entry, 'identity');
    const tried = this.#tried.get(entry) ?? new Set();
    if (body === undefined || tried.has(coding)) return;
    this.#tried.set(entry, tried.add(coding));
    this.#running += 1;
    void this.#make(key, entry, body, coding).finally(() => (this.#running -= 1));
  }

  close(): void {
    this.#closed = true;
  }

  async #make(key: string, entry: Entry, body: Buffer, coding: Coding): Promise<void> {
    try {
      const began = this.#clock.monotonic();
      const bytes = await encode(body, coding);
      if (bytes.length >= body.length || this.#closed) return;
      await this.#keep(key, entry, coding, bytes);
      const durationMs = this.#clock.monotonic() - began;
      this.#emit({ kind: 'compressed', key, type: entry.type, coding, bytes: bytes.length, durationMs });
    } catch (error) {
      this.#failed('compress', error);
    }
  }

  async #decode(key: string, entry: Entry): Promise<Entry> {
    try {
      const { body, coding } = entry;
      if (coding === undefined) return entry;
      const identity = await decode(body, coding);
      // The reader waits for the bytes, not for their being kept.
      void this.#keep(key, entry, 'identity', identity);
      return { ...entry, forms: { ...entry.forms, identity } };
    } catch (error) {
      this.#failed('decompress', error);
      throw error;
    }
  }

  async #keep(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    try {
      await this.#store.keepForm(key, entry, form, bytes);
    } catch (error) {
      this.#failed('keepForm', error);
    }
  }

  #failed(operation: string, error: unknown): void {
    this.#emit({ kind: 'layerFailed', layer: 'memory', operation, error: errorText(error) });
  }
}
