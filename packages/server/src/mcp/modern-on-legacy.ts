import { newId } from '../platform/crypto.ts';
import { PassingMap } from '../platform/passing.ts';
import { ready } from '../platform/ready.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { BridgedCall, type Turn } from './bridged-call.ts';
import { isLevel, legacyCapabilities, modernServerCapabilities } from './capabilities.ts';
import { isRequest, type Message, metaOf, type Params, type Request, result } from './json-rpc.ts';
import type { LegacyBack } from './legacy-back.ts';
import type { LegacyPool } from './legacy-pool.ts';
import { listenOnLegacy } from './listen-on-legacy.ts';
import type { Visit } from './mcp.ts';
import { META, MODERN } from './protocol.ts';
import { Refusal, stateGone, tooMany, unknownMethod } from './refusal.ts';
import type { RequestStates } from './request-state.ts';
import { wantLevel } from './session-level.ts';
import { isAboutTasks, noTasks, withoutTaskSupport } from './tasks.ts';
import type { ToolCall } from './tool-calls.ts';
import { withoutDenied } from './tool-list.ts';
import { traced } from './trace-meta.ts';

/** How long a client may keep what it was told, milliseconds: a legacy server says nothing of it. */
const FRESH = 5_000;
/** Calls of one principal that wait for their client. */
const MOST_PARKED = 100;

const REMOVED = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);
const CACHEABLE = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** Serves a modern client at a legacy server. */
export type ModernOnLegacy = (
  visit: Visit,
  message: Message,
  toolCall: ToolCall | null,
) => void | Promise<void>;

export function createModernOnLegacy(deps: {
  pool: LegacyPool;
  states: RequestStates;
  runtime: Pick<Runtime, 'random' | 'sleep'>;
}): ModernOnLegacy {
  const { pool, states } = deps;
  /** Calls that a client is to come back to, or may; by an id that only its sealed state names. */
  const calls = new PassingMap<string, { call: BridgedCall; userId: string }>();
  /** How many of them are each principal's. */
  const numbers = new PassingMap<string, number>();

  function remember(id: string, one: { call: BridgedCall; userId: string }): void {
    if (!calls.has(id)) numbers.set(one.userId, (numbers.get(one.userId) ?? 0) + 1);
    calls.set(id, one);
  }

  function forget(id: string): void {
    const one = calls.get(id);
    if (one === undefined) return;
    calls.delete(id);
    const left = numbers.get(one.userId)! - 1;
    if (left === 0) numbers.delete(one.userId);
    else numbers.set(one.userId, left);
  }

  function sessionFor({ principal, upstream }: Visit, request: Request): LegacyBack | Promise<LegacyBack> {
    const meta = metaOf(request.params);
    const wanted = meta[META.level];
    const declared = legacyCapabilities(meta[META.capabilities] as Params);
    return ready(pool.session(principal, upstream, declared), back =>
      isLevel(wanted) ? wantLevel(back, wanted).then(() => back) : back,
    );
  }

  function complete(visit: Visit, back: LegacyBack, request: Request, value: Params): Params {
    const { serverInfo } = back.introduction;
    const whole = {
      ...withoutTaskSupport(value),
      resultType: 'complete',
      _meta: { ...metaOf(value), ...(serverInfo !== undefined && { [META.server]: serverInfo }) },
      ...(CACHEABLE.has(request.method) && { ttlMs: FRESH, cacheScope: 'private' }),
    };
    if (visit.mayCall === null || request.method !== 'tools/list') return whole;
    return (withoutDenied({ result: whole }, visit.mayCall) as { result: Params }).result;
  }

  function begin(visit: Visit, turn: Turn): void | Promise<void> {
    const { principal, upstream } = visit;
    const { request } = turn;
    const id = newId(deps.runtime, 'call');
    let fresh = true;
    const start = (): void | Promise<void> => ready(sessionFor(visit, request), startAt);
    const startAt = (back: LegacyBack): void => {
      const call = new BridgedCall(turn, {
        back,
        runtime: deps.runtime,
        owner: principal.userId,
        seal: turns => states.seal(principal, upstream, request, id, turns),
        complete: (at, value) => complete(visit, back, at, value),
        over: () => forget(id),
        again() {
          // The session was gone before the call reached it: once in a new one.
          if (!fresh) return false;
          fresh = false;
          // Behind the turn in which the old one leaves the pool.
          Promise.resolve()
            .then(start)
            .catch((error: Error) => turn.answer.break(error));
          return true;
        },
      });
      remember(id, { call, userId: principal.userId });
      whenGone(turn, call);
      if (turn.answer.over) call.abandon('the client closed the stream');
      else call.begin(back);
    };
    return start();
  }

  function turnOf(visit: Visit, request: Request, toolCall: ToolCall | null): Turn {
    const client: Turn['client'] = { gone: null };
    return { request, answer: visit.answer(() => client.gone?.()), toolCall, client };
  }

  function resume(visit: Visit, request: Request, toolCall: ToolCall | null): void {
    const { call: id, turn: at } = states.open(visit.principal, visit.upstream, request);
    const call = calls.get(id)?.call;
    if (call === undefined || !call.parked || call.turns !== at) throw stateGone(request.id);
    const turn = turnOf(visit, request, toolCall);
    whenGone(turn, call);
    call.resume(turn);
  }

  function discover(visit: Visit, request: Request, back: LegacyBack): void {
    const { capabilities, serverInfo, instructions } = back.introduction;
    const value: Params = {
      resultType: 'complete',
      supportedVersions: [MODERN],
      capabilities: modernServerCapabilities(capabilities),
      ...(typeof instructions === 'string' && { instructions }),
      _meta: serverInfo === undefined ? {} : { [META.server]: serverInfo },
      ttlMs: FRESH,
      cacheScope: 'private',
    };
    visit.answer().json(200, result(request.id, value));
  }

  function refuseCrowd({ principal, upstream }: { principal: Principal; upstream: Upstream }): void {
    if ((numbers.get(principal.userId) ?? 0) >= MOST_PARKED) throw tooMany(`calls to ${upstream.id}`);
  }

  return (visit, message, toolCall) => {
    if (!isRequest(message)) {
      visit.answer().json(202, null);
      return;
    }
    const { method, params } = message;
    if (REMOVED.has(method)) throw unknownMethod(message.id, method);
    if (isAboutTasks(method)) throw new Refusal('not_found', noTasks, message.id);
    if (params?.['requestState'] !== undefined) {
      resume(visit, message, toolCall);
      return;
    }
    if (method === 'server/discover')
      return ready(sessionFor(visit, message), back => discover(visit, message, back));
    if (method === 'subscriptions/listen')
      return ready(sessionFor(visit, message), back => listenOnLegacy(visit, message, back));
    refuseCrowd(visit);
    return begin(visit, turnOf(visit, traced(message, visit.request.headers), toolCall));
  };
}

/** By a name: V8 makes a function that is written where a property is set old from its birth, and with it would live all that it leads to (decisions/0018). */
function whenGone({ client }: Turn, call: BridgedCall): void {
  const abandon = () => call.abandon('the client closed the stream');
  client.gone = abandon;
}
