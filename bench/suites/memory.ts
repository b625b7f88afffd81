import { readFileSync } from 'node:fs';
import { type Bench, requestTo, withCandidates } from '../bench.ts';
import { type Candidate, GATEWAY } from '../candidates/candidates.ts';
import { residentMemory } from '../load/processor-time.ts';
import { sleep } from '../load/window.ts';
import type { Load } from '../processes.ts';

const MB = 2 ** 20;
const SOAK_RATE = 1_000;

/** What the gateway holds: idle, for each open stream, and after minutes of work. */
export async function memory(bench: Bench): Promise<void> {
  await withCandidates(bench, [GATEWAY], async (load, [gateway]) => {
    if (gateway === undefined) return;
    await idle(bench, gateway);
    for (const wanted of bench.quick ? [200] : [1_000, 10_000]) await streams(bench, load, gateway, wanted);
    await soak(bench, load, gateway);
  });
}

async function idle(bench: Bench, gateway: Candidate): Promise<void> {
  await sleep(3_000);
  const used = residentMemory(gateway.pid) / MB;
  bench.report.row('memory', gateway.name, 'idle', 'MB', [used]);
  bench.report.target('memory', 'idle ≤ 120 MB', used, value => value <= 120);
}

async function streams(bench: Bench, load: Load, gateway: Candidate, wanted: number): Promise<void> {
  // Each takes two file descriptors: the client's and the upstream's.
  const count = Math.min(wanted, Math.floor((openFilesLimit(gateway.pid) - 500) / 2));
  if (count < wanted)
    bench.report.absent(
      `memory, ${wanted} streams`,
      `the system allows ${count} (raise ulimit -n); measured with these`,
    );
  bench.progress(`memory: ${count} open streams`);
  const before = residentMemory(gateway.pid);
  const request = requestTo(gateway, '/v1/events?rate=0');
  const { count: open, errors } = await load.run({
    kind: 'hold',
    port: gateway.port,
    request,
    connections: count,
  });
  await sleep(2_000);
  const after = residentMemory(gateway.pid);
  await load.run({ kind: 'release' });
  await sleep(2_000);
  bench.report.row('memory', gateway.name, `${count} streams: open`, '', [open]);
  bench.report.row('memory', gateway.name, `${count} streams: each`, 'KB', [
    (after - before) / 1024 / Math.max(1, open),
  ]);
  bench.report.row('memory', gateway.name, `${count} streams: in all`, 'MB', [after / MB]);
  bench.report.row('memory', gateway.name, `${count} streams: left when they are gone`, 'MB', [
    residentMemory(gateway.pid) / MB,
  ]);
  bench.report.target(
    'memory',
    `${count} streams stand open`,
    open,
    value => value === count,
    `${errors} did not open or broke`,
  );
}

/** A steady load; memory that still grows in its second half is a leak. */
async function soak(bench: Bench, load: Load, gateway: Candidate): Promise<void> {
  const seconds = bench.quick ? 10 : 120;
  const step = seconds / 12;
  const samples: [minutes: number, megabytes: number][] = [];
  for (let at = 0; at < 12; at++) {
    bench.progress(`memory: soak, ${Math.round(at * step)} of ${seconds} s`);
    const request = requestTo(gateway, '/v1/large');
    await load.run({
      kind: 'paced',
      port: gateway.port,
      request,
      connections: 64,
      rate: SOAK_RATE,
      duration: step * 1_000,
    });
    samples.push([((at + 1) * step) / 60, residentMemory(gateway.pid) / MB]);
  }
  bench.report.row(
    'memory',
    gateway.name,
    `soak of ${seconds} s at ${SOAK_RATE}/s`,
    'MB',
    samples.map(([, used]) => used),
  );
  bench.report.row('memory', gateway.name, 'soak: slope of its second half', 'MB/minute', [
    slope(samples.slice(6)),
  ]);
}

/** By least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const up = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return up / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

function openFilesLimit(pid: number): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
  return Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? 1_024);
}
