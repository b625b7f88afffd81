import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { acceptance, keyOf as keyIn } from '@sallyport/protocol/web-socket-handshake.ts';
import type { Bus } from '../platform/bus.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge } from '../platform/metrics.ts';
import { STATUS_CODES } from '../platform/node-http.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import { HandshakeRefused, type OpenedSocket, type SocketWay } from '../terms/socket-way.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { ForwardDeps } from './forward.ts';
import { concerns } from './live-calls.ts';
import { findNamed } from './named.ts';
import { outboundHeaders } from './outbound-headers.ts';
import { splitTarget } from './path.ts';

/** What another process took back is known here within 5 s: with its jitter 4.4 s, the rest is the database's; milliseconds. */
const CHECK = 3_500;

export interface WebSocketsDeps
  extends Pick<ForwardDeps, 'may' | 'record' | 'addressOf'>,
    Pick<ForwardDeps, 'vault'> {
  authenticate(req: IncomingMessage): Principal | Promise<Principal>;
  /** Refuses an ambient credential (a cookie) that another site may have put to use. */
  guard(principal: Principal, request: { method: string; headers: IncomingMessage['headers'] }): void;
  /** What a credential is worth now, by the database; null: nothing. */
  standing(principal: Principal): Promise<unknown>;
  destinations: { find(id: string, asker?: Principal): Upstream | undefined };
  socketTo(upstream: Upstream): SocketWay;
  open: Gauge;
  bus: Pick<Bus, 'subscribe'>;
  runtime: Runtime;
  log: Logger;
}

/** One that is open, and by whom. */
interface Open {
  readonly principal: Principal;
  readonly upstream: Upstream;
  readonly req: IncomingMessage;
  end(): void;
}

/** WebSockets of HTTP upstreams, and of HTTP servers behind tunnels: `/u/{upstream}/…` for a client that wants to upgrade. */
export interface WebSockets extends AsyncDisposable {
  /** Opens the upstream's first, then the client's. @throws AppError with nothing accepted yet (rule 1) */
  upgrade(request: { req: IncomingMessage; socket: Socket; head: Buffer; requestId: string }): Promise<void>;
  /** Begins to look after what is open. */
  start(): void;
}

/**
 * The sentence of `forward`, for what stays open: both ends' frames pass as they are, unread, at the other's pace. It ends when either end does, or when its
 * caller may no longer have it (rule 7).
 */
