import type { Bus } from '../platform/bus.ts';
import { newId } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { HeldBack, HeldListener } from './held-back.ts';
import { declaredIn, HeldSession } from './held-session.ts';
import { isRequest, type Message, type Request, type Response, result } from './json-rpc.ts';
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
  /** HTTP+SSE: the stream that is a session, and says where its messages go. */
  open(visit: Visit): void;
  message(visit: Visit, ticket: SessionTicket, message: Message, toolCall: ToolCall | null): Promise<void>;
  post(visit: Visit, ticket: SessionTicket, message: Message, toolCall: ToolCall | null): void;
  get(visit: Visit, ticket: SessionTicket): void;
  end(visit: Visit, ticket: SessionTicket): void;
  sweep(): void;
}

export function createHeldSessions(deps: {
  sessionIds: SessionIds;
  /** What is to stand behind a new session. @throws AppError */
  hold(visit: Visit, request: Request, id: string, listener: HeldListener): Promise<HeldBack>;
  runtime: Pick<Runtime, 'random' | 'monotonic' | 'sleep'>;
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

  function make({ principal, upstream }: Visit, single: boolean) {
    refuseCrowd(principal.userId);
    const sealed = sessionIds.mint(principal, upstream, 'held', newId(runtime, 'mcs'));
    const ticket = sessionIds.open(sealed, principal, upstream);
    const session = new HeldSession(ticket, principal.credentialId, single, runtime);
    session.usedAt = runtime.monotonic();
    all.set(ticket.id!, session);
    return { sealed, session };
  }

  async function introduce(visit: Visit, session: HeldSession, request: Request): Promise<Response> {
    try {
      const back = await deps.hold(visit, request, session.ticket.id!, {
        stray: message => session.stray(message),
        closed: () => drop(session, 'the server is gone'),
      });
      session.begin(back, declaredIn(request));
      const asked = request.params?.['protocolVersion'];
      const { capabilities, serverInfo, instructions } = back.introduction;
      return result(request.id, {
        protocolVersion: isLegacyVersion(asked) ? asked : LEGACY[0],
        capabilities,
        serverInfo: serverInfo ?? { name: visit.upstream.name, version: '0' },
        ...(typeof instructions === 'string' && { instructions }),
      });
    } catch (error) {
      drop(session, 'the server cannot be reached');
      throw error;
    }
  }

  return {
    async initialize(visit, request) {
      const { sealed, session } = make(visit, false);
      const introduced = await introduce(visit, session, request);
      visit.answer().json(200, introduced, { 'mcp-session-id': sealed });
    },
    open(visit) {
      const { sealed, session } = make(visit, true);
      // The connection is the session (2024-11-05, Transports, "HTTP with SSE").
      const answer = visit.answer(() => drop(session, 'the client went'));
      const to = `${visit.call.path.replace(/\/sse$/, '')}/messages?sessionId=${sealed}`;
      answer.event({ event: 'endpoint', data: to });
      session.follow(answer);
    },
    async message(visit, ticket, message, toolCall) {
      const session = known(ticket);
      if (isRequest(message) && message.method === 'initialize') {
        session.stray(await introduce(visit, session, message));
        visit.answer().json(202, null);
      } else session.post(visit, message, toolCall);
    },
    post: (visit, ticket, message, toolCall) => known(ticket).post(visit, message, toolCall),
    get: (visit, ticket) => known(ticket).get(visit),
    end(visit, ticket) {
      drop(known(ticket), 'the client ended the session');
      visit.answer().json(200, null);
    },
    sweep() {
      const now = runtime.monotonic();
      for (const session of all.values())
        if (!session.busy && now - session.usedAt > IDLE) drop(session, 'nobody used it for long');
    },
  };
}
