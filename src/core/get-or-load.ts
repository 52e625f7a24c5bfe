// A cached value from a function: look up, or run the loader once and keep what it returns.
import { errorText, ReportCacheError } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Reader, ReadRequest, Load } from '../contract/reading.js';
import type { ValueCodec } from '../entry/value-codec.js';
import type { Scopes } from './scope.js';

/** What a loader may say about its run. */
export interface LoaderRun {
  /** Adds tags that became known while loading. */
  addTags(tags: Iterable<string>): void;
}

export type Loader<T> = (run: LoaderRun) => T | Promise<T>;

/**
 * Returns the cached value or the loader's. A loader's error reaches exactly its own caller: it is neither stored nor
 * shared. A value that cannot be stored is returned all the same.
 * @throws ERC_OVERLOADED where the limits of this process are reached
 */
export async function getOrLoad<T>(
  reader: Reader,
  request: ReadRequest,
  loader: Loader<T>,
  codec: ValueCodec,
  emit: EventSink,
  scopes: Pick<Scopes, 'computation'>,
): Promise<T> {
  const turn = await reader.read(request);
  switch (turn.next) {
    case 'serve':
      try {
        return codec.decode(turn.entry.body) as T;
      } catch (error) {
        // Written by a Node or a codec that this process does not understand.
        emit({ kind: 'layerFailed', layer: turn.layer, operation: 'decode', error: errorText(error) });
        const load = await leadAnyway(reader, request);
        return load === undefined ? loadAlone(loader, scopes) : loadAndStore(load, loader, codec, emit);
      }
    case 'lead':
      return loadAndStore(turn.load, loader, codec, emit);
    case 'refuse':
      throw new ReportCacheError('ERC_OVERLOADED', 'Too many readers wait, or too many reports are being computed.');
    case 'alone':
    case 'none':
      return loadAlone(loader, scopes);
  }
}

/** Without the cache. A report around it depends on what is found here all the same. */
export async function loadAlone<T>(loader: Loader<T>, scopes: Pick<Scopes, 'computation'>): Promise<T> {
  return loader({ addTags: (tags) => scopes.computation?.addTags(tags) });
}

async function leadAnyway(reader: Reader, request: ReadRequest): Promise<Load | undefined> {
  const turn = await reader.read({ ...request, refresh: true });
  return turn.next === 'lead' ? turn.load : undefined;
}

async function loadAndStore<T>(load: Load, loader: Loader<T>, codec: ValueCodec, emit: EventSink): Promise<T> {
  let value: T;
  try {
    value = await load.run(() => loader({ addTags: (tags) => load.addTags(tags) }));
  } catch (error) {
    load.decline('error');
    throw error;
  }
  let body: Buffer;
  try {
    body = codec.encode(value);
  } catch (error) {
    load.decline('error');
    emit({ kind: 'advice', code: 'ERC_VALUE', message: errorText(error) });
    return value;
  }
  await load.store({ body, status: 0, headers: [], etag: '' });
  return value;
}
