import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job, Seen } from './load/job.ts';
import { sleep } from './load/window.ts';

/** Which core runs what: the candidate has one for itself, load generator and upstream share the other. */
export const CANDIDATE_CORE = 0;
export const LOAD_CORE = 1;

export const pinned = spawnSync('taskset', ['-c', `${CANDIDATE_CORE},${LOAD_CORE}`, 'true']).status === 0;
// We only wait, but not on the core that is measured.
if (pinned) spawnSync('taskset', ['-cp', String(LOAD_CORE), String(process.pid)]);

/** What the processes say goes to files: a pipe would have to be read, on one of the two cores. */
const logs = mkdtempSync(join(tmpdir(), 'sallyport-bench-logs-'));
const running = new Set<ChildProcess>();
let started = 0;
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(logs, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

/** A process of the benchmark. It never outlives it. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
}

/** @param options.ipc whether it talks to us */
export function start(
  core: number,
  command: readonly string[],
  options: { ipc?: boolean; env?: Record<string, string>; cwd?: string } = {},
): Running {
  const [program, ...args] = pinned ? ['taskset', '-c', String(core), ...command] : command;
  const file = join(logs, `${started++}.log`);
  const log = openSync(file, 'a');
  const child = spawn(program!, args, {
    stdio: ['ignore', log, log, ...(options.ipc ? (['ipc'] as const) : [])],
    env: { ...process.env, NODE_ENV: 'production', ...options.env },
    cwd: options.cwd,
    serialization: 'advanced',
  });
  closeSync(log);
  running.add(child);
  child.once('error', error => process.stderr.write(`${error}\n`));
  child.once('exit', (code, signal) => {
    running.delete(child);
    if (code && signal === null)
      process.stderr.write(
        `\n${command.join(' ')} ended with ${code}:\n${readFileSync(file, 'utf8').slice(-4000)}\n`,
      );
  });
  return {
    pid: child.pid!,
    child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 2000);
      await gone;
      clearTimeout(hard);
    },
  };
}

/** The first message of a child of ours that says it is ready. */
export async function readiness<T>(running: Running, seconds = 30): Promise<T> {
  const signal = AbortSignal.timeout(seconds * 1000);
  const failed = once(running.child, 'exit', { signal }).then(() => {
    throw new Error('it ended before it was ready');
  });
  const [message] = await Promise.race([once(running.child, 'message', { signal }), failed]);
  failed.catch(() => {});
  return message.ready as T;
}

/** A port nobody listens on, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when something listens. */
export async function listening(port: number, seconds = 30): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const [event] = await Promise.race([
      once(socket, 'connect').then(() => ['connect']),
      new Promise<string[]>(resolve => socket.once('error', () => resolve(['error']))),
    ]);
    socket.destroy();
    if (event === 'connect') return;
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port}`);
    await sleep(20);
  }
}

/** The load generator and the upstream behind all candidates. */
export interface Load extends AsyncDisposable {
  readonly upstreamPort: number;
  run(job: Partial<Job> & Pick<Job, 'kind'>): Promise<Seen>;
}

export async function startLoad(): Promise<Load> {
  const ours = (file: string) =>
    start(LOAD_CORE, [process.execPath, `${import.meta.dirname}/load/${file}`], { ipc: true });
  const upstream = ours('upstream.ts');
  const generator = ours('generator.ts');
  const [upstreamPort] = await Promise.all([readiness<number>(upstream), readiness(generator)]);
  return {
    upstreamPort,
    async run(job) {
      generator.child.send({
        port: upstreamPort,
        request: '',
        connections: 0,
        rate: 0,
        warmup: 0,
        duration: 0,
        candidate: 0,
        upstream: upstream.pid,
        ...job,
      } satisfies Job);
      const [{ seen }] = await once(generator.child, 'message', { signal: AbortSignal.timeout(300_000) });
      return seen as Seen;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([upstream[Symbol.asyncDispose](), generator[Symbol.asyncDispose]()]);
    },
  };
}
