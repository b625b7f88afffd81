import type { Bus } from '../platform/bus.ts';
import { newId } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import { Answer } from './answer.ts';
import type { HeldBack, HeldListener } from './held-back.ts';
import { declaredIn, HeldSession } from './held-session.ts';
import { type Message, type Request, result } from './json-rpc.ts';
import type { Visit } from './mcp.ts';
import { isLegacyVersion, LEGACY } from './protocol.ts';
import { noSession, tooMany } from './refusal.ts';
import type { SessionIds, SessionTicket } from './session-id.ts';
import type { ToolCall } from './tool-calls.ts';

/** A session that nobody uses is ended after so long, milliseconds. */
const IDLE = 30 * 60_000;
const MOST = 5_000;
const MOST_OF_ONE = 100;

/** Sessions of legacy clients that end here. They live in this process; after a restart their clients initialize again. */
export interface HeldSessions {
  initialize(visit: Visit, request: Request): Promise<void>;
  post(visit: Visit, ticket: SessionTicket, message: Message, toolCall: ToolCall | null): void;
  get(visit: Visit, ticket: SessionTicket): void;
  end(visit: Visit, ticket: SessionTicket): void;
  sweep(): void;
}

export function createHeldSessions(deps: {
  sessionIds: SessionIds;
  /** What is to stand behind a new session. @throws AppError */
  hold(visit: Visit, request: Request, id: string, listener: HeldListener): Promise<HeldBack>;
  runtime: Pick<Runtime, 'random' | 'monotonic'>;
  bus: Pick<Bus, 'subscribe'>;
}): HeldSessions {
  const { sessionIds, runtime } = deps;
  const all = new Map<string, HeldSession>();
  deps.bus.subscribe(notice => {
    for (const session of all.values()) {
      const { ticket, credentialId } = session;
      const ended =
        (notice.topic === 'session-ended' && notice.sessionId === credentialId) ||
        (notice.topic === 'key-revoked' && notice.keyId === credentialId) ||
        (notice.topic === 'upstream-changed' && notice.upstreamId === ticket.upstreamId);
      if (ended) drop(session, 'the session is over');
    }
  });

  function drop(session: HeldSession, why: string): void {
    if (all.delete(session.ticket.id!)) session.end(why);
  }

  function known(ticket: SessionTicket): HeldSession {
    const session = all.get(ticket.id ?? '');
    if (session === undefined) throw noSession();
    session.usedAt = runtime.monotonic();
    return session;
  }

  function refuseCrowd(userId: string): void {
    const own = [...all.values()].filter(({ ticket }) => ticket.userId === userId);
    if (own.length < MOST_OF_ONE && all.size < MOST) return;
    const idle = (own.length < MOST_OF_ONE ? [...all.values()] : own)
      .filter(({ busy }) => !busy)
      .toSorted((a, b) => a.usedAt - b.usedAt)[0];
    if (idle === undefined) throw tooMany('sessions');
    drop(idle, 'too many sessions');
  }

  return {
    async initialize(visit, request) {
      const { principal, upstream } = visit;
      refuseCrowd(principal.userId);
      const id = newId(runtime, 'mcs');
      const sealed = sessionIds.mint(principal, upstream, 'held', id);
      const ticket = sessionIds.open(sealed, principal, upstream);
      const session = new HeldSession(ticket, principal.credentialId, declaredIn(request));
      const back = await deps.hold(visit, request, id, {
        stray: message => session.stray(message),
        closed: () => drop(session, 'the server is gone'),
      });
      session.begin(back);
      session.usedAt = runtime.monotonic();
      all.set(id, session);
      const asked = request.params?.['protocolVersion'];
      const { capabilities, serverInfo, instructions } = back.introduction;
      new Answer(visit.receiver).json(
        200,
        result(request.id, {
          protocolVersion: isLegacyVersion(asked) ? asked : LEGACY[0],
          capabilities,
          serverInfo: serverInfo ?? { name: upstream.name, version: '0' },
          ...(typeof instructions === 'string' && { instructions }),
        }),
        { 'mcp-session-id': sealed },
      );
    },
    post: (visit, ticket, message, toolCall) => known(ticket).post(visit, message, toolCall),
    get: (visit, ticket) => known(ticket).get(visit),
    end(visit, ticket) {
      drop(known(ticket), 'the client ended the session');
      new Answer(visit.receiver).json(200, null);
    },
    sweep() {
      const now = runtime.monotonic();
      for (const session of all.values())
        if (!session.busy && now - session.usedAt > IDLE) drop(session, 'nobody used it for long');
    },
  };
}
