import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bench, rotated } from '../bench.ts';
import { gatewayMissing, startGateway } from '../gateway-process.ts';
import { residentMemory } from '../load/processor-time.ts';
import type { TerminalJob, TerminalsSeen } from '../load/terminals.ts';
import { sleep } from '../load/window.ts';
import { CANDIDATE_CORE, freePort, LOAD_CORE, listening, readiness, start } from '../processes.ts';
import { median } from '../statistics.ts';

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find(existsSync);

/** A terminal through the gateway, with its kept window and with a recording, beside nginx as a proxy of WebSockets. */
export async function terminal(bench: Bench): Promise<void> {
  const missing = gatewayMissing();
  if (missing !== null) return bench.report.absent('terminal', missing);
  await beside(bench);
  await idle(bench);
}

/** A gateway with a terminal server behind it, and how its terminals are opened and used. */
async function house(stack: AsyncDisposableStack, folder: string) {
  const load = stack.use(
    start(LOAD_CORE, [process.execPath, join(import.meta.dirname, '../load/terminals.ts')], { ipc: true }),
  );
  const server = await readiness<number>(load);
  mkdirSync(folder, { recursive: true });
  const gateway = stack.use(
    await startGateway(9, folder, {
      upstreams: [
        { id: 'kept', kind: 'terminal', url: `http://127.0.0.1:${server}` },
        { id: 'recorded', kind: 'terminal', url: `http://127.0.0.1:${server}`, record: true },
      ],
    }),
  );
  const { cookie } = gateway;
  const origin = `http://localhost:${gateway.port}`;

  const attached = async (upstream: string): Promise<string> => {
    const path = `/terminals/${upstream}/api/terminals`;
    const answer = await fetch(`${origin}${path}`, { method: 'POST', headers: { cookie, origin } });
    if (!answer.ok) throw new Error(`no terminal: ${answer.status} ${await answer.text()}`);
    const { id } = (await answer.json()) as { id: string };
    return `ws://localhost:${gateway.port}${path}/${id}`;
  };
  const ask = async (job: TerminalJob): Promise<TerminalsSeen> => {
    load.child.send(job);
    const [answer] = await once(load.child, 'message', { signal: AbortSignal.timeout(120_000) });
    if (answer.failed !== undefined) throw new Error(answer.failed);
    return answer.seen;
  };

  return { server, gateway, attached, ask, asked: { origin, cookie } };
}

async function beside(bench: Bench): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = join(bench.folder, 'terminal');
  const { server, attached, ask, asked } = await house(stack, folder);
  const ways = [
    { name: 'kept window', url: () => attached('kept') },
    { name: 'kept window and recording', url: () => attached('recorded') },
  ];
  if (NGINX === undefined) bench.report.absent('nginx', 'install nginx (apt-get install nginx)');
  else {
    const port = await freePort();
    const file = join(folder, 'nginx.conf');
    await writeFile(file, socketProxy(folder, port, server));
    stack.use(start(CANDIDATE_CORE, [NGINX, '-p', folder, '-c', file]));
    await listening(port);
    ways.unshift({ name: 'nginx', url: async () => `ws://127.0.0.1:${port}/api/terminals/x` });
  }
  const empty = () => new Map(ways.map(({ name }) => [name, [] as number[]]));
  const [p50, p99, bulk, listing] = [empty(), empty(), empty(), empty()];
  for (let round = 0; round < bench.rounds; round++) {
    for (const { name, url } of rotated(ways, round)) {
      bench.progress(`terminal: round ${round + 1} of ${bench.rounds}: ${name}`);
      const echo = await ask({
        kind: 'echo',
        url: await url(),
        count: bench.quick ? 1_000 : 4_000,
        ...asked,
      });
      const flood = await ask({ kind: 'bulk', what: 'letter', url: await url(), ...asked });
      const lines = await ask({ kind: 'bulk', what: 'listing', url: await url(), ...asked });
      p50.get(name)!.push(echo.p50);
      p99.get(name)!.push(echo.p99);
      bulk.get(name)!.push(flood.megabytesPerSecond);
      listing.get(name)!.push(lines.megabytesPerSecond);
    }
  }
  const reference = (values: Map<string, number[]>, name: string, lessIsBetter: boolean) =>
    values.get('nginx')?.map((other, round) => {
      const value = values.get(name)![round]!;
      return lessIsBetter ? other / value : value / other;
    }) ?? null;
  for (const { name } of ways) {
    bench.report.row('terminal', name, 'echo p50', 'µs', p50.get(name)!, reference(p50, name, true));
    bench.report.row('terminal', name, 'echo p99', 'µs', p99.get(name)!, reference(p99, name, true));
    bench.report.row('terminal', name, 'bulk', 'MB/s', bulk.get(name)!, reference(bulk, name, false));
    const ofListing = reference(listing, name, false);
    bench.report.row('terminal', name, 'bulk of a listing', 'MB/s', listing.get(name)!, ofListing);
  }
  const share = (values: Map<string, number[]>, name: string, lessIsBetter: boolean) => {
    const ratios = reference(values, name, lessIsBetter);
    return ratios === null ? undefined : median(ratios);
  };
  const plain = 'kept window';
  const times = (ratio: number | undefined) => ratio && 1 / ratio;
  bench.report.target(
    'terminal',
    'echo p50 ≤ 1.2 × nginx',
    times(share(p50, plain, true)),
    value => value <= 1.2,
    'node:net reads and writes it, and ws reads what a client sends: some 30 µs each way more than nginx',
  );
  bench.report.target(
    'terminal',
    'echo p99 ≤ 2 × nginx',
    times(share(p99, plain, true)),
    value => value <= 2,
    'a collection, or a batch of audit rows, fell into it',
  );
  bench.report.target(
    'terminal',
    'bulk, kept window: ≥ 0.9 of nginx',
    share(bulk, plain, false),
    value => value >= 0.9,
    'each read of 64 KB is a buffer of its own for the collector, which has a tenth of the time or more',
  );
  bench.report.target(
    'terminal',
    'bulk, kept window and recording: ≥ 0.6 of nginx',
    share(bulk, 'kept window and recording', false),
    value => value >= 0.6,
    'what is printed is compressed, sealed and stored, on the one thread',
  );
}

async function idle(bench: Bench): Promise<void> {
  const wanted = bench.quick ? 50 : 2_000;
  await using stack = new AsyncDisposableStack();
  const { gateway, attached, ask, asked } = await house(stack, join(bench.folder, 'terminal-idle'));
  bench.progress(`terminal: ${wanted} idle ones`);
  const urls: string[] = [];
  for (let n = 0; n < wanted; n++) urls.push(await attached('kept'));
  // What a start takes is given back by then.
  await sleep(4_000);
  const before = residentMemory(gateway.pid);
  const held = await ask({ kind: 'hold', urls, ...asked });
  await sleep(bench.quick ? 3_000 : 20_000);
  const each = (residentMemory(gateway.pid) - before) / 1024 / held.open;
  bench.report.row('terminal', 'sallyport', `${held.open} idle terminals: each`, 'KB', [each]);
  bench.report.target(
    'terminal',
    'idle ≤ 60 KB each',
    each,
    value => value <= 60,
    'less is alive; the rest is what opening them left, which V8 has not given back',
  );
}

const socketProxy = (folder: string, port: number, upstreamPort: number) => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx-error.log error;
events { worker_connections 4000; }
http {
  access_log off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstreamPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
  }
}
`;
