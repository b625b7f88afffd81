import { PassingMap } from '../platform/passing.ts';
import type { Runtime } from '../platform/runtime.ts';
import { after } from './after.ts';
import type { Answer } from './answer.ts';
import { canBeAsked, isLevel } from './capabilities.ts';
import { EventLog } from './event-log.ts';
import type { HeldBack, HeldCall } from './held-back.ts';
import {
  failure,
  type Id,
  isObject,
  isRequest,
  isResponse,
  type Message,
  type Notification,
  type Params,
  type Request,
  type Response,
  type RpcError,
  request as requestOf,
  result,
} from './json-rpc.ts';
import type { Visit } from './mcp.ts';
import { CODE } from './protocol.ts';
import { noSession } from './refusal.ts';
import { openEventId, type SessionTicket, signEventId } from './session-id.ts';
import { outcomeOf, type ToolCall } from './tool-calls.ts';
import { withoutDenied } from './tool-list.ts';
import { traced } from './trace-meta.ts';

/** How long a question waits for its answer, milliseconds. */
const PATIENCE = 10 * 60_000;
/** Streams whose last events are kept. */
const MOST_LOGS = 64;
/** The session's own stream, of this life of it or of one before. */
const OWN = /^(?:[0-9a-f]{8}\.)?0$/;

type Answered = { result: Params } | { error: RpcError };

/** A legacy client's session that ends at the gateway: behind it stands a server that the client could not speak to itself. */
export class HeldSession {
  readonly #runtime: Pick<Runtime, 'sleep'>;
  readonly ticket: SessionTicket;
  readonly credentialId: string;
  /** Everything goes on one stream (HTTP+SSE). */
  readonly #single: boolean;
  #capabilities: Params = {};
  /** Begins the names of its streams: an event of a life before is none of this one's. */
  readonly #life: string;
  readonly #own: EventLog;
  readonly #logs = new Map<string, EventLog>();
  readonly #calls = new PassingMap<Id, (reason: string) => void>();
  readonly #questions = new PassingMap<Id, (answer: Answered) => void>();
  #back: HeldBack | null = null;
  #next = 1;
  usedAt = 0;

  /** @param kind.life of a session that is taken up again: eight hexadecimal digits and a dot; else empty */
  constructor(
    ticket: SessionTicket,
    credentialId: string,
    kind: { readonly single: boolean; readonly life: string },
    runtime: Pick<Runtime, 'sleep'>,
  ) {
    this.#runtime = runtime;
    this.ticket = ticket;
    this.credentialId = credentialId;
    this.#single = kind.single;
    this.#life = kind.life;
    this.#own = this.#eventLog('0');
  }

  get busy(): boolean {
    return this.#calls.size > 0 || this.#own.followed;
  }

  begin(back: HeldBack, capabilities: Params): void {
    this.#back = back;
    this.#capabilities = capabilities;
  }

  /** What belongs to no call goes on the session's own stream. */
  stray(message: Message): void {
    this.#own.push(message);
  }

  /** The one stream of a session that has no other. */
  follow(answer: Answer): void {
    this.#own.follow(answer, null);
  }

