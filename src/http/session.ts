// Reading one's own writes under a lease: the browser carries the position of its last write to whichever process it asks next.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Position } from '../contract/entry.js';
import { interceptHead, methodOf, patch, type Edits } from './intercept.js';

export interface SessionOptions {
  /** How long memory may serve without asking, ms: after that no process needs to be told. */
  readonly leaseMs: number;
  /** Runs `task` so that `heard` is told where the invalidations of its writes stand. */
  readonly follow: (heard: (position: Position) => void, task: () => void) => void;
}

const COOKIE = 'report-position';
/** For clients without cookies; request and response. */
export const POSITION_HEADER = 'Report-Position';

/** `<seq>.<epoch>`, all of it cookie characters (RFC 6265 §4.1.1). A forged one makes the reader ask Redis, nothing more. */
const TOKEN = /^(\d{1,15})\.([A-Za-z0-9._-]{1,64})$/;

function parse(token: string | undefined): Position | undefined {
  const match = token === undefined ? null : TOKEN.exec(token);
  return match ? { seq: Number(match[1]), epoch: match[2] as string } : undefined;
}

function cookieOf(header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, value] = pair.trim().split('=');
    if (name === COOKIE) return value;
  }
  return undefined;
}

export class Sessions {
  readonly #told = new WeakMap<IncomingMessage, Position>();

  constructor(private readonly options: SessionOptions) {}

  /** What this request's sender has been told of; undefined where {@link handle} is not mounted. */
  atLeast(req: IncomingMessage): Position | undefined {
    return this.#told.get(req);
  }

  handle(req: IncomingMessage & { readonly secure?: boolean }, res: ServerResponse, next: () => void): void {
    const given = req.headers[POSITION_HEADER.toLowerCase()];
    const told = parse(typeof given === 'string' ? given : cookieOf(req.headers.cookie));
    if (told) this.#told.set(req, told);
    let written: Position | undefined;
    const untouched = methodOf(res, 'writeHead');
    interceptHead(
      res,
      (edits) => {
        if (written !== undefined) this.#tell(res, edits, written, req.secure === true);
        return res.statusCode;
      },
      () => undefined,
    );
    const telling = methodOf(res, 'writeHead');
    patch(res, 'writeHead', (...args) => (written === undefined ? untouched(...args) : telling(...args)));
    this.options.follow((position) => {
      // Writes that run side by side may be told of in any order.
      if (written?.epoch !== position.epoch || written.seq < position.seq) written = position;
    }, next);
  }

  #tell(res: ServerResponse, edits: Edits, { seq, epoch }: Position, secure: boolean): void {
    const token = `${seq}.${epoch}`;
    const seconds = Math.ceil(this.options.leaseMs / 1000) + 1;
    const cookie = `${COOKIE}=${token}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
    // Beside the cookies of the application, also of those that writeHead() was given.
    const others = res.getHeader('Set-Cookie') ?? [];
    edits.set('Set-Cookie', [...[others].flat().map(String), cookie]);
    edits.set(POSITION_HEADER, token);
  }
}
