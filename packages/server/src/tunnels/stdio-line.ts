import type { ClientStream } from '@sallyport/protocol/http2/client-stream.ts';
import { CODE } from '@sallyport/protocol/http2/codes.ts';
import type { Fields } from '@sallyport/protocol/http2/fields.ts';
import { INSTANCE_HEADER, LINE_BYTES, STDIO_PATH } from '@sallyport/protocol/limits.ts';
import { LineSplitter } from '@sallyport/protocol/lines.ts';
import { AppError } from '../platform/errors.ts';
import type { LineWanted, MessageLineEvents, PlainLine } from '../terms/message-line.ts';
import { agentFailure, tunnelLost, unread } from './agent-failure.ts';
import { agentErrorOf, type Connection, headersFor, type Passenger } from './connection.ts';

/** The input and output of a program that an agent runs, as lines on one stream; the stream is the program's life. */
export class StdioLine implements PlainLine, Passenger {
  readonly #tunnel: string;
  readonly #events: MessageLineEvents;
  readonly #stream: ClientStream | null;
  readonly #lines = new LineSplitter(text => this.#message(text));
  #over = false;

  constructor(
    about: { tunnel: string; server: string; connection: Connection },
    wanted: LineWanted,
    events: MessageLineEvents,
  ) {
    this.#tunnel = about.tunnel;
    this.#events = events;
    this.#stream = this.#open(about, wanted);
  }

  send(message: string): void {
    // Without a stream it is over in a moment, and whoever opened it is told then.
    if (this.#over || this.#stream === null) return;
    const { waiting } = this.#stream;
    if (waiting > 0 && waiting + message.length > LINE_BYTES) throw unread(this.#tunnel);
    this.#stream.write(Buffer.from(`${message}\n`));
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    // The end of its input is how a program is told to end (MCP, stdio transport, shutdown).
    this.#stream?.end();
    this.#stream?.resume();
    this.#events.closed(null);
  }

  lost(why: string): void {
    this.fail(tunnelLost(this.#tunnel, why));
  }

  fail(error: AppError): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream?.reset(CODE.CANCEL);
    this.#events.closed(error);
  }

  #open(
    { connection, server }: { connection: Connection; server: string },
    wanted: LineWanted,
  ): ClientStream | null {
    const path = `/${server}${STDIO_PATH}${wanted.probe === true ? '?probe=1' : ''}`;
    const more = ['content-type', 'application/x-ndjson', INSTANCE_HEADER, wanted.instance];
    try {
      return connection.request(headersFor('POST', path, ...more), this, false);
    } catch (cause) {
      const words = `The tunnel ${this.#tunnel} takes no calls.`;
      const error = cause instanceof AppError ? cause : new AppError('upstream_failed', words, { cause });
      // Told when whoever opened it has it in hand.
      queueMicrotask(() => this.fail(error));
      return null;
    }
  }

  head(_status: number, headers: Fields): void {
    const failure = agentErrorOf(headers);
    if (failure !== null) this.fail(agentFailure(failure, this.#tunnel));
  }

  data(chunk: Buffer): void {
    if (!this.#lines.push(chunk)) this.fail(this.#ended('wrote a message that is too long'));
  }

  /** Not broken off: the agent stopped it, since nobody asked it for anything. */
  end(): void {
    this.fail(this.#ended('was idle and is stopped'));
    // Its input, where it was closed here and is not read there.
    if (!this.#stream!.sent) this.#stream!.reset(CODE.CANCEL);
  }

  broken(): void {
    this.fail(this.#ended('ended'));
  }

  drained(): void {}

  #message(text: string): void {
    if (!this.#over) this.#events.message(text);
  }

  #ended(how: string): AppError {
    return new AppError(
      'upstream_failed',
      `The program behind the tunnel ${this.#tunnel} ${how}. What it was asked has no answer, and whether it took effect is not known.`,
    );
  }
}
