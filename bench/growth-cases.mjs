// What is measured as it grows: entries, entries under one tag, and tags per entry; for this library and others.

/** Values are texts of so many bytes; what an entry costs beside them does not depend on them. */
export const VALUE_BYTES = 256;

/**
 * `untagged`: has no tags, so only its memory is measured. apicache is missing: it keeps answers of requests only.
 * @type {readonly { name: string, title: string, untagged?: boolean }[]}
 */
export const CACHES = [
  { name: 'ours', title: 'this library' },
  { name: 'async-cache-dedupe', title: 'async-cache-dedupe' },
  { name: 'bentocache', title: 'bentocache' },
  { name: 'cacheable', title: 'cacheable' },
  { name: 'cache-manager', title: 'cache-manager', untagged: true },
  { name: 'cachified', title: 'cachified', untagged: true },
];

const LAYERS = ['memory', 'redis'];

/** Powers of ten from 10^`from` to 10^`to`. */
function powers(from, to) {
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
}

/**
 * `entries` in all; `share` of them under each tag that is invalidated; `tags` of each.
 * @typedef {{ curve: 'entries' | 'share' | 'tags', cache: (typeof CACHES)[number], layer: string, entries: number, share: number, tags: number }} Case
 * @returns {Case[]}
 */
export function growthCases(quick) {
  const cases = [];
  for (const cache of CACHES) {
    for (const layer of LAYERS) {
      if (cache.untagged && layer === 'redis') continue;
      // A million entries of everybody in Redis would take longer than all the rest.
      const most = quick ? 4 : cache.name === 'ours' || layer === 'memory' ? 6 : 5;
      for (const entries of quick ? [100, 10 ** most] : powers(2, most))
        cases.push({ curve: 'entries', cache, layer, entries, share: 1, tags: 1 });
      if (cache.untagged) continue;
      for (const share of quick ? [1, 1000] : powers(0, 5))
        cases.push({ curve: 'share', cache, layer, entries: share * SHARES, share, tags: 1 });
    }
    if (cache.untagged) continue;
    for (const tags of quick ? [1, 50] : [1, 5, 10, 20, 50])
      cases.push({ curve: 'tags', cache, layer: 'memory', entries: 10_000, share: 1, tags });
  }
  return cases;
}

/** So many tags of each share are invalidated, one after the other; one more under the monitor. */
export const SHARES = 4;
