import type { IncomingHttpHeaders } from 'node:http';
import { AppError, asAppError } from '../platform/errors.ts';
import { ready } from '../platform/ready.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { checkHeaders } from './check-answer.ts';
import { returnPathFor } from './check-return.ts';
import { type CheckedRequest, checkedRequest } from './checked-request.ts';
import type { Outcome } from './outcome.ts';

export interface CheckDeps {
  /** @throws AppError unless it is the operator's proxy that asks */
  proof(call: Call): void;
  identity: { authenticate(call: Call): Principal | Promise<Principal> };
  /** Where the client is, by the word of a proxy that has proved to be one. */
  addressOf(call: Call): string;
  /** Refuses an ambient credential that another site than `origin` may have put to use. */
  guard(principal: Principal, request: { method: string; headers: IncomingHttpHeaders }, origin: URL): void;
  may(principal: Principal, upstream: Upstream): boolean;
  upstreams: { find(id: string): Upstream | undefined };
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  publicUrl: URL;
  /** Called once for each question, when it is answered. */
  record(outcome: Outcome): void;
  answerProblem(call: Call, error: AppError): void;
  runtime: Pick<Runtime, 'monotonic'>;
}

/**
 * `/auth/check`: a proxy asks whether a request may pass to an upstream that the proxy itself reaches, and with which headers. 200 with them; 401, and
 * for a person where to sign in; 403. The sentence of a forwarded call, without the sending: proof → authenticate → find → authorize → credential →
 * answer → record.
 */
export function createCheck(deps: CheckDeps): (call: Call) => void {
  const { vault, publicUrl, runtime } = deps;

  function handle(call: Call): void {
    let asked: CheckedRequest | null = null;
    let principal: Principal | null = null;
    let upstream: Upstream | null = null;
    let released: Credential | null = null;

    const finish = (result: 'ok' | 'refused', status: number) =>
      deps.record({
        principal,
        upstream,
        result,
        status,
        method: asked?.method ?? call.req.method!,
        requestId: call.requestId,
        traceId: null,
        credential: released,
        // Before it has proved itself it may write what it likes.
        address: asked === null ? call.remoteAddress : deps.addressOf(call),
        took: runtime.monotonic() - call.startedAt,
      });

    const fail = (thrown: unknown) => {
      const error = asAppError(thrown);
      const signIn = asked === null ? null : signInFor(error, asked, call.headers);
      if (signIn !== null && asked!.redirect) redirect(call, signIn, error);
      else {
        // On a 401 it is a hint: what a proxy cannot hand on as it is, its configuration turns into a redirect.
        if (signIn !== null) error.headers['location'] = signIn;
        deps.answerProblem(call, error);
      }
      finish('refused', error.status);
    };

    const walk = () => {
      deps.proof(call);
      const request = checkedRequest(call);
      asked = request;
      return ready(deps.identity.authenticate(call), who => {
        principal = who;
        deps.guard(who, guarded(request, call.headers), request.url ?? publicUrl);
        const to = find(request.upstream);
        upstream = to;
        authorize(who, to);
        return ready(vault.credentialFor(who, to), credential => {
          released = credential;
          answer(call, 200, checkHeaders(who, credential));
          finish('ok', 200);
        });
      });
    };

    try {
      const walking = walk();
      if (walking instanceof Promise) walking.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  function find(id: string): Upstream {
    const upstream = deps.upstreams.find(id);
    if (upstream === undefined) throw new AppError('forbidden', `There is no upstream ${id} here.`);
    return upstream;
  }

  function authorize(principal: Principal, upstream: Upstream): void {
    if (deps.may(principal, upstream)) return;
    throw new AppError(
      'forbidden',
      `You may not use the upstream ${upstream.id}; ask an admin of this gateway for access.`,
    );
  }

  /** Where a person mends it who came with a browser; null for programs, and for what signing in does not mend. */
  function signInFor(error: AppError, asked: CheckedRequest, headers: IncomingHttpHeaders): string | null {
    const mends = error.code === 'unauthenticated' || error.action !== null;
    if (error.status !== 401 || !mends || !isNavigation(asked, headers)) return null;
    const url = new URL(error.action ?? '/auth/login', publicUrl);
    const back = returnPathFor(asked.url, publicUrl);
    if (back !== null) url.searchParams.set('return_to', back);
    return url.href;
  }

  return handle;
}

/** A WebSocket's handshake is a GET that no page may begin for another (RFC 6455 section 10.2). */
const guarded = ({ method }: CheckedRequest, headers: IncomingHttpHeaders) => ({
  method: headers['sec-websocket-key'] === undefined ? method : 'CONNECT',
  headers,
});

const isNavigation = ({ method }: CheckedRequest, headers: IncomingHttpHeaders): boolean =>
  (method === 'GET' || method === 'HEAD') &&
  headers.authorization === undefined &&
  headers.accept?.includes('text/html') === true;

function redirect(call: Call, location: string, error: AppError): void {
  const cookie = error.headers['set-cookie'];
  answer(call, 303, { location, ...(cookie === undefined ? {} : { 'set-cookie': cookie }) });
}

/** Without a body: a proxy reads the headers alone. What the client wants to send is not waited for, many proxies announce it and keep it. */
function answer(call: Call, status: number, headers: Readonly<Record<string, string>>): void {
  const { res } = call;
  if (res.destroyed) return;
  call.body.discard();
  res.writeHead(status, {
    'content-length': 0,
    'cache-control': 'no-store',
    'x-request-id': call.requestId,
    ...headers,
  });
  res.end();
}
