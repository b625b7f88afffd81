import type { Outcome } from '../forward/outcome.ts';
import type { Runtime } from '../platform/runtime.ts';

const FLUSH_BYTES = 64 * 1024;
const FLUSH_MS = 250;

/** One JSON line a call, written in batches: a log call each would cost more than all our other work on a request (performance.md). */
export interface AccessLog extends Disposable {
  record(outcome: Outcome): void;
}

/**
 * Holds no path beyond what was routed by, no query, no header.
 * @param write takes whole lines
 */
export function createAccessLog(deps: {
  write(lines: string): void;
  runtime: Pick<Runtime, 'now' | 'sleep'>;
}): AccessLog {
  const { write, runtime } = deps;
  let lines = '';
  let waiting = false;
  /** Bytes that could not be written. */
  let lost = 0;

  function flush(): void {
    if (lines === '') return;
    const batch = lines;
    lines = '';
    try {
      write(lost === 0 ? batch : `${lossLine(lost)}${batch}`);
      lost = 0;
    } catch {
      // Whoever reads the log stands still (EAGAIN on a full pipe): the calls go on.
      lost += batch.length;
    }
  }

  const lossLine = (bytes: number) =>
    `{"level":40,"time":${runtime.now()},"msg":"calls were not logged: nobody took the lines","bytes":${bytes}}\n`;

  return {
    record({ requestId, traceId, method, status, result, upstream, principal, took }) {
      lines += `{"level":30,"time":${runtime.now()},"msg":"call","requestId":"${requestId}",${traceId === null ? '' : `"traceId":"${traceId}",`}"method":"${method}","status":${status},"result":"${result}","upstream":${upstream === null ? null : `"${upstream.id}"`},"user":${principal === null ? null : `"${principal.userId}"`},"ms":${Math.round(took * 100) / 100}}\n`;
      if (lines.length >= FLUSH_BYTES) flush();
      else if (!waiting) {
        waiting = true;
        void runtime.sleep(FLUSH_MS).then(() => {
          waiting = false;
          flush();
        });
      }
    },
    [Symbol.dispose]: flush,
  };
}
