import { clockMicros } from './clock.ts';
import type { Job, Seen } from './job.ts';
import { processorTime } from './processor-time.ts';

/** The measurement's window: what falls outside of it is not counted. */
export class Window {
  readonly #job: Job;
  #latencies: number[] = [];
  #errors = 0;
  #open = false;

  constructor(job: Job) {
    this.#job = job;
  }

  /** One answer or event. @param micros its latency */
  count(micros: number): void {
    if (this.#open) this.#latencies.push(micros);
  }

  /** What breaks before the window opens is an error too. */
  fail(): void {
    this.#errors++;
  }

  /** Waits for the warm-up and for the window. */
  async measure(): Promise<Seen> {
    const { warmup, duration } = this.#job;
    await sleep(warmup);
    this.#open = true;
    const before = this.#usage();
    await sleep(duration);
    const after = this.#usage();
    this.#open = false;
    const sorted = Float64Array.from(this.#latencies).sort();
    const seconds = (after.at - before.at) / 1e6;
    return {
      count: sorted.length,
      errors: this.#errors,
      seconds,
      p50: sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN,
      p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
      candidateTime: after.candidate - before.candidate,
      loadBusy: (after.load - before.load) / 1e6 / seconds,
    };
  }

  #usage() {
    const { candidate, upstream } = this.#job;
    return {
      at: clockMicros(),
      candidate: candidate === 0 ? 0 : processorTime(candidate),
      load: processorTime(process.pid) + processorTime(upstream),
    };
  }
}

export const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));
