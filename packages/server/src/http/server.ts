import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Call, startCall } from '../forward/call.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import { onBehalfOf } from '../platform/on-behalf-of.ts';
import type { Runtime } from '../platform/runtime.ts';
import { awaitContinue, proceed } from './continue.ts';
import { refuseAmbiguousHead, refuseTrace } from './request-head.ts';

/** Requests by prefix of their path; everything else is the API's. */
export interface DataPlaneRoute {
  readonly prefix: string;
  handle(call: Call): void;
  /** Answers with an error from before it could be handled, in the shape that this prefix speaks. */
  refuse(call: Call, error: AppError): void;
  /** Whether it may be asked under any Host: it proves its caller itself. */
  readonly anyHost?: boolean;
}

export interface HttpServer extends AsyncDisposable {
  /** @returns the port, which the configuration may leave to the system */
  listen(address: { host: string; port: number }): Promise<number>;
  /** No new connection is taken, and no new request on the others; what has begun goes on. */
  stop(): void;
  /** Stops, and gives open requests their time. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** In milliseconds, but for the bytes of a head. */
export interface ServerLimits {
  /** Of all headers together; a cookie and a bearer value with hundreds of groups fit. */
  readonly headerBytes: number;
  /** Until a request's head is complete. */
  readonly headersTimeout: number;
  /** A connection on which neither side says anything, in a request or between two packets of a stream. */
  readonly silence: number;
  /** A connection between two requests. */
  readonly keepAlive: number;
  /** What open requests get when the gateway is told to end. */
  readonly drain: number;
}

const LIMITS: ServerLimits = {
  headerBytes: 64 * 1024,
  headersTimeout: 20_000,
  // Longer than the silence that an upstream is allowed: that one ends with a better error.
  silence: 20 * 60_000,
  keepAlive: 65_000,
  drain: 30_000,
};

/** How often a server that is ending looks whether anything is still open, milliseconds. */
const LOOK = 50;

/** Orchestrators ask them by whatever address they know; they tell nothing. */
const PROBES = new Set(['/healthz', '/readyz']);

/** The one listener: the data plane is dispatched by hand, the rest goes to Fastify (performance.md: routing costs more than forwarding). */
export function createHttpServer(deps: {
  routes: readonly DataPlaneRoute[];
  api: FastifyInstance;
  guardHost(host: string | undefined): void;
  answerProblem(call: Call, error: AppError): void;
  requestId(headers: IncomingHttpHeaders): string;
  runtime: Runtime;
  limits?: Partial<ServerLimits>;
}): HttpServer {
  const { api, runtime } = deps;
  const limits = { ...LIMITS, ...deps.limits };
  const routes = deps.routes.toSorted((a, b) => b.prefix.length - a.prefix.length);
  /** The response that each connection is about to get, or got last. */
  const latest = new WeakMap<Socket, ServerResponse>();
  const sockets = new Set<Socket>();
  let ending = false;

  function handle(req: IncomingMessage, res: ServerResponse): void {
    // A pipelined request waits for its turn: one connection is one call at a time, and nothing behind a refused request is acted upon.
    if (res.socket === null) res.once('socket', () => handle(req, res));
    else {
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
      refuseAmbiguousHead(req);
      refuseTrace(req);
      if (ending) refuseNewWork(url);
      if (!PROBES.has(url) && route?.anyHost !== true) deps.guardHost(req.headers.host);
      if (route === undefined) api.routing(req, res);
      else route.handle(call);
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
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', handle);
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    awaitContinue(req, res);
    handle(req, res);
  });
  server.on('upgrade', (_req: IncomingMessage, socket: Socket) =>
    refuse(socket, '426 Upgrade Required', 'upgrade: HTTP/1.1\r\n'),
  );
  server.on('connect', (_req: IncomingMessage, socket: Socket) =>
    refuse(socket, '405 Method Not Allowed', ''),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const res = latest.get(socket);
    if (res?.writableEnded) socket.destroySoon();
    // Half of an answer is on its way: a status line of ours would become part of it.
    else if (!socket.writable || error.code === 'ECONNRESET' || res?.headersSent) socket.destroy();
    else refuse(socket, PARSER_REFUSALS[error.code ?? ''] ?? '400 Bad Request', '');
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
      return (server.address() as AddressInfo).port;
    },
    stop,
    async [Symbol.asyncDispose]() {
      stop();
      const deadline = runtime.monotonic() + limits.drain;
      while ([...sockets].some(isBusy) && runtime.monotonic() < deadline) await runtime.sleep(LOOK);
      server.close();
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

  function isBusy(socket: Socket): boolean {
    const res = latest.get(socket);
    return res !== undefined && !res.writableFinished && !res.destroyed;
  }
}

/** That the process lives is still true; everything else is to go to another one, now or in a moment. */
function refuseNewWork(url: string): void {
  if (url === '/healthz') return;
  throw new AppError('unavailable', 'This gateway is being stopped; ask again in a moment.', {
    headers: { 'retry-after': '2', connection: 'close' },
  });
}

const PARSER_REFUSALS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

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

/** For a connection that is no longer, or not yet, an exchange of node:http. */
function refuse(socket: Socket, status: string, headers: string): void {
  // node:http has let go of the socket, its listener for errors included.
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\n${headers}connection: close\r\ncontent-length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}
