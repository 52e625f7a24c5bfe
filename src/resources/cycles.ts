// Pure: whether a resource is made of itself, over any number of steps.
import { ReportCacheError } from '../contract/errors.js';

/** @throws ERC_RESOURCE naming the cycle. */
export function refuseCycles(declared: readonly { readonly name: string; readonly from: readonly string[] }[]): void {
  const from = new Map(declared.map((one) => [one.name, one.from]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name);
    if (start >= 0) {
      const cycle = [...path.slice(start), name].join(' ← ');
      throw new ReportCacheError('ERC_RESOURCE', `A resource is made of itself: ${cycle}.`);
    }
    if (done.has(name)) return;
    for (const source of from.get(name) ?? []) visit(source, [...path, name]);
    done.add(name);
  };
  for (const { name } of declared) visit(name, []);
}
