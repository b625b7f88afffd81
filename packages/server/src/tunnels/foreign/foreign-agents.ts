import { WebSocketServer } from 'ws';
import { newId } from '../../platform/crypto.ts';
import { AppError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { Runtime } from '../../platform/runtime.ts';
import type { Arrival, Guest } from '../admission.ts';
import type { Stay } from '../arrivals.ts';
import type { Peer } from '../peer.ts';
import { ForeignSession, type ServerInfo } from './foreign-session.ts';
import { serverName } from './frames.ts';

/** One message of ours is at most as large as any other. */
const FRAME_BYTES = 16 * 1024 * 1024;

export interface ForeignAgents {
  /** Takes a ContextForge client's WebSocket. @throws AppError with nothing accepted yet */
  upgrade(arrival: Arrival): Promise<void>;
  find(id: string): OwnedSession | undefined;
  list(): readonly OwnedSession[];
}

export interface OwnedSession {
  readonly session: ForeignSession;
  readonly ownerId: string;
  readonly owner: string;
}

/** Agents of ContextForge, which bring one server each, over frames of JSON; here they are tunnels like others. */
export function createForeignAgents(deps: {
  admission(arrival: Pick<Arrival, 'req' | 'bearer'>): Promise<Guest>;
  arrive(peer: Peer, guest: Guest): Stay;
  nextEpoch(): number;
  /** Whether a token may stand in the query, where a client cannot send headers. */
  queryToken: boolean;
  runtime: Runtime;
  log: Logger;
}): ForeignAgents {
  const { runtime } = deps;
  const sessions = new Map<string, OwnedSession>();
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES,
  });

  return {
    find: id => sessions.get(id),
    list: () => [...sessions.values()],

    async upgrade(arrival) {
      const { req } = arrival;
      const token = new URL(req.url!, 'http://gateway').searchParams.get('token');
      const bearer = req.headers.authorization === undefined ? (token ?? undefined) : undefined;
      if (bearer !== undefined && !deps.queryToken)
        throw new AppError('unauthenticated', 'A token in the query is not taken here; send it as a header.');
      const guest = await deps.admission(bearer === undefined ? { req } : { req, bearer });
      arrival.socket.once('close', guest.leaveDoor);
      if (!(await guest.stands())) {
        guest.leaveDoor();
        throw new AppError('unauthenticated', 'The credential is no longer valid.');
      }
      if (arrival.socket.destroyed) return guest.leaveDoor();
      server.handleUpgrade(req, arrival.socket, arrival.head, socket => {
        const stays = Promise.withResolvers<Stay>();
        const session: ForeignSession = new ForeignSession(socket, {
          id: newId(runtime, 'rps'),
          epoch: deps.nextEpoch(),
          runtime,
          registered: async info => register(session, await stays.promise, info),
        });
        stays.resolve(deps.arrive(session, guest));
        const { userId, email } = guest.principal;
        sessions.set(session.id, { session, ownerId: userId, owner: email ?? userId });
        void session.ended.then(() => sessions.delete(session.id));
      });
    },
  };

  /** @returns why it is not served, or null */
  async function register(session: ForeignSession, stay: Stay, info: ServerInfo): Promise<string | null> {
    const served = {
      name: serverName(info.name),
      kind: 'stdio',
      isolate: 'shared',
      title: info.name,
      description: info.description,
    } as const;
    const { problem } = await stay.register(served, 'ContextForge client', (_tally, tunnel) => ({
      transport: null,
      lines: (wanted, events) => session.lines(tunnel, wanted, events),
    }));
    return problem;
  }
}
