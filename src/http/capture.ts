// Watches one response being written: its headers, copies of its bytes, and whether it was finished.
import type { ServerResponse } from 'node:http';
import { byteLengthOf, copyOf, interceptHead, methodOf, patch, sendHeadFor, type Edits } from './intercept.js';

/** The body as far as it is known when the headers go out: all of it, unless the handler writes piece by piece. */
export interface WholeBody {
  readonly bytes: number;
  /** Absent where it is larger than the limit. */
  readonly body: Buffer | undefined;
}

export interface Listener {
  /** The headers are complete. May change them; may be called again if sending them failed. */
  head(edits: Edits, whole: WholeBody | undefined): HeadDecision;
  /** Ended by the handler while the client was there, with exactly these bytes. Called after they were sent. */
  complete(body: Buffer): void;
  /** There will be no complete body: told as soon as it is known. */
  abandon(reason: 'too-large' | 'incomplete' | 'error'): void;
}

export interface HeadDecision {
  /** The status to send. */
  readonly status: number;
  /** Whether the bytes are wanted; if not, `complete` is not called. */
  readonly collect: boolean;
  /** Sends nothing of what the handler writes: the client has a current copy, or gets `instead`. */
  readonly swallow: boolean;
  /** The body to send in place of the handler's. */
  readonly instead?: Buffer | undefined;
}

/**
 * Patches writeHead, write and end of this response; json, send, sendFile, pipe and redirect all end there. What goes
 * to the client, and the results that the handler gets (back-pressure included), are the originals'.
 * @param maxBytes copies no more than this.
 */
export function captureResponse(res: ServerResponse, maxBytes: number, listener: Listener): void {
  const originalWrite = methodOf(res, 'write');
  const originalEnd = methodOf(res, 'end');
  let chunks: Buffer[] = [];
  let bytes = 0;
  let whole: WholeBody | undefined;
  let declared: number | undefined;
  let collecting = true;
  let swallowing = false;
  let instead: Buffer | undefined;
  let ended = false;

  const abandon = (reason: 'too-large' | 'incomplete' | 'error') => {
    if (!collecting) return;
    collecting = false;
    chunks = [];
    listener.abandon(reason);
  };

  // In place before anything is awaited, so that no early close is missed; after a complete body it finds nothing to do.
  res.once('close', () => abandon('incomplete'));

  interceptHead(
    res,
    (edits) => {
      const length = res.getHeader('Content-Length');
      declared = length === undefined ? undefined : Number(length);
      const decision = listener.head(edits, whole);
      swallowing = decision.swallow;
      instead = decision.instead;
      if (!decision.collect) {
        collecting = false;
        chunks = [];
      }
      return decision.status;
    },
    () => {
      swallowing = false;
      abandon('error');
    },
  );

  const collect = (size: number, copy: () => Buffer) => {
    if (!collecting) return;
    bytes += size;
    if (bytes > maxBytes) abandon('too-large');
    else if (size > 0) chunks.push(copy());
  };

  patch(res, 'write', (...args) => {
    const [chunk, encoding] = args;
    const size = byteLengthOf(chunk, encoding);
    if (ended || size === undefined) return originalWrite(...args);
    if (!res.headersSent) {
      whole = undefined;
      res.writeHead(res.statusCode);
    }
    // The copy comes after the write: what Node refuses was not sent.
    const writable = swallowing ? true : originalWrite(...args);
    if (swallowing) callLater(args.find((arg) => typeof arg === 'function'));
    collect(size, () => copyOf(chunk as string | Uint8Array, encoding));
    return writable;
  });

  patch(res, 'end', (...args) => {
    const chunk = typeof args[0] === 'function' ? undefined : args[0];
    const encoding = args[1];
    const size = chunk === undefined || chunk === null ? 0 : byteLengthOf(chunk, encoding);
    // A second end, or a chunk that Node will refuse: its own answer to that is the right one.
    if (ended || size === undefined) return originalEnd(...args);
    const last = (chunk ?? '') as string | Uint8Array;
    let body: Buffer | undefined;
    if (!res.headersSent) {
      body = collecting && size <= maxBytes ? copyOf(last, encoding) : undefined;
      whole = { bytes: size, body };
      sendHeadFor(res, size);
    }
    ended = true;
    const alive = !res.destroyed;
    const callback = args.find((arg) => typeof arg === 'function');
    if (swallowing && callback !== undefined) res.once('finish', callback as () => void);
    const result = originalEnd(...(swallowing ? [instead].filter((bytes) => bytes !== undefined) : args));
    collect(size, () => body ?? copyOf(last, encoding));
    // RFC 9111 §3.3, RFC 9112 §8: an answer that is shorter or longer than it says is incomplete.
    if (!alive || (declared !== undefined && declared !== bytes)) abandon('incomplete');
    if (collecting) {
      collecting = false;
      listener.complete(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes));
      chunks = [];
    }
    return result;
  });
}

function callLater(callback: unknown): void {
  if (typeof callback === 'function') process.nextTick(callback as () => void);
}
