// The routes of the management API as an OpenAPI 3.1 document.
import type { AdminRoute, Field } from './exchange.js';

/** @param at where the API is mounted, for the server's URL */
export function openApiOf(routes: readonly AdminRoute[], at: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Report cache',
      version: '1',
      description: 'What is cached, how well, and how to have it computed anew.',
    },
    servers: [{ url: at === '' ? '/' : at }],
    paths,
  };
}

function operationOf({ path, summary, action, query = {}, body, produces = 'application/json' }: AdminRoute): unknown {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(query).map(([name, field]) => ({
    name,
    in: 'query',
    description: field.description,
    schema: schemaOf(field),
  }));
  const parameters = [...inPath, ...inQuery];
  return {
    summary,
    'x-action': action,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              additionalProperties: false,
              properties: Object.fromEntries(
                Object.entries(body).map(([name, field]) => [
                  name,
                  { ...schemaOf(field), description: field.description },
                ]),
              ),
            },
          },
        },
      },
    }),
    responses: {
      '200': {
        description: 'Done',
        content: { [produces]: { schema: { type: produces === 'application/json' ? 'object' : 'string' } } },
      },
      ...Object.fromEntries(
        Object.entries(PROBLEMS).map(([status, description]) => [
          status,
          { description, content: { 'application/problem+json': { schema: { type: 'object' } } } },
        ]),
      ),
    },
  };
}

function schemaOf({ type, enum: allowed, free = false }: Field): object {
  return {
    type,
    ...(allowed && { enum: allowed }),
    ...(type === 'array' && { items: { type: 'string' } }),
    ...(type === 'object' && !free && { additionalProperties: { type: ['string', 'integer'] } }),
  };
}

const PROBLEMS = {
  '400': 'Something is wrong with what was sent; `detail` says what',
  '401': 'Nobody is logged in',
  '403': 'Not allowed',
} as const;
