// `node --import` hook: writes each file that the process loads, one path or URL per line, to $TRACE_LOADS.
import { appendFileSync } from 'node:fs';
import Module, { register } from 'node:module';
import { env } from 'node:process';

const target = env['TRACE_LOADS'] ?? '';

// ES modules: hooks run on a thread of their own, so they write by themselves.
register(
  `data:text/javascript,${encodeURIComponent(`
    import { appendFileSync } from 'node:fs';
    export async function load(url, context, next) {
      appendFileSync(${JSON.stringify(target)}, url + '\\n');
      return next(url, context);
    }`)}`,
);

// CommonJS, also below an import. `_load` is not documented, but there is no other place that sees a failed or
// guarded require too.
const modules = /** @type {{ _load: (request: string, ...rest: unknown[]) => unknown }} */ (
  /** @type {unknown} */ (Module)
);
const load = modules._load;
modules._load = function traced(request, ...rest) {
  appendFileSync(target, `${request}\n`);
  return load.call(this, request, ...rest);
};
