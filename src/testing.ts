// For authors of stores: the conformance suite that every store of this library passes.
export { makeEntry, storeSuite, type Runner, type StoreHarness } from './testing/store-suite.js';
export type { Store, Lookup, PutOutcome, MissReason } from './contract/store.js';
export type { Dependency, Entry, HeaderField, Position } from './contract/entry.js';
