import { readdir, readFile } from 'node:fs/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** How finely the event loop's delay is sampled, milliseconds; that much of each sample is no delay. */
const RESOLUTION = 20;
const QUANTILES = [50, 90, 99] as const;

/**
 * What operators look for in any Node process, under the names that they know. Ends when disposed.
 * @param version of the gateway
 */
export function watchProcess(metrics: Metrics, version: string): Disposable {
  const { watch } = metrics;
  watch('gauge', 'sallyport_build_info', 'Always 1; which version this is.', () => 1, { version });
  watch('gauge', 'nodejs_version_info', 'Always 1; which Node.js this is.', () => 1, {
    version: process.version,
  });

  const cpu = (read: (usage: NodeJS.CpuUsage) => number) => () => read(process.cpuUsage()) / 1e6;
  const seconds = 'Processor time, seconds';
  watch(
    'counter',
    'process_cpu_seconds_total',
    `${seconds}.`,
    cpu(({ user, system }) => user + system),
  );
  watch(
    'counter',
    'process_cpu_user_seconds_total',
    `${seconds}, of the program.`,
    cpu(({ user }) => user),
  );
  watch(
    'counter',
    'process_cpu_system_seconds_total',
    `${seconds}, of the system.`,
    cpu(({ system }) => system),
  );
  watch(
    'gauge',
    'process_start_time_seconds',
    'When the process began, Unix time.',
    () => performance.timeOrigin / 1e3,
  );
  watch('gauge', 'process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss());
  const heap = (read: (usage: NodeJS.MemoryUsage) => number) => () => read(process.memoryUsage());
  watch(
    'gauge',
    'nodejs_heap_size_total_bytes',
    "V8's heap.",
    heap(usage => usage.heapTotal),
  );
  watch(
    'gauge',
    'nodejs_heap_size_used_bytes',
    "What of V8's heap is in use.",
    heap(usage => usage.heapUsed),
  );
  watch(
    'gauge',
    'nodejs_external_memory_bytes',
    "Buffers and the like outside V8's heap.",
    heap(usage => usage.external),
  );
  watch('gauge', 'process_open_fds', 'Open files and sockets.', openFiles);
  watch('gauge', 'process_max_fds', 'How many may be open.', maxFiles);
  watch(
    'counter',
    'nodejs_eventloop_active_seconds_total',
    'Time that the event loop was at work: its rate of growth is the share of one core that limits it.',
    () => performance.eventLoopUtilization().active / 1e3,
  );

  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const lag = (nanoseconds: number): number => Math.max(0, (nanoseconds - RESOLUTION * 1e6) / 1e9) || 0;
  for (const q of QUANTILES) {
    const help = `What ${q} % of the event loop's delays stayed below since the scrape before, seconds.`;
    watch('gauge', `nodejs_eventloop_lag_p${q}_seconds`, help, () => lag(delay.percentile(q)));
  }
  watch('gauge', 'nodejs_eventloop_lag_max_seconds', 'The longest delay since the scrape before.', () => {
    const longest = lag(delay.max);
    // The last of them to be read.
    delay.reset();
    return longest;
  });
  return { [Symbol.dispose]: () => void delay.disable() };
}

/** NaN where the system does not say. */
const openFiles = () =>
  readdir('/proc/self/fd').then(
    names => names.length,
    () => Number.NaN,
  );

const maxFiles = () =>
  readFile('/proc/self/limits', 'utf8').then(
    text => Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN),
    () => Number.NaN,
  );
