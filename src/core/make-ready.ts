// An entry that is made without a reader: ahead of him, or behind his back.
import type { Refusal, SpendGate } from '../contract/costs.js';
import type { LoaderRun } from '../contract/loader.js';
import type { Draft, Load, Reader, ReadRequest } from '../contract/reading.js';
import type { PutOutcome } from '../contract/store.js';
import { runLoad } from './loader-run.js';

/** Computes the bytes of an entry. */
export type Making = (run: LoaderRun) => Promise<Draft>;

/** It is not ready, although nothing has failed in its loader. `reason`: of the bypass, the store, or the limit in the way. */
export class NotReady extends Error {
  override readonly name = 'NotReady';
  constructor(readonly reason: string) {
    super(`Not stored: ${reason}.`);
  }
}

/** Runs the computation of a load and offers what it has made. @throws what the computation throws; the load is settled */
export async function make(load: Load, making: Making): Promise<PutOutcome> {
  return load.store(await runLoad(load, making));
}

/**
 * Makes an entry ready, unless there is one that the request accepts.
 * @returns whether it was computed here
 * @throws NotReady; what the computation throws
 */
export async function makeReady(
  request: ReadRequest,
  making: Making,
  { reader, gate }: { readonly reader: Reader; readonly gate: SpendGate | undefined },
): Promise<{ readonly computed: boolean }> {
  const turn = await reader.read(request);
  switch (turn.next) {
    case 'serve':
      return { computed: false };
    case 'lead': {
      const refusal = await admitted(request, gate);
      if (refusal !== undefined) {
        turn.load.decline('spend');
        throw new NotReady('spend');
      }
      const outcome = await make(turn.load, making);
      if (outcome !== 'stored') throw new NotReady(outcome);
      return { computed: true };
    }
    case 'alone':
    case 'refuse':
      throw new NotReady(turn.reason);
    case 'none':
      throw new NotReady('absent');
  }
}

async function admitted(request: ReadRequest, gate: SpendGate | undefined): Promise<Refusal | undefined> {
  return gate?.admit(request);
}
