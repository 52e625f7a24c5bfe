// The middleware: asks the reader, and lets the answer be replayed, computed or passed through. Wiring only.
import type { NextFunction, Request, Response } from 'express';
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { BypassReason, EventSink } from '../contract/events.js';
import type { Forms, Reader, Turn } from '../contract/reading.js';
import { bytesIn } from '../entry/codings.js';
import { answeredHere, forwarded, forwardFor, hit, printCacheName, type Forward } from './labels.js';
import { lead } from './lead.js';
import { Negotiation } from './negotiate.js';
import { holdEndFor, passThrough } from './pass-through.js';
import { planStep, type Ask } from './plan.js';
import { ONLY_IF_CACHED, OVERLOADED, OVERLOADED_RETRY_S, sendProblem } from './problem.js';
import { replay, takeBack } from './replay.js';
import type { ResolvedRoute } from './route.js';
import { VaryMemory } from './vary.js';

export interface MiddlewareParts {
  readonly reader: Reader;
  readonly forms: Forms;
  /** Gets the bypasses decided here; every other event is the reader's. */
  readonly emit: EventSink;
  readonly clock: Clock;
  readonly route: ResolvedRoute;
}

/**
 * Responses that a cache has taken, shared by every copy of this library in the process: a second middleware on one does
 * nothing. Not a property of the response, because one more makes Node's own handling of it slower (1.5 us a request).
 */
const TAKEN = takenResponses();

function takenResponses(): WeakSet<object> {
  const name = Symbol.for('express-report-cache.responses');
  const known: unknown = Reflect.get(globalThis, name);
  if (known instanceof WeakSet) return known;
  const taken = new WeakSet();
  Reflect.set(globalThis, name, taken);
  return taken;
}

/**
 * The middleware of one route. Whatever fails in the cache before the handler has run is a bypass, afterwards a plain
 * answer; only the handler's own errors reach Express.
 */