  post(visit: Visit, message: Message, toolCall: ToolCall | null): void {
    if (this.#back === null) throw noSession();
    if (isRequest(message)) this.#request(visit, message, toolCall);
    else {
      if (isResponse(message)) this.#answered(message);
      else this.#notified(message);
      visit.answer().json(202, null);
    }
  }

  /** The session's own stream, or another that is gone on with. @throws Refusal 404 for an event of another session */
  get(visit: Visit): void {
    const last = visit.call.headers['last-event-id'];
    if (typeof last !== 'string') {
      const answer = visit.answer();
      answer.stream();
      this.#own.follow(answer, 0);
      return;
    }
    const [name = '', n = ''] = openEventId(this.ticket, last).split('-');
    const log = name === this.#own.name ? this.#own : this.#logs.get(name);
    if (log !== undefined) log.follow(visit.answer(), Number(n));
    else if (OWN.test(name)) this.#own.follow(visit.answer(), 0);
    else throw noSession();
  }

  end(why: string): void {
    for (const cancel of this.#calls.values()) cancel(why);
    for (const answer of this.#questions.values()) answer({ error: { code: CODE.refused, message: why } });
    this.#own.end(null);
    this.#back?.close();
  }

  #request(visit: Visit, message: Request, toolCall: ToolCall | null): void {
    const { id, method, params } = message;
    const answer = visit.answer();
    const log = this.#single ? this.#own : this.#log(String(this.#next++));
    if (this.#single) answer.json(202, null);
    else log.follow(answer, null);
    const last = (message: Message | null) => {
      if (!this.#single) log.end(message);
      else if (message !== null) log.push(message);
    };
    const respond = ({ result: value, error }: Pick<Response, 'result' | 'error'>) => {
      this.#calls.delete(id);
      toolCall?.end(outcomeOf({ ...(value && { result: value }), error }));
      const whole = value === undefined ? failure(id, error!) : result(id, value);
      const seen =
        visit.mayCall !== null && method === 'tools/list' ? withoutDenied(whole, visit.mayCall) : whole;
      last(seen as Response);
    };
    if (this.#calls.has(id))
      respond({ error: { code: CODE.invalidRequest, message: 'A request with this id is under way.' } });
    else if (method === 'ping') respond({ result: {} });
    else if (method === 'logging/setLevel') {
      const level = params?.['level'];
      if (!isLevel(level))
        respond({ error: { code: CODE.invalidParams, message: 'There is no such level.' } });
      else {
        this.#back!.setLevel(level);
        respond({ result: {} });
      }
    } else if (method === 'resources/subscribe' || method === 'resources/unsubscribe') {
      const uri = String(params?.['uri']);
      const wanted = method === 'resources/subscribe';
      this.#back!.subscribe(uri, wanted, visit).then(respond, failed(respond));
    } else {
      this.#calls.set(id, () => {});
      const heard: HeldCall = {
        notification: one => log.push(one),
        ask: (asked, about) => this.#ask(log, asked, about),
        response: respond,
      };
      const cancel = this.#back!.call(traced(message, visit.request.headers), heard, visit);
      if (this.#calls.has(id))
        this.#calls.set(id, why => {
          this.#calls.delete(id);
          toolCall?.end('abandoned');
          cancel(why);
          last(null);
        });
    }
  }

  #ask(log: EventLog, method: string, params: Params | undefined): Promise<Answered> {
    const id = `s${this.#next++}`;
    const question = requestOf(id, method, params);
    if (!canBeAsked(this.#capabilities, question))
      return Promise.resolve({
        error: { code: CODE.unknownMethod, message: `The client cannot be asked ${method}.` },
      });
    return new Promise(resolve => {
      const notLate = after(this.#runtime, PATIENCE, () =>
        settle({ error: { code: CODE.refused, message: 'The client did not answer.' } }),
      );
      const settle = (answer: Answered) => {
        notLate();
        this.#questions.delete(id);
        resolve(answer);
      };
      this.#questions.set(id, settle);
      // On the call's own stream, or where the client listens.
      (log.followed || !this.#own.followed ? log : this.#own).push(question);
    });
  }

  #answered({ id, result: value, error }: Response): void {
    if (id === null) return;
    this.#questions.get(id)?.(value === undefined ? { error: error! } : { result: value });
  }

  #notified(message: Notification): void {
    if (message.method === 'notifications/cancelled') {
      const id = message.params?.['requestId'] as Id;
      this.#calls.get(id)?.(String(message.params?.['reason'] ?? 'cancelled'));
    } else if (message.method !== 'notifications/initialized') this.#back!.notify(message);
  }

  #eventLog(name: string, begun?: () => void): EventLog {
    return new EventLog(`${this.#life}${name}`, id => signEventId(this.ticket, id), begun);
  }

  /** Most calls are answered without a stream, and leave none. */
  #log(name: string): EventLog {
    const log = this.#eventLog(name, () => this.#keep(log));
    return log;
  }

  #keep(log: EventLog): void {
    this.#logs.set(log.name, log);
    for (const [old, { ended }] of this.#logs) {
      if (this.#logs.size <= MOST_LOGS) break;
      if (ended) this.#logs.delete(old);
    }
  }
}

const failed = (respond: (answer: Pick<Response, 'error'>) => void) => (error: Error) =>
  respond({ error: { code: CODE.internal, message: error.message } });

/** The capabilities that `initialize` declared. */
export const declaredIn = ({ params }: Request): Params =>
  isObject(params?.['capabilities']) ? params['capabilities'] : {};
