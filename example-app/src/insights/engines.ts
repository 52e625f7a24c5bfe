// Which engines there are: the one that the environment names comes first, the one without a model is always there.
import type { Config } from '../config.js';
import type { Engine } from './engine.js';
import { httpEngine } from './http-engine.js';
import { localEngine } from './local-engine.js';

export function enginesOf({ ai, localMs }: Config): readonly Engine[] {
  const local = localEngine(localMs);
  return ai === undefined ? [local] : [httpEngine(ai), local];
}
