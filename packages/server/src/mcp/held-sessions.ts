import type { Bus } from '../platform/bus.ts';
import { ExpiringCache } from '../platform/cache.ts';
import { newId } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { HeldBack, HeldListener } from './held-back.ts';
import { declaredIn, HeldSession } from './held-session.ts';
import {
  isObject,
  isRequest,
  type Message,
  notification,
  type Request,
  type Response,
  request as requestOf,
  result,
} from './json-rpc.ts';
import type { Visit } from './mcp.ts';
import { isLegacyVersion, LEGACY } from './protocol.ts';
import { noSession, Refusal, tooMany } from './refusal.ts';
import type { Said, SessionIds, SessionTicket } from './session-id.ts';
import type { ToolCall } from './tool-calls.ts';

/** A session that nobody uses is ended after so long, milliseconds. */
const IDLE = 30 * 60_000;
const MOST = 5_000;
const MOST_OF_ONE = 100;
/** So long after its beginning a session is taken up again that is not here, milliseconds. */
const TAKEN_UP = 7 * 24 * 60 * 60_000;
/** What a client says of itself comes back with each of its requests, in their head; characters. */
const MOST_SAID = 1_000;
const MOST_ENDED = 20_000;
const LISTS = ['tools', 'prompts', 'resources'];

/**
 * Sessions of legacy clients that end here. They live in this process; what a client said of itself is in its session's id, so that after a restart of the gateway,
 * of a program or of an agent they are taken up again where the server keeps nothing for a session of its own. SDKs' clients do not begin anew by themselves.
 */
export interface HeldSessions {
  initialize(visit: Visit, request: Request): Promise<void>;
  /** HTTP+SSE: the stream that is a session, and says where its messages go. */
  open(visit: Visit): void;
  message(visit: Visit, ticket: SessionTicket, message: Message, toolCall: ToolCall | null): Promise<void>;
  post(visit: Visit, ticket: SessionTicket, message: Message, toolCall: ToolCall | null): Promise<void>;
  get(visit: Visit, ticket: SessionTicket): Promise<void>;
  end(visit: Visit, ticket: SessionTicket): void;
  sweep(): void;
}

