import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, rotated } from '../bench.ts';
import { gatewayMissing, startGateway } from '../gateway-process.ts';
import type { Job } from '../load/job.ts';
import { legacyCalls, modernCall } from '../mcp-requests.ts';
import {
  CANDIDATE_CORE,
  freePort,
  LOAD_CORE,
  type Load,
  listening,
  type Running,
  readiness,
  start,
  startLoad,
} from '../processes.ts';
import { median } from '../statistics.ts';
import { startAgent } from '../tunnel-process.ts';

const LOAD = join(import.meta.dirname, '../load');
const RIVALS = join(import.meta.dirname, '../rivals/node_modules');
const CALLERS = 64;

/** A `tools/call` on each of its ways: passed on, translated between the eras, brought to a program's standard input. */
export async function mcp(bench: Bench): Promise<void> {
  const missing = gatewayMissing();
  if (missing !== null) return bench.report.absent('mcp', missing);
  await overHttp(bench);
  await overStdio(bench);
}

/** One way that a call takes, and the process whose time it costs. */
interface Way {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly request: Job['request'];
}

async function overHttp(bench: Bench): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const load = stack.use(await startLoad());
  const modern = await startServer(stack, 'modern');
  const legacy = await startServer(stack, 'legacy');
  const folder = folderOf(bench, 'mcp-http');
  const gateway = stack.use(await startGateway(modern, folder, { mcp: { modern, legacy } }));
  const way = (name: string, request: Job['request']): Way => ({ ...gateway, name, request });
  const plain = way('plain forward', modernCall(gateway, gateway.path('/mcp')));
  const passed = way('passed on', modernCall(gateway, '/mcp/modern'));
  const oldClient = await legacyCalls(gateway, '/mcp/modern', CALLERS);
  const ways = [
    plain,
    passed,
    way('modern client, legacy server', modernCall(gateway, '/mcp/legacy')),
    way('legacy client, modern server', oldClient),
    way('legacy client, legacy server', await legacyCalls(gateway, '/mcp/legacy', CALLERS)),
  ];
  const { cost } = await measured(bench, load, ways, plain);
  const of = (name: string) => cost.get(name)!;
  bench.report.target(
    'mcp',
    'passed on: ≥ 0.9 of plain forward',
    median(of(plain.name).map((value, round) => value / of(passed.name)[round]!)),
    value => value >= 0.9,
    'a message is read, its tool looked up and its call audited, which a plain forward is spared',
  );
  for (const name of ['modern client, legacy server', 'legacy client, modern server'])
    bench.report.target(
      'mcp',
      `${name}: ≥ 3,000 calls/s a core`,
      1e6 / median(of(name)),
      value => value >= 3_000,
      'each call is two HTTP calls and two messages that are read and written anew: bench/README.md',
      'rate',
    );
}

/** The same program on standard input behind each. The gateway has it behind an agent, which dials out; the others start it themselves. */
async function overStdio(bench: Bench): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const load = stack.use(await startLoad());
  const program = [process.execPath, join(LOAD, 'mcp-stdio.ts')];
  const gateway = stack.use(await startGateway(load.upstreamPort, folderOf(bench, 'mcp-stdio')));
  const agent = stack.use(await startAgent(gateway, 'stdio', ['--', ...program]));
  const ways: Way[] = [
    {
      ...gateway,
      name: 'sallyport, tunnel, modern client',
      request: modernCall(gateway, agent.path),
    },
    {
      ...gateway,
      name: 'sallyport, tunnel',
      request: await legacyCalls(gateway, agent.path, CALLERS),
    },
  ];
  for (const rival of RIVAL_PROXIES) {
    const entry = join(RIVALS, rival.entry);
    if (!existsSync(entry)) {
      bench.report.absent(rival.name, 'run npm ci in bench/rivals');
      continue;
    }
    try {
      const port = await freePort();
      const command = [process.execPath, entry, ...rival.args(port, program)];
      const running: Running = stack.use(start(CANDIDATE_CORE, command));
      await listening(port);
      const request = await legacyCalls({ port, headers: '' }, '/mcp', rival.callers);
      ways.push({ name: rival.name, pid: running.pid, port, request });
    } catch (error) {
      bench.report.absent(rival.name, `it did not start: ${(error as Error).message}`);
    }
  }
  await measured(bench, load, ways, ways[1]!);
}

/** Programs of npm that bring a program's standard input to HTTP. Each session of theirs starts the program anew. */
const RIVAL_PROXIES = [
  {
    name: 'mcp-proxy',
    entry: 'mcp-proxy/dist/bin/mcp-proxy.mjs',
    callers: CALLERS,
    args: (port: number, program: string[]) => [
      '--port',
      String(port),
      '--server',
      'stream',
      '--',
      ...program,
    ],
  },
  {
    name: 'supergateway',
    entry: 'supergateway/dist/index.js',
    // A process for each session: more do not start in a minute.
    callers: 8,
    args: (port: number, program: string[]) => [
      '--port',
      String(port),
      '--stdio',
      program.join(' '),
      '--outputTransport',
      'streamableHttp',
      '--stateful',
      '--logLevel',
      'none',
    ],
  },
];

/** As many calls as each way takes, by 64 callers and by one. */
async function measured(bench: Bench, load: Load, ways: readonly Way[], reference: Way) {
  const cost = new Map(ways.map(({ name }) => [name, [] as number[]]));
  const rate = new Map(ways.map(({ name }) => [name, [] as number[]]));
  const alone = new Map(ways.map(({ name }) => [name, [] as number[]]));
  const errors = new Map<string, number>();
  for (let round = 0; round < bench.rounds; round++) {
    for (const way of rotated(ways, round)) {
      bench.progress(`mcp: round ${round + 1} of ${bench.rounds}: ${way.name}`);
      const job = {
        kind: 'closed',
        port: way.port,
        request: way.request,
        warmup: round === 0 ? 4 * bench.window : bench.window / 4,
        duration: bench.window,
        candidate: way.pid,
      } as const;
      const many = await load.run({ ...job, connections: CALLERS });
      const one = await load.run({ ...job, warmup: 100, duration: bench.window / 2, connections: 1 });
      cost.get(way.name)!.push(many.candidateTime / many.count);
      rate.get(way.name)!.push(many.count / many.seconds);
      alone.get(way.name)!.push(one.p50);
      errors.set(way.name, (errors.get(way.name) ?? 0) + many.errors + one.errors);
    }
  }
  const to = (values: Map<string, number[]>, name: string, lessIsBetter: boolean) =>
    values.get(name)!.map((value, round) => {
      const other = values.get(reference.name)![round]!;
      return lessIsBetter ? other / value : value / other;
    });
  for (const { name } of ways) {
    const failed = errors.get(name)!;
    if (failed > 0) bench.report.absent(`mcp, ${name}`, `${failed} answers were errors`);
    bench.report.row('mcp', name, 'processor time', 'µs/call', cost.get(name)!, to(cost, name, true));
    bench.report.row('mcp', name, '64 callers', 'calls/s', rate.get(name)!, to(rate, name, false));
    bench.report.row('mcp', name, 'one caller: p50', 'µs', alone.get(name)!, to(alone, name, true));
  }
  return { cost };
}

async function startServer(stack: AsyncDisposableStack, era: 'modern' | 'legacy'): Promise<number> {
  const command = [process.execPath, join(LOAD, 'mcp-server.ts'), era];
  return readiness<number>(stack.use(start(LOAD_CORE, command, { ipc: true })));
}

function folderOf(bench: Bench, name: string): string {
  const folder = join(bench.folder, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}
