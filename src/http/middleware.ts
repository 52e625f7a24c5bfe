// The middleware: asks the reader, and lets the answer be replayed, computed or passed through. Wiring only.
import type { NextFunction, Request, Response } from 'express';
import type { Clock } from '../contract/clock.js';
import type { Refusal } from '../contract/costs.js';
import { errorText } from '../contract/errors.js';
import type { BypassReason, EventSink } from '../contract/events.js';
import type { Fallback, Forms, Reader, Turn } from '../contract/reading.js';
import { bytesIn } from '../entry/codings.js';
import { answeredHere, forwarded, forwardFor, hit, printCacheName, type Forward, type Outcome } from './labels.js';
import { lead } from './lead.js';
import { Negotiation } from './negotiate.js';
import { holdEndFor, passThrough } from './pass-through.js';
import { planStep, TagsError, type Ask } from './plan.js';
import { ONLY_IF_CACHED, OVERLOADED, OVERLOADED_RETRY_S, sendProblem } from './problem.js';
import { replay, takeBack } from './replay.js';
import type { ResolvedRoute } from './route.js';
import { beside, ownerOf, sendOverspent, whereAdmitted } from './spending.js';
import { VaryMemory } from './vary.js';

export interface MiddlewareParts {
  readonly reader: Reader;
  readonly forms: Forms;
  /** Gets the bypasses decided here; every other event is the reader's. */
  readonly emit: EventSink;
  readonly clock: Clock;
  /** What is learnt of the route's answers; default: kept to itself. */
  readonly vary?: VaryMemory;
  readonly route: ResolvedRoute;
}

/**
 * Responses that a cache has handed on, shared by every copy of this library in the process: a second middleware on one
 * does nothing. Not those that it has answered, which nobody sees after it: to remember one costs a hit 1 us. Not a
 * property of the response, because one more makes Node's own handling of it slower.
 */
const HANDED_ON = responsesHandedOn();

function responsesHandedOn(): WeakSet<object> {
  const name = Symbol.for('express-report-cache.responses');
  const known: unknown = Reflect.get(globalThis, name);
  if (known instanceof WeakSet) return known;
  const handedOn = new WeakSet();
  Reflect.set(globalThis, name, handedOn);
  return handedOn;
}

/** Methods that make a report; others change something, and are not what limits of reports are about. */
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** The client waits, and nobody has answered. */
const isOpen = (res: Response): boolean => !res.destroyed && !res.headersSent;

/**
 * The middleware of one route. Whatever fails in the cache before the handler has run is a bypass, afterwards a plain
 * answer; only the handler's own errors reach Express.
 */
