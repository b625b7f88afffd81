import { connect, type Socket } from 'node:net';
import { clockMicros } from './clock.ts';
import { MessageReader } from './http1.ts';
import type { Job, Seen } from './job.ts';
import { Window } from './window.ts';

/** Told after each answer; the latency is null where it was none worth counting. */
type Answered = (asker: Asker, micros: number | null) => void;

/** One kept-alive connection that asks the same thing over and over. */
class Asker {
  readonly #job: Job;
  readonly #request: Buffer;
  readonly #answered: Answered;
  readonly #failed: () => void;
  #socket: Socket | null = null;
  #since = 0;
  #closing = false;

  constructor(job: Job, at: number, told: { answered: Answered; failed: () => void }) {
    this.#job = job;
    this.#request = Buffer.from(
      typeof job.request === 'string' ? job.request : job.request[at % job.request.length]!,
    );
    this.#answered = told.answered;
    this.#failed = told.failed;
  }

  open(): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port: this.#job.port, noDelay: true });
    let good = false;
    const reader = new MessageReader(
      {
        head: text => {
          good = text.startsWith('200', 9);
          if (!good) this.#failed();
        },
        data() {},
        end: () => this.#answered(this, good ? clockMicros() - this.#since : null),
      },
      'until-close',
    );
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => reader.push(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#closing) return;
      this.#failed();
      // A candidate that is down would have us spin.
      setTimeout(() => !this.#closing && this.open().then(() => this.#answered(this, null)), 50);
    });
    return new Promise(resolve => socket.once('connect', resolve));
  }

  /** @param since when the request was due, microseconds */
  ask(since: number): void {
    this.#since = since;
    this.#socket!.write(this.#request);
  }

  close(): void {
    this.#closing = true;
    this.#socket!.destroy();
  }
}

/** As many requests as the candidate can take, one at a time on each connection. */
export async function closedLoop(job: Job): Promise<Seen> {
  const window = new Window(job);
  return withAskers(
    job,
    window,
    (asker, micros) => {
      if (micros !== null) window.count(micros);
      asker.ask(clockMicros());
    },
    askers => {
      for (const asker of askers) asker.ask(clockMicros());
    },
  );
}

/**
 * A constant rate: a request that finds no connection free waits, and its waiting counts, so that a stall is seen by all the
 * requests it would have met. The generator's own lateness (its timer ticks once a millisecond) does not count.
 */
export async function pacedLoop(job: Job): Promise<Seen> {
  const window = new Window(job);
  const idle: Asker[] = [];
  const waiting: number[] = [];
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  const seen = await withAskers(
    job,
    window,
    (asker, micros) => {
      if (micros !== null) window.count(micros);
      const due = waiting.shift();
      if (due === undefined) idle.push(asker);
      else asker.ask(due);
    },
    askers => {
      idle.push(...askers);
      const start = clockMicros();
      timer = setInterval(() => {
        const now = clockMicros();
        for (const due = ((now - start) / 1e6) * job.rate; sent < due; sent++) {
          const asker = idle.shift();
          if (asker) asker.ask(clockMicros());
          else waiting.push(now);
        }
      }, 1);
    },
  );
  clearInterval(timer);
  return seen;
}

async function withAskers(
  job: Job,
  window: Window,
  answered: Answered,
  start: (askers: Asker[]) => void,
): Promise<Seen> {
  const failed = () => window.fail();
  const askers = Array.from({ length: job.connections }, (_, at) => new Asker(job, at, { answered, failed }));
  await Promise.all(askers.map(asker => asker.open()));
  start(askers);
  const seen = await window.measure();
  for (const asker of askers) asker.close();
  return seen;
}
