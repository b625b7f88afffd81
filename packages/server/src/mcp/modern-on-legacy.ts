import { newId } from '../platform/crypto.ts';
import { PassingMap } from '../platform/passing.ts';
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
export type ModernOnLegacy = (visit: Visit, message: Message, toolCall: ToolCall | null) => Promise<void>;

export function createModernOnLegacy(deps: {
  pool: LegacyPool;
  states: RequestStates;
  runtime: Pick<Runtime, 'random' | 'sleep'>;
}): ModernOnLegacy {
  const { pool, states } = deps;
  /** Calls that a client is to come back to, or may; by an id that only its sealed state names. */
  const calls = new PassingMap<string, { call: BridgedCall; userId: string }>();

  async function sessionFor({ principal, upstream }: Visit, request: Request): Promise<LegacyBack> {
    const declared = metaOf(request.params)[META.capabilities] as Params;
    const back = await pool.session(principal, upstream, legacyCapabilities(declared));
    const wanted = metaOf(request.params)[META.level];
    if (isLevel(wanted)) await wantLevel(back, wanted);
    return back;
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

  async function begin(visit: Visit, turn: Turn): Promise<void> {
    const { principal, upstream } = visit;
    const { request } = turn;
    const id = newId(deps.runtime, 'call');
    let fresh = true;
    const start = async (): Promise<void> => {
      const back = await sessionFor(visit, request);
      const call = new BridgedCall(turn, {
        back,
        runtime: deps.runtime,
        owner: principal.userId,
        seal: turns => states.seal(principal, upstream, request, id, turns),
        complete: (at, value) => complete(visit, back, at, value),
        over: () => calls.delete(id),
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
      calls.set(id, { call, userId: principal.userId });
      whenGone(turn, call);
      if (turn.answer.over) call.abandon('the client closed the stream');
      else call.begin(back);
    };
    await start();
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
    let own = 0;
    for (const { userId } of calls.values()) if (userId === principal.userId) own += 1;
    if (own >= MOST_PARKED) throw tooMany(`calls to ${upstream.id}`);
  }

  return async (visit, message, toolCall) => {
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
    if (method === 'server/discover') discover(visit, message, await sessionFor(visit, message));
    else if (method === 'subscriptions/listen')
      listenOnLegacy(visit, message, await sessionFor(visit, message));
    else {
      refuseCrowd(visit);
      await begin(visit, turnOf(visit, traced(message, visit.request.headers), toolCall));
    }
  };
}

/** By a name: V8 makes a function that is written where a property is set old from its birth, and with it would live all that it leads to (decisions/0018). */
function whenGone({ client }: Turn, call: BridgedCall): void {
  const abandon = () => call.abandon('the client closed the stream');
  client.gone = abandon;
}
