import type { Answer } from '../answer.ts';
import { isLevel, reaches } from '../capabilities.ts';
import { GATEWAY_INFO } from '../eras.ts';
import {
  failure,
  isObject,
  isRequest,
  type Message,
  metaOf,
  notification,
  type Params,
  type Request,
  result,
} from '../json-rpc.ts';
import type { Visit } from '../mcp.ts';
import { CODE, META, MODERN, NAMED_BY } from '../protocol.ts';
import { Refusal, unknownMethod } from '../refusal.ts';
import { isAboutTasks, noTasks } from '../tasks.ts';
import type { Ask, Asker } from './ask.ts';
import { type AskOne, type Gather, MISSING } from './gather.ts';
import { unknown } from './held-on-many.ts';
import { everything, instructionsOf, together } from './introductions.ts';
import type { Members } from './members.ts';
import type { Patience } from './patience.ts';
import { LISTS } from './renaming.ts';
import type { Targets } from './targets.ts';

/** How long a client may keep what it was told, milliseconds: servers come and go. */
const FRESH = 5_000;

/** Serves a modern client what concerns several servers, or none of them. */
export type ModernOnMany = (visit: Visit, message: Message) => Promise<void>;

export function createModernOnMany(deps: {
  members: Members;
  patience: Patience;
  gather: Gather;
  targets: Targets;
  ask: Ask;
  listen(visit: Visit, request: Request): Promise<void>;
}): ModernOnMany {
  const { members, patience, gather, targets, ask } = deps;

  function complete(answer: Answer, { id }: Request, value: Params): void {
    const _meta = { ...metaOf(value), [META.server]: GATEWAY_INFO };
    const whole = { ...value, resultType: 'complete', _meta, ttlMs: FRESH, cacheScope: 'private' };
    answer.json(200, result(id, whole));
  }

  async function discover(visit: Visit, request: Request, asker: Asker): Promise<void> {
    const met = await Promise.all(
      members.of(asker.principal).map(async upstream => ({
        upstream,
        said: await patience
          .within(asker.principal, upstream, signal => ask.introduction(asker, upstream, signal))
          .catch(() => null),
      })),
    );
    const known = met.flatMap(({ upstream, said }) => (said === null ? [] : [{ upstream, ...said }]));
    const missing = met.filter(({ said }) => said === null).map(({ upstream }) => upstream.id);
    const instructions = instructionsOf(known);
    complete(visit.answer(), request, {
      supportedVersions: [MODERN],
      capabilities: missing.length > 0 ? everything : together(known.map(({ capabilities }) => capabilities)),
      ...(instructions !== undefined && { instructions }),
      ...(missing.length > 0 && { _meta: { [MISSING]: missing } }),
    });
  }

  async function list(visit: Visit, request: Request, asker: Asker, askOne: AskOne): Promise<void> {
    const { _meta, ...params } = request.params ?? {};
    const { value, missing } = await gather(asker.principal, request.method, params, askOne);
    const answer = visit.answer();
    const level = metaOf(request.params)[META.level];
    if (isLevel(level) && reaches('warning', level))
      for (const { id } of missing) {
        const data = `${id} is left out: it does not answer.`;
        const said = { level: 'warning', logger: GATEWAY_INFO.name, data };
        answer.message(notification('notifications/message', said));
      }
    complete(answer, request, value);
  }

  async function completion(visit: Visit, request: Request, asker: Asker, askOne: AskOne): Promise<void> {
    const answer = visit.answer(() => over.abort());
    const over = new AbortController();
    const target = await targets.of(asker.principal, request, askOne);
    if (target === null) return answer.json(200, failure(request.id, unknown(request)));
    const { _meta, ...params } = target.request.params ?? {};
    const { result: value, error } = await ask.one(
      asker,
      target.upstream,
      request.method,
      params,
      over.signal,
    );
    answer.json(
      200,
      value === undefined
        ? failure(request.id, error!)
        : result(request.id, { ...value, resultType: 'complete' }),
    );
  }

  return async (visit, message) => {
    if (!isRequest(message)) return visit.answer().json(202, null);
    const { id, method, params } = message;
    const meta = metaOf(params);
    const asker: Asker = {
      principal: visit.principal,
      capabilities: meta[META.capabilities] as Params,
      clientInfo: isObject(meta[META.client]) ? meta[META.client] : undefined,
    };
    const askOne: AskOne = (to, asked, own, signal) => ask.one(asker, to, asked, own, signal);
    if (method === 'server/discover') return discover(visit, message, asker);
    if (method in LISTS) return list(visit, message, asker, askOne);
    if (method === 'completion/complete') return completion(visit, message, asker, askOne);
    if (method === 'subscriptions/listen') return deps.listen(visit, message);
    if (isAboutTasks(method)) throw new Refusal('not_found', noTasks, id);
    // Its header named nothing that is there.
    if (method in NAMED_BY) {
      const { message: text } = unknown(message);
      return visit.answer().json(200, failure(id, { code: CODE.invalidParams, message: text }));
    }
    throw unknownMethod(id, method);
  };
}
