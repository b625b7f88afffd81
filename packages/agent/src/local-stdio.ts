import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { CODE } from '@sallyport/protocol/http2/codes.ts';
import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';
import { INSTANCE_HEADER, STDIO_PATH } from '@sallyport/protocol/limits.ts';
import { LineSplitter } from '@sallyport/protocol/lines.ts';
import { answerError } from './answer.ts';
import type { LocalServer } from './local-http.ts';
import type { Log } from './log.ts';
import { Program } from './program.ts';
import { createRestarts } from './restarts.ts';
import type { StdioServed } from './settings.ts';
import { createToolFilter, filtersTools } from './tool-filter.ts';

/** A program that speaks MCP on its standard input and output: one process for each stream that the gateway opens. */
export function createLocalStdio(
  served: StdioServed,
  deps: { clock: Clock; log: Log; env: NodeJS.ProcessEnv },
): LocalServer {
  const { clock, log } = deps;
  /** By instance; a probe is in none. */
  const running = new Map<string, { program: Program; replace(): void }>();
  const all = new Set<Program>();
  const restarts = createRestarts(clock);
  const filter = filtersTools(served.allow) ? createToolFilter(served.allow) : null;

  function open(call: ServerStream, instance: string | null): void {
    const startedAt = clock.monotonic();
    let idle = Number.POSITIVE_INFINITY;
    /** Whether the program was told to end. */
    let over = false;
    const touch = () => {
      idle = served.isolate === 'shared' ? Number.POSITIVE_INFINITY : clock.monotonic() + served.idle;
    };
    const write = (text: string) => {
      if (!call.write(Buffer.from(`${text}\n`))) program.pause();
    };
    const stop = () => {
      if (over) return;
      over = true;
      void program.stop();
    };
    const breakOff = () => {
      call.reset(CODE.INTERNAL_ERROR);
      stop();
    };
    const program = new Program(served, deps, {
      line(text) {
        touch();
        write(filter === null ? text : filter.up(text));
      },
      ended(how) {
        all.delete(program);
        watching.abort();
        if (instance !== null && running.get(instance)?.program === program) running.delete(instance);
        if (over) return;
        log[instance === null ? 'info' : 'warn'](`${served.name}: the program ended (${how})`);
        // A legacy program may end at the first thing that a probe says; that is no crash.
        if (instance !== null) restarts.ended(startedAt);
        call.reset(CODE.INTERNAL_ERROR);
      },
    });
    const watching = new AbortController();
    all.add(program);
    if (instance !== null) running.set(instance, { program, replace: breakOff });
    touch();
    call.respond(200, ['content-type', 'application/x-ndjson']);

    const lines = new LineSplitter(text => {
      touch();
      const { pass, answers } = filter === null ? { pass: text, answers: [] } : filter.down(text);
      for (const answer of answers) write(answer);
      if (pass !== null && !program.write(pass, () => call.resume())) call.pause();
    });
    call.accept({
      data(chunk) {
        if (!lines.push(chunk)) breakOff();
      },
      end() {
        call.end();
        stop();
      },
      broken: stop,
      drained: () => program.resume(),
    });
    call.resume();
    void stopWhenIdle();

    async function stopWhenIdle(): Promise<void> {
      while (idle !== Number.POSITIVE_INFINITY) {
        const left = idle - clock.monotonic();
        if (left <= 0) {
          log.info(`${served.name}: a program was idle and is stopped`);
          call.end();
          stop();
          return;
        }
        await clock.sleep(left, watching.signal).catch(() => {});
        if (watching.signal.aborted) return;
      }
    }
  }

  async function start(call: ServerStream, instance: string | null): Promise<void> {
    if (instance !== null) running.get(instance)?.replace();
    await restarts.wait();
    if (call.closed) return;
    const left = instance === null ? undefined : running.get(instance);
    left?.replace();
    if (all.size - (left === undefined ? 0 : 1) >= served.most) answerError(call, 'busy');
    else open(call, instance);
  }

  return {
    handle(call, path) {
      const { method, fields } = call.head;
      const [at, query] = path.split('?', 2);
      if (at !== STDIO_PATH || method !== 'POST') return answerError(call, 'not-allowed');
      const key = served.isolate === 'shared' ? 'shared' : String(fields[INSTANCE_HEADER] ?? 'shared');
      void start(call, query === 'probe=1' ? null : key.slice(0, 200));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...all].map(program => program.stop()));
    },
  };
}
