import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
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
  const running = new Map<string, { program: Program; stream: ServerHttp2Stream }>();
  const all = new Set<Program>();
  const restarts = createRestarts(clock);
  const filter = filtersTools(served.allow) ? createToolFilter(served.allow) : null;

  function open(stream: ServerHttp2Stream, instance: string | null): void {
    const startedAt = clock.monotonic();
    let idle = Number.POSITIVE_INFINITY;
    const touch = () => {
      idle = served.isolate === 'shared' ? Number.POSITIVE_INFINITY : clock.monotonic() + served.idle;
    };
    const write = (text: string) => {
      if (!stream.destroyed && !stream.write(`${text}\n`)) program.pause();
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
        // It was told to by the end of its stream.
        if (stream.destroyed || stream.writableEnded) return;
        log[instance === null ? 'info' : 'warn'](`${served.name}: the program ended (${how})`);
        // A legacy program may end at the first thing that a probe says; that is no crash.
        if (instance !== null) restarts.ended(startedAt);
        stream.destroy(new Error('the program ended'));
      },
    });
    const watching = new AbortController();
    all.add(program);
    if (instance !== null) running.set(instance, { program, stream });
    touch();
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson' });

    const lines = new LineSplitter(text => {
      touch();
      const { pass, answers } = filter === null ? { pass: text, answers: [] } : filter.down(text);
      for (const answer of answers) write(answer);
      if (pass !== null && !program.write(pass, () => stream.resume())) stream.pause();
    });
    stream.on('data', (chunk: Buffer) => {
      if (!lines.push(chunk)) stream.destroy(new Error('a line is longer than 16 MiB'));
    });
    stream.on('drain', () => program.resume());
    stream.on('end', () => stream.end());
    stream.on('close', () => void program.stop());
    void stopWhenIdle();

    async function stopWhenIdle(): Promise<void> {
      while (idle !== Number.POSITIVE_INFINITY) {
        const left = idle - clock.monotonic();
        if (left <= 0) {
          log.info(`${served.name}: a program was idle and is stopped`);
          stream.end();
          return;
        }
        await clock.sleep(left, watching.signal).catch(() => {});
        if (watching.signal.aborted) return;
      }
    }
  }

  async function start(stream: ServerHttp2Stream, instance: string | null): Promise<void> {
    if (instance !== null) running.get(instance)?.stream.destroy(new Error('replaced'));
    await restarts.wait();
    if (stream.destroyed) return;
    const left = instance === null ? undefined : running.get(instance);
    left?.stream.destroy(new Error('replaced'));
    if (all.size - (left === undefined ? 0 : 1) >= served.most) answerError(stream, 'busy');
    else open(stream, instance);
  }

  return {
    handle(stream, headers: IncomingHttpHeaders, path) {
      stream.on('error', () => {});
      const [at, query] = path.split('?', 2);
      if (at !== STDIO_PATH || headers[':method'] !== 'POST') return answerError(stream, 'not-allowed');
      const key = served.isolate === 'shared' ? 'shared' : String(headers[INSTANCE_HEADER] ?? 'shared');
      void start(stream, query === 'probe=1' ? null : key.slice(0, 200));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...all].map(program => program.stop()));
    },
  };
}
