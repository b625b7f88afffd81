import { AppError } from '../platform/errors.ts';
import { PassingMap, PassingSet } from '../platform/passing.ts';
import type { Runtime } from '../platform/runtime.ts';
import { after } from './after.ts';
import { GATEWAY_INFO } from './eras.ts';
import {
  failure,
  type Id,
  isObject,
  isRequest,
  isResponse,
  type Message,
  metaOf,
  type Notification,
  notification,
  type Params,
  type Request,
  type Response,
  request,
  result,
} from './json-rpc.ts';
import type { Link, OpenLink } from './link.ts';
import { CODE, isLegacyVersion, LEGACY, MODERN_ERRORS } from './protocol.ts';

/** What a call at a legacy server hears of it. */
export interface CallListener {
  notification(message: Notification): void;
  /** The server asks the client something; to be answered by `answer`, once. */
  asked(message: Request): void;
  /** The server no longer wants the answer. */
  unasked(id: Id): void;
  response(message: Response): void;
  /** @param unsent the server surely did not act upon it */
  lost(error: Error, unsent: boolean): void;
  /** Whose it is: what one person is asked is shown to nobody else. */
  readonly owner: string;
  /** Whether it may be the one that a question belongs to, where the server does not say. */
  readonly couldAsk: boolean;
}

interface Pending {
  readonly listener: CallListener;
  readonly token: unknown;
  /** An earlier request whose progress is this one's. */
  readonly since: Id | null;
}

/** What a server said of itself. */
export interface Introduction {
  readonly version: string;
  readonly capabilities: Params;
  readonly serverInfo: unknown;
  readonly instructions: unknown;
}

const NOBODY = 'No call is under way that this could belong to.';
const SEVERAL =
  'Several people have calls under way, and nothing says whose this belongs to: run the agent with --isolate principal.';

/** The server does not want the handshake of the legacy era. */
export class InitializeRefused extends AppError {
  /** As a server says that speaks the modern era alone. */
  readonly modern: boolean;

  constructor(code: number) {
    super('upstream_failed', `The server refused initialize (${code}).`);
    this.modern = MODERN_ERRORS.has(code);
  }
}

/** How long a server may take for its handshake, milliseconds. */
const HANDSHAKE = 30_000;

/**
 * A session at a legacy server, in which any number of calls are under way. Ids and progress tokens are its own, so that no two clients of it can
 * collide; both are restored on the way to the client.
 */
export class LegacyBack {
  readonly #runtime: Pick<Runtime, 'sleep'>;
  readonly #link: Link;
  readonly #pending = new PassingMap<Id, Pending>();
  /** Requests that were answered, and the pending ones that go on with them. */
  readonly #goneOn = new PassingMap<Id, Id>();
  /** Requests of the server, and whom they were given to. */
  readonly #questions = new PassingMap<Id, CallListener>();
  readonly #strays = new PassingSet<(message: Notification) => void>();
  readonly #closed = new PassingSet<(error: Error) => void>();
  #introduction: Introduction | null = null;
  #next = 1;
  #over: Error | null = null;

