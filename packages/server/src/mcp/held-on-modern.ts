import { randomUUID } from 'node:crypto';
import { AppError } from '../platform/errors.ts';
import { PassingSet } from '../platform/passing.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { BackHttp } from './back-http.ts';
import { Ending } from './ending.ts';
import { modernHeaders } from './eras.ts';
import { encodeHeader } from './header-value.ts';
import type { HeldBack, HeldCall, HeldListener } from './held-back.ts';
import {
  isObject,
  isRequest,
  isResponse,
  metaOf,
  notification,
  type Params,
  type Request,
  type Response,
  request as requestOf,
} from './json-rpc.ts';
import { listenAtModern } from './modern-listening.ts';
import { CODE, META, MODERN, NAMED_BY } from './protocol.ts';
import { settleTask } from './task-on-modern.ts';
import { isAboutTasks, noTasks, TASKS_EXTENSION, withoutTasks } from './tasks.ts';
import { paramHeaders, type ToolHeaders, toolHeaders } from './tool-headers.ts';

/** So often a server may ask back before a call is given up. */
const ROUNDS = 8;
/** Pages of a list of tools that are read to know their headers. */
const PAGES = 20;

type Answer = Pick<Response, 'result' | 'error'>;

/** A legacy client's session at a modern server: each of its requests is one of ours, and what the server wants to know is asked on the client's stream. */
export async function holdOnModern(
  deps: {
    back: BackHttp;
    who: Principal;
    to: Upstream;
    capabilities: Params;
    clientInfo: unknown;
    runtime: Pick<Runtime, 'sleep' | 'monotonic'>;
  },
  listener: HeldListener,
): Promise<HeldBack> {
  const { back, who, to } = deps;
  const over = new Ending();
  const calls = new PassingSet<Ending>();
  const tools = new Map<string, ToolHeaders>();
  let level: string | null = null;
  let next = 1;
  /** The server's tasks are looked after here. */
  const declared = {
    ...deps.capabilities,
    extensions: { ...(deps.capabilities['extensions'] as Params | undefined), [TASKS_EXTENSION]: {} },
  };

  const meta = (own: Params): Params => ({
    ...own,
    [META.version]: MODERN,
    [META.capabilities]: declared,
    ...(isObject(deps.clientInfo) && { [META.client]: deps.clientInfo }),
    ...(level !== null && { [META.level]: level }),
  });

  function headersOf(
    method: string,
    params: Params,
  ): Record<string, string> | Promise<Record<string, string>> {
    const key = NAMED_BY[method];
    const headers = modernHeaders(method);
    if (key === undefined) return headers;
    headers['mcp-name'] = encodeHeader(String(params[key]));
    if (method !== 'tools/call') return headers;
    const name = String(params['name']);
    const all = () => Object.assign(headers, paramHeaders(tools.get(name) ?? [], params['arguments']));
    return tools.has(name) ? all() : learnTools().then(all);
  }

  async function learnTools(): Promise<void> {
    let cursor: unknown;
    for (let page = 0; page < PAGES; page++) {
      const { result } = await once('tools/list', cursor === undefined ? {} : { cursor }, {}, null, over);
      if (result === undefined) return;
      remember(result);
      cursor = result['nextCursor'];
      if (cursor === undefined) return;
    }
  }

  function remember({ tools: listed }: Params): void {
    for (const tool of Array.isArray(listed) ? listed : []) {
      const headers = toolHeaders(tool?.inputSchema);
      if (headers !== null) tools.set(String(tool?.name), headers);
    }
  }

  /** One request and its answer. */
  async function once(
    method: string,
    params: Params,
    ownMeta: Params,
    call: HeldCall | null,
    ending: Ending,
  ): Promise<Answer> {
    const known = headersOf(method, params);
    const headers = known instanceof Promise ? await known : known;
    const id = next++;
    const { progressToken, ...rest } = ownMeta;
    const sent = progressToken === undefined ? rest : { ...rest, progressToken: id };
    return new Promise((resolve, reject) => {
      let answer: Response | null = null;
      back.send(
        who,
        to,
        { method: 'POST', headers, body: requestOf(id, method, { ...params, _meta: meta(sent) }) },
        {
          message(message) {
            if (isResponse(message)) answer ??= message;
            else if (isRequest(message)) return;
            else if (message.method === 'notifications/progress') {
              if (progressToken !== undefined && message.params?.['progressToken'] === id)
                call?.notification({ ...message, params: { ...message.params, progressToken } });
            } else call?.notification(message);
          },
          end(problem, status) {
            if (answer !== null) resolve(answer);
            else
              reject(
                problem ??
                  new AppError(
                    'upstream_failed',
                    `The upstream ${to.id} answered ${status}, and not to the request.`,
                  ),
              );
          },
        },
        ending,
      );
    });
  }

  async function walk({ method, params = {} }: Request, call: HeldCall, ending: Ending): Promise<Answer> {
    const { _meta, task: _task, ...rest } = params;
    let more: Params = {};
    let pages: unknown[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const answer = await once(method, { ...rest, ...more }, metaOf(params), call, ending);
      // It has answered: what it sent the client to visit is behind it.
      for (const elicitationId of pages)
        call.notification(notification('notifications/elicitation/complete', { elicitationId }));
      const { result } = answer;
      if (result === undefined) return answer;
      if (method === 'tools/list') remember(result);
      if (result['resultType'] === 'task') return settle(result, metaOf(params), call, ending);
      if (result['resultType'] !== 'input_required') return { result: asLegacy(result) };
      const { inputRequests, requestState } = result;
      const questions = isObject(inputRequests) ? inputRequests : {};
      const answered = await putAll(questions, call);
      if ('error' in answered) return answered;
      pages = answered.pages;
      more = {
        ...(Object.keys(questions).length > 0 && { inputResponses: answered.inputResponses }),
        ...(requestState !== undefined && { requestState }),
      };
    }
    return { error: { code: CODE.internal, message: `The server asked back more than ${ROUNDS} times.` } };
  }

  async function settle(
    task: Params,
    { progressToken }: Params,
    call: HeldCall,
    ending: Ending,
  ): Promise<Answer> {
    let news = 0;
    const answer = await settleTask(
      task,
      {
        about: (method, params) => once(method, params, {}, null, ending),
        put: questions => putAll(questions, call),
        said(message) {
          if (progressToken === undefined) return;
          const params = { progressToken, progress: ++news, message };
          call.notification(notification('notifications/progress', params));
        },
        cancel: taskId => void once('tasks/cancel', { taskId }, {}, null, over).catch(() => {}),
      },
      deps.runtime,
      ending.signal,
    );
    return answer.result === undefined ? answer : { result: asLegacy(answer.result) };
  }

  const discovered = await once('server/discover', {}, {}, null, over);
  if (discovered.result === undefined)
    throw new AppError(
      'upstream_failed',
      `The upstream ${to.id} does not introduce itself (${discovered.error?.code}).`,
    );
  const { capabilities, instructions } = discovered.result;
  const introduction = {
    capabilities: withoutTasks(isObject(capabilities) ? capabilities : {}),
    serverInfo: metaOf(discovered.result)[META.server],
    instructions,
  };
  const listening = listenAtModern(
    (['tools', 'prompts', 'resources'] as const).filter(list => {
      const told = introduction.capabilities[list];
      return isObject(told) && told['listChanged'] === true;
    }),
    {
      send(notifications, heard, ending) {
        const body = requestOf(next++, 'subscriptions/listen', { notifications, _meta: meta({}) });
        back.send(
          who,
          to,
          { method: 'POST', headers: modernHeaders('subscriptions/listen'), body },
          heard,
          ending,
        );
      },
      stray: message => listener.stray(message),
      runtime: deps.runtime,
    },
  );

  return {
    introduction,
    call(request, call) {
      if (isAboutTasks(request.method)) {
        call.response({ error: noTasks });
        return () => {};
      }
      const ending = new Ending();
      let cancelled = false;
      if (over.aborted) ending.abort();
      calls.add(ending);
      walk(request, call, ending).then(
        answer => {
          calls.delete(ending);
          call.response(answer);
        },
        (error: Error) => {
          calls.delete(ending);
          if (!cancelled) call.response({ error: { code: CODE.refused, message: error.message } });
        },
      );
      return () => {
        cancelled = true;
        ending.abort();
      };
    },
    setLevel(wanted) {
      level = wanted;
    },
    subscribe: listening.want,
    // The modern era has none from clients.
    notify() {},
    close() {
      over.abort();
      listening.close();
      for (const call of calls) call.abort();
    },
  };
}

async function putAll(questions: Params, call: HeldCall) {
  const answers = await Promise.all(
    Object.entries(questions).map(([key, question]) => put(key, question, call)),
  );
  const refused = answers.find(one => 'error' in one);
  if (refused !== undefined && 'error' in refused) return { error: refused.error };
  const inputResponses: Params = Object.fromEntries(
    answers.map(one => [one.key, 'result' in one ? one.result : {}]),
  );
  return { inputResponses, pages: answers.flatMap(({ page }) => (page === null ? [] : [page])) };
}

async function put(key: string, question: unknown, call: HeldCall) {
  const { method, params } = question as { method?: unknown; params?: Params };
  const isPage = method === 'elicitation/create' && params?.['mode'] === 'url';
  const page = isPage ? randomUUID() : null;
  const answer = await call.ask(String(method), isPage ? { ...params, elicitationId: page } : params);
  return { key, page, ...answer };
}

/** Without what only the modern era says. */
export function asLegacy(value: Params): Params {
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, _meta, ...rest } = value;
  if (_meta === undefined) return rest;
  const { [META.server]: _server, ...meta } = metaOf(value);
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}
