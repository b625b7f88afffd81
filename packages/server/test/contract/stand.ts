import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { keyOf } from '../fixtures/agent.ts';
import { type Gateway, startGateway } from '../fixtures/gateway.ts';
import { startUpstream, type TestUpstream } from '../fixtures/upstream.ts';
import { startWiretap, type Wiretap } from './wiretap.ts';

/** Between two looks at what tells nobody when it changes, milliseconds. */
const LOOK = 20;

/** What the server of the contract is called in the tunnel. */
export const NAME = 'contract';

/** Runs an implementation against the stand's gateway. */
export interface Run {
  readonly process: ChildProcess;
  readonly exited: Promise<unknown>;
  output(): string;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** What a check has: a real gateway, a wiretap before it, a local server, and an implementation that connects them. */
export interface Stand {
  readonly gateway: Gateway;
  readonly tap: Wiretap;
  readonly local: TestUpstream;
  readonly key: string;
  /** Where the local server is reached through the gateway. */
  readonly url: string;
  /** One that is connected: started for the first check that asks, and again where one before ended it. */
  connected(): Promise<Run>;
  /** One more, with another key or another local server than usual. */
  start(instead?: { key?: string; target?: string }): Run;
  call(path: string, init?: RequestInit): Promise<Response>;
  /** Whether the gateway has the tunnel. */
  served(): Promise<boolean>;
}

/**
 * @param command with `{gateway}`, `{target}` and `{name}` in place of what an implementation has to know; it finds them in `SALLYPORT_GATEWAY`,
 * `SALLYPORT_TARGET` and `SALLYPORT_NAME` as well, and its key in `SALLYPORT_KEY`
 */
export async function startStand(
  command: readonly string[],
): Promise<Stand & AsyncDisposable & { fresh(): Promise<void> }> {
  await using opening = new AsyncDisposableStack();
  const closing = { after: (close: () => unknown) => void opening.defer(async () => void (await close())) };
  const gateway = await startGateway(closing as never);
  const key = await keyOf(gateway, 'alice@corp.example');
  const tap = opening.use(await startWiretap(new URL(gateway.url)));
  const local = await startUpstream();
  opening.defer(() => local.close());
  const url = `${gateway.url}/u/alice/${NAME}`;
  const headers = { authorization: `Bearer ${key}` };
  const runs = new Set<Run>();
  let current: Run | null = null;

  function start(instead: { key?: string; target?: string } = {}): Run {
    const target = instead.target ?? local.url;
    const known: Record<string, string> = { gateway: tap.url, target, name: NAME };
    const [program, ...args] = command.map(word =>
      word.replaceAll(/\{(gateway|target|name)\}/g, (_, what: string) => known[what]!),
    );
    const child = spawn(program!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: gateway.directory,
        SALLYPORT_KEY: instead.key ?? key,
        SALLYPORT_GATEWAY: tap.url,
        SALLYPORT_TARGET: target,
        SALLYPORT_NAME: NAME,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        output = (output + text).slice(-4_096);
      });
    const exited = Promise.race([once(child, 'exit'), once(child, 'error')]).catch(() => {});
    const run: Run = {
      process: child,
      exited,
      output: () => output,
      async end(signal) {
        child.kill(signal);
        await exited;
      },
    };
    runs.add(run);
    void exited.then(() => {
      runs.delete(run);
      if (current === run) current = null;
    });
    return run;
  }

  async function endAll(): Promise<void> {
    await Promise.all([...runs].map(run => run.end('SIGKILL')));
  }
  opening.defer(endAll);

  const served = async (): Promise<boolean> => {
    const answer = await fetch(`${gateway.url}/api/v1/tunnels`, { headers });
    const { items } = (await answer.json()) as { items: { name: string; connected: boolean }[] };
    return items.some(({ name, connected }) => name === `alice/${NAME}` && connected);
  };

  const stand = {
    gateway,
    tap,
    local,
    key,
    url,
    start,
    served,
    call: (path: string, init: RequestInit = {}) =>
      fetch(`${url}${path}`, { ...init, headers: { ...headers, ...init.headers } }),
    async connected() {
      current ??= start();
      const run = current;
      await until(async () => {
        if (current !== run)
          throw new Error(`the implementation ended before it was connected: ${run.output()}`);
        return served();
      });
      return run;
    },
    /** As at the beginning: nothing runs, nothing is refused. */
    async fresh() {
      await endAll();
      current = null;
      tap.block = false;
      local.intercept = null;
      await until(async () => !(await served()));
    },
  };
  const held = opening.move();
  return Object.assign(stand, { [Symbol.asyncDispose]: () => held.disposeAsync() });
}

/** Looks again and again. Who calls has a limit of time. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(LOOK);
}
