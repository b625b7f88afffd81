import type { Bus } from '../platform/bus.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import { onBehalfOf } from '../platform/on-behalf-of.ts';
import { ready } from '../platform/ready.ts';
import type { Runtime } from '../platform/runtime.ts';
import { readTraceparent } from '../platform/trace/trace-context.ts';
import type { StartTrace } from '../platform/trace/tracer.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { Exchange } from './exchange.ts';
import { createLiveCalls, type LiveCall } from './live-calls.ts';
import type { Outcome } from './outcome.ts';

/** Where a call goes: an upstream, and the checked path behind the upstream's own, query included. */
export interface Destination {
  readonly upstream: Upstream;
  readonly path: string;
  /** Stands before the way there: sends something else, or several things, and answers as an upstream would. */
  readonly via?: (way: Transport) => Transport;
}

/** Through which of our paths it comes. */
export interface Surface {
  /** The paths' common form, for traces: `/v1/*`. */
  readonly route: string;
  /** Renders an error of ours, in the shape this surface speaks. */
  answer(call: Call, error: AppError): void;
  /** What is said of an upstream that is not there, and then of one that is not the caller's as well: nobody can tell which. */
  readonly unknown?: () => AppError;
}

/** Finds where a call goes; the body's head may be read for it. */
export type Find = (principal: Principal) => Destination | Promise<Destination>;

export interface ForwardDeps {
  identity: { authenticate(call: Call): Principal | Promise<Principal> };
  /** Refuses an ambient credential (a cookie) that another site may have put to use. */
  guard(principal: Principal, call: Call): void;
  may(principal: Principal, upstream: Upstream): boolean;
  /** As it is known now. */
  upstreams: { find(id: string): Upstream | undefined };
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
    /** Something newer than a credential that the upstream refused, or null. */
    renew(principal: Principal, upstream: Upstream, refused: Credential): Promise<Credential | null>;
  };
  transportTo(upstream: Upstream): Transport;
  /** Called once for each call, when it has ended. */
  record(outcome: Outcome): void;
  /** Begins the trace of a call that is to be recorded; null where none is. */
  trace: StartTrace | null;
  addressOf(call: Pick<Call, 'headers' | 'remoteAddress'>): string;
  /** News that takes back what let a call through. */
  bus: Pick<Bus, 'subscribe'>;
  /** What a credential is worth now, by the database; null: nothing. */
  standing(principal: Principal): Promise<unknown>;
  runtime: Pick<Runtime, 'monotonic'>;
}

export interface Forward {
  /** Who calls; the first step of every call. @throws AppError */
  authenticate(call: Call): Principal | Promise<Principal>;
  /**
   * The whole way of a call to an upstream and back.
   */
  handle(call: Call, find: Find, surface: Surface): void;
  /** Calls under way to an upstream, in this process. */
  open(upstreamId: string): number;
  /** Ends calls whose credential another process took back (rule 7). */
  check(): Promise<void>;
}

