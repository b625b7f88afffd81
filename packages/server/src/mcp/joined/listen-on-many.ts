import type { HeldBack, HeldListener } from '../held-back.ts';
import { isObject, type Notification, notification, type Params, type Request, result } from '../json-rpc.ts';
import type { Visit } from '../mcp.ts';
import { META } from '../protocol.ts';

const CHANGES: Readonly<Record<string, string>> = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
};
const UPDATED = 'notifications/resources/updated';

/** `subscriptions/listen` at the joined endpoint: as long as the stream lasts, all servers are listened to. */
export async function listenOnMany(
  visit: Visit,
  { id, params }: Request,
  hold: (listener: HeldListener) => Promise<HeldBack>,
): Promise<void> {
  const wanted = isObject(params?.['notifications']) ? params['notifications'] : {};
  const changes = Object.keys(CHANGES).filter(key => wanted[key] === true);
  const heard = new Set(changes.map(key => CHANGES[key]));
  const asked = wanted['resourceSubscriptions'];
  const uris = new Set(
    Array.isArray(asked) ? asked.filter((uri): uri is string => typeof uri === 'string') : [],
  );
  const tagged = (value: Params): Params => ({
    ...value,
    _meta: { ...(isObject(value['_meta']) ? value['_meta'] : {}), [META.subscription]: id },
  });

  let back: HeldBack | null = null;
  let acknowledged = false;
  const answer = visit.answer(() => back?.close());
  back = await hold({
    stray({ method, params: said }: Notification) {
      if (!acknowledged) return;
      if (heard.has(method) || (method === UPDATED && uris.has(String(said?.['uri']))))
        answer.message(notification(method, tagged(said ?? {})));
    },
    // Ended by us, and said so (Subscriptions, "Graceful Closure").
    closed() {
      answer.message(result(id, tagged({ resultType: 'complete' })));
      answer.end();
    },
  });
  if (answer.over) return back.close();
  const met = await Promise.all(
    [...uris].map(async uri => ((await back.subscribe(uri, true, visit)).error === undefined ? uri : null)),
  );
  const subscribed = met.filter(uri => uri !== null);
  acknowledged = true;
  answer.message(
    notification(
      'notifications/subscriptions/acknowledged',
      tagged({
        notifications: {
          ...Object.fromEntries(changes.map(key => [key, true])),
          ...(subscribed.length > 0 && { resourceSubscriptions: subscribed }),
        },
      }),
    ),
  );
}
