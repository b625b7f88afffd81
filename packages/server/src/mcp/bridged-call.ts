import type { Runtime } from '../platform/runtime.ts';
import { after } from './after.ts';
import type { Answer } from './answer.ts';
import { callOnLegacy } from './call-on-legacy.ts';
import { canBeAsked, isLevel, reaches } from './capabilities.ts';
import {
  failure,
  type Id,
  isObject,
  metaOf,
  type Notification,
  type Params,
  type Request,
  type Response,
  request,
  result,
} from './json-rpc.ts';
import type { CallListener, LegacyBack } from './legacy-back.ts';
import { CODE, META } from './protocol.ts';
import { missingCapability } from './refusal.ts';
import { PARKED_FOR } from './request-state.ts';
import { outcomeOf, type ToolCall } from './tool-calls.ts';

/** Questions that come so close together go out together, milliseconds. */
const TOGETHER = 20;

/** Errors that the modern era says by the HTTP status as well (2026-07-28, Streamable HTTP). */
const STATUS: Readonly<Record<number, number>> = { [CODE.unknownMethod]: 404, [CODE.missingCapability]: 400 };

/** Where a call is heard at present: the request of the client that waits for it. */
export interface Turn {
  readonly request: Request;
  readonly answer: Answer;
  readonly toolCall: ToolCall | null;
  /** What to do when its client goes. */
  readonly client: { gone: (() => void) | null };
}

/** What a call needs of who made it. */
export interface BridgedCallDeps {
  readonly back: LegacyBack;
  readonly runtime: Pick<Runtime, 'sleep'>;
  /** Whose call it is. */
  readonly owner: string;
  /** The state that the client is to come back with. */
  seal(turn: number): string;
  /** As a modern client is to get it. */
  complete(request: Request, value: Params): Params;
  /** Once, when there is nothing left to come back to. */
  over(): void;
  /** The server surely did not act upon it: it may be sent in another session. @returns whether it was */
  again(): boolean;
}

/**
 * A modern client's call at a legacy server. What the server asks meanwhile becomes an `input_required`, and the call stays under way at the server,
 * parked, until the client comes back with the answers.
 */
export class BridgedCall implements CallListener {
  readonly #deps: BridgedCallDeps;
  #turn: Turn | null;
  #turns = 0;
  /** Questions that are not answered yet, by the key that the client knows them by. */
  readonly #questions = new Map<string, Request>();
  /** How to call off what is to happen by itself. */
  #asking: (() => void) | null = null;
  #expiring: (() => void) | null = null;
  /** URLs that are to be visited before the call is made again, by the key that the client knows each by. */
  #visits: readonly string[] | null = null;
  /** What came while nobody waited. */
  #late: Response | null = null;
  #broken: Error | null = null;
  #cancel: ((why: string) => void) | null = null;
  #over = false;
  #keys = 0;

  constructor(turn: Turn, deps: BridgedCallDeps) {
    this.#turn = turn;
    this.#deps = deps;
  }

  get owner(): string {
    return this.#deps.owner;
  }

  get couldAsk(): boolean {
    return !this.#over;
  }

  get turns(): number {
    return this.#turns;
  }

  /** Whether a client is expected to come back. */
  get parked(): boolean {
    return this.#turn === null && !this.#over;
  }

  begin(back: LegacyBack): void {
    const { request } = this.#turn!;
    this.#cancel = callOnLegacy(back, request.method, legacyParams(request.params), this);
  }

