import type { Runtime } from '../platform/runtime.ts';
import type { Flow, ResponseReceiver } from '../terms/transport.ts';
import { after } from './after.ts';
import type { Message } from './json-rpc.ts';
import { failure } from './json-rpc.ts';
import type { Refusal } from './refusal.ts';
import { KEEP_ALIVE, KEEP_ALIVE_EVERY, type SseEvent, sseText } from './sse.ts';

/** What is held for a client that reads slowly, bytes; a stream that needs more is broken off. */
const HELD = 32 * 1024 * 1024;

/**
 * An answer that the gateway writes itself, as if an upstream had: one JSON body, or a stream of events. It begins as neither; the first event
 * makes it a stream.
 */
export class Answer {
  readonly #receiver: ResponseReceiver;
  /** The client went, or may no longer listen. */
  readonly #gone: () => void;
  readonly #held: Buffer[] = [];
  #heldSize = 0;
  #paused = false;
  #streaming = false;
  #ending = false;
  #over = false;
  readonly #runtime: Pick<Runtime, 'sleep'>;
  /** Calls off the next sign of life. */
  #still: (() => void) | null = null;

  /** @param gone called once when nobody waits for the rest any more */
  constructor(receiver: ResponseReceiver, runtime: Pick<Runtime, 'sleep'>, gone: () => void = () => {}) {
    this.#receiver = receiver;
    this.#runtime = runtime;
    this.#gone = gone;
    const flow: Flow = {
      pause: () => {
        this.#paused = true;
      },
      resume: () => {
        this.#paused = false;
        this.#drain();
      },
      abort: () => this.#abandon(),
    };
    if (!receiver.begin(flow)) this.#abandon();
  }

  get over(): boolean {
    return this.#over || this.#ending;
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  /** A whole answer. @param message null for a body that is empty */
  json(status: number, message: Message | null, headers: Record<string, string> = {}): void {
    if (this.over) return;
    if (this.#streaming) {
      if (message !== null) this.event({ data: JSON.stringify(message) });
      this.end();
      return;
    }
    const body = message === null ? null : Buffer.from(JSON.stringify(message));
    this.#receiver.head(status, {
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      'content-length': String(body?.length ?? 0),
      'cache-control': 'no-store',
      ...headers,
    });
    this.#streaming = true;
    if (body !== null) this.#write(body);
    this.end();
  }

  refuse(refusal: Refusal): void {
    this.json(refusal.status, failure(refusal.id, refusal.rpc), refusal.headers);
  }

  /** Opens the stream before there is anything to say. */
  stream(headers: Record<string, string> = {}): void {
    if (this.over || this.#streaming) return;
    this.#streaming = true;
    this.#receiver.head(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      ...headers,
    });
    this.#keepAlive();
  }

  event(event: SseEvent): void {
    this.stream();
    this.#write(Buffer.from(sseText(event)));
  }

  message(message: Message): void {
    this.event({ data: JSON.stringify(message) });
  }

  end(): void {
    if (this.over) return;
    this.#ending = true;
    this.#still?.();
    this.#drain();
  }

  /** Ends without an answer, as a connection that breaks. */
  break(error: Error): void {
    if (this.#over) return;
    this.#close();
    this.#receiver.error(error);
  }

  #keepAlive(): void {
    this.#still = after(this.#runtime, KEEP_ALIVE_EVERY, () => {
      this.#write(Buffer.from(KEEP_ALIVE));
      if (!this.over) this.#keepAlive();
    });
  }

  #write(chunk: Buffer): void {
    if (this.over) return;
    if (!this.#paused) {
      this.#receiver.data(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldSize += chunk.length;
    if (this.#heldSize > HELD) this.break(new Error('the client reads too slowly'));
  }

  #drain(): void {
    while (!this.#paused && !this.#over && this.#held.length > 0) {
      const chunk = this.#held.shift()!;
      this.#heldSize -= chunk.length;
      this.#receiver.data(chunk);
    }
    if (!this.#ending || this.#over || this.#held.length > 0) return;
    this.#close();
    this.#receiver.end({});
  }

  #abandon(): void {
    if (this.#over) return;
    this.#close();
    this.#gone();
  }

  #close(): void {
    this.#over = true;
    this.#held.length = 0;
    this.#still?.();
  }
}

/** No answer at all, as a connection that breaks. */
export function breakOff(receiver: ResponseReceiver, error: Error): void {
  if (receiver.begin({ pause() {}, resume() {}, abort() {} })) receiver.error(error);
}
