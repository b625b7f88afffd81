import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import { reaches } from '../capabilities.ts';
import { GATEWAY_INFO } from '../eras.ts';
import type { HeldBack, HeldCall, HeldListener } from '../held-back.ts';
import { notification, type Params, type Request, type Response, request as requestOf } from '../json-rpc.ts';
import type { Visit } from '../mcp.ts';
import { CODE } from '../protocol.ts';
import { Refusal, toolDenied } from '../refusal.ts';
import { outcomeOf, type ToolCall, type ToolCalls } from '../tool-calls.ts';
import { toolsOf } from '../tool-rules.ts';
import type { Answered } from './ask.ts';
import type { Gather } from './gather.ts';
import { everything, instructionsOf, together } from './introductions.ts';
import { joinedUri } from './names.ts';
import { Parts, type PartsDeps } from './parts.ts';
import { LISTS, resultOf } from './renaming.ts';
import type { Targets } from './targets.ts';

export interface HeldOnManyDeps extends PartsDeps {
  readonly principal: Principal;
  readonly gather: Gather;
  readonly targets: Targets;
  readonly toolCalls: ToolCalls;
  addressOf(visit: Visit): string;
}

const CHANGED = [
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
];
/** What a server is asked for a client, one at a time. */
const FOR_ONE = new Set(['tools/call', 'prompts/get', 'resources/read', 'completion/complete']);

/** What a client of the joined endpoint speaks with: one server that has what all the servers have, each under its own name. */
export async function holdOnMany(deps: HeldOnManyDeps, listener: HeldListener): Promise<HeldBack> {
  const { gather, targets } = deps;
  const subscribed = new Map<string, { upstream: Upstream; uri: string }>();
  let level: string | null = null;
  let begun = false;

  const parts = new Parts(deps, deps.principal, {
    stray(upstream, message) {
      const { method, params } = message;
      if (method !== 'notifications/resources/updated') listener.stray(message);
      else
        listener.stray({
          ...message,
          params: { ...params, uri: joinedUri(upstream.id, String(params?.['uri'])) },
        });
    },
    opened(upstream, back) {
      if (level !== null) back.setLevel(level);
      for (const one of subscribed.values())
        if (one.upstream.id === upstream.id) back.subscribe(one.uri, true).catch(() => {});
    },
    missing(upstream, why) {
      if (level !== null && !reaches('warning', level)) return;
      const data = `${upstream.id} is left out: ${why}`;
      listener.stray(
        notification('notifications/message', { level: 'warning', logger: GATEWAY_INFO.name, data }),
      );
    },
    changed() {
      if (begun) for (const method of CHANGED) listener.stray(notification(method));
    },
    over() {
      parts.close();
      listener.closed();
    },
  });

  /** One answer of a server's, for which nobody is asked anything. */
  async function ask(to: Upstream, method: string, params: Params, signal: AbortSignal): Promise<Answered> {
    const back = await parts.get(to);
    return new Promise((resolve, reject) => {
      const cancel = back.call(requestOf(0, method, params), {
        notification() {},
        ask: async () => ({ error: { code: CODE.refused, message: 'Nobody can be asked.' } }),
        response: resolve,
      });
      signal.addEventListener('abort', () => {
        cancel('nobody waits for it');
        reject(signal.reason as Error);
      });
    });
  }

  async function callOne(request: Request, call: HeldCall, visit: Visit, signal: AbortSignal): Promise<void> {
    const target = await targets.of(visit.principal, request, ask);
    if (target === null) return call.response({ error: unknown(request) });
    const { upstream } = target;
    const toolCall = begin(visit, target);
    const end = (answer: Answered) => {
      toolCall?.end(outcomeOf({ ...(answer.result && { result: answer.result }), error: answer.error }));
      const { result } = answer;
      call.response(result === undefined ? answer : { result: resultOf(upstream, request.method, result) });
    };
    const back = await parts.get(upstream).catch((error: Error) => {
      toolCall?.end('broken');
      throw error;
    });
    if (signal.aborted) return toolCall?.end('abandoned');
    const cancel = back.call(target.request, { ...call, response: end }, visit);
    signal.addEventListener('abort', () => {
      toolCall?.end('abandoned');
      cancel(String(signal.reason));
    });
  }

  /** The tool call is allowed, and remembered, as that of the server it belongs to. @throws Refusal */
  function begin(
    visit: Visit,
    { upstream, request }: { upstream: Upstream; request: Request },
  ): ToolCall | null {
    if (request.method !== 'tools/call') return null;
    const { principal } = visit;
    const toolCall = deps.toolCalls.begin({ principal, upstream, address: deps.addressOf(visit) }, request);
    const tool = String(request.params?.['name']);
    const may = toolsOf(principal, upstream.mcp?.tools);
    if (may === null || may(tool)) return toolCall;
    toolCall.end('refused');
    throw toolDenied(null, tool, upstream.id);
  }

  async function run(request: Request, call: HeldCall, visit: Visit, signal: AbortSignal): Promise<void> {
    const { method, params = {} } = request;
    parts.seen(visit.principal);
    if (FOR_ONE.has(method)) return callOne(request, call, visit, signal);
    if (!(method in LISTS))
      return call.response({ error: { code: CODE.unknownMethod, message: `Method not found: ${method}` } });
    const { _meta, ...asked } = params;
    const { value } = await gather(visit.principal, method, asked, ask);
    call.response({ result: value });
  }

  const missing = await parts.begin();
  begun = true;
  const own = parts.open.map(({ upstream, back: { introduction } }) => ({ upstream, ...introduction }));
  const instructions = instructionsOf(own);

  return {
    introduction: {
      capabilities: missing ? everything : together(own.map(({ capabilities }) => capabilities)),
      serverInfo: GATEWAY_INFO,
      instructions,
    },
    call(request, call, visit) {
      const cancelled = new AbortController();
      run(request, call, visit!, cancelled.signal).catch((error: Error) => {
        if (!cancelled.signal.aborted) call.response({ error: rpcOf(error) });
      });
      return reason => cancelled.abort(reason);
    },
    setLevel(wanted) {
      level = wanted;
      for (const { back } of parts.open) back.setLevel(wanted);
    },
    async subscribe(uri, on, visit) {
      const target = await targets.find(visit?.principal ?? deps.principal, { uri }, 'resources/list', ask);
      if (target === null || !('uri' in target.own))
        return { error: { code: CODE.noResource, message: 'Resource not found.' } };
      const { upstream, own } = target;
      if (on) subscribed.set(uri, { upstream, uri: own.uri });
      else subscribed.delete(uri);
      return (await parts.get(upstream)).subscribe(own.uri, on);
    },
    notify(message) {
      for (const { back } of parts.open) back.notify(message);
    },
    close: () => parts.close(),
  };
}

/** What is nobody's, or somebody else's: one answer. */
export function unknown(request: Request): NonNullable<Response['error']> {
  if (request.method === 'resources/read') return { code: CODE.noResource, message: 'Resource not found.' };
  const what =
    request.method === 'tools/call' ? 'tool' : request.method === 'prompts/get' ? 'prompt' : 'reference';
  return { code: CODE.invalidParams, message: `There is no such ${what}; list what there is.` };
}

const rpcOf = (error: Error): NonNullable<Response['error']> =>
  error instanceof Refusal ? error.rpc : { code: CODE.refused, message: error.message };
