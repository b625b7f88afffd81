import type { Flow, ResponseReceiver } from '../terms/transport.ts';
import { isObject, parseJson } from './json-rpc.ts';
import { MAX_MESSAGE } from './protocol.ts';
import { SseReader, sseText } from './sse.ts';

type Headers = Record<string, string | string[] | undefined>;

/** How many bytes of an answer are looked at for how a call went; of a larger one it is not known. */
const LOOKED_AT = 64 * 1024;

/** Stands in every answer that asks back (Multi Round-Trip Requests). */
const ASKS_TEXT = '"input_required"';
const ASKS = Buffer.from(ASKS_TEXT);
/** An answer that has none of these went well: what says otherwise stands in it as a member's name or as a word (JSON escapes quotes in every other place). */
const NOT_WELL = [ASKS, Buffer.from('rror"')];

/** What is done to a response on its way. All of it is optional, and what is not asked for costs nothing. */
export interface Passing {
  readonly head?: ((status: number, headers: Headers) => Headers) | undefined;
  /** Each JSON-RPC message, or list of them, as the client is to get it. */
  readonly map?: ((message: unknown) => unknown) | undefined;
  /** An answer that asks back, as the client is to get it; any other passes as it is. */
  readonly asks?: ((message: unknown) => unknown) | undefined;
  /** Each event's id, as the client is to get it. */
  readonly eventId?: ((id: string) => string) | undefined;
  /** Once, when it is over; `last` is the last message, where it was small enough to look at, and says more than that all went well. */
  readonly ended?:
    | ((how: 'whole' | 'broken' | 'abandoned', status: number, last: unknown) => void)
    | undefined;
}

/** A server's response on its way to the client: as it comes, but for what has to be changed in it. */
export class PassedResponse implements ResponseReceiver, Flow {
  readonly #to: ResponseReceiver;
  readonly #passing: Passing;
  #status = 0;
  #form: 'bytes' | 'json' | 'held' | 'events' | 'heldEvents' = 'bytes';
  /** Waits for the body, whose length may become another. */
  #headers: Headers | null = null;
  /** An event that has not ended yet, in pieces. */
  #begun: Buffer[] = [];
  #begunSize = 0;
  #isStream = false;
  #whole: Buffer[] = [];
  #size = 0;
  #reader: SseReader | null = null;
  #flow: Flow | null = null;
  #over = false;

  constructor(to: ResponseReceiver, passing: Passing) {
    this.#to = to;
    this.#passing = passing;
  }

  begin(flow: Flow): boolean {
    this.#flow = flow;
    const wanted = this.#to.begin(this);
    if (!wanted) this.#end('abandoned');
    return wanted;
  }

  pause(): void {
    this.#flow!.pause();
  }

  resume(): void {
    this.#flow!.resume();
  }

  abort(reason: Error): void {
    this.#end('abandoned');
    this.#flow!.abort(reason);
  }

