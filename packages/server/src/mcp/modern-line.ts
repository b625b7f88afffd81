import { AppError } from '../platform/errors.ts';
import { PassingMap } from '../platform/passing.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { MessageLine, MessageLineEvents } from '../terms/message-line.ts';
import type { OutboundRequest, ResponseReceiver } from '../terms/transport.ts';
import { Answer } from './answer.ts';
import { isLevel, reaches } from './capabilities.ts';
import {
  asMessage,
  failure,
  type Id,
  isRequest,
  isResponse,
  type Message,
  metaOf,
  type Notification,
  notification,
  type Params,
  parseJson,
  type Request,
  type Response,
  result,
} from './json-rpc.ts';
import { CODE, META } from './protocol.ts';
import { notOneMessage } from './refusal.ts';

interface Pending {
  readonly request: Request;
  readonly owner: string;
  readonly answer: Answer;
  /** Ends the wait for the answer to begin. */
  readonly begun: AbortController;
}

/** Streamable HTTP, "Sending Messages": what an error of JSON-RPC is in HTTP. */
const STATUS: Readonly<Record<number, number>> = {
  [CODE.unknownMethod]: 404,
  [CODE.headerMismatch]: 400,
  [CODE.missingCapability]: 400,
  [CODE.unsupportedVersion]: 400,
};

/**
 * A modern server that speaks in lines, as if it spoke over HTTP: each request has an answer of its own. Ids and progress tokens on the line are ours, so
 * that no two clients of it can collide; they, and the ids of subscriptions, are restored on the way back.
 */
export class ModernLine {
  readonly #runtime: Pick<Runtime, 'sleep'>;
  readonly #ended: () => void;
  readonly #pending = new PassingMap<Id, Pending>();
  #line: MessageLine | null = null;
  #next = 1;
  #over: AppError | null = null;

  /** @param ended once: nothing more can be sent on it. @throws AppError where it cannot be opened */
  constructor(
    open: (events: MessageLineEvents) => MessageLine,
    runtime: Pick<Runtime, 'sleep'>,
    ended: () => void,
  ) {
    this.#runtime = runtime;
    this.#ended = ended;
    this.#line = open({
      message: text => {
        const message = asMessage(parseJson(text));
        // What is no message is a program's careless printing.
        if (message !== null) this.#heard(message);
      },
      closed: error => this.#end(error ?? new AppError('upstream_failed', 'The program is stopped.')),
    });
  }

  get busy(): boolean {
    return this.#pending.size > 0;
  }

  /** @param owner whose request it is */
  send(owner: string, { body, headersTimeout }: OutboundRequest, receiver: ResponseReceiver): void {
    const message = Buffer.isBuffer(body) ? asMessage(parseJson(body.toString('utf8'))) : null;
    const id = this.#next++;
    const answer = new Answer(receiver, this.#runtime, () => this.#cancel(id));
    if (answer.over) return;
    if (message === null) answer.refuse(notOneMessage());
    else if (this.#over !== null) answer.break(this.#over);
    else if (isRequest(message))
      this.#ask(id, { request: message, owner, answer, begun: new AbortController() }, headersTimeout);
    else {
      this.#line!.send(JSON.stringify(message));
      answer.json(202, null);
    }
  }

  #ask(id: Id, pending: Pending, headersTimeout: number): void {
    const { request } = pending;
    this.#pending.set(id, pending);
    this.#runtime.sleep(headersTimeout, pending.begun.signal).then(
      () => this.#late(id),
      () => {},
    );
    const { params } = request;
    const { progressToken, ...meta } = metaOf(params);
    const _meta = progressToken === undefined ? meta : { ...meta, progressToken: id };
    this.#line!.send(JSON.stringify({ ...request, id, params: { ...params, _meta } }), id);
  }

  close(): void {
    this.#line?.close();
    this.#end(new AppError('upstream_failed', 'The program is stopped.'));
  }

  #heard(message: Message): void {
    if (isResponse(message)) this.#answered(message);
    // The era has no requests to clients.
    else if (isRequest(message)) this.#line!.send(JSON.stringify(refused(message)));
    else this.#notified(message);
  }

  #answered(message: Response): void {
    const pending = message.id === null ? undefined : this.#take(message.id, true);
    if (pending === undefined) return;
    const { answer, request } = pending;
    const status = message.error === undefined ? 200 : (STATUS[message.error.code] ?? 200);
    const restored = { ...message, id: request.id };
    const subscription = metaOf(message.result)[META.subscription];
    answer.json(
      status,
      subscription === undefined || message.result === undefined
        ? restored
        : { ...restored, result: tagged(message.result, request.id) },
    );
  }

  #notified(message: Notification): void {
    const { method, params } = message;
    const subscription = metaOf(params)[META.subscription];
    if (method === 'notifications/progress') {
      const pending = this.#pending.get(params?.['progressToken'] as Id);
      const token = metaOf(pending?.request.params)['progressToken'];
      if (pending === undefined || token === undefined) return;
      this.#tell(pending, { ...message, params: { ...params, progressToken: token } });
    } else if (method === 'notifications/cancelled') {
      // On a line a server ends a subscription so (Subscriptions, "Graceful Closure"); over HTTP by its result.
      const pending = this.#take(params?.['requestId'] as Id);
      if (pending === undefined) return;
      const { id } = pending.request;
      pending.answer.message(result(id, tagged({ resultType: 'complete' }, id)));
      pending.answer.end();
    } else if (method === 'notifications/message') {
      const pending = this.#wanting(params?.['level']);
      if (pending !== undefined) this.#tell(pending, message);
    } else if (subscription !== undefined) {
      const pending = this.#pending.get(Number(subscription));
      if (pending !== undefined)
        this.#tell(pending, { ...message, params: tagged(params ?? {}, pending.request.id) });
    }
  }

  /** Nothing says which request a log message is about: the newest that wants any, as long as all of them are one person's. */
  #wanting(level: unknown): Pending | undefined {
    const all = [...this.#pending.values()].filter(
      ({ request }) => request.method !== 'subscriptions/listen',
    );
    if (new Set(all.map(({ owner }) => owner)).size > 1) return undefined;
    return all.findLast(({ request }) => {
      const wanted = metaOf(request.params)[META.level];
      return isLevel(wanted) && reaches(level, wanted);
    });
  }

  #tell({ answer, begun }: Pending, message: Message): void {
    begun.abort();
    answer.message(message);
  }

  #cancel(id: Id): void {
    if (this.#take(id) === undefined || this.#over !== null) return;
    const cancelled = { requestId: id, reason: 'the client closed the stream' };
    this.#line!.send(JSON.stringify(notification('notifications/cancelled', cancelled)));
  }

  #late(id: Id): void {
    const { answer } = this.#pending.get(id) ?? {};
    this.#cancel(id);
    answer?.break(new AppError('upstream_timeout', 'The program did not answer in time.'));
  }

  #take(id: Id, answered = false): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.begun.abort();
    if (pending !== undefined) this.#line?.settled(id, answered);
    return pending;
  }

  #end(error: AppError): void {
    if (this.#over !== null) return;
    this.#over = error;
    for (const id of [...this.#pending.keys()]) this.#take(id)?.answer.break(error);
    this.#ended();
  }
}

const tagged = (value: Params, id: Id): Params => ({
  ...value,
  _meta: { ...metaOf(value), [META.subscription]: id },
});

const refused = ({ id, method }: Request): Response =>
  failure(id, { code: CODE.unknownMethod, message: `The client cannot be asked ${method}.` });