export function createMiddleware({
  reader,
  forms,
  emit,
  clock,
  route: given,
}: MiddlewareParts): (req: Request, res: Response, next: NextFunction) => void {
  const route: ResolvedRoute = { ...given, cacheName: printCacheName(given.cacheName) };
  const vary = new VaryMemory();
  const negotiation = new Negotiation(route.compress);

  function bypass(res: Response, reason: BypassReason, fwd: Forward = 'bypass', detail?: string): void {
    emit({ kind: 'bypass', type: route.type, reason, ...(detail === undefined ? {} : { detail }) });
    passThrough(res, route, forwarded('BYPASS', fwd, fwd === 'bypass' ? reason : undefined));
  }

  function take(req: Request, res: Response, next: NextFunction, ask: Ask, turn: Turn): void {
    switch (turn.next) {
      case 'serve':
        serve(req, res, next, ask, turn);
        return;
      case 'none':
        sendProblem(res, route, answeredHere('MISS', 'only-if-cached'), ONLY_IF_CACHED);
        return;
      case 'refuse':
        // RFC 9110 §10.2.3.
        res.setHeader('Retry-After', OVERLOADED_RETRY_S);
        sendProblem(res, route, answeredHere('BYPASS', turn.reason), OVERLOADED);
        return;
      case 'alone':
        passThrough(res, route, forwarded('BYPASS', 'bypass', turn.reason));
        next();
        return;
      case 'lead':
        compute(req, res, next, ask, turn);
    }
  }

  function serve(req: Request, res: Response, next: NextFunction, ask: Ask, turn: Turn & { next: 'serve' }): void {
    const now = clock.now();
    const { entry } = turn;
    const choice = negotiation.choose(entry, req.headers['accept-encoding'], res);
    try {
      replay({ req, res, route, vary, negotiation }, entry, choice, hit(turn, now), now);
      // A reader whose copy is current needs no body, nor will he soon.
      if (choice.wanted !== undefined && res.statusCode !== 304) forms.make(ask.request.key, entry, choice.wanted);
    } catch (error) {
      // Once sent there is nothing to fall back to, and the error is that of a hook in front.
      if (res.headersSent) throw error;
      takeBack(res, turn.entry);
      bypass(res, 'unavailable', 'bypass', errorText(error));
      next();
    }
  }

  function compute(req: Request, res: Response, next: NextFunction, ask: Ask, turn: Turn & { next: 'lead' }): void {
    const { load, fallback } = turn;
    const { fwd, detail } = forwardFor(turn.reason, vary.names.length > 0);
    let ran = false;
    try {
      if (req.method === 'HEAD') {
        // Its answer has no body to store, and must not stand in for the GET's (RFC 9110 §9.3.2).
        load.decline('head');
        passThrough(res, route, forwarded('MISS', fwd, detail));
      } else {
        lead({ req, res, route, vary, negotiation, clock, load, fallback, baseKey: ask.baseKey, fwd, detail });
      }
      load.run(() => {
        ran = true;
        next();
      });
    } catch (error) {
      load.decline('error');
      if (ran) throw error;
      bypass(res, 'unavailable', 'bypass', errorText(error));
      next();
    }
  }

  /** The turn, once its entry is there in the form in which it will be sent: from Redis it may come in another. */
  function inForm(req: Request, res: Response, ask: Ask, turn: Turn): Turn | Promise<Turn> {
    if (turn.next === 'lead') return withFallbackInForm(ask, turn);
    if (turn.next !== 'serve') return turn;
    const { form } = negotiation.choose(turn.entry, req.headers['accept-encoding'], res);
    if (bytesIn(turn.entry, form) !== undefined) return turn;
    return forms.withIdentity(ask.request.key, turn.entry).then((entry) => ({ ...turn, entry }));
  }

  /** What stands in for a failure has no time to wait for: as it is written it can be sent to everybody. */
  function withFallbackInForm(ask: Ask, turn: Turn & { next: 'lead' }): Turn | Promise<Turn> {
    const { fallback, ...alone } = turn;
    if (fallback === undefined || bytesIn(fallback.entry, 'identity') !== undefined) return turn;
    return forms.withIdentity(ask.request.key, fallback.entry).then(
      (entry) => ({ ...alone, fallback: { ...fallback, entry } }),
      () => alone,
    );
  }

  /** A turn that is awaited: the client may go meanwhile. */
  async function later(req: Request, res: Response, next: NextFunction, ask: Ask, turn: Promise<Turn>): Promise<void> {
    let known: Turn;
    try {
      known = await turn;
    } catch (error) {
      bypass(res, 'unavailable', 'bypass', errorText(error));
      next();
      return;
    }
    try {
      // Somebody in front, a time limit for example, may have answered meanwhile.
      if (!res.destroyed && !res.headersSent) take(req, res, next, ask, known);
      // Nobody to compute for: whoever waits for this load computes for himself.
      else if (known.next === 'lead') known.load.decline('incomplete');
    } catch (error) {
      next(error);
    }
  }

  return function reportCache(req, res, next) {
    if (TAKEN.has(res)) {
      next();
      return;
    }
    TAKEN.add(res);

    const step = planStep(req, route, vary);
    if (step.do === 'refuse') {
      emit({ kind: 'bypass', type: route.type, reason: step.reason });
      sendProblem(res, route, answeredHere('BYPASS', step.reason), step.problem);
      return;
    }
    if (step.do === 'pass') {
      const { targets = [] } = step;
      bypass(res, step.reason, step.fwd, step.detail);
      if (targets.length > 0) holdEndFor(res, () => route.invalidate(targets, req.method.toLowerCase()));
      next();
      return;
    }
    let turn: Turn | Promise<Turn>;
    try {
      const asked = reader.read(step.request);
      turn =
        asked instanceof Promise ? asked.then((known) => inForm(req, res, step, known)) : inForm(req, res, step, asked);
    } catch (error) {
      bypass(res, 'unavailable', 'bypass', errorText(error));
      next();
      return;
    }
    if (turn instanceof Promise) void later(req, res, next, step, turn);
    else take(req, res, next, step, turn);
  };
}
