import type { Principal } from '../terms/principal.ts';
import type { OutboundRequest, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { isObject, isRequest, type Message, type Request } from './json-rpc.ts';
import { PassedResponse, type Passing } from './passed-response.ts';
import type { PassedStates } from './passed-state.ts';
import { CODE, MODERN_ERRORS } from './protocol.ts';
import { openEventId, type SessionTicket, signEventId } from './session-id.ts';
import { outcomeOf, type ToolCall } from './tool-calls.ts';
import { withoutDenied } from './tool-list.ts';
import type { MayCall } from './tool-rules.ts';

/** Of a request to a server that speaks what the client speaks: what is sent on, and what is looked at on the way back. */
export interface Passage {
  readonly request: OutboundRequest;
  /** The whole body, already read; null where there is none. */
  readonly body: Buffer | null;
  readonly messages: readonly Message[];
  /** By whom, and where. */
  readonly principal: Principal;
  readonly upstream: Upstream;
  readonly way: Transport;
  readonly receiver: ResponseReceiver;
  readonly mayCall: MayCall;
  readonly toolCall: ToolCall | null;
}

/** Not said by the modern era, and ours in the other. */
const OURS = new Set(['mcp-session-id', 'last-event-id', 'content-length']);

function headersWithout(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2)
    if (!names.has(headers[at]!)) kept.push(headers[at]!, headers[at + 1]!);
  return kept;
}

/**
 * Modern to modern: the bytes as they are, but for a `requestState`, which is its principal's alone.
 * @param doubt called when the answer is none of a modern server's
 * @throws Refusal 404 for a `requestState` that was given to somebody else, or to nobody
 */
export function passModern(passage: Passage, states: PassedStates, doubt: () => void): void {
  const { request, body, receiver, way, principal, upstream } = passage;
  const message = passage.messages[0]!;
  const sent = states.open(principal, upstream, message);
  const failed: Failed = (status, last) => {
    if ((status === 400 || status === 404 || status === 405) && !isModernError(last)) doubt();
  };
  const asks: Passing['asks'] = answer => states.seal(principal, upstream, answer);
  const passing = {
    map: mapOf(passage),
    ended: endedOf(passage, failed),
    asks: states.canBeAsked(sent) ? asks : undefined,
  };
  const whole = sent === message ? body : Buffer.from(JSON.stringify(sent));
  way.send(asPassed(request, whole), new PassedResponse(receiver, passing));
}

/** Legacy to legacy: the back's session stands behind ours, and its events' ids are signed. */
export function passLegacy(passage: Passage, ticket: SessionTicket, sealed: string): void {
  const { request, body, receiver, way } = passage;
  const sent = asPassed(request, body);
  const { headers } = sent;
  if (ticket.id !== null) headers.push('mcp-session-id', ticket.id);
  const last = lastEventId(request.headers);
  if (last !== null) headers.push('last-event-id', openEventId(ticket, last));
  const passing: Passing = {
    map: mapOf(passage),
    ended: endedOf(passage),
    eventId: id => signEventId(ticket, id),
    head: (_status, given) =>
      given['mcp-session-id'] === undefined ? given : { ...given, 'mcp-session-id': sealed },
  };
  way.send(sent, new PassedResponse(receiver, passing));
}

/** `initialize` to a legacy server. @param opened makes our id of the server's, which may have none */
export function passInitialize(
  passage: Passage,
  opened: (id: string | null) => { ticket: SessionTicket; sealed: string },
): void {
  const { request, body, receiver, way } = passage;
  let ticket: SessionTicket | null = null;
  const passing: Passing = {
    head(status, given) {
      const { 'mcp-session-id': id, ...rest } = given;
      if (status !== 200) return rest;
      const session = opened(typeof id === 'string' ? id : null);
      ticket = session.ticket;
      return { ...rest, 'mcp-session-id': session.sealed };
    },
    eventId: id => (ticket === null ? id : signEventId(ticket, id)),
  };
  way.send(asPassed(request, body), new PassedResponse(receiver, passing));
}

const asPassed = (
  { method, path, headers, headersTimeout }: OutboundRequest,
  body: Buffer | null,
): OutboundRequest => ({ method, path, headers: headersWithout(headers, OURS), body, headersTimeout });

type Failed = (status: number, last: unknown) => void;

function mapOf({ messages, request, mayCall }: Passage): Passing['map'] {
  // A stream of its own may bring the answer to an earlier request once more.
  if (mayCall === null || !(request.method === 'GET' || messages.some(isList))) return undefined;
  return message => withoutDenied(message, mayCall);
}

function endedOf({ toolCall }: Passage, failed?: Failed): Passing['ended'] {
  if (toolCall === null && failed === undefined) return undefined;
  return (how, status, last) => {
    if (how === 'whole' && status >= 400) failed?.(status, last);
    if (how !== 'whole') toolCall?.end(how);
    else if (status >= 400) toolCall?.end('error');
    else toolCall?.end(isObject(last) ? outcomeOf(last) : 'ok');
  };
}

const isList = (message: Message): message is Request =>
  isRequest(message) && message.method === 'tools/list';

function isModernError(last: unknown): boolean {
  const error = isObject(last) ? last['error'] : undefined;
  if (!isObject(error)) return false;
  const code = error['code'] as number;
  return MODERN_ERRORS.has(code) || code === CODE.unknownMethod || code === CODE.invalidParams;
}

function lastEventId(headers: readonly string[]): string | null {
  for (let at = 0; at < headers.length; at += 2) if (headers[at] === 'last-event-id') return headers[at + 1]!;
  return null;
}
