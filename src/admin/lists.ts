// What the application offers beside the cache: its metrics, and lists of its own.
import type { ListedItems, OfferedLists } from '../contract/answers.js';
import type { AdminList } from '../options/admin.js';
import { parseLimit } from './entry-query.js';
import { AdminProblem, badRequest, notFound, type AdminContext, type AdminHandler } from './exchange.js';

const USUAL = 50;
const MOST = 200;
const LONGEST = 500;

export const metrics: AdminHandler = async (_request, { metrics: source }) => {
  if (source === undefined) throw notFound('There are no metrics: pass admin({ metrics: client.register }).');
  const bytes = Buffer.from(await source.metrics());
  return { status: 200, body: undefined, bytes, headers: { 'Content-Type': source.contentType } };
};

export const lists: AdminHandler = async (_request, { lists: all, asking }) => {
  const shown = [];
  for (const [name, { title, columns, action, item }] of Object.entries(all))
    if (action === undefined || (await asking.may(action)))
      shown.push({ name, title, columns, items: item !== undefined });
  const told: OfferedLists = { lists: shown };
  return { status: 200, body: told };
};

export const list: AdminHandler = async ({ params, query }, context) => {
  const asked = await listNamed(params['name'], context);
  const { title, columns } = asked;
  const { after } = query;
  if (after !== undefined && (after === '' || after.length > LONGEST))
    throw badRequest('"after" takes the "next" of the page before.');
  const limit = parseLimit(query['limit'], USUAL, MOST);
  const { items, next } = await asked.page({ limit, ...(after !== undefined && { after }) });
  const told: ListedItems = { title, columns, items: items.slice(0, limit), ...(next !== undefined && { next }) };
  return { status: 200, body: told };
};

export const listItem: AdminHandler = async ({ params }, context) => {
  const { id = '' } = params;
  const asked = await listNamed(params['name'], context);
  const found = id.length > LONGEST ? undefined : await asked.item?.(id);
  if (found === undefined) throw notFound('There is no such item.');
  return { status: 200, body: { item: found } };
};

async function listNamed(name = '', { lists: all, asking }: AdminContext): Promise<AdminList> {
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (found === undefined) throw notFound('There is no list of that name; GET /lists tells which there are.');
  if (found.action !== undefined && !(await asking.may(found.action)))
    throw new AdminProblem(403, 'forbidden', 'You may not see that.');
  return found;
}
