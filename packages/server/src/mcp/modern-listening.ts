import type { Runtime } from '../platform/runtime.ts';
import type { BackListener } from './back-http.ts';
import { Ending } from './ending.ts';
import {
  isRequest,
  isResponse,
  metaOf,
  type Notification,
  notification,
  type Params,
  type Response,
} from './json-rpc.ts';
import { CODE, META } from './protocol.ts';

/** How long a stream that broke off is not asked for again, milliseconds: at first, and after many failures. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;
/** One that held so long did not fail, milliseconds. */
const HELD = 60_000;

const UPDATED = 'notifications/resources/updated';
const CHANGES = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
};

type Answer = Pick<Response, 'result' | 'error'>;
const DONE: Answer = { result: {} };

/** What one session hears of at a modern server besides answers: a stream of `subscriptions/listen`, and another in its place when more or less is wanted. */
export interface ModernListening {
  /** @returns what the server said, when it listens: nothing that happens from then on is missed */
  want(uri: string, wanted: boolean): Promise<Answer>;
  close(): void;
}

/**
 * @param lists whose changes the server tells: `tools`, `prompts`, `resources`
 * @param deps.send opens a stream for what is wanted
 */
export function listenAtModern(
  lists: readonly (keyof typeof CHANGES)[],
  deps: {
    send(notifications: Params, listener: BackListener, ending: Ending): void;
    stray(message: Notification): void;
    runtime: Pick<Runtime, 'sleep' | 'monotonic'>;
  },
): ModernListening {
  const uris = new Set<string>();
  const over = new Ending();
  /** Aborted once it has ended, too. */
  let current: Ending | null = null;

  /** @param failures of those in a row that were to replace one that broke off; none when this is a new wish */
  async function open(failures: number | null): Promise<Answer> {
    const before = current;
    if (lists.length === 0 && uris.size === 0) {
      current = null;
      before?.abort();
      return DONE;
    }
    const mine = new Ending();
    current = mine;
    let acknowledged: number | null = null;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const wanted = {
      ...Object.fromEntries(lists.map(list => [CHANGES[list], true])),
      ...(uris.size > 0 && { resourceSubscriptions: [...uris] }),
    };
    const listener: BackListener = {
      message(message) {
        if (isRequest(message)) return;
        if (isResponse(message)) resolve(message.error === undefined ? DONE : { error: message.error });
        else if (message.method !== 'notifications/subscriptions/acknowledged') deps.stray(untagged(message));
        else {
          acknowledged = deps.runtime.monotonic();
          before?.abort();
          resolve(DONE);
          if (failures !== null) missed();
        }
      },
      end(problem) {
        const superseded = mine.aborted;
        mine.abort();
        resolve(
          problem === null || superseded ? DONE : { error: { code: CODE.refused, message: problem.message } },
        );
        if (superseded || current !== mine) return;
        // A wish that was refused leaves what there was.
        if (before !== null && !before.aborted) current = before;
        else if (acknowledged !== null && deps.runtime.monotonic() - acknowledged >= HELD) again(0);
        else if (acknowledged !== null || failures !== null) again((failures ?? -1) + 1);
      },
    };
    deps.send(wanted, listener, mine);
    return promise;
  }

  function again(failures: number): void {
    deps.runtime.sleep(Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures), over.signal).then(
      () => {
        if (current?.aborted) void open(failures);
      },
      () => {},
    );
  }

  /** Nobody knows what happened meanwhile: all of it may have. */
  function missed(): void {
    for (const list of lists) deps.stray(notification(`notifications/${list}/list_changed`));
    for (const uri of uris) deps.stray(notification(UPDATED, { uri }));
  }

  void open(null);
  return {
    async want(uri, wanted) {
      if (wanted) uris.add(uri);
      else uris.delete(uri);
      const answer = await open(null);
      if (wanted && answer.error !== undefined) uris.delete(uri);
      return answer;
    },
    close() {
      over.abort();
      const last = current;
      current = null;
      last?.abort();
    },
  };
}

/** Without the mark of our stream. */
function untagged(message: Notification): Notification {
  const { [META.subscription]: _id, ...kept } = metaOf(message.params);
  const { _meta, ...said } = message.params ?? {};
  const all = Object.keys(kept).length === 0 ? said : { ...said, _meta: kept };
  return Object.keys(all).length === 0
    ? { jsonrpc: '2.0', method: message.method }
    : { ...message, params: all };
}
