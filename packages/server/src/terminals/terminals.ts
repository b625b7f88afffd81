import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Bus } from '../platform/bus.ts';
import { AppError } from '../platform/errors.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge } from '../platform/metrics.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { createAcceptor, SUBPROTOCOL } from './accept.ts';
import { closingFor, EXITED, noteFailure, RESTARTING } from './closing.ts';
import type { Servant } from './dial.ts';
import { EarlyMessages } from './early-messages.ts';
import { createGuests, type Guest, type GuestsDeps } from './guests.ts';
import { createHeldTerminals, type Wish } from './held-terminals.ts';
import { createOrphans } from './orphans.ts';
import type { Record } from './recorder.ts';
import { createRevocation } from './revocation.ts';
import { noSuchTerminal, targetOf, terminalServerOf } from './target.ts';
import type { TerminalStore } from './terminal-store.ts';

/** How often terminals are looked at, milliseconds. */
const SWEEP = 1_000;
/** Strangers who may be about to say who they are, at once. */
const MOST_STRANGERS = 1_000;
/** A client that is closed has so long to hear why, milliseconds. */
const FAREWELL = 1_000;

export interface TerminalsDeps extends GuestsDeps {
  servant: Servant;
  store: TerminalStore;
  upstreams: { find(id: string, asker?: Principal): Upstream | undefined; list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
  checkedPath(path: string): string;
  record: Record;
  /** Somebody's list of terminals is not what it was. */
  changed(userId: string): void;
  open: Gauge;
  bus: Pick<Bus, 'subscribe'>;
  audit: Audit;
  runtime: Runtime;
  log: Logger;
}

/** A request to attach, as `http` hands it over. */
export interface Arrival {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}

export interface Terminals extends AsyncDisposable {
  /** Attaches a client. @throws AppError with nothing accepted yet */
  upgrade(arrival: Arrival): Promise<void>;
  /** What the calls over HTTP have to know of, and to end. */
  readonly attached: {
    has(upstreamId: string, id: string): boolean;
    /** Whether it is open here, with or without a window. */
    holds(upstreamId: string, id: string): boolean;
    end(upstreamId: string, id: string): void;
  };
  /** Begins to look after what is open. */
  start(): void;
}

/** Terminals over WebSocket: attach, first-message authentication, pipe, reattach. */
export function createTerminals(deps: TerminalsDeps): Terminals {
  const { runtime, upstreams, store } = deps;
  const guests = createGuests(deps);
  const accept = createAcceptor();
  const held = createHeldTerminals(deps);
  const orphans = createOrphans({
    ...deps,
    held: () => held.list().map(({ terminal }) => terminal),
    now: () => runtime.monotonic(),
  });
  const looking = new AsyncDisposableStack();
  let strangers = 0;
  let ending = false;

  async function stranger(early: EarlyMessages, { req, socket }: Arrival): Promise<Guest> {
    strangers += 1;
    try {
      return await guests.byToken(req, await early.token(socket, runtime));
    } finally {
      strangers -= 1;
    }
  }

  /** Another's terminal, one of nobody's and one that there is not are the same. @throws AppError */
  async function find(path: string, { principal }: Guest) {
    const { upstream, rest } = terminalServerOf(path, principal, upstreams);
    const target = targetOf(rest);
    if (target.what !== 'terminal' || target.tail !== '') throw noSuchTerminal();
    if (!deps.may(principal, upstream))
      throw new AppError('forbidden', `You may not use the terminal server ${upstream.id}.`);
    const terminal = await store.find(upstream.id, target.id);
    if (terminal?.userId !== principal.userId) throw noSuchTerminal();
    return { upstream, terminal };
  }

  async function welcome(webSocket: WebSocket, known: Guest | null, arrival: Arrival): Promise<void> {
    const { req, socket: connection } = arrival;
    webSocket.on('error', () => {});
    const early = new EarlyMessages(webSocket);
    try {
      if (known !== null) webSocket.pause();
      const guest = known ?? (await stranger(early, arrival));
      webSocket.pause();
      const [path, query] = splitTarget(req.url!);
      const { upstream, terminal } = await find(deps.checkedPath(path), guest);
      if (ending) throw new AppError('unavailable', RESTARTING.reason);
      if (webSocket.readyState !== webSocket.OPEN) return;
      const wish = wishOf(query, webSocket.protocol === SUBPROTOCOL);
      held.show(webSocket, { connection, guest, upstream, terminal, wish, early: early.take() });
    } catch (error) {
      noteFailure(deps.log, error, null);
      const { code, reason } = closingFor(error);
      webSocket.close(code, reason);
      // Its answer to that is read; but not what would not end.
      if (early.tooLarge) webSocket.pause();
      else webSocket.resume();
      setTimeout(() => webSocket.terminate(), FAREWELL).unref();
    }
  }

  return {
    async upgrade(arrival) {
      const { req, socket, head } = arrival;
      const guest = await guests.atHandshake(req);
      if (guest === null && strangers >= MOST_STRANGERS)
        throw new AppError('unavailable', 'Too many connections wait to say who they are.');
      if (socket.destroyed) return;
      accept(req, socket, head, webSocket => void welcome(webSocket, guest, arrival));
    },

    attached: {
      has: (upstreamId, id) => (held.find(upstreamId, id)?.attachment.viewers.size ?? 0) > 0,
      holds: (upstreamId, id) => held.find(upstreamId, id)?.attachment.open ?? false,
      end: (upstreamId, id) => held.find(upstreamId, id)?.attachment.end(EXITED),
    },

    start() {
      const sweep = async () => {
        held.sweep();
        await orphans();
      };
      looking.use(every(SWEEP, 'looking after terminals', sweep, deps));
      looking.use(createRevocation({ ...deps, held: held.list }));
    },

    async [Symbol.asyncDispose]() {
      ending = true;
      await held.end(RESTARTING);
      await looking.disposeAsync();
    },
  };
}

function splitTarget(url: string): [path: string, query: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}

function wishOf(query: string, speaks: boolean): Wish {
  const parameters = new URLSearchParams(query);
  const from = parameters.get('from');
  return {
    mode: parameters.get('mode') === 'watch' ? 'watch' : 'take',
    from: from !== null && /^\d{1,15}$/.test(from) ? Number(from) : null,
    speaks,
  };
}
