// The handlers of the dashboard's routes.
import { ADMIN_ACTIONS } from '../options/admin.js';
import { DASHBOARD_FOLDER } from './dashboard-folder.js';
import { loadPage, type PageFile, type Page } from './dashboard-files.js';
import { AdminProblem, type AdminAnswer, type AdminHandler } from './exchange.js';

/** Of the page itself: nothing from elsewhere, nothing inline, nobody's frame. */
const PAGE_HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** Its name changes with its bytes. Behind a login, so no cache on the way may keep it. */
const ASSET_HEADERS = {
  'Cache-Control': 'private, max-age=31536000, immutable',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

let loaded: Promise<Page> | undefined;

/** Read once; a failure is not kept. */
async function files(): Promise<Page> {
  loaded ??= loadPage(DASHBOARD_FOLDER);
  try {
    return await loaded;
  } catch {
    loaded = undefined;
    throw new AdminProblem(503, 'dashboard-missing', 'The files of the dashboard are not beside the library.');
  }
}

export const page: AdminHandler = async (_request, { asking }) => {
  // Assets are named beside the page, so that any mount point will do: its path has to end with a slash.
  if (!asking.path.endsWith('/')) {
    const last = asking.path.slice(asking.path.lastIndexOf('/') + 1);
    return { status: 302, body: {}, headers: { Location: `./${last}/` } };
  }
  return sent((await files()).page, asking.takesGzip, PAGE_HEADERS);
};

export const asset: AdminHandler = async ({ params }, { asking }) => {
  const found = (await files()).assets.get(params['file'] ?? '');
  if (found === undefined) throw new AdminProblem(404, 'not-found', 'There is nothing here.');
  return sent(found, asking.takesGzip, ASSET_HEADERS);
};

function sent({ type, bytes, gzip }: PageFile, coded: boolean, headers: Record<string, string>): AdminAnswer {
  return {
    status: 200,
    body: undefined,
    bytes: coded ? gzip : bytes,
    headers: {
      'Content-Type': type,
      Vary: 'Accept-Encoding',
      ...(coded && { 'Content-Encoding': 'gzip' }),
      ...headers,
    },
  };
}

export const me: AdminHandler = async (_request, { asking }) => {
  const may = await Promise.all(ADMIN_ACTIONS.map((action) => asking.may(action)));
  return { status: 200, body: { user: asking.user, actions: ADMIN_ACTIONS.filter((_, at) => may[at]) } };
};

export const events: AdminHandler = (_request, { live, cache, asking }) => {
  if (live.isFull)
    throw new AdminProblem(503, 'too-many-streams', 'As many people watch as may; try again in a moment.');
  return {
    status: 200,
    body: undefined,
    bytes: Buffer.alloc(0),
    headers: { 'Content-Type': 'text/event-stream' },
    stream: (res) => live.open(res, cache, () => asking.mayStillLook()),
  };
};