export function createMiddleware({
  reader,
  forms,
  emit,
  clock,
  vary = new VaryMemory(),
  route: given,
}: MiddlewareParts): (req: Request, res: Response, next: NextFunction) => void {
  const route: ResolvedRoute = { ...given, cacheName: printCacheName(given.cacheName) };
  const negotiation = new Negotiation(route.compress);

  function bypass(res: Response, reason: BypassReason, fwd: Forward = 'bypass', detail?: string): void {
    emit({ kind: 'bypass', type: route.type, reason, ...(detail === undefined ? {} : { detail }) });
    pass(res, forwarded('BYPASS', fwd, fwd === 'bypass' ? reason : undefined));
  }

  function pass(res: Response, outcome: Outcome): void {
    HANDED_ON.add(res);
    passThrough(res, route, outcome);
  }

  /** Before the handler has run. */
  function failed(res: Response, error: unknown): void {
    bypass(res, error instanceof TagsError ? 'key' : 'unavailable', 'bypass', errorText(error));
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
        runBeside(res, next, ask.request.owner, () => pass(res, forwarded('BYPASS', 'bypass', turn.reason)));
        return;
      case 'lead':
        computeIfAdmitted(req, res, next, ask, turn);
    }
  }

  function serve(req: Request, res: Response, next: NextFunction, ask: Ask, turn: Turn & { next: 'serve' }): void {
    const { entry } = turn;
    const choice = negotiation.choose(entry, req.headers['accept-encoding'], res);
    // From Redis it may come in another form than the one to be sent.
    if (bytesIn(entry, choice.form) === undefined) {
      const asWritten = forms.withIdentity(ask.request.key, entry).then((made) => ({ ...turn, entry: made }));
      void later(req, res, next, ask, asWritten);
      return;
    }
    const now = clock.now();
    try {
      replay({ req, res, route, vary, negotiation }, entry, choice, hit(turn, now), now);
      route.loaded?.asked(req, ask.request.key, entry.computeMs);
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

  /** Without the cache, unless too much is spent already. */
  function runBeside(res: Response, next: NextFunction, owner: string, prepare: () => void): void {
    const go = () => {
      if (!isOpen(res)) return;
      prepare();
      beside(route, owner, next);
    };
    whereAdmitted(route, owner, go, (refusal) => refuse(res, refusal), next);
  }

  function computeIfAdmitted(
    req: Request,
    res: Response,
    next: NextFunction,
    ask: Ask,
    turn: Turn & { next: 'lead' },
  ): void {
    const go = () => {
      if (isOpen(res)) compute(req, res, next, ask, turn);
      else turn.load.decline('incomplete');
    };
    const no = (refusal: Refusal) => {
      turn.load.decline('spend');
      const kept = isOpen(res) ? turn.fallback?.take() : undefined;
      if (kept === undefined) refuse(res, refusal);
      else serve(req, res, next, ask, kept);
    };
    whereAdmitted(route, ask.request.owner, go, no, next);
  }

  function refuse(res: Response, refusal: Refusal): void {
    emit({ kind: 'bypass', type: route.type, reason: 'spend' });
    if (isOpen(res)) sendOverspent(res, route, refusal);
  }

  function compute(req: Request, res: Response, next: NextFunction, ask: Ask, turn: Turn & { next: 'lead' }): void {
    const { load, fallback } = turn;
    const kept = route.loaded && fallback?.take();
    if (kept !== undefined) {
      route.loaded?.remake(load, req);
      serve(req, res, next, ask, kept);
      return;
    }
    if (fallback !== undefined && bytesIn(fallback.entry, 'identity') === undefined) {
      void later(req, res, next, ask, withFallbackAsWritten(ask, turn, fallback));
      return;
    }
    const { fwd, detail } = forwardFor(turn.reason, vary.names.length > 0);
    let ran = false;
    try {
      if (req.method === 'HEAD') {
        // Its answer has no body to store, and must not stand in for the GET's (RFC 9110 §9.3.2).
        load.decline('head');
        pass(res, forwarded('MISS', fwd, detail));
      } else {
        HANDED_ON.add(res);
        lead({ req, res, route, vary, negotiation, clock, load, fallback, baseKey: ask.baseKey, fwd, detail });
      }
      load.run(() => {
        ran = true;
        next();
      });
    } catch (error) {
      load.decline('error');
      if (ran) throw error;
      failed(res, error);
      next();
    }
  }

  /** What stands in for a failure has no time to wait for: as it is written it can be sent to everybody. */
  function withFallbackAsWritten(ask: Ask, turn: Turn & { next: 'lead' }, fallback: Fallback): Promise<Turn> {
    const { fallback: _, ...alone } = turn;
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
      failed(res, error);
      next();
      return;
    }
    try {
      // Somebody in front, a time limit for example, may have answered meanwhile.
      if (isOpen(res)) take(req, res, next, ask, known);
      // Nobody to compute for: whoever waits for this load computes for himself.
      else if (known.next === 'lead') known.load.decline('incomplete');
    } catch (error) {
      next(error);
    }
  }

  return function reportCache(req, res, next) {
    if (HANDED_ON.has(res)) {
      next();
      return;
    }

    const step = planStep(req, route, vary);
    if (step.do === 'refuse') {
      emit({ kind: 'bypass', type: route.type, reason: step.reason });
      sendProblem(res, route, answeredHere('BYPASS', step.reason), step.problem);
      return;
    }
    if (step.do === 'pass') {
      const { targets = [] } = step;
      const prepare = () => {
        bypass(res, step.reason, step.fwd, step.detail);
        if (targets.length > 0) holdEndFor(res, () => route.invalidate(targets, req.method.toLowerCase()));
      };
      if (route.spending !== undefined && READS.has(req.method)) {
        runBeside(res, next, ownerOf(req, route), prepare);
        return;
      }
      prepare();
      next();
      return;
    }
    let turn: Turn | Promise<Turn>;
    try {
      turn = reader.read(step.request);
    } catch (error) {
      failed(res, error);
      next();
      return;
    }
    if (turn instanceof Promise) void later(req, res, next, step, turn);
    else take(req, res, next, step, turn);
  };
}