  constructor(open: OpenLink, runtime: Pick<Runtime, 'sleep'>) {
    this.#runtime = runtime;
    this.#link = open({
      message: (message, about) => this.#message(message, about),
      lost: (about, error, unsent) => this.#take(about)?.listener.lost(error, unsent),
      closed: error => this.#end(error),
    });
  }

  /** Null until `begin` has resolved. */
  get introduction(): Introduction {
    if (this.#introduction === null) throw new AppError('internal', 'The server has not introduced itself.');
    return this.#introduction;
  }

  get over(): boolean {
    return this.#over !== null;
  }

  /** Calls and questions under way. */
  get busy(): number {
    return this.#pending.size + this.#strays.size;
  }

  /** `initialize` and what follows it. @throws AppError */
  async begin(capabilities: Params): Promise<void> {
    const answered = Promise.withResolvers<Params>();
    const notLate = after(this.#runtime, HANDSHAKE, () =>
      answered.reject(new AppError('upstream_timeout', 'The server did not answer initialize in time.')),
    );
    this.request(
      'initialize',
      { protocolVersion: LEGACY[0], capabilities, clientInfo: GATEWAY_INFO },
      {
        notification() {},
        asked: ({ id }) =>
          this.answer(failure(id, { code: CODE.invalidRequest, message: 'Not initialized yet.' })),
        unasked() {},
        response: ({ result: value, error }) =>
          value === undefined ? answered.reject(new InitializeRefused(error!.code)) : answered.resolve(value),
        lost: error => answered.reject(error),
        owner: '',
        couldAsk: false,
      },
    );
    try {
      const { protocolVersion, capabilities: own, serverInfo, instructions } = await answered.promise;
      if (!isLegacyVersion(protocolVersion))
        throw new AppError('upstream_failed', 'The server speaks no version that is spoken here.');
      this.#introduction = {
        version: protocolVersion,
        capabilities: isObject(own) ? own : {},
        serverInfo,
        instructions,
      };
      this.#link.begun(protocolVersion);
      this.notify(notification('notifications/initialized'));
    } catch (error) {
      this.close();
      throw error;
    } finally {
      notLate();
    }
  }

  /**
   * @param since an answered request that this one goes on with: what the server says of its progress is this one's
   * @returns our id of it, by which it can be cancelled
   */
  request(method: string, params: Params, listener: CallListener, since: Id | null = null): Id {
    const id = this.#next++;
    if (this.#over !== null) {
      listener.lost(this.#over, true);
      return id;
    }
    const { progressToken: token, ...meta } = metaOf(params);
    const { _meta, ...rest } = params;
    const ours = token === undefined ? meta : { ...meta, progressToken: id };
    this.#pending.set(id, { listener, token, since });
    if (since !== null) this.#goneOn.set(since, id);
    this.#link.send(request(id, method, Object.keys(ours).length === 0 ? rest : { ...rest, _meta: ours }));
    return id;
  }

  /** One answer and no more. @throws what kept it from coming */
  ask(method: string, params: Params, signal?: AbortSignal): Promise<Response> {
    return new Promise((resolve, reject) => {
      const id = this.request(method, params, {
        notification() {},
        asked: ({ id: about }) =>
          this.answer(failure(about, { code: CODE.refused, message: 'Nobody can be asked.' })),
        unasked() {},
        response: resolve,
        lost: reject,
        owner: '',
        couldAsk: false,
      });
      signal?.addEventListener('abort', () => {
        this.cancel(id, 'nobody waits for it');
        reject(signal.reason as Error);
      });
    });
  }

  cancel(id: Id, reason: string): void {
    if (this.#take(id) === undefined || this.#over !== null) return;
    this.notify(notification('notifications/cancelled', { requestId: id, reason }));
    this.#link.drop(id);
  }

  notify(message: Notification): void {
    if (this.#over === null) this.#link.send(message);
  }

  answer(message: Response): void {
    if (message.id !== null) this.#questions.delete(message.id);
    if (this.#over === null) this.#link.send(message);
  }

  /** Hears what belongs to no call. @returns how to stop */
  onStray(heard: (message: Notification) => void): () => void {
    this.#strays.add(heard);
    return () => this.#strays.delete(heard);
  }

  onClosed(heard: (error: Error) => void): () => void {
    this.#closed.add(heard);
    return () => this.#closed.delete(heard);
  }

  close(): void {
    this.#end(new AppError('upstream_failed', 'The session at the server is over.'));
    this.#link.close();
  }

  #message(message: Message, about: Id | null): void {
    if (isResponse(message)) {
      if (message.id !== null) this.#take(message.id)?.listener.response(message);
    } else if (isRequest(message)) this.#question(message, about);
    else this.#notification(message, about);
  }

  #question(message: Request, about: Id | null): void {
    if (message.method === 'ping') {
      this.answer(result(message.id, {}));
      return;
    }
    const own = about === null ? undefined : this.#pending.get(about)?.listener;
    const listener = own ?? this.#newest();
    if (listener === undefined) {
      this.answer(
        failure(message.id, { code: CODE.refused, message: this.#owners().size > 1 ? SEVERAL : NOBODY }),
      );
      return;
    }
    this.#questions.set(message.id, listener);
    listener.asked(message);
  }

  #owners(): Set<string> {
    return new Set(
      [...this.#pending.values()]
        .filter(({ listener }) => listener.couldAsk)
        .map(({ listener }) => listener.owner),
    );
  }

  /** Where nothing says so: the newest call that could ask, as long as all of them are one person's. */
  #newest(): CallListener | undefined {
    if (this.#owners().size > 1) return undefined;
    return [...this.#pending.values()].findLast(({ listener }) => listener.couldAsk)?.listener;
  }

  #notification(message: Notification, about: Id | null): void {
    const { method, params } = message;
    if (method === 'notifications/progress') {
      const named = params?.['progressToken'] as Id;
      const pending = this.#pending.get(this.#goneOn.get(named) ?? named);
      if (pending?.token === undefined) return;
      pending.listener.notification({ ...message, params: { ...params, progressToken: pending.token } });
    } else if (method === 'notifications/cancelled') {
      const id = params?.['requestId'] as Id;
      const listener = this.#questions.get(id);
      this.#questions.delete(id);
      listener?.unasked(id);
    } else if (method === 'notifications/message') {
      const pending = about === null ? undefined : this.#pending.get(about);
      (pending?.listener ?? this.#newest())?.notification(message);
    } else for (const heard of this.#strays) heard(message);
  }

  #take(id: Id): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending?.since != null) this.#goneOn.delete(pending.since);
    return pending;
  }

  #end(error: Error): void {
    if (this.#over !== null) return;
    this.#over = error;
    for (const { listener } of this.#pending.values()) listener.lost(error, false);
    this.#pending.clear();
    this.#goneOn.clear();
    for (const heard of this.#closed) heard(error);
  }
}