  head(status: number, headers: Headers): void {
    this.#status = status;
    const { map, eventId, asks } = this.#passing;
    const type = String(headers['content-type'] ?? '');
    this.#isStream = /^text\/event-stream\b/i.test(type);
    const coded = headers['content-encoding'] !== undefined;
    if (!coded && this.#isStream && (map !== undefined || eventId !== undefined)) this.#form = 'events';
    else if (!coded && map !== undefined && /\bjson\b/i.test(type)) this.#form = 'json';
    else if (!coded && asks !== undefined && this.#isStream) this.#form = 'heldEvents';
    else if (!coded && asks !== undefined && /\bjson\b/i.test(type)) this.#form = 'held';
    // Nobody asked it to compress, and what cannot be read cannot be kept from who may not see it.
    if (coded && map !== undefined) {
      this.#flow?.abort(new Error('the server compressed an answer that has to be read'));
      return;
    }
    let out = headers;
    if (this.#form !== 'bytes' && this.#form !== 'held') out = { ...out, 'content-length': undefined };
    if (this.#isStream) out = { ...out, 'x-accel-buffering': 'no' };
    if (this.#form === 'events' || this.#form === 'heldEvents')
      this.#reader = new SseReader(
        event => this.#to.data(Buffer.from(this.#changed(event))),
        comment => this.#to.data(Buffer.from(`${comment}\n\n`)),
      );
    out = this.#passing.head?.(status, out) ?? out;
    if (this.#form === 'held') this.#headers = out;
    else this.#to.head(status, out);
  }

  data(chunk: Buffer): void {
    if (this.#form === 'bytes') {
      if (this.#passing.ended !== undefined) this.#look(chunk);
      this.#to.data(chunk);
    } else if (this.#form === 'heldEvents') {
      if (this.#passing.ended !== undefined) this.#look(chunk);
      this.#tried(() => this.#pass(chunk));
    } else if (this.#form === 'events') {
      if (this.#passing.ended !== undefined) this.#look(chunk);
      this.#tried(() => this.#reader!.push(chunk));
    } else {
      this.#whole.push(chunk);
      this.#size += chunk.length;
      if (this.#size > MAX_MESSAGE)
        this.#flow?.abort(new Error('the server sent a message larger than 16 MiB'));
    }
  }

  end(trailers: Headers): void {
    if (this.#form === 'json') {
      const text = Buffer.concat(this.#whole).toString('utf8');
      const message = parseJson(text);
      // What is no JSON is not shown: what should have been hidden could be in it.
      const body = message === undefined ? '' : JSON.stringify(this.#passing.map!(message));
      if (body !== '') this.#to.data(Buffer.from(body));
    }
    if (this.#form === 'held') this.#release();
    this.#end('whole');
    this.#to.end(trailers);
  }

  error(error: Error): void {
    this.#end('broken');
    this.#to.error(error);
  }

  /** A whole body. */
  #release(): void {
    const all = this.#whole.length === 1 ? this.#whole[0]! : Buffer.concat(this.#whole);
    const message = all.includes(ASKS) ? parseJson(all.toString('utf8')) : undefined;
    const body = message === undefined ? all : Buffer.from(JSON.stringify(this.#passing.asks!(message)));
    const headers = this.#headers!;
    const isLonger = body !== all && headers['content-length'] !== undefined;
    this.#to.head(this.#status, isLonger ? { ...headers, 'content-length': String(body.length) } : headers);
    if (body.length > 0) this.#to.data(body);
  }

  /** Whole events, as they are where none of them asks back. */
  #pass(chunk: Buffer): void {
    const before = this.#begun.at(-1)?.subarray(-3);
    const at =
      eventsEnd(before === undefined ? chunk : Buffer.concat([before, chunk])) - (before?.length ?? 0);
    if (at <= 0) {
      this.#begun.push(chunk);
      this.#begunSize += chunk.length;
      if (this.#begunSize > MAX_MESSAGE) throw new Error('the server sent an event larger than 16 MiB');
      return;
    }
    const last = chunk.subarray(0, at);
    const ended = this.#begun.length === 0 ? last : Buffer.concat([...this.#begun, last]);
    this.#begun = at === chunk.length ? [] : [chunk.subarray(at)];
    this.#begunSize = chunk.length - at;
    if (ended.includes(ASKS)) this.#reader!.push(ended);
    else this.#to.data(ended);
  }

  #changed(event: Parameters<typeof sseText>[0]): string {
    const { eventId, asks } = this.#passing;
    const map = this.#passing.map ?? (event.data.includes(ASKS_TEXT) ? asks : undefined);
    const message = map === undefined || event.data === '' ? undefined : parseJson(event.data);
    return sseText({
      ...event,
      id: event.id === undefined || event.id === '' ? event.id : (eventId?.(event.id) ?? event.id),
      data: message === undefined ? event.data : JSON.stringify(map!(message)),
    });
  }

  #tried(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#flow?.abort(error as Error);
    }
  }

  #look(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= LOOKED_AT) this.#whole.push(chunk);
    else this.#whole.length = 0;
  }

  #end(how: 'whole' | 'broken' | 'abandoned'): void {
    if (this.#over) return;
    this.#over = true;
    this.#passing.ended?.(how, this.#status, how === 'whole' ? this.#last() : undefined);
  }

  #last(): unknown {
    if (this.#whole.length === 0 || this.#size > LOOKED_AT) return undefined;
    const all = this.#whole.length === 1 ? this.#whole[0]! : Buffer.concat(this.#whole);
    if (this.#status < 400 && !NOT_WELL.some(words => all.includes(words))) return undefined;
    if (!this.#isStream) return parseJson(all.toString('utf8'));
    let last: unknown;
    new SseReader(({ data }) => {
      const message = parseJson(data);
      if (isObject(message)) last = message;
    }).push(all);
    return last;
  }
}

/** Behind the last empty line, which ends an event; 0 where there is none. */
function eventsEnd(bytes: Buffer): number {
  const [lf, crlf] = [bytes.lastIndexOf('\n\n'), bytes.lastIndexOf('\r\n\r\n')];
  return Math.max(lf < 0 ? 0 : lf + 2, crlf < 0 ? 0 : crlf + 4);
}
