import { writeSync } from 'node:fs';
import { createCredentialUses } from './audit/credential-use.ts';
import type { Config } from './config/types.ts';
import { createCallMetrics } from './forward/call-metrics.ts';
import { createFailing } from './forward/failing.ts';
import type { Outcome } from './forward/outcome.ts';
import { createAccessLog } from './http/access-log.ts';
import type { Bus } from './platform/bus.ts';
import type { Logger } from './platform/log.ts';
import type { Metrics } from './platform/metrics.ts';
import type { Runtime } from './platform/runtime.ts';
import { openTracing } from './platform/trace/tracing.ts';

/** What is told of calls when they are over: to the metrics, the audit, the log, and to who wants to know which upstream fails. */
export function joinRecords(deps: {
  config: Config;
  version: string;
  store: Parameters<typeof createCredentialUses>[0]['store'];
  metrics: Metrics;
  bus: Bus;
  runtime: Runtime;
  log: Logger;
}) {
  const { config, version, store, metrics, bus, runtime, log } = deps;
  const open = new AsyncDisposableStack();
  const counting = { store, bus, runtime, log };
  const uses = open.use(createCredentialUses({ ...counting, action: 'credential.use' }));
  const releases = open.use(createCredentialUses({ ...counting, action: 'token.release' }));
  const accessLog = open.use(createAccessLog({ write: lines => void writeSync(2, lines), runtime }));
  const tracing =
    config.otlp === null
      ? null
      : open.use(openTracing({ ...config.otlp, version }, { metrics, runtime, log }));
  const callMetrics = createCallMetrics(metrics);
  const logsCalls = log.isLevelEnabled('info');
  const failing = createFailing({
    runtime,
    changed: upstreamId => bus.publish({ topic: 'upstream-turned', upstreamId }),
  });
  return {
    uses,
    failing,
    /** Begins the trace of a call; null where none are made. */
    trace: tracing === null ? null : tracing.start,
    call(outcome: Outcome): void {
      callMetrics.record(outcome);
      failing.record(outcome);
      uses.count(outcome);
      if (logsCalls) accessLog.record(outcome);
    },
    /** A proxy was answered, and may have got a token. */
    check(outcome: Outcome): void {
      releases.count(outcome);
      if (logsCalls) accessLog.record(outcome);
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
