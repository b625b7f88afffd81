import { type Bench, direct, requestTo, rotated, withCandidates } from '../bench.ts';
import { BARE, GATEWAY, NGINX } from '../candidates/candidates.ts';
import { median } from '../statistics.ts';

const STREAMS = 200;
const RATE = 50;
const PATH = `/v1/events?rate=${RATE}`;

/** 200 event streams of 50 events a second: what an event costs, and how much later it comes. */
export async function stream(bench: Bench): Promise<void> {
  await withCandidates(bench, [GATEWAY, NGINX, BARE], async (load, candidates) => {
    const cost = new Map(candidates.map(({ name }) => [name, [] as number[]]));
    const added50 = new Map(candidates.map(({ name }) => [name, [] as number[]]));
    const added99 = new Map(candidates.map(({ name }) => [name, [] as number[]]));
    const short = new Map<string, string>();
    for (let round = 0; round < bench.rounds; round++) {
      const job = {
        kind: 'streams',
        connections: STREAMS,
        warmup: bench.window / 2,
        duration: bench.window,
      } as const;
      const wire = direct(load.upstreamPort);
      const base = await load.run({ ...job, port: wire.port, request: requestTo(wire, PATH) });
      for (const candidate of rotated(candidates, round)) {
        bench.progress(`stream: round ${round + 1} of ${bench.rounds}: ${candidate.name}`);
        const seen = await load.run({
          ...job,
          port: candidate.port,
          request: requestTo(candidate, PATH),
          candidate: candidate.pid,
        });
        const { name } = candidate;
        cost.get(name)!.push(seen.candidateTime / seen.count);
        added50.get(name)!.push(seen.p50 - base.p50);
        added99.get(name)!.push(seen.p99 - base.p99);
        const due = STREAMS * RATE * seen.seconds;
        if (seen.errors > 0 || seen.count < due * 0.95)
          short.set(name, `${seen.count} of ${Math.round(due)} events came, ${seen.errors} streams broke`);
      }
    }
    for (const [name, why] of short) bench.report.absent(`stream, ${name}`, why);
    for (const { name } of candidates) {
      const toNginx = cost.get(NGINX)?.map((value, round) => value / cost.get(name)![round]!);
      bench.report.row('stream', name, 'processor time', 'µs/event', cost.get(name)!, toNginx ?? null);
      bench.report.row('stream', name, 'added p50', 'µs', added50.get(name)!);
      bench.report.row('stream', name, 'added p99', 'µs', added99.get(name)!);
    }
    const ours = cost.get(GATEWAY);
    const bare = cost.get(BARE);
    bench.report.target(
      'stream',
      'processor time ≤ 1.3 × bare undici',
      ours && bare && median(ours.map((value, round) => value / bare[round]!)),
      value => value <= 1.3,
    );
    const late = added99.get(GATEWAY);
    const bareLate = added99.get(BARE);
    bench.report.target(
      'stream',
      'added p99 ≤ 5 ms',
      late && median(late) / 1000,
      value => value <= 5,
      bareLate &&
        `bare undici added ${(median(bareLate) / 1000).toFixed(1)} ms: what the machine gives late is late for both`,
      'time',
    );
  });
}
