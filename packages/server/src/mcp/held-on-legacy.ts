import { callOnLegacy } from './call-on-legacy.ts';
import { reaches } from './capabilities.ts';
import type { HeldBack, HeldCall, HeldListener } from './held-back.ts';
import { failure, type Id, isObject, type Notification, result } from './json-rpc.ts';
import type { CallListener, LegacyBack } from './legacy-back.ts';
import { CODE } from './protocol.ts';
import { subscribe, unsubscribe } from './resource-counts.ts';
import { wantLevel } from './session-level.ts';
import { isAboutTasks, noTasks, withoutTaskSupport, withoutTasks } from './tasks.ts';

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
 * @param tasks whether it has them: not where several people share it, since a server knows them by nothing but their ids
 */
export function holdOnLegacy(
  back: LegacyBack,
  owner: string,
  listener: HeldListener,
  tasks: boolean,
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
    const ofTask = tasks && message.method === 'notifications/tasks/status';
    if (updated || ofTask || FOR_ALL.has(message.method)) listener.stray(message);
  });
  const offClosed = back.onClosed(() => listener.closed());

  /** What this client wants to hear; another's wish for more is not its own. */
  const wanted = ({ method, params }: Notification): boolean =>
    method !== 'notifications/message' || level === null || reaches(params?.['level'], level);

  return {
    introduction: tasks
      ? back.introduction
      : { ...back.introduction, capabilities: withoutTasks(back.introduction.capabilities) },
    call(request, call) {
      const { method, params = {} } = request;
      const heard = heardBy(back, owner, call, wanted, pages);
      if (tasks) {
        const id = back.request(method, params, heard);
        return why => back.cancel(id, why);
      }
      if (isAboutTasks(method)) {
        call.response({ error: noTasks });
        return () => {};
      }
      const { task: _task, ...own } = params;
      return callOnLegacy(back, method, own, {
        ...heard,
        response: message =>
          heard.response(
            message.result === undefined
              ? message
              : { ...message, result: withoutTaskSupport(message.result) },
          ),
      });
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
