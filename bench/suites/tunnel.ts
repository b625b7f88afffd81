import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, rotated } from '../bench.ts';
import { gatewayMissing, startGateway } from '../gateway-process.ts';
import { residentMemory } from '../load/processor-time.ts';
import { sleep } from '../load/window.ts';
import { modernCall } from '../mcp-requests.ts';
import { LOAD_CORE, readiness, start, startLoad } from '../processes.ts';
import { median } from '../statistics.ts';
import { startAgent } from '../tunnel-process.ts';

const CALLERS = 64;
const LOAD = join(import.meta.dirname, '../load');

/** A call to an MCP server behind an agent: what it adds to the same call without a gateway, how many there can be, how much they carry, and what an idle tunnel holds. */
export async function tunnel(bench: Bench): Promise<void> {
  const missing = gatewayMissing();
  if (missing !== null) return bench.report.absent('tunnel', missing);
  await calls(bench);
  await idle(bench);
}

async function calls(bench: Bench): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const load = stack.use(await startLoad());
  const server = stack.use(
    start(LOAD_CORE, [process.execPath, join(LOAD, 'mcp-server.ts'), 'modern'], { ipc: true }),
  );
  const port = await readiness<number>(server);
  const gateway = stack.use(await startGateway(load.upstreamPort, folderOf(bench, 'tunnel')));
  const local = `http://127.0.0.1:${port}/mcp`;
  const agent = stack.use(await startAgent(gateway, 'bench', ['--http', local]));
  const wire = { port, headers: '' };
  const direct = { name: 'without gateway', port, pid: server.pid, path: '/mcp', asked: wire };
  const through = {
    name: 'through the tunnel',
    port: gateway.port,
    pid: gateway.pid,
    path: agent.path,
    asked: gateway,
  };
  const both = [direct, through];
  const empty = () => new Map(both.map(({ name }) => [name, [] as number[]]));
  const [p50, p99, rate, cost, bulk] = [empty(), empty(), empty(), empty(), empty()];
  const agentCost: number[] = [];
  const busy: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    for (const { name, port, pid, path, asked } of rotated(both, round)) {
      bench.progress(`tunnel: round ${round + 1} of ${bench.rounds}: ${name}`);
      const job = {
        kind: 'closed',
        port,
        request: modernCall(asked, path),
        warmup: round === 0 ? bench.window : bench.window / 4,
        duration: bench.window,
        candidate: pid,
      } as const;
      const one = await load.run({ ...job, connections: 1 });
      // The first round also compiles the gateway's code, which takes V8 some 20,000 requests.
      const warmup = round === 0 ? 4 * bench.window : job.warmup;
      const many = await load.run({ ...job, warmup, connections: CALLERS });
      const big = await load.run({ ...job, request: modernCall(asked, path, 'big'), connections: 8 });
      p50.get(name)!.push(one.p50);
      p99.get(name)!.push(one.p99);
      rate.get(name)!.push(many.count / many.seconds);
      cost.get(name)!.push(many.candidateTime / many.count);
      bulk.get(name)!.push((big.count * 2 ** 20) / 1e6 / big.seconds);
      const errors = one.errors + many.errors + big.errors;
      if (errors > 0) bench.report.absent(`tunnel, ${name}`, `${errors} answers were errors`);
      if (name === through.name) {
        busy.push(many.loadBusy);
        const other = await load.run({ ...job, connections: CALLERS, candidate: agent.pid });
        agentCost.push(other.candidateTime / other.count);
      }
    }
  }
  for (const { name } of both) {
    bench.report.row('tunnel', name, 'one caller: p50', 'µs', p50.get(name)!);
    bench.report.row('tunnel', name, 'one caller: p99', 'µs', p99.get(name)!);
    bench.report.row('tunnel', name, '64 callers', 'calls/s', rate.get(name)!);
    bench.report.row('tunnel', name, '1 MiB results, 8 callers', 'MB/s', bulk.get(name)!);
  }
  const ours = through.name;
  bench.report.row('tunnel', 'gateway', 'processor time', 'µs/call', cost.get(ours)!);
  bench.report.row('tunnel', 'agent', 'processor time', 'µs/call', agentCost);
  bench.report.row('tunnel', 'load', 'share of its core in use', '', busy);
  const added = p50.get(ours)!.map((value, round) => value - p50.get(direct.name)![round]!);
  bench.report.target(
    'tunnel',
    'added p50 ≤ 0.4 ms',
    median(added) / 1_000,
    value => value <= 0.4,
    'two processes more are woken up on the way, and one shares its core with the load',
    'time',
  );
  const whole =
    'agent, local server and load share one core, which is full first: see the processor time of each';
  bench.report.target(
    'tunnel',
    '≥ 8,000 calls/s at 64 callers, the gateway on one core',
    median(rate.get(ours)!),
    value => value >= 8_000,
    whole,
    'rate',
  );
  bench.report.target(
    'tunnel',
    '≥ 8,000 calls/s a core of the gateway, by its processor time',
    1e6 / median(cost.get(ours)!),
    value => value >= 8_000,
    'nearly all of a call is the HTTP side and the audit, as of a plain forward: bench/README.md',
    'rate',
  );
  bench.report.target(
    'tunnel',
    '1 MiB results at ≥ 150 MB/s',
    median(bulk.get(ours)!),
    value => value >= 150,
    whole,
    'rate',
  );
}

async function idle(bench: Bench): Promise<void> {
  const wanted = bench.quick ? 200 : 2_000;
  await using stack = new AsyncDisposableStack();
  const gateway = stack.use(
    await startGateway(9, folderOf(bench, 'tunnel-idle'), { tunnelsPerUser: wanted }),
  );
  // What a start takes is given back by then.
  await sleep(4_000);
  const before = residentMemory(gateway.pid);
  bench.progress(`tunnel: ${wanted} idle ones`);
  const url = `http://localhost:${gateway.port}`;
  const command = [process.execPath, join(LOAD, 'idle-tunnels.ts'), url, gateway.key, String(wanted)];
  const agents = stack.use(start(LOAD_CORE, command, { ipc: true }));
  const open = await readiness<number>(agents, 240);
  await sleep(bench.quick ? 5_000 : 20_000);
  const each = (residentMemory(gateway.pid) - before) / 1024 / open;
  bench.report.row('tunnel', 'sallyport', `${open} idle tunnels: each`, 'KB', [each]);
  bench.report.target(
    'tunnel',
    'idle ≤ 60 KB each',
    each,
    value => value <= 60,
    'less is alive; the rest is what opening them left, which V8 has not given back',
  );
}

function folderOf(bench: Bench, name: string): string {
  const folder = join(bench.folder, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}
