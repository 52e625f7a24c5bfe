// Lets the asynchronous contexts of a finished simulation be given up: Node 20 carries every storage ever used along with every promise.
import hooks from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';

/** @type {Set<hooks.AsyncLocalStorage<unknown>>} */
const used = new Set();

/** @extends {hooks.AsyncLocalStorage<unknown>} */
class ForOneRun extends hooks.AsyncLocalStorage {
  constructor() {
    super();
    used.add(this);
  }
}

/** Before the library is loaded: what it imports is then the same class, with a register. */
hooks.AsyncLocalStorage = /** @type {typeof hooks.AsyncLocalStorage} */ (/** @type {unknown} */ (ForOneRun));
syncBuiltinESMExports();

export function giveUpContexts() {
  for (const storage of used) storage.disable();
  used.clear();
}
