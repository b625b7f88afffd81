import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Call, startCall } from '../forward/call.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';

/** Requests by prefix of their path; everything else is the API's. */
export interface DataPlaneRoute {
  readonly prefix: string;
  handle(call: Call): void;
}

export interface HttpServer extends AsyncDisposable {
  /** @returns the port, which the configuration may leave to the system */
  listen(address: { host: string; port: number }): Promise<number>;
}

const MAX_HEADERS = 64 * 1024;
const HEADERS_TIMEOUT = 20_000;
/** How long open requests get when the gateway is told to end. */
const DRAIN = 30_000;

/** The one listener: the data plane is dispatched by hand, the rest goes to Fastify (performance.md: routing costs more than forwarding). */
export function createHttpServer(deps: {
  routes: readonly DataPlaneRoute[];
  api: FastifyInstance;
  guardHost(host: string | undefined): void;
  answerProblem(call: Call, error: AppError): void;
  requestId(): string;
  runtime: Runtime;
}): HttpServer {
  const { api, runtime } = deps;

  function handle(req: IncomingMessage, res: ServerResponse, proceed: () => void): void {
    const route = routeOf(req.url!, deps.routes);
    const call = startCall(req, res, {
      requestId: deps.requestId(),
      startedAt: runtime.monotonic(),
      proceed,
    });
    try {
      deps.guardHost(req.headers.host);
      refuseAmbiguousFraming(req);
      if (route !== undefined) route.handle(call);
      else {
        proceed();
        api.routing(req, res);
      }
    } catch (error) {
      deps.answerProblem(call, asAppError(error));
    }
  }

  const server: Server = createServer({
    maxHeaderSize: MAX_HEADERS,
    headersTimeout: HEADERS_TIMEOUT,
    // A stream may last; its silence is bounded elsewhere.
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    insecureHTTPParser: false,
    requireHostHeader: true,
    // One pass over names and values is ours to make; joining duplicates would hide them.
    joinDuplicateHeaders: false,
    noDelay: true,
  });
  server.on('request', (req: IncomingMessage, res: ServerResponse) => handle(req, res, nothing));
  // Who waits for `100 Continue` gets it when the body is wanted: after authorization (rule 1).
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    let asked = false;
    handle(req, res, () => {
      if (!asked) res.writeContinue();
      asked = true;
    });
  });
  server.on('upgrade', (_req: IncomingMessage, socket: Socket) =>
    refuse(socket, '426 Upgrade Required', 'upgrade: HTTP/1.1\r\n'),
  );
  server.on('connect', (_req: IncomingMessage, socket: Socket) =>
    refuse(socket, '405 Method Not Allowed', ''),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else
      refuse(
        socket as Socket,
        error.code === 'HPE_HEADER_OVERFLOW'
          ? '431 Request Header Fields Too Large'
          : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
            ? '408 Request Timeout'
            : '400 Bad Request',
        '',
      );
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
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      server.closeIdleConnections();
      const over = new AbortController();
      await Promise.race([closed, runtime.sleep(DRAIN, over.signal).catch(() => {})]);
      over.abort();
      server.closeAllConnections();
      await api.close();
    },
  };
}

const nothing = (): void => {};

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

/** RFC 9112 section 6.3: Node refuses both lengths at once and two of one; what it lets pass and an upstream might read otherwise goes here. */
function refuseAmbiguousFraming(req: IncomingMessage): void {
  const { 'transfer-encoding': encoding, 'content-length': length } = req.headers;
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || length !== undefined)) {
    throw new AppError(
      'bad_request',
      'The request must be framed by Content-Length or by Transfer-Encoding: chunked.',
      { headers: { connection: 'close' } },
    );
  }
}

function refuse(socket: Socket, status: string, headers: string): void {
  socket.end(`HTTP/1.1 ${status}\r\n${headers}connection: close\r\ncontent-length: 0\r\n\r\n`);
}
