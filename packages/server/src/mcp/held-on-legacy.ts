import { reaches } from './capabilities.ts';
import type { HeldBack, HeldCall, HeldListener } from './held-back.ts';
import { failure, type Id, isObject, type Notification, result } from './json-rpc.ts';
import type { CallListener, Introduction, LegacyBack } from './legacy-back.ts';
import { CODE } from './protocol.ts';
import { subscribe, unsubscribe } from './resource-counts.ts';
import { wantLevel } from './session-level.ts';

const UPDATED = 'notifications/resources/updated';
const VISITED = 'notifications/elicitation/complete';
/** Of what belongs to no call, this concerns everybody; anything else may be about one of those who share the server. */
const FOR_ALL = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
]);

/**
 * A legacy client's session at a legacy server whose own session others may share: ids, questions, levels and subscriptions are kept apart.
 * @param owner whom the calls belong to
 * @param shared by several people: then it has no tasks, which a server knows by nothing but their ids
 */
export function holdOnLegacy(
  back: LegacyBack,
  owner: string,
  listener: HeldListener,
  shared: boolean,
  release: () => void,
): HeldBack {
  const subscribed = new Set<string>();
  /** What this client was sent to visit: nobody else hears that it was. */
  const pages = new Set<unknown>();
  let level: string | null = null;
  const offStray = back.onStray(message => {
    const { elicitationId } = message.params ?? {};
    if (message.method === VISITED && pages.delete(elicitationId)) listener.stray(message);
    const updated = message.method === UPDATED && subscribed.has(String(message.params?.['uri']));
    if (updated || FOR_ALL.has(message.method)) listener.stray(message);
  });
  const offClosed = back.onClosed(() => listener.closed());

  /** What this client wants to hear; another's wish for more is not its own. */
  const wanted = ({ method, params }: Notification): boolean =>
    method !== 'notifications/message' || level === null || reaches(params?.['level'], level);

  return {
    introduction: shared ? withoutTasks(back.introduction) : back.introduction,
    call(request, call) {
      const { task: _task, ...own } = request.params ?? {};
      if (shared && request.method.startsWith('tasks/')) {
        call.response({ error: { code: CODE.unknownMethod, message: 'Tasks are not to be had here.' } });
        return () => {};
      }
      const params = shared ? own : (request.params ?? {});
      const id = back.request(request.method, params, heardBy(back, owner, call, wanted, pages));
      return why => back.cancel(id, why);
    },
    setLevel(next) {
      level = next;
      wantLevel(back, next).catch(() => {});
    },
    async subscribe(uri, on) {
      if (on === subscribed.has(uri)) return { result: {} };
      if (on) subscribed.add(uri);
      else subscribed.delete(uri);
      return on ? subscribe(back, uri) : unsubscribe(back, uri);
    },
    notify(message) {
      if (message.method === 'notifications/roots/list_changed') back.notify(message);
    },
    close() {
      offStray();
      offClosed();
      for (const uri of subscribed) unsubscribe(back, uri).catch(() => {});
      release();
    },
  };
}

function heardBy(
  back: LegacyBack,
  owner: string,
  call: HeldCall,
  wanted: (message: Notification) => boolean,
  pages: Set<unknown>,
): CallListener {
  const withdrawn = new Set<Id>();
  return {
    owner,
    couldAsk: true,
    notification(message) {
      if (wanted(message)) call.notification(message);
    },
    asked({ id, method, params }) {
      if (params?.['mode'] === 'url') pages.add(params['elicitationId']);
      void call.ask(method, params).then(answer => {
        if (withdrawn.has(id)) return;
        back.answer('result' in answer ? result(id, answer.result) : failure(id, answer.error));
      });
    },
    unasked: id => void withdrawn.add(id),
    response(message) {
      const { code, data } = message.error ?? {};
      const listed = code === CODE.urlsRequired && isObject(data) ? data['elicitations'] : undefined;
      for (const one of Array.isArray(listed) ? listed : []) pages.add(one?.elicitationId);
      call.response(message);
    },
    lost: error => call.response({ error: { code: CODE.refused, message: error.message } }),
  };
}

function withoutTasks(introduction: Introduction): Introduction {
  const { tasks: _tasks, ...capabilities } = introduction.capabilities;
  return { ...introduction, capabilities };
}
