import { StringDecoder } from 'node:string_decoder';
import { AppError } from '../platform/errors.ts';
import { MAX_MESSAGE } from './protocol.ts';

/** One event of a stream (WHATWG HTML, section 9.2). */
export interface SseEvent {
  /** Undefined where the event has none of its own. */
  readonly id?: string | undefined;
  readonly event?: string | undefined;
  readonly retry?: string | undefined;
  readonly data: string;
}

/** Reads events as their bytes come. What has no data and no id is passed over. */
export class SseReader {
  readonly #event: (event: SseEvent) => void;
  readonly #comment: ((line: string) => void) | undefined;
  readonly #decoder = new StringDecoder('utf8');
  /** A line that has not ended yet, in pieces: joined once. */
  readonly #begun: string[] = [];
  #begunSize = 0;
  #data: string[] = [];
  #size = 0;
  #id: string | undefined;
  #name: string | undefined;
  #retry: string | undefined;
  #first = true;
  /** The last chunk ended in CR: an LF that follows belongs to it. */
  #afterCr = false;

  /** @param comment hears lines that say nothing, and keep what lies between from closing a silent stream */
  constructor(event: (event: SseEvent) => void, comment?: (line: string) => void) {
    this.#event = event;
    this.#comment = comment;
  }

  /** @throws AppError `upstream_failed` for an event that is larger than any message may be */
  push(chunk: Buffer): void {
    let text = this.#decoder.write(chunk);
    if (this.#first && text.length > 0) {
      this.#first = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    let from = this.#afterCr && text.startsWith('\n') ? 1 : 0;
    if (text.length > 0) this.#afterCr = false;
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code !== 10 && code !== 13) continue;
      this.#line(this.#begun.join('') + text.slice(from, at));
      this.#begun.length = 0;
      this.#begunSize = 0;
      if (code === 13) {
        if (at + 1 === text.length) this.#afterCr = true;
        else if (text.charCodeAt(at + 1) === 10) at += 1;
      }
      from = at + 1;
    }
    if (from < text.length) {
      this.#begun.push(text.slice(from));
      this.#begunSize += text.length - from;
    }
    if (this.#begunSize + this.#size > MAX_MESSAGE)
      throw new AppError('upstream_failed', 'The server sent an event larger than 16 MiB.');
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) {
      this.#comment?.(line);
      return;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.charCodeAt(0) === 32) value = value.slice(1);
    if (field === 'data') {
      this.#data.push(value);
      this.#size += value.length;
    } else if (field === 'id') this.#id = value;
    else if (field === 'event') this.#name = value;
    else if (field === 'retry') this.#retry = value;
  }

  #dispatch(): void {
    const { length } = this.#data;
    const event = { id: this.#id, event: this.#name, retry: this.#retry, data: this.#data.join('\n') };
    this.#data = [];
    this.#size = 0;
    this.#id = undefined;
    this.#name = undefined;
    this.#retry = undefined;
    if (length > 0 || event.id !== undefined || event.retry !== undefined) this.#event(event);
  }
}

/** An event as it is written. */
export function sseText({ id, event, retry, data }: SseEvent): string {
  const lines = data.includes('\n')
    ? data
        .split('\n')
        .map(line => `data: ${line}\n`)
        .join('')
    : `data: ${data}\n`;
  return `${event === undefined ? '' : `event: ${event}\n`}${id === undefined ? '' : `id: ${id}\n`}${retry === undefined ? '' : `retry: ${retry}\n`}${lines}\n`;
}

/** Says nothing, and keeps what lies between from closing a silent stream. */
export const KEEP_ALIVE = ': keep-alive\n\n';
/** Between two of them, milliseconds. */
export const KEEP_ALIVE_EVERY = 15_000;