export function createWebSockets(deps: WebSocketsDeps): WebSockets {
  const { runtime, vault } = deps;
  const all = new Set<Open>();
  const looking = new AsyncDisposableStack();
  const unsubscribe = deps.bus.subscribe(notice => {
    for (const open of all) if (concerns(notice, open)) void check(open).catch(soon);
  });

  async function check(open: Open): Promise<void> {
    if (!(await stands(open))) open.end();
  }

  async function stands({ principal, upstream, req }: Open): Promise<boolean> {
    const now = deps.destinations.find(upstream.id);
    if (now === undefined || !deps.may(principal, now)) return false;
    if (principal.proof === 'anonymous') return true;
    if ((await deps.standing(principal)) === null) return false;
    if (principal.proof !== 'jwt') return true;
    // Of a token only itself says until when it holds.
    try {
      await deps.authenticate(req);
      return true;
    } catch (error) {
      if (asAppError(error).status === 401) return false;
      throw error;
    }
  }

  /** The upstream's side; a credential that it refuses is renewed once. @throws HandshakeRefused, AppError */
  async function dial(
    req: IncomingMessage,
    who: Principal,
    { upstream, path }: { upstream: Upstream; path: string },
    requestId: string,
    signal: AbortSignal,
  ): Promise<OpenedSocket & { credential: Credential | null }> {
    const protocols = req.headers['sec-websocket-protocol'];
    const open = async (credential: Credential | null) => {
      const { kind } = upstream;
      const headers = outboundHeaders(
        kind,
        req.rawHeaders,
        req.headers.connection,
        credential,
        requestId,
        null,
      );
      if (protocols !== undefined) headers.push('sec-websocket-protocol', protocols);
      return { ...(await deps.socketTo(upstream).open(path, headers, signal)), credential };
    };
    const credential = await vault.credentialFor(who, upstream);
    try {
      return await open(credential);
    } catch (error) {
      const refused = error instanceof HandshakeRefused && error.status === 401;
      const renewed =
        refused && credential !== null && credential.source !== null
          ? await vault.renew(who, upstream, credential)
          : null;
      if (renewed === null) throw error;
      return open(renewed);
    }
  }

  return {
    async upgrade({ req, socket, head, requestId }) {
      const startedAt = runtime.monotonic();
      const key = keyOf(req);
      const principal = await deps.authenticate(req);
      // An upgrade is a GET, and yet it acts: a page of another site must not open one with its visitor's cookie.
      deps.guard(principal, { method: 'UPGRADE', headers: req.headers });
      const destination = findNamed(splitTarget(req.url!), principal, deps.destinations);
      const { upstream } = destination;
      if (!deps.may(principal, upstream))
        throw new AppError('forbidden', `You may not use the upstream ${upstream.id}.`);
      if (upstream.kind !== 'http')
        throw new AppError('upgrade_refused', `The upstream ${upstream.id} has no WebSockets here.`);
      const leaving = new AbortController();
      socket.once('close', () => leaving.abort());
      if (socket.destroyed) return;
      const record = (
        result: 'ok' | 'client_error' | 'upstream_error',
        status: number,
        used: Credential | null,
      ) =>
        deps.record({
          principal,
          upstream,
          credential: used,
          result,
          status,
          method: 'GET',
          requestId,
          traceId: null,
          address: deps.addressOf({ headers: req.headers, remoteAddress: req.socket.remoteAddress }),
          took: runtime.monotonic() - startedAt,
        });
      let opened: Awaited<ReturnType<typeof dial>>;
      try {
        opened = await dial(req, principal, destination, requestId, leaving.signal);
      } catch (error) {
        if (socket.destroyed) return;
        if (!(error instanceof HandshakeRefused)) throw error;
        record('client_error', error.status, null);
        return refuse(socket, error.status);
      }
      if (socket.destroyed) return void opened.stream.destroy();
      socket.write(acceptance(key, opened.protocol));
      const open: Open = { principal, upstream, req, end: () => socket.destroy() };
      all.add(open);
      deps.open.set(all.size);
      join(socket, head, opened.stream, () => {
        all.delete(open);
        deps.open.set(all.size);
        record('ok', 101, opened.credential);
      });
      // While it was dialled something may have been taken back.
      await check(open).catch(soon);
    },

    start() {
      const checkAll = async () => {
        for (const open of all) await check(open);
      };
      looking.use(every(CHECK, 'looking whether WebSockets may go on', checkAll, deps));
    },

    async [Symbol.asyncDispose]() {
      unsubscribe();
      await looking.disposeAsync();
      for (const open of all) open.end();
    },
  };
}

/** @throws AppError `bad_request` for what is no handshake (RFC 6455 section 4.2.1) */
function keyOf(req: IncomingMessage): string {
  const key = keyIn(req);
  if (key === null) throw new AppError('bad_request', 'This is no handshake of a WebSocket.');
  if (req.headers['sec-websocket-version'] !== '13')
    throw new AppError('upgrade_refused', 'WebSockets are of version 13 here.', {
      headers: { 'sec-websocket-version': '13' },
    });
  return key;
}

/** The upstream's own word, without what it said besides. */
function refuse(socket: Socket, status: number): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'No'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    () => socket.destroy(),
  );
}

function join(socket: Socket, head: Buffer, stream: Duplex, over: () => void): void {
  socket.setTimeout(0).setNoDelay(true);
  if (head.length > 0) stream.write(head);
  socket.pipe(stream);
  stream.pipe(socket);
  socket.on('error', () => stream.destroy());
  socket.on('close', () => {
    stream.destroy();
    over();
  });
  stream.on('error', () => socket.destroy());
  // What came before its end is still on its way to the client.
  stream.on('close', () => socket.end());
}

/** While the database is away nobody can be found out; the next turn comes by itself. */
const soon = () => {};
