import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Call, startCall } from '../forward/call.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import { createServer } from '../platform/node-http.ts';
import { onBehalfOf } from '../platform/on-behalf-of.ts';
import type { Runtime } from '../platform/runtime.ts';
import { awaitContinue, proceed } from './continue.ts';
import { createCrowd } from './crowd.ts';
import { LIMITS, type ServerLimits } from './limits.ts';
import { parserRefusal, refuseSocket } from './refuse-socket.ts';
import { refuseAmbiguousHead, refuseManyHeaders, refuseTrace } from './request-head.ts';
import { createSlowBodies } from './slow-bodies.ts';
import { createUpgrades, type UpgradeRoute } from './upgrades.ts';

/** Requests by prefix of their path; everything else is the API's. */
export interface DataPlaneRoute {
  readonly prefix: string;
  handle(call: Call): void;
  /** Answers with an error from before it could be handled, in the shape that this prefix speaks. */
  refuse(call: Call, error: AppError): void;
  /** Whether it may be asked under any Host: it proves its caller itself. */
  readonly anyHost?: boolean;
  /** Whether its answers last as long as the process: none is waited for at its end. */
  readonly lasting?: boolean;
}

export interface HttpServer extends AsyncDisposable {
  /** @returns the port, which the configuration may leave to the system */
  listen(address: { host: string; port: number }): Promise<number>;
  /** No new connection is taken, and no new request on the others; what has begun goes on. */
  stop(): void;
  /** Stops, and gives open requests their time. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How often a server that is ending looks whether anything is still open, milliseconds. */
const LOOK = 50;

/** The log tells of connections that were turned away at most this often, milliseconds. */
const TOLD_EVERY = 60_000;

/** Orchestrators ask them by whatever address they know; they tell nothing. */
const PROBES = new Set(['/healthz', '/readyz']);

/** The one listener: the data plane is dispatched by hand, the rest goes to Fastify (performance.md: routing costs more than forwarding). */
export function createHttpServer(deps: {
  routes: readonly DataPlaneRoute[];
  upgrades?: readonly UpgradeRoute[];
  api: FastifyInstance;
  guardHost(host: string | undefined): void;
  answerProblem(call: Call, error: AppError): void;
  requestId(headers: IncomingHttpHeaders): string;
  runtime: Runtime;
  log: Logger;
  /** Addresses that may have as many connections as they like. */
  exempt(address: string): boolean;
  limits?: Partial<ServerLimits>;
}): HttpServer {
  const { api, runtime } = deps;
  const limits = { ...LIMITS, ...deps.limits };
  const routes = deps.routes.toSorted((a, b) => b.prefix.length - a.prefix.length);
  /** The response that each connection is about to get, or got last. */
  const latest = new WeakMap<Socket, ServerResponse>();
  /** That nobody waits for at the end. */
  const lasting = new WeakSet<ServerResponse>();
  const sockets = new Set<Socket>();
  const mayStay = createCrowd({ most: limits.socketsPerAddress, exempt: deps.exempt });
  const slowBodies = createSlowBodies(limits, () => runtime.monotonic());
  const upgrade = createUpgrades({
    routes: deps.upgrades ?? [],
    guardHost: deps.guardHost,
    requestId: deps.requestId,
    headerCount: limits.headerCount,
    log: deps.log,
  });
  let looking: AsyncDisposable | null = null;
  let toldAt = Number.NEGATIVE_INFINITY;
  let ending = false;

  function handle(req: IncomingMessage, res: ServerResponse): void {
    // A pipelined request waits for its turn: one connection is one call at a time, and nothing behind a refused request is acted upon.
    if (res.socket === null) res.once('socket', () => handle(req, res));
    else if (sockets.has(req.socket)) {
      latest.set(req.socket, res);
      const requestId = deps.requestId(req.headers);
      onBehalfOf(requestId, dispatch, req, res, requestId);
    }
  }

  function dispatch(req: IncomingMessage, res: ServerResponse, requestId: string): void {
    const url = req.url!;
    const route = routeOf(url, routes);
    const call = startCall(req, res, {
      requestId,
      startedAt: runtime.monotonic(),
      proceed: () => proceed(req),
    });
    try {
      refuseManyHeaders(req, limits.headerCount);
      refuseAmbiguousHead(req);
      refuseTrace(req);
      if (ending) refuseNewWork(url);
      if (!PROBES.has(url) && route?.anyHost !== true) deps.guardHost(req.headers.host);
      if (route === undefined) api.routing(req, res);
      else route.handle(call);
      if (route?.lasting) lasting.add(res);
    } catch (error) {
      (route?.refuse ?? deps.answerProblem)(call, asAppError(error));
    }
  }

  const server: Server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeout,
    connectionsCheckingInterval: Math.ceil(limits.headersTimeout / 4),
    // A stream may last; its silence is what is bounded.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAlive,
    insecureHTTPParser: false,
    requireHostHeader: true,
    // One pass over names and values is ours to make; joining duplicates would hide them.
    joinDuplicateHeaders: false,
    noDelay: true,
    // An offer of h2c (Java's client makes it on every first request) may be passed over (RFC 9110 section 7.8).
    shouldUpgradeCallback: req => req.headers.upgrade?.toLowerCase() === 'websocket',
  });
  server.timeout = limits.silence;
  // Past its own limit the parser would leave headers out; ours refuses the request.
  server.maxHeadersCount = 0;
  server.on('connection', (socket: Socket) => {
    if (mayStay(socket)) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    } else turnAway(socket);
  });
  server.on('request', handle);
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    awaitContinue(req, res);
    handle(req, res);
  });
  server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    if (sockets.has(socket)) upgrade(req, socket, head, ending ? BEING_STOPPED : null);
  });
  server.on('connect', (_req: IncomingMessage, socket: Socket) => refuseSocket(socket, NO_CONNECT));
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const res = latest.get(socket);
    if (res?.writableEnded) socket.destroySoon();
    // Half of an answer is on its way: a status line of ours would become part of it.
    else if (!socket.writable || error.code === 'ECONNRESET' || res?.headersSent) socket.destroy();
    else refuseSocket(socket, parserRefusal(error.code));
  });

  return {
    async listen({ host, port }) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      });
      looking = every(limits.bodyWindow / 4, 'looking for slow bodies', lookForSlow, deps);
      return (server.address() as AddressInfo).port;
    },
    stop,
    async [Symbol.asyncDispose]() {
      stop();
      const deadline = runtime.monotonic() + limits.drain;
      while ([...sockets].some(isBusy) && runtime.monotonic() < deadline) await runtime.sleep(LOOK);
      server.close();
      await looking?.[Symbol.asyncDispose]();
      server.closeAllConnections();
      await api.close();
    },
  };

  function stop(): void {
    if (ending) return;
    ending = true;
    // node:http's own would reset connections between two requests, where a client may be asking just now: it is told instead.
    NetServer.prototype.close.call(server);
  }

  async function lookForSlow(): Promise<void> {
    for (const socket of sockets) {
      const res = latest.get(socket);
      if (res !== undefined) slowBodies.look(res);
    }
  }

  function turnAway(socket: Socket): void {
    refuseSocket(socket, CROWDED);
    const now = runtime.monotonic();
    if (now - toldAt < TOLD_EVERY) return;
    toldAt = now;
    deps.log.warn(
      { address: socket.remoteAddress, most: limits.socketsPerAddress },
      'an address has too many connections; if it is a proxy, it belongs into trustedProxies',
    );
  }

  function isBusy(socket: Socket): boolean {
    const res = latest.get(socket);
    return res !== undefined && !lasting.has(res) && !res.writableFinished && !res.destroyed;
  }
}

const NO_CONNECT = new AppError('method_not_allowed', 'This gateway is no forward proxy.', {
  headers: { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' },
});
const CROWDED = new AppError('unavailable', 'There are too many connections from your address.', {
  headers: { 'retry-after': '10' },
});

const BEING_STOPPED = new AppError('unavailable', 'This gateway is being stopped; ask again in a moment.', {
  headers: { 'retry-after': '2', connection: 'close' },
});

/** That the process lives is still true; everything else is to go to another one, now or in a moment. */
function refuseNewWork(url: string): void {
  if (url !== '/healthz') throw BEING_STOPPED;
}

function routeOf(url: string, routes: readonly DataPlaneRoute[]): DataPlaneRoute | undefined {
  for (const route of routes) {
    const { prefix } = route;
    if (!url.startsWith(prefix)) continue;
    const next = url.charCodeAt(prefix.length);
    // The end, `/` or `?`.
    if (url.length === prefix.length || next === 0x2f || next === 0x3f) return route;
  }
  return undefined;
}
