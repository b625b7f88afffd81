/** What a reader makes of a connection's bytes. Between `head` and `end` a body may come in any number of pieces. */
export interface MessageReceiver {
  /** Start line and header fields, without the empty line behind them. */
  head(text: string): void;
  data(bytes: Buffer): void;
  end(): void;
}

type State = 'head' | 'length' | 'until-close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers';

const BLANK = Buffer.from('\r\n\r\n');
const LINE = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);

/**
 * Reads HTTP/1.1 messages off a connection, just enough for both ends of a benchmark on loopback: heads, Content-Length and
 * chunked bodies. It trusts its peer and must never face a network.
 */
export class MessageReader {
  readonly #receiver: MessageReceiver;
  /** Requests without a length have no body; responses without one last until the connection closes. */
  readonly #without: 'no-body' | 'until-close';
  #state: State = 'head';
  /** Body bytes still to come, of the message or of the chunk. */
  #left = 0;
  #held: Buffer = NOTHING;

  constructor(receiver: MessageReceiver, without: 'no-body' | 'until-close') {
    this.#receiver = receiver;
    this.#without = without;
  }

  push(bytes: Buffer): void {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = NOTHING;
    while (rest.length > 0) {
      const used = this.#step(rest);
      if (used === 0) {
        // What the socket lent is kept past this turn, so it is copied.
        this.#held = Buffer.from(rest);
        return;
      }
      rest = used === rest.length ? NOTHING : rest.subarray(used);
    }
  }

  /** @returns how many bytes it took; 0 when it needs more */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes);
      case 'until-close':
        this.#receiver.data(bytes);
        return bytes.length;
      case 'length':
      case 'chunk':
        return this.#body(bytes);
      default:
        return this.#line(bytes);
    }
  }

  #head(bytes: Buffer): number {
    const end = bytes.indexOf(BLANK);
    if (end < 0) return 0;
    const text = bytes.toString('latin1', 0, end);
    this.#receiver.head(text);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text);
    if (length) this.#left = Number(length[1]);
    else if (/\r\ntransfer-encoding: *chunked/i.test(text)) this.#state = 'chunk-size';
    else if (this.#without === 'until-close') this.#state = 'until-close';
    if (this.#state === 'head') {
      if (this.#left > 0) this.#state = 'length';
      else this.#receiver.end();
    }
    return end + 4;
  }

  #body(bytes: Buffer): number {
    const used = Math.min(this.#left, bytes.length);
    this.#receiver.data(used === bytes.length ? bytes : bytes.subarray(0, used));
    this.#left -= used;
    if (this.#left === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk-end';
      else this.#finish();
    }
    return used;
  }

  /** The lines between chunks. */
  #line(bytes: Buffer): number {
    const end = bytes.indexOf(LINE);
    if (end < 0) return 0;
    if (this.#state === 'chunk-size') {
      this.#left = Number.parseInt(bytes.toString('latin1', 0, end), 16);
      this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    } else if (this.#state === 'chunk-end') this.#state = 'chunk-size';
    else if (end === 0) this.#finish();
    return end + 2;
  }

  #finish(): void {
    this.#state = 'head';
    this.#receiver.end();
  }
}