  /** The client is back, with answers to what was asked. */
  resume(turn: Turn): void {
    this.#expiring?.();
    this.#turn = turn;
    this.#turns += 1;
    const given = turn.request.params?.['inputResponses'];
    if (this.#visits !== null) {
      this.#visited(this.#visits, isObject(given) ? given : {});
      return;
    }
    for (const [key, question] of [...this.#questions]) {
      const value = isObject(given) ? given[key] : undefined;
      if (!isObject(value)) continue;
      this.#questions.delete(key);
      this.#deps.back.answer(result(question.id, legacyAnswer(value)));
    }
    if (this.#broken !== null) this.lost(this.#broken, false);
    else if (this.#late !== null) this.response(this.#late);
    // What was not answered is asked again (Multi Round-Trip Requests, "Error Handling").
    else if (this.#questions.size > 0) this.#ask();
  }

  /** The client closed the stream, or nobody may wait any longer. */
  abandon(why: string): void {
    if (this.#over) return;
    this.#turn?.toolCall?.end('abandoned');
    for (const question of this.#questions.values()) this.#deps.back.answer(declined(question));
    this.#cancel?.(why);
    this.#end();
  }

  notification(message: Notification): void {
    if (this.#turn === null) return;
    const { answer, request } = this.#turn;
    if (message.method === 'notifications/message') {
      const wanted = metaOf(request.params)[META.level];
      if (!isLevel(wanted) || !reaches(message.params?.['level'], wanted)) return;
    } else if (message.method === 'notifications/progress') {
      // A retry may have named another token.
      const token = metaOf(request.params)['progressToken'];
      if (token === undefined) return;
      answer.message({ ...message, params: { ...message.params, progressToken: token } });
      return;
    }
    answer.message(message);
  }

  asked(question: Request): void {
    // While nobody waits it is not known what the next retry can do: what it cannot is refused then.
    if (this.#over || (this.#turn !== null && !this.#canAsk(question))) {
      this.#refuse(question);
      return;
    }
    this.#keys += 1;
    this.#questions.set(`q${this.#keys}`, question);
    if (this.#turn !== null && this.#asking === null)
      this.#asking = after(this.#deps.runtime, TOGETHER, () => this.#ask());
  }

  unasked(id: Id): void {
    for (const [key, question] of this.#questions) if (question.id === id) this.#questions.delete(key);
  }

  response(message: Response): void {
    if (this.#over) return;
    if (this.#turn === null) {
      this.#late = message;
      return;
    }
    if (message.error !== undefined && this.#sendsElsewhere(message.error)) return;
    const { request, answer, toolCall } = this.#turn;
    if (message.result !== undefined)
      answer.json(200, result(request.id, this.#deps.complete(request, message.result)));
    else {
      const error = modernError(message.error!);
      answer.json(STATUS[error.code] ?? 200, failure(request.id, error));
    }
    toolCall?.end(outcomeOf(message));
    this.#end();
  }

  lost(error: Error, unsent: boolean): void {
    if (this.#over) return;
    if (unsent && this.#turns === 0 && this.#turn !== null && this.#deps.again()) return;
    if (this.#turn === null) {
      this.#broken = error;
      return;
    }
    const { request, answer, toolCall } = this.#turn;
    answer.json(502, failure(request.id, { code: CODE.refused, message: error.message }));
    toolCall?.end('broken');
    this.#end();
  }

  #ask(): void {
    this.#asking = null;
    if (this.#turn === null) return;
    for (const [key, question] of [...this.#questions])
      if (!this.#canAsk(question)) {
        this.#questions.delete(key);
        this.#refuse(question);
      }
    if (this.#questions.size === 0) return;
    this.#park([...this.#questions]);
  }

  /** Answers with what the client is asked, until it comes back. */
  #park(questions: readonly (readonly [string, Pick<Request, 'method' | 'params'>])[]): void {
    const { request, answer, toolCall } = this.#turn!;
    const inputRequests = Object.fromEntries(
      questions.map(([key, { method, params }]) => [key, asModern(method, params)]),
    );
    this.#turn = null;
    const requestState = this.#deps.seal(this.#turns);
    answer.json(200, result(request.id, { resultType: 'input_required', inputRequests, requestState }));
    toolCall?.end('input_required');
    this.#expiring = after(this.#deps.runtime, PARKED_FOR, () =>
      this.abandon('nobody came back with an answer'),
    );
  }

  /**
   * The server did nothing yet, and says which URLs are to be visited first (2025-11-25, Elicitation, "URL Elicitation Required Error"). The modern era
   * asks for that; and whoever comes back makes the call again, as a legacy client would have.
   * @returns whether it was that
   */
  #sendsElsewhere({ code, data }: NonNullable<Response['error']>): boolean {
    const listed = code === CODE.urlsRequired && isObject(data) ? data['elicitations'] : undefined;
    const questions = (Array.isArray(listed) ? listed : [])
      .filter(isObject)
      .map((params, at) => [`u${at + 1}`, { method: 'elicitation/create', params }] as const);
    if (questions.length === 0) return false;
    if (questions.every(([, { params }]) => this.#canAsk(request('', 'elicitation/create', params)))) {
      this.#visits = questions.map(([key]) => key);
      this.#park(questions);
      return true;
    }
    const { request: asked, answer, toolCall } = this.#turn!;
    answer.refuse(missingCapability(asked.id, { elicitation: { url: {} } }));
    toolCall?.end('error');
    this.#end();
    return true;
  }

  #visited(keys: readonly string[], given: Record<string, unknown>): void {
    this.#visits = null;
    const refused = keys.some(key => !isObject(given[key]) || given[key]['action'] !== 'accept');
    if (!refused) {
      this.begin(this.#deps.back);
      return;
    }
    const { request, answer, toolCall } = this.#turn!;
    const message = 'The server needs a URL to be visited first, and that was declined.';
    answer.json(200, failure(request.id, { code: CODE.refused, message }));
    toolCall?.end('error');
    this.#end();
  }

  #canAsk(question: Request): boolean {
    const declared = metaOf(this.#turn?.request.params)[META.capabilities];
    return isObject(declared) && canBeAsked(declared, question);
  }

  /** To the server, at once; and the call goes on. */
  #refuse({ id, method }: Request): void {
    const message = `The client cannot be asked ${method}.`;
    this.#deps.back.answer(failure(id, { code: CODE.unknownMethod, message }));
  }

  #end(): void {
    this.#over = true;
    this.#asking?.();
    this.#expiring?.();
    this.#turn = null;
    this.#deps.over();
  }
}

const ofTheEra = (key: string): boolean => key.startsWith('io.modelcontextprotocol/');

/** Without what only the modern era says. */
function legacyParams(params: Params | undefined): Params {
  const { inputResponses: _inputs, requestState: _state, task: _task, _meta, ...rest } = params ?? {};
  const meta = metaOf(params);
  if (Object.keys(meta).every(ofTheEra)) return rest;
  const kept = Object.entries(meta).filter(([key]) => !ofTheEra(key));
  return { ...rest, _meta: Object.fromEntries(kept) };
}

/** Without what only the legacy era says (changelog of 2026-07-28, minor change 11). */
function asModern(method: string, params: Params | undefined): Params {
  const { elicitationId: _id, _meta, task: _task, ...rest } = params ?? {};
  return method === 'roots/list' && Object.keys(rest).length === 0 ? { method } : { method, params: rest };
}

function legacyAnswer({ resultType: _type, ...value }: Record<string, unknown>): Params {
  return value;
}

/** What somebody who does not want to, or is gone, answers. */
function declined({ id, method }: Request): Response {
  if (method === 'elicitation/create') return result(id, { action: 'cancel' });
  return failure(id, { code: CODE.refused, message: 'Nobody answers any more.' });
}

const modernError = (error: NonNullable<Response['error']>): NonNullable<Response['error']> =>
  error.code === CODE.noResource ? { ...error, code: CODE.invalidParams } : error;
