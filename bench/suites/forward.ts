import { type Bench, direct, requestTo, rotated, withCandidates } from '../bench.ts';
import {
  BARE,
  type Candidate,
  GATEWAY,
  NGINX,
  PORTKEY,
  RECIPES,
  REPLY_FROM,
} from '../candidates/candidates.ts';
import type { Load } from '../processes.ts';
import { median } from '../statistics.ts';

const CONNECTIONS = 64;
const RATE = 2_000;
const MODEL_CALL = chat(1_024);

/** What is asked of every candidate, as fast as it can. */
const SHAPES = [
  { name: 'GET 200 B', path: '/v1/small', body: '' },
  { name: 'GET 10 KB', path: '/v1/large', body: '' },
  { name: 'POST 1 KB', path: '/v1/chat/completions', body: MODEL_CALL },
] as const;

type Shape = (typeof SHAPES)[number];
/** Values of one candidate, one a round. */
type Rounds = Map<string, number[]>;

/** One request through each candidate: its processor time, how many it can take, and what it adds to an answer's time. */
export async function forward(bench: Bench): Promise<void> {
  await withCandidates(
    bench,
    RECIPES.map(recipe => recipe.name),
    async (load, candidates) => {
      const shares = [];
      for (const shape of SHAPES) shares.push(await throughput(bench, load, candidates, shape));
      await latency(bench, load, candidates);
      judge(bench, shares);
    },
  );
}

/** @returns µs of processor time a request, by candidate and round */
async function throughput(bench: Bench, load: Load, candidates: Candidate[], shape: Shape): Promise<Rounds> {
  const cost: Rounds = new Map();
  const rate: Rounds = new Map();
  const busy: number[] = [];
  const errors = new Map<string, number>();
  for (let round = 0; round < bench.rounds; round++) {
    for (const candidate of rotated(candidates, round)) {
      bench.progress(`forward: ${shape.name}, round ${round + 1} of ${bench.rounds}: ${candidate.name}`);
      const seen = await load.run({
        kind: 'closed',
        port: candidate.port,
        request: requestTo(candidate, shape.path, shape.body),
        connections: CONNECTIONS,
        // The first round also compiles the candidate's code, which takes V8 some 20,000 requests.
        warmup: round === 0 ? 4 * bench.window : bench.window / 4,
        duration: bench.window,
        candidate: candidate.pid,
      });
      put(cost, candidate.name, seen.candidateTime / seen.count);
      put(rate, candidate.name, seen.count / seen.seconds);
      errors.set(candidate.name, (errors.get(candidate.name) ?? 0) + seen.errors);
      busy.push(seen.loadBusy);
    }
  }
  for (const { name } of candidates) {
    const failed = errors.get(name)!;
    if (failed > 0)
      bench.report.absent(
        `${name}, ${shape.name}`,
        `${failed} answers were errors; its numbers count the good ones`,
      );
    bench.report.row(
      'forward',
      name,
      `${shape.name}: processor time`,
      'µs/request',
      cost.get(name)!,
      ratios(cost.get(NGINX), cost.get(name)),
    );
    bench.report.row(
      'forward',
      name,
      `${shape.name}: rate`,
      'requests/s',
      rate.get(name)!,
      ratios(rate.get(name), rate.get(NGINX)),
    );
  }
  bench.report.row('forward', 'load', `${shape.name}: share of its core in use`, '', busy);
  return cost;
}

/** Added to the time that the same request takes without a candidate, in the same round. */
async function latency(bench: Bench, load: Load, candidates: Candidate[]): Promise<void> {
  const added50: Rounds = new Map();
  const added99: Rounds = new Map();
  const all99: Rounds = new Map();
  for (let round = 0; round < bench.rounds; round++) {
    const measure = (target: Omit<Candidate, 'pid' | typeof Symbol.asyncDispose>) =>
      load.run({
        kind: 'paced',
        port: target.port,
        request: requestTo(target, '/v1/small'),
        connections: CONNECTIONS,
        rate: RATE,
        warmup: bench.window / 4,
        duration: bench.window,
      });
    const base = await measure(direct(load.upstreamPort));
    for (const candidate of rotated(candidates, round)) {
      bench.progress(`forward: ${RATE} requests/s, round ${round + 1} of ${bench.rounds}: ${candidate.name}`);
      const seen = await measure(candidate);
      put(added50, candidate.name, seen.p50 - base.p50);
      put(added99, candidate.name, seen.p99 - base.p99);
      put(all99, candidate.name, seen.p99);
    }
  }
  for (const { name } of candidates) {
    bench.report.row(
      'forward',
      name,
      `${RATE}/s: added p50`,
      'µs',
      added50.get(name)!,
      ratios(added50.get(NGINX), added50.get(name)),
    );
    bench.report.row('forward', name, `${RATE}/s: added p99`, 'µs', added99.get(name)!);
    bench.report.row(
      'forward',
      name,
      `${RATE}/s: whole p99`,
      'µs',
      all99.get(name)!,
      ratios(all99.get(NGINX), all99.get(name)),
    );
  }
  const ours = added50.get(GATEWAY);
  const bare = added50.get(BARE);
  bench.report.target(
    'forward',
    'added p50 ≤ 150 µs',
    ours && median(ours),
    value => value <= 150,
    `bare undici added ${bare ? Math.round(median(bare)) : '?'} µs: at this rate each request is woken up for, twice, alone`,
    'time',
  );
  bench.report.target(
    'forward',
    'p99 ≤ 1.5 × bare undici',
    median(ratios(all99.get(GATEWAY), all99.get(BARE))),
    value => value <= 1.5,
    'a collection, or a batch of audit rows, fell into it',
  );
}

/** Where time goes that the others do not spend. */
const WHY =
  'who calls, the token of 1.9 KB, records and the log cost more than our own HTTP/1 client saves: the profile is in bench/README.md';

function judge(bench: Bench, shapes: readonly Rounds[]): void {
  SHAPES.forEach(({ name }, at) => {
    const cost = shapes[at]!;
    /** How much our processor time gets done, as a share of another's. */
    const share = (other: string) => median(ratios(cost.get(other), cost.get(GATEWAY)));
    const least = (claim: string, other: string, wanted: number) =>
      bench.report.target('forward', `${name}: ${claim}`, share(other), value => value >= wanted, WHY);
    least('≥ 0.80 of bare undici', BARE, 0.8);
    least('≥ 1.1 × reply-from', REPLY_FROM, 1.1);
    least('≥ 8 × Portkey', PORTKEY, 8);
    bench.report.target(
      'forward',
      `${name}: ≥ 0.70 of nginx (long-term)`,
      share(NGINX),
      value => value >= 0.7,
      'it takes a server of our own in place of node:http too, see bench/README.md',
    );
  });
}

function put(rounds: Rounds, name: string, value: number): void {
  const values = rounds.get(name);
  if (values) values.push(value);
  else rounds.set(name, [value]);
}

/** Round by round. */
function ratios(over: readonly number[] | undefined, under: readonly number[] | undefined): number[] {
  return over && under ? over.map((value, round) => value / under[round]!) : [];
}

/** A call to a model, of so many bytes. */
function chat(bytes: number): string {
  const of = (content: string) => JSON.stringify({ model: 'bench-1', messages: [{ role: 'user', content }] });
  return of('a'.repeat(bytes - of('').length));
}
