import type { Answer } from './answer.ts';
import type { Message } from './json-rpc.ts';

/** What a stream keeps for a client that lost its connection: so many events, and so many characters. */
const MOST = 256;
const LARGEST = 1024 * 1024;

/** One stream of a legacy session: events in order, kept for a while, and written to whichever connection follows it at present. */
export class EventLog {
  readonly #sign: (id: string) => string;
  readonly #begun: () => void;
  readonly name: string;
  #events: { n: number; text: string }[] = [];
  #size = 0;
  #next = 1;
  #answer: Answer | null = null;
  #ended = false;

  /**
   * @param sign an event's id as the client gets it
   * @param begun called before the first event: from here on there is something to go on from
   */
  constructor(name: string, sign: (id: string) => string, begun: () => void = () => {}) {
    this.name = name;
    this.#sign = sign;
    this.#begun = begun;
  }

  get followed(): boolean {
    return this.#answer !== null && !this.#answer.over;
  }

  /** Nothing more will come on it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @param after the last event that the connection has seen; null for a new one */
  follow(answer: Answer, after: number | null): void {
    if (this.followed) this.#answer!.end();
    this.#answer = answer;
    if (after === null) return;
    answer.stream();
    for (const { n, text } of this.#events) if (n > after) this.#write(n, text);
    if (this.#ended) answer.end();
  }

  push(message: Message): void {
    const text = JSON.stringify(message);
    const n = this.#next++;
    if (n === 1) this.#begun();
    this.#events.push({ n, text });
    this.#size += text.length;
    while (this.#events.length > MOST || (this.#size > LARGEST && this.#events.length > 1))
      this.#size -= this.#events.shift()!.text.length;
    this.#write(n, text);
  }

  /** With its last message: alone it is a whole answer, and no stream. */
  end(last: Message | null): void {
    this.#ended = true;
    const answer = this.#answer;
    if (last !== null && this.#next === 1 && answer !== null && !answer.over && !answer.streaming) {
      answer.json(200, last);
      return;
    }
    if (last !== null) this.push(last);
    answer?.end();
  }

  #write(n: number, text: string): void {
    if (this.followed)
      this.#answer!.event({ id: this.#sign(`${this.name}-${n}`), event: 'message', data: text });
  }
}
