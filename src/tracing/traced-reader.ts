// The reader as spans: asking the layers and waiting for others is one, and what is computed then belongs to who asked.
import type { Reader, ReadRequest, Turn } from '../contract/reading.js';
import type { Place, SpanFacts, Tracer } from '../contract/tracing.js';
import type { Correlation } from '../core/correlation.js';
import { TracedLoad } from './traced-load.js';
import { within } from './within.js';

export class TracedReader implements Reader {
  constructor(
    private readonly reader: Reader,
    private readonly tracer: Tracer,
    private readonly correlation: Pick<Correlation, 'id'>,
  ) {}

  read(request: ReadRequest): Turn | Promise<Turn> {
    const here = this.tracer.here();
    if (here === undefined) return this.reader.read(request);
    const facts = { type: request.type, ...idFacts(this.correlation) };
    const turn = within(here.begin('read', facts), () => this.reader.read(request), turnFacts);
    return turn instanceof Promise ? turn.then((later) => ledFrom(here, later, facts)) : ledFrom(here, turn, facts);
  }
}

/** For spans that logs are to be found by. */
export function idFacts({ id }: Pick<Correlation, 'id'>): SpanFacts {
  return id === undefined ? {} : { correlation_id: id };
}

function ledFrom(here: Place, turn: Turn, facts: SpanFacts): Turn {
  return turn.next === 'lead' ? { ...turn, load: new TracedLoad(turn.load, here, facts) } : turn;
}

function turnFacts(turn: Turn): SpanFacts {
  switch (turn.next) {
    case 'serve':
      return { result: 'hit', layer: turn.layer, coalesced: turn.coalesced };
    case 'lead':
      return { result: 'miss', reason: turn.reason };
    case 'alone':
      return { result: 'bypass', reason: turn.reason };
    case 'refuse':
      return { result: 'refused', reason: turn.reason };
    case 'none':
      return { result: 'none' };
  }
}
