// The options of writers that do not announce themselves, and answer when their invalidation is in force.

export function plainWriters({ holdMs = 2000, maxPending = 1000 } = {}) {
  return {
    holdMs: () => holdMs,
    onError: 'hold',
    marks: false,
    markTtlMs: 5000,
    onMarkError: 'proceed',
    maxTagsPerKind: 64,
    maxPending,
  } as const;
}