export function createHeldSessions(deps: {
  sessionIds: SessionIds;
  /** What is to stand behind a new session. @throws AppError */
  hold(visit: Visit, request: Request, id: string, listener: HeldListener): Promise<HeldBack>;
  /** Whether a session of it has something of its own at the server, which is gone when it is. */
  hasOwn(upstream: Upstream): boolean;
  runtime: Pick<Runtime, 'random' | 'now' | 'monotonic' | 'sleep'>;
  bus: Pick<Bus, 'subscribe'>;
}): HeldSessions {
  const { sessionIds, runtime } = deps;
  const all = new Map<string, HeldSession>();
  const takingUp = new Map<string, Promise<HeldSession>>();
  /** Not to be taken up again: ended by their clients, with their credentials, or for nobody used them. */
  const ended = new ExpiringCache<true>({ max: MOST_ENDED, now: () => runtime.now() });
  deps.bus.subscribe(notice => {
    for (const session of all.values()) {
      const { ticket, credentialId } = session;
      const revoked =
        (notice.topic === 'session-ended' && notice.sessionId === credentialId) ||
        (notice.topic === 'key-revoked' && notice.keyId === credentialId);
      if (revoked) forget(session, 'the session is over');
      else if (notice.topic === 'upstream-changed' && notice.upstreamId === ticket.upstreamId)
        drop(session, 'the server has changed');
    }
  });

  /** It is here no more. */
  function drop(session: HeldSession, why: string): void {
    const id = session.ticket.id!;
    if (all.get(id) !== session) return;
    all.delete(id);
    session.end(why);
  }

  /** … and nowhere else. */
  function forget(session: HeldSession, why: string): void {
    end(session.ticket);
    drop(session, why);
  }

  const end = ({ id, begunAt = 0 }: SessionTicket): void => ended.set(id!, true, begunAt + TAKEN_UP);

  const canBeTakenUp = ({ id, said, begunAt = 0 }: SessionTicket, upstream: Upstream): boolean =>
    said !== undefined &&
    ended.get(id!) === undefined &&
    runtime.now() < begunAt + TAKEN_UP &&
    !deps.hasOwn(upstream);

  /** @throws Refusal 404; AppError where its server cannot be reached */
  function known(visit: Visit, ticket: SessionTicket): HeldSession | Promise<HeldSession> {
    const taking = takingUp.get(ticket.id!);
    if (taking !== undefined) return taking;
    const session = all.get(ticket.id!);
    if (session === undefined) return takeUp(visit, ticket);
    session.usedAt = runtime.monotonic();
    return session;
  }

  function takeUp(visit: Visit, ticket: SessionTicket): Promise<HeldSession> {
    const id = ticket.id!;
    if (!canBeTakenUp(ticket, visit.upstream)) throw noSession();
    const session = keep(visit, ticket, { single: false, life: `${runtime.random(4).toString('hex')}.` });
    const taking = introduce(visit, session, requestOf(0, 'initialize', { ...ticket.said })).then(answer => {
      // What it knew of the lists may be old.
      const { capabilities } = answer.result as { capabilities: Record<string, unknown> };
      for (const list of LISTS) {
        const of = capabilities[list];
        if (isObject(of) && of['listChanged'] === true)
          session.stray(notification(`notifications/${list}/list_changed`));
      }
      return session;
    });
    const settled = () => void takingUp.delete(id);
    taking.then(settled, settled);
    takingUp.set(id, taking);
    return taking;
  }

  /** What there is to take up of a session, where that is all of it. */
  function saidIn(upstream: Upstream, request: Request): Said | null {
    if (deps.hasOwn(upstream)) return null;
    const { clientInfo } = request.params ?? {};
    const { name, version } = isObject(clientInfo) ? clientInfo : {};
    const said = {
      capabilities: declaredIn(request),
      clientInfo: { name: String(name), version: String(version) },
    };
    return JSON.stringify(said).length > MOST_SAID ? null : said;
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

  function keep(
    { principal }: Visit,
    ticket: SessionTicket,
    kind: ConstructorParameters<typeof HeldSession>[2],
  ): HeldSession {
    refuseCrowd(principal.userId);
    const session = new HeldSession(ticket, principal.credentialId, kind, runtime);
    session.usedAt = runtime.monotonic();
    all.set(ticket.id!, session);
    return session;
  }

  /** @param said what is to be taken up again; null: nothing */
  function make(visit: Visit, single: boolean, said: Said | null) {
    const { principal, upstream } = visit;
    const sealed = sessionIds.mint(principal, upstream, 'held', newId(runtime, 'mcs'), said);
    const session = keep(visit, sessionIds.open(sealed, principal, upstream), { single, life: '' });
    return { sealed, session };
  }

  async function introduce(visit: Visit, session: HeldSession, request: Request): Promise<Response> {
    try {
      const back = await deps.hold(visit, request, session.ticket.id!, {
        stray: message => session.stray(message),
        closed: () => drop(session, 'the server is gone'),
      });
      if (all.get(session.ticket.id!) !== session) {
        back.close();
        throw new AppError('upstream_failed', 'The server changed meanwhile; try again.');
      }
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
      const { sealed, session } = make(visit, false, saidIn(visit.upstream, request));
      const introduced = await introduce(visit, session, request);
      visit.answer().json(200, introduced, { 'mcp-session-id': sealed });
    },
    open(visit) {
      const { sealed, session } = make(visit, true, null);
      // The connection is the session (2024-11-05, Transports, "HTTP with SSE").
      const answer = visit.answer(() => drop(session, 'the client went'));
      const to = `${visit.call.path.replace(/\/sse$/, '')}/messages?sessionId=${sealed}`;
      answer.event({ event: 'endpoint', data: to });
      session.follow(answer);
    },
    async message(visit, ticket, message, toolCall) {
      const session = await known(visit, ticket);
      if (isRequest(message) && message.method === 'initialize') {
        session.stray(await introduce(visit, session, message));
        visit.answer().json(202, null);
      } else session.post(visit, message, toolCall);
    },
    async post(visit, ticket, message, toolCall) {
      try {
        // An answer is to a question that was asked here, or to none.
        if (!isRequest(message) && !all.has(ticket.id!)) throw noSession();
        const session = known(visit, ticket);
        (session instanceof Promise ? await session : session).post(visit, message, toolCall);
      } catch (error) {
        toolCall?.end(error instanceof Refusal ? 'refused' : 'broken');
        throw error;
      }
    },
    async get(visit, ticket) {
      (await known(visit, ticket)).get(visit);
    },
    end(visit, ticket) {
      const session = all.get(ticket.id!);
      if (session === undefined && !canBeTakenUp(ticket, visit.upstream)) throw noSession();
      end(ticket);
      if (session !== undefined) drop(session, 'the client ended the session');
      visit.answer().json(200, null);
    },
    sweep() {
      const now = runtime.monotonic();
      for (const session of all.values())
        if (!session.busy && now - session.usedAt > IDLE) forget(session, 'nobody used it for long');
    },
  };
}
