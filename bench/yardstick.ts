import { type Bench, requestTo, withCandidates } from './bench.ts';
import { NGINX } from './candidates/candidates.ts';
import { median } from './statistics.ts';

/** Processor time, µs, that nginx took to pass on an answer of 200 bytes where the targets in time and rates were set (the design's page on performance). */
export const NGINX_THERE = 17.6;

/** Suites with targets in µs, calls/s or MB/s, which say nothing without the machine's speed. */
const ABSOLUTE = new Set(['forward', 'stream', 'identity', 'tunnel', 'mcp']);

/**
 * Runs a suite between two looks at how fast the machine is just then.
 * @returns how many times slower than where the targets were set, or null: nobody can tell
 */
export async function paced(bench: Bench, suite: string, run: () => Promise<void>): Promise<number | null> {
  if (!ABSOLUTE.has(suite)) {
    await run();
    return null;
  }
  const before = await costOfNginx(bench);
  await run();
  const after = await costOfNginx(bench);
  const seen = [...before, ...after];
  return seen.length === 0 ? null : median(seen) / NGINX_THERE;
}

async function costOfNginx(bench: Bench): Promise<number[]> {
  const seen: number[] = [];
  await withCandidates(bench, [NGINX], async (load, candidates) => {
    for (const candidate of candidates)
      for (let round = 0; round < 3; round++) {
        bench.progress('how fast is this machine');
        const { candidateTime, count } = await load.run({
          kind: 'closed',
          port: candidate.port,
          request: requestTo(candidate, '/v1/small'),
          connections: 64,
          warmup: bench.window / 4,
          duration: bench.window / 2,
          candidate: candidate.pid,
        });
        seen.push(candidateTime / count);
      }
  });
  return seen;
}