/** The sentence: authenticate → find → authorize → credential → send → record. */
export function createForward(deps: ForwardDeps): Forward {
  const { identity, vault, runtime } = deps;

  function authenticate(call: Call): Principal | Promise<Principal> {
    return ready(identity.authenticate(call), principal => {
      deps.guard(principal, call);
      return principal;
    });
  }

  function authorize(principal: Principal, upstream: Upstream, surface: Surface): void {
    if (deps.may(principal, upstream)) return;
    if (surface.unknown !== undefined) throw surface.unknown();
    throw new AppError(
      'forbidden',
      `You may not use the upstream ${upstream.id}; ask an admin of this gateway for access.`,
    );
  }

  /** An upstream can be changed or removed while a call to it is prepared, or under way. */
  function authorizeNow(principal: Principal, { id }: Upstream, surface: Surface): void {
    const upstream = deps.upstreams.find(id);
    if (upstream === undefined)
      throw surface.unknown?.() ?? new AppError('not_found', `The upstream ${id} was removed.`);
    authorize(principal, upstream, surface);
  }

  const live = createLiveCalls({
    bus: deps.bus,
    authenticate,
    authorize: authorizeNow,
    standing: deps.standing,
    runtime,
  });

  function handle(call: Call, find: Find, surface: Surface): void {
    const method = call.req.method!;
    const trace = deps.trace === null ? null : deps.trace(call, `${method} ${surface.route}`);
    let principal: Principal | null = null;
    let upstream: Upstream | null = null;
    let sent: Credential | null = null;
    let entered: LiveCall | null = null;

    let failure: string | null = null;
    let ended = false;
    const finish = (result: Outcome['result'], status: number) => {
      if (ended) return;
      ended = true;
      if (entered !== null) live.leave(entered);
      trace?.note({ ...(status > 0 && { 'http.response.status_code': status }), 'sallyport.result': result });
      trace?.end(
        {
          'http.request.method': method,
          'http.route': surface.route,
          ...(status > 0 && { 'http.response.status_code': status }),
          'sallyport.request_id': call.requestId,
          'sallyport.result': result,
          ...(upstream !== null && { 'sallyport.upstream': upstream.id }),
          ...(failure !== null && { 'error.type': failure }),
        },
        status >= 500 || result === 'broken',
      );
      deps.record({
        principal,
        upstream,
        credential: sent,
        result,
        status,
        method,
        requestId: call.requestId,
        traceId: trace === null ? traceIdOf(call) : trace.traceId,
        address: deps.addressOf(call),
        took: runtime.monotonic() - call.startedAt,
      });
    };
    const fail = (thrown: unknown) => {
      if (call.res.destroyed) return finish('abandoned', 0);
      const error = asAppError(thrown);
      trace?.note({ 'error.type': error.code });
      failure = error.code;
      surface.answer(call, error);
      finish(error.code.startsWith('upstream_') ? 'upstream_error' : 'refused', error.status);
    };
    const end = { finished: finish, failed: fail };

    const walk = () => {
      trace?.step('authenticate');
      return ready(authenticate(call), who => {
        principal = who;
        trace?.note({ 'sallyport.proof': who.proof });
        trace?.done();
        return ready(find(who), destination => {
          upstream = destination.upstream;
          authorize(who, upstream, surface);
          call.body.limit(upstream.maxBody);
          trace?.step('credential', 'internal', { 'sallyport.credential.rule': upstream.credential.use });
          return ready(vault.credentialFor(who, upstream), credential => {
            trace?.done();
            return ready(gatherSmall(call), () => send(who, destination, credential));
          });
        });
      });
    };

    function send(who: Principal, destination: Destination, credential: Credential | null): void {
      const { upstream, path } = destination;
      if (deps.upstreams.find(upstream.id) !== upstream) authorizeNow(who, upstream, surface);
      const renewable = credential !== null && credential.source !== null;
      const renew = () => void again(passage, destination, credential!).catch(fail);
      // It is the upstream's connection that calls, on which others have called before.
      const refused = () => onBehalfOf(call.requestId, renew);
      const first = new Exchange(call, upstream, renewable ? refused : null, end);
      const passage: LiveCall = {
        call,
        principal: who,
        upstream,
        surface,
        exchange: first,
        refusal: null,
        at: -1,
      };
      entered = passage;
      live.enter(passage);
      sent = credential;
      begin(upstream, 0);
      first.start(wayTo(destination), path, credential, trace?.headers() ?? null);
    }

    /** The upstream refused the token: once a newer one, where there is one and the body can be sent again; else its refusal is the answer. */
    async function again(passage: LiveCall, destination: Destination, refused: Credential): Promise<void> {
      const { upstream, path } = destination;
      const { principal, exchange: first } = passage;
      if (!call.body.repeatable) return first.pass();
      trace?.note({ 'http.response.status_code': 401 });
      trace?.step('credential', 'internal', { 'sallyport.credential.rule': upstream.credential.use });
      const renewed = await vault.renew(principal, upstream, refused).catch((error: unknown) => {
        first.drop();
        throw error;
      });
      if (renewed === null) return first.pass();
      if (first.over) return;
      first.drop();
      await call.body.whole();
      if (passage.refusal !== null) throw passage.refusal;
      passage.exchange = new Exchange(call, upstream, null, end);
      sent = renewed;
      begin(upstream, 1);
      passage.exchange.start(wayTo(destination), path, renewed, trace?.headers() ?? null);
    }

    function wayTo({ upstream, via }: Destination): Transport {
      const way = deps.transportTo(upstream);
      return via === undefined ? way : via(way);
    }

    function begin({ id, url }: Upstream, resent: number): void {
      trace?.step('upstream', 'client', {
        'http.request.method': method,
        'server.address': url.hostname,
        ...(url.port !== '' && { 'server.port': Number(url.port) }),
        ...(resent > 0 && { 'http.request.resend_count': resent }),
        'sallyport.upstream': id,
      });
    }

    try {
      const walking = walk();
      if (walking instanceof Promise) walking.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  return { authenticate, handle, open: live.count, check: live.check };
}

/** A small body is gathered, so that it leaves in one piece (performance.md rule 3). */
function gatherSmall(call: Call): undefined | Promise<undefined> {
  const { body } = call;
  if (body.empty || !body.small) return undefined;
  return body.gather(() => false).then(() => undefined);
}

function traceIdOf({ headers }: Call): string | null {
  return headers.traceparent === undefined ? null : (readTraceparent(headers.traceparent)?.traceId ?? null);
}
