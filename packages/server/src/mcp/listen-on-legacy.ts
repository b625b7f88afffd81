import { isObject, type Notification, notification, type Params, type Request, result } from './json-rpc.ts';
import type { LegacyBack } from './legacy-back.ts';
import type { Visit } from './mcp.ts';
import { META } from './protocol.ts';
import { subscribe, unsubscribe } from './resource-counts.ts';

const CHANGES = {
  toolsListChanged: ['tools', 'notifications/tools/list_changed'],
  promptsListChanged: ['prompts', 'notifications/prompts/list_changed'],
  resourcesListChanged: ['resources', 'notifications/resources/list_changed'],
} as const;

/** `subscriptions/listen` at a legacy server: its list changes, and its resources' updates by `resources/subscribe`. */
export async function listenOnLegacy(visit: Visit, { id, params }: Request, back: LegacyBack): Promise<void> {
  const wanted = isObject(params?.['notifications']) ? params['notifications'] : {};
  const { capabilities } = back.introduction;
  const able = (name: string, what: string) =>
    isObject(capabilities[name]) && capabilities[name][what] === true;
  const changes = Object.entries(CHANGES).filter(
    ([key, [name]]) => wanted[key] === true && able(name, 'listChanged'),
  );
  const asked = wanted['resourceSubscriptions'];
  const uris =
    Array.isArray(asked) && able('resources', 'subscribe')
      ? [...new Set(asked.filter((uri): uri is string => typeof uri === 'string'))]
      : [];
  const heard = new Set<string>(changes.map(([, [, method]]) => method));

  const tagged = (value: Params): Params => ({
    ...value,
    _meta: { ...(isObject(value['_meta']) ? value['_meta'] : {}), [META.subscription]: id },
  });
  let over = false;
  let acknowledged = false;
  const stop = () => {
    if (over) return;
    over = true;
    offStray();
    offClosed();
    for (const uri of uris) unsubscribe(back, uri).catch(() => {});
  };
  const answer = visit.answer(() => stop());
  const offStray = back.onStray(({ method, params: said }: Notification) => {
    if (!acknowledged) return;
    const updated = method === 'notifications/resources/updated' && uris.includes(String(said?.['uri']));
    if (updated || heard.has(method)) answer.message(notification(method, tagged(said ?? {})));
  });
  // Ended by us, and said so (Subscriptions, "Graceful Closure").
  const offClosed = back.onClosed(() => {
    answer.message(result(id, tagged({ resultType: 'complete' })));
    answer.end();
    stop();
  });
  // Who was told that it is listened to misses nothing from then on.
  const met = await Promise.all(
    uris.map(uri =>
      subscribe(back, uri).then(
        ({ error }) => error === undefined,
        () => false,
      ),
    ),
  );
  if (over) return;
  const subscribed = uris.filter((_, index) => met[index]);
  acknowledged = true;
  answer.message(
    notification(
      'notifications/subscriptions/acknowledged',
      tagged({
        notifications: {
          ...Object.fromEntries(changes.map(([key]) => [key, true])),
          ...(subscribed.length > 0 && { resourceSubscriptions: subscribed }),
        },
      }),
    ),
  );
}
