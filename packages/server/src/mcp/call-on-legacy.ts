import { type Id, isObject, metaOf, type Notification, type Params } from './json-rpc.ts';
import type { CallListener, LegacyBack } from './legacy-back.ts';
import { RELATED_TASK } from './tasks.ts';

/** Pages of a list of tools that are read to know whether one is to be had as a task only. */
const PAGES = 20;

/**
 * Makes a call at a legacy server for somebody who knows nothing of its tasks. A tool that is to be had as a task only is called as one, and its result,
 * which the server answers with when it is there (2025-11-25, Tasks, "Result Retrieval" 3), is the answer to the call.
 * @returns how to cancel it
 */
export function callOnLegacy(
  back: LegacyBack,
  method: string,
  params: Params,
  listener: CallListener,
): (why: string) => void {
  if (method !== 'tools/call' || !hasTasks(back)) {
    const id = back.request(method, params, listener);
    return why => back.cancel(id, why);
  }
  let cancelled = false;
  let id: Id | null = null;
  let taskId: string | null = null;
  const send = (asked: string, about: Params, heard: CallListener, since: Id | null = null) => {
    id = back.request(asked, about, heard, since);
  };
  const begun: CallListener = {
    ...delegate(listener),
    response(message) {
      const task = message.result?.['task'];
      if (!isObject(task)) return listener.response(message);
      taskId = String(task['taskId']);
      // "Task Progress Notifications": the token of the call is good for as long as the task is.
      const { progressToken } = metaOf(params);
      const meta = progressToken === undefined ? {} : { _meta: { progressToken } };
      send('tasks/result', { taskId, ...meta }, ended, id);
    },
  };
  const ended: CallListener = {
    ...delegate(listener),
    response: message =>
      listener.response(
        message.result === undefined ? message : { ...message, result: unrelated(message.result) },
      ),
  };
  isTaskOnly(back, params['name']).then(
    only => {
      if (cancelled) return;
      if (only) send(method, { ...params, task: {} }, begun);
      else send(method, params, listener);
    },
    (error: Error) => {
      if (!cancelled) listener.lost(error, true);
    },
  );
  return why => {
    cancelled = true;
    if (id !== null) back.cancel(id, why);
    if (taskId !== null && !back.over) back.ask('tasks/cancel', { taskId }).catch(() => {});
  };
}

function hasTasks({ introduction: { capabilities } }: LegacyBack): boolean {
  const { tasks } = capabilities;
  const requests = isObject(tasks) ? tasks['requests'] : undefined;
  const tools = isObject(requests) ? requests['tools'] : undefined;
  return isObject(tools) && isObject(tools['call']);
}

/** Asked anew each time: few servers have tasks, and nobody says when a tool has changed. */
async function isTaskOnly(back: LegacyBack, name: unknown): Promise<boolean> {
  let cursor: unknown;
  for (let page = 0; page < PAGES; page++) {
    const { result } = await back.ask('tools/list', cursor === undefined ? {} : { cursor });
    const tools: unknown = result?.['tools'];
    const tool = Array.isArray(tools) ? tools.find(one => one?.name === name) : undefined;
    if (tool !== undefined) return tool?.execution?.taskSupport === 'required';
    cursor = result?.['nextCursor'];
    if (cursor === undefined) return false;
  }
  return false;
}

function delegate(listener: CallListener): CallListener {
  return {
    notification: message => listener.notification(unrelatedMessage(message)),
    asked: message => listener.asked(unrelatedMessage(message)),
    unasked: about => listener.unasked(about),
    response: message => listener.response(message),
    lost: (error, unsent) => listener.lost(error, unsent),
    owner: listener.owner,
    get couldAsk() {
      return listener.couldAsk;
    },
  };
}

const unrelatedMessage = <M extends Notification>(message: M): M =>
  message.params === undefined ? message : { ...message, params: unrelated(message.params) };

/** Without the name of the task, of which nobody there knows. */
function unrelated(holder: Params): Params {
  const { [RELATED_TASK]: task, ...meta } = metaOf(holder);
  if (task === undefined) return holder;
  const { _meta, ...rest } = holder;
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}
