// Who is asking: demonstration tokens, each a user of the database. A real platform puts its own login here.
import type { RequestHandler } from 'express';
import type { DataSource } from 'typeorm';
import { type Role, User } from './entities/index.js';
import { forbidden, Problem } from './problem.js';

export interface Viewer {
  readonly id: number;
  readonly role: Role;
  readonly name: string;
}

declare global {
  // Express declares its types this way; there is no other place to add the user to a request.
  namespace Express {
    interface Request {
      user?: Viewer;
    }
  }
}

export const DEMO_LOGINS = ['demo-teacher', 'demo-student', 'demo-tutor', 'demo-parent', 'demo-admin'] as const;

/** `demo-user-28400` is whoever has that id: load tests and demonstrations need more than five people. */
const BY_ID = /^demo-user-([1-9][0-9]{0,8})$/;
const REMEMBERED = 10_000;

/** @param refuse true turns every demonstration token down, as production must. */
export function authenticate(dataSource: DataSource, refuse: boolean): RequestHandler {
  const users = dataSource.getRepository(User);
  // Users neither change nor leave while the platform runs; their rights are asked from the database each time.
  const known = new Map<string, Viewer>();

  async function find(token: string): Promise<Viewer | undefined> {
    const cached = known.get(token);
    if (cached !== undefined) return cached;
    const id = BY_ID.exec(token)?.[1];
    const login = DEMO_LOGINS.find((one) => one === token);
    if (id === undefined && login === undefined) return undefined;
    const user = await users.findOneBy(login === undefined ? { id: Number(id) } : { login });
    if (user === null) return undefined;
    const viewer = { id: user.id, role: user.role, name: user.name };
    if (known.size >= REMEMBERED) known.clear();
    known.set(token, viewer);
    return viewer;
  }

  return async (req, _res, next) => {
    // People who open the dashboard are asked for a name, which is the token; programs know what to send.
    const isPerson = req.accepts(['json', 'html']) === 'html';
    const unauthorized = (why: string) =>
      new Problem(401, why, {}, isPerson ? { 'WWW-Authenticate': 'Basic realm="demo-admin, no password"' } : {});
    const token = tokenOf(req.get('authorization') ?? '');
    if (token === undefined) throw unauthorized('Send the header "Authorization: Bearer <token>".');
    if (refuse) throw new Problem(401, 'Demonstration tokens are refused in production.');
    const viewer = await find(token);
    if (viewer === undefined) throw unauthorized('The token is not known.');
    req.user = viewer;
    next();
  };
}

/** Browsers send it as the name of Basic. */
function tokenOf(authorization: string): string | undefined {
  const [, scheme = '', credentials = ''] = /^(Bearer|Basic) +([\w.~+/-]+=*) *$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== 'basic') return credentials || undefined;
  return Buffer.from(credentials, 'base64').toString().split(':', 1)[0] || undefined;
}

/** The user that {@link authenticate} put there. */
export function viewerOf(req: Express.Request): Viewer {
  if (req.user === undefined) throw new Problem(401, 'Log in first.');
  return req.user;
}

export function onlyFor(...roles: readonly Role[]): RequestHandler {
  return (req, _res, next) => {
    const { role } = viewerOf(req);
    if (!roles.includes(role)) throw forbidden(`This is for ${roles.join(' or ')}, not for a ${role}.`);
    next();
  };
}
