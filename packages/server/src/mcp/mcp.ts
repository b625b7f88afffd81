import { asAppError } from '../platform/errors.ts';
import { ready } from '../platform/ready.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Call } from '../terms/journey.ts';
import type { Principal } from '../terms/principal.ts';
import type { OutboundRequest, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { Answer, breakOff } from './answer.ts';
import type { Eras } from './eras.ts';
import type { HeldSessions } from './held-sessions.ts';
import type { Joined } from './joined/joined.ts';
import { JOINED } from './joined/joined-upstream.ts';
import { isRequest, type Message, type Request } from './json-rpc.ts';
import type { ModernOnLegacy } from './modern-on-legacy.ts';
import { checkModern, isModern } from './modern-request.ts';
import { type Passage, passInitialize, passLegacy, passModern } from './pass.ts';
import type { PassedStates } from './passed-state.ts';
import { isLegacyVersion } from './protocol.ts';
import { asRead, readMessages, wholeBody } from './read-message.ts';
import { methodNotAllowed, notOneMessage, sessionMissing, toolDenied } from './refusal.ts';
import type { SessionIds, SessionTicket } from './session-id.ts';
import type { ToolCall, ToolCalls } from './tool-calls.ts';
import { type MayCall, toolsOf } from './tool-rules.ts';

/** One request at an MCP endpoint, let through by `forward` and on its way to a server. */
export interface Visit {
  readonly call: Call;
  readonly principal: Principal;
  readonly upstream: Upstream;
  readonly way: Transport;
  readonly request: OutboundRequest;
  readonly receiver: ResponseReceiver;
  /** Begins one of our own. @param gone called once when nobody waits for the rest any more */
  answer(gone?: () => void): Answer;
  readonly mayCall: MayCall;
  /** Which endpoint of HTTP+SSE (2024-11-05) it is; null for the one endpoint of every later version. */
  readonly pair: 'sse' | 'messages' | null;
}

export interface McpDeps {
  eras: Eras;
  sessionIds: SessionIds;
  toolCalls: ToolCalls;
  modernOnLegacy: ModernOnLegacy;
  passedStates: PassedStates;
  held: HeldSessions;
  joined: Joined;
  runtime: Pick<Runtime, 'sleep'>;
  addressOf(call: Call): string;
  /** To a modern server; its program, where it speaks in lines. */
  wayTo(visit: Visit): Transport;
}

/** Serves one MCP endpoint: either era at the front, whatever era stands behind it. */
export interface Mcp {
  /** A way to an upstream that speaks MCP toward this call's client. */
  via(visitor: Omit<Visit, 'request' | 'receiver' | 'answer' | 'mayCall'>): Transport;
}

export function createMcp(deps: McpDeps): Mcp {
  const { eras, sessionIds, toolCalls } = deps;

  /** At once where all that it needs is here, which for most calls it is. @throws AppError, as what is promised does */
  function serve(visit: Visit): void | Promise<void> {
    if (visit.pair !== null) return inPair(visit);
    switch (visit.call.req.method) {
      case 'POST':
        return post(visit);
      case 'GET':
      case 'DELETE':
        return inSession(visit);
      default:
        throw methodNotAllowed('GET, POST, DELETE');
    }
  }

  /** HTTP+SSE: a stream that is the session, and messages for it that are answered there. */
  async function inPair(visit: Visit): Promise<void> {
    const { call, principal, upstream, pair } = visit;
    if (call.req.method !== (pair === 'sse' ? 'GET' : 'POST'))
      throw methodNotAllowed(pair === 'sse' ? 'GET' : 'POST');
    if (pair === 'sse') return deps.held.open(visit);
    const sealed = new URLSearchParams(call.query).get('sessionId') ?? '';
    const ticket = sessionIds.open(sealed, principal, upstream);
    const [message] = readMessages(await wholeBody(visit.request.body), false);
    return deps.held.message(visit, ticket, message, begin(visit, [message]));
  }

  function post(visit: Visit): void | Promise<void> {
    return ready(wholeBody(visit.request.body), body => posted(visit, asRead(body, visit.mayCall)));
  }

  function posted(visit: Visit, body: Buffer): void | Promise<void> {
    const { headers } = visit.call;
    const sealed = headers['mcp-session-id'];
    const version = headers['mcp-protocol-version'];
    const messages = readMessages(body, version === undefined || version === '2025-03-26');
    const [message] = messages;
    if (isModern(headers, message, isLegacyVersion)) return modern(visit, message, body);
    if (isRequest(message) && message.method === 'initialize') return initialize(visit, message, body);
    if (typeof sealed !== 'string') throw sessionMissing(isRequest(message) ? message.id : null);
    return inSession(visit, messages, body, sealed);
  }

  function modern(visit: Visit, message: Message, body: Buffer): void | Promise<void> {
    const { call, principal, upstream } = visit;
    checkModern(call.headers, message);
    if (upstream === JOINED) return deps.joined.modern(visit, message);
    return ready(eras.of(principal, upstream), era => {
      const toolCall = begin(visit, [message]);
      const refused = (error: unknown) => {
        toolCall?.end('refused');
        throw error;
      };
      try {
        if (!era.modern) {
          const serving = deps.modernOnLegacy(visit, message, toolCall);
          return serving instanceof Promise ? serving.catch(refused) : serving;
        }
        const passage = passageOf(visit, [message], body, toolCall, deps.wayTo(visit));
        return passModern(passage, deps.passedStates, () => eras.doubt(principal, upstream));
      } catch (error) {
        return refused(error);
      }
    });
  }

  async function initialize(visit: Visit, message: Request, body: Buffer): Promise<void> {
    const { principal, upstream } = visit;
    if (upstream === JOINED || !(await eras.of(principal, upstream)).legacy) {
      await deps.held.initialize(visit, message);
      return;
    }
    passInitialize(passageOf(visit, [message], body, null), id => {
      const sealed = sessionIds.mint(principal, upstream, 'pass', id);
      return { sealed, ticket: sessionIds.open(sealed, principal, upstream) };
    });
  }

  /** What comes in a legacy session: messages, its own stream (GET) or its end (DELETE). */
  function inSession(
    visit: Visit,
    messages: readonly Message[] = [],
    body: Buffer | null = null,
    sealed = visit.call.headers['mcp-session-id'],
  ): void | Promise<void> {
    if (typeof sealed !== 'string') throw methodNotAllowed('POST');
    const ticket = sessionIds.open(sealed, visit.principal, visit.upstream);
    if (ticket.kind === 'held') return inHeld(visit, ticket, messages);
    passLegacy(passageOf(visit, messages, body, begin(visit, messages)), ticket, sealed);
  }

  async function inHeld(visit: Visit, ticket: SessionTicket, messages: readonly Message[]): Promise<void> {
    const [message, second] = messages;
    if (second !== undefined) throw notOneMessage();
    if (message !== undefined) await deps.held.post(visit, ticket, message, begin(visit, messages));
    else if (visit.call.req.method === 'GET') await deps.held.get(visit, ticket);
    else deps.held.end(visit, ticket);
  }

  /** Each tool call is allowed, and remembered. @throws Refusal */
  function begin(
    { call, principal, upstream, mayCall }: Visit,
    messages: readonly Message[],
  ): ToolCall | null {
    // The joined endpoint knows whose tool it is.
    if (upstream === JOINED) return null;
    const calls: ToolCall[] = [];
    for (const message of messages) {
      if (!isToolCall(message)) continue;
      const toolCall = toolCalls.begin({ principal, upstream, address: deps.addressOf(call) }, message);
      calls.push(toolCall);
      const tool = String(message.params?.['name']);
      if (mayCall === null || mayCall(tool)) continue;
      toolCall.end('refused');
      throw toolDenied(message.id, tool, upstream.id);
    }
    if (calls.length <= 1) return calls[0] ?? null;
    return {
      end: outcome => {
        for (const toolCall of calls) toolCall.end(outcome);
      },
    };
  }

  return {
    via: visitor => ({
      send(request, receiver) {
        const mayCall = toolsOf(visitor.principal, visitor.upstream.mcp?.tools);
        const answer = (gone?: () => void) => new Answer(receiver, deps.runtime, gone);
        const { call, principal, upstream, way, pair } = visitor;
        const visit = { call, principal, upstream, way, pair, request, receiver, answer, mayCall };
        const failed = (error: unknown) => breakOff(receiver, asAppError(error));
        try {
          const serving = serve(visit);
          if (serving instanceof Promise) serving.catch(failed);
        } catch (error) {
          failed(error);
        }
      },
    }),
  };
}

const isToolCall = (message: Message): message is Request =>
  isRequest(message) && message.method === 'tools/call';

const passageOf = (
  { request, principal, upstream, receiver, mayCall, way: own }: Visit,
  messages: readonly Message[],
  body: Buffer | null,
  toolCall: ToolCall | null,
  way: Transport = own,
): Passage => ({ request, principal, upstream, way, receiver, mayCall, messages, body, toolCall });
