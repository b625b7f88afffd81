import type { ClientRequest, IncomingMessage } from 'node:http';
import { AGENT_ERROR } from '@sallyport/protocol/agent-error.ts';
import { CODE } from '@sallyport/protocol/http2/codes.ts';
import type { Fields } from '@sallyport/protocol/http2/fields.ts';
import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';
import type { BodyTaker } from '@sallyport/protocol/http2/stream.ts';
import { answerError } from './answer.ts';
import { filtered, withoutLength } from './filtered-http.ts';
import type { ToolFilter } from './tool-filter.ts';

/** This hop's own (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2), and what only an agent may say. */
const NEVER = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  AGENT_ERROR,
]);
/** They have no body, whatever is said of its length. */
const BODILESS = new Set([204, 205, 304]);
/** Nobody expects a body of them (RFC 9110 section 8.6). */
const MOSTLY_BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/** A call on its way to the local server, and its answer back, each at the other's pace. */
export class LocalCall implements BodyTaker {
  readonly #call: ServerStream;
  readonly #request: ClientRequest;
  readonly #filter: ToolFilter | null;
  #response: IncomingMessage | null = null;
  #reached = false;
  #drained: (() => void) | null = null;

  /** @param filter what may be in an answer; null: everything */
  constructor(call: ServerStream, request: ClientRequest, filter: ToolFilter | null) {
    this.#call = call;
    this.#request = request;
    this.#filter = filter;
    request.on('socket', socket => {
      if (!socket.connecting) this.#reached = true;
      else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => (this.#reached = true));
    });
    // Whoever hears that a server cannot be reached may ask again: what got as far as a connection may have been acted upon.
    request.on('error', () => answerError(call, this.#reached ? 'failed' : 'unreachable'));
    // It switched protocols, which nobody asked for: node:http ends that without a word.
    request.on('close', () => {
      if (!call.answered) answerError(call, 'failed');
    });
    request.on('response', response => this.#answered(response));
    request.on('drain', () => call.resume());
    call.accept(this);
  }

  data(chunk: Buffer): void {
    if (!this.#request.write(chunk)) this.#call.pause();
  }

  end(): void {
    this.#request.end();
  }

  /** Nothing of it may look whole. */
  broken(): void {
    this.#request.destroy();
    this.#response?.destroy();
  }

  drained(): void {
    if (this.#filter === null) this.#response!.resume();
    else this.#drained?.();
  }

  #answered(response: IncomingMessage): void {
    const call = this.#call;
    const status = response.statusCode!;
    const endStream = this.#request.method === 'HEAD' || BODILESS.has(status);
    const headers = this.#filter === null ? response.headers : withoutLength(response.headers);
    try {
      call.respond(status, fieldsOf(headers), endStream);
    } catch {
      // A head that HTTP/2 cannot carry.
      response.destroy();
      answerError(call, 'failed');
      return;
    }
    this.#response = response;
    if (endStream) response.on('end', () => this.#readNoFurther()).resume();
    else if (this.#filter === null) this.#pass(response);
    else void this.#passFiltered(response, this.#filter);
  }

  /** What broke off does not look whole. */
  #pass(response: IncomingMessage): void {
    const call = this.#call;
    response.on('data', (chunk: Buffer) => {
      if (!call.write(chunk)) response.pause();
    });
    response.on('end', () => {
      if (response.complete) this.#whole(response);
      else call.reset(CODE.INTERNAL_ERROR);
    });
    response.on('error', () => call.reset(CODE.INTERNAL_ERROR));
  }

  async #passFiltered(response: IncomingMessage, filter: ToolFilter): Promise<void> {
    const call = this.#call;
    try {
      for await (const text of filtered(response, filter))
        if (!call.write(Buffer.from(text))) await new Promise<void>(resolve => (this.#drained = resolve));
      this.#whole(response);
    } catch {
      call.reset(CODE.INTERNAL_ERROR);
    }
  }

  #whole({ trailers }: IncomingMessage): void {
    try {
      this.#call.endWith(fieldsOf(trailers));
    } catch {
      this.#call.reset(CODE.INTERNAL_ERROR);
    }
    this.#readNoFurther();
  }

  /** Who has answered. */
  #readNoFurther(): void {
    if (this.#request.writableEnded) return;
    this.#request.destroy();
    this.#call.dismiss();
  }
}

/**
 * The head of a request as its server gets it: names and values in turn. It always says where its body ends: node:http would else write that of a GET
 * behind the head as it is, and the server would take it for the next request.
 * @param length of the body; null: it is still to come
 */
export function outbound(method: string, fields: Fields, host: string, length: number | null): string[] {
  const out = ['host', host];
  if (fields['content-length'] === undefined) {
    if (length === null) out.push('transfer-encoding', 'chunked');
    else if (length > 0 || !MOSTLY_BODILESS.has(method)) out.push('content-length', String(length));
  }
  for (const name in fields) {
    const value = fields[name]!;
    // What trails a request goes no further.
    if (name === 'host' || name === 'trailer' || NEVER.has(name)) continue;
    if (typeof value === 'string') out.push(name, value);
    // RFC 9113 section 8.2.3.
    else if (name === 'cookie') out.push(name, value.join('; '));
    else for (const one of value) out.push(name, one);
  }
  return out;
}

function fieldsOf(headers: NodeJS.Dict<string | string[]>): string[] {
  const { connection } = headers;
  const hop = connection === undefined || connection === 'keep-alive' ? null : wordsOf(String(connection));
  const out: string[] = [];
  for (const name in headers) {
    const value = headers[name]!;
    if (NEVER.has(name) || hop?.includes(name)) continue;
    if (typeof value === 'string') out.push(name, value);
    else for (const one of value) out.push(name, one);
  }
  return out;
}

const wordsOf = (list: string): string[] => list.split(',').map(word => word.trim().toLowerCase());
