import type { Runtime } from '../platform/runtime.ts';
import { isObject, type Params, type Response, type RpcError } from './json-rpc.ts';
import { CODE } from './protocol.ts';

/** Between two looks at a task, milliseconds: where the server says nothing, and the least and most it may say. */
const PAUSE = 1_000;
const LEAST = 50;
const MOST = 30_000;

type Answer = Pick<Response, 'result' | 'error'>;

export interface TaskAtServer {
  /** One request about a task. @throws what kept its answer from coming */
  about(method: 'tasks/get' | 'tasks/update', params: Params): Promise<Answer>;
  /** Puts to the client what the server wants to know, by the server's own keys. */
  put(questions: Params): Promise<{ inputResponses: Params } | { error: RpcError }>;
  /** What the server says of how far it is: of progress a task of this era has words only. */
  said(words: string): void;
  /** Nobody waits for it any more. */
  cancel(taskId: string): void;
}

/**
 * A modern server made a task of a call (SEP-2663): looked after until it is over, for a client that knows nothing of it. What it wants to know is asked
 * once, whatever the number of times it says so.
 */
export async function settleTask(
  created: Params,
  server: TaskAtServer,
  runtime: Pick<Runtime, 'sleep'>,
  signal: AbortSignal,
): Promise<Answer> {
  const taskId = String(created['taskId']);
  const asked = new Set<string>();
  let task = created;
  let said: unknown;
  try {
    for (;;) {
      const ended = outcomeOf(task);
      if (ended !== null) return ended;
      const { statusMessage } = task;
      if (typeof statusMessage === 'string' && statusMessage !== said) server.said(statusMessage);
      said = statusMessage;
      const fresh = Object.entries(questionsIn(task)).filter(([key]) => !asked.has(key));
      if (fresh.length > 0) {
        for (const [key] of fresh) asked.add(key);
        const answers = await server.put(Object.fromEntries(fresh));
        if ('error' in answers) {
          server.cancel(taskId);
          return answers;
        }
        const { inputResponses } = answers;
        const { error } = await server.about('tasks/update', { taskId, inputResponses });
        if (error !== undefined) return { error };
      } else await runtime.sleep(pauseOf(task), signal);
      const { result, error } = await server.about('tasks/get', { taskId });
      if (result === undefined) return { error: error! };
      task = result;
    }
  } catch (error) {
    if (signal.aborted) server.cancel(taskId);
    throw error;
  }
}

function outcomeOf({ status, result, error, statusMessage }: Params): Answer | null {
  if (status === 'completed' && isObject(result)) return { result };
  if (status === 'cancelled') return { error: refused('The server cancelled the call.', statusMessage) };
  if (status === 'failed')
    return { error: isRpcError(error) ? error : refused('The call failed.', statusMessage) };
  if (status === 'working' || status === 'input_required') return null;
  return { error: { code: CODE.internal, message: 'The server says nothing that is known of its task.' } };
}

const refused = (words: string, why: unknown): RpcError => ({
  code: CODE.refused,
  message: typeof why === 'string' ? `${words} ${why}` : words,
});

const isRpcError = (error: unknown): error is RpcError =>
  isObject(error) && Number.isInteger(error['code']) && typeof error['message'] === 'string';

const questionsIn = ({ status, inputRequests }: Params): Params =>
  status === 'input_required' && isObject(inputRequests) ? inputRequests : {};

const pauseOf = ({ pollIntervalMs }: Params): number =>
  typeof pollIntervalMs === 'number' ? Math.min(MOST, Math.max(LEAST, pollIntervalMs)) : PAUSE;
