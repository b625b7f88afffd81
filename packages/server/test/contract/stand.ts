import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { keyOf } from '../fixtures/agent.ts';
import { type Gateway, startGateway } from '../fixtures/gateway.ts';
import { startUpstream, type TestUpstream } from '../fixtures/upstream.ts';
import { type Counterpart, startCounterpart } from './counterpart.ts';
import { startWiretap, type Wiretap } from './wiretap.ts';

/** Between two looks at what tells nobody when it changes, milliseconds. */
const LOOK = 20;

/** What the server of the contract is called in the tunnel. */
export const NAME = 'contract';

/** The one path that an implementation started as `limited` is to let through. */
export const ALLOWED = '/allowed';
const PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));

/** How an implementation is started: as one that serves an HTTP server, a program, or an HTTP server with rules of its own. */
export interface Commands {
  readonly usual: readonly string[];
  readonly programs?: readonly string[];
  readonly limited?: readonly string[];
}

/** Of a program that an implementation started. */
export interface ProgramLife {
  /** Resolves when it is over, with the last that it said. */
  readonly over: Promise<string>;
}

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
  /** A gateway's place, where the implementation is met with nothing between. */
  readonly counterpart: Counterpart;
  /** Those that were started since this check began, in turn. */
  readonly programs: readonly ProgramLife[];
  readonly key: string;
  /** Where the local server is reached through the gateway. */
  readonly url: string;
  /** One that is connected: started for the first check that asks, and again where one before ended it. */
  connected(): Promise<Run>;
  /** One more, otherwise than usual. */
  start(instead?: Instead): Run;
  call(path: string, init?: RequestInit): Promise<Response>;
  /** Whether the gateway has the tunnel. */
  served(): Promise<boolean>;
}

interface Instead {
  readonly key?: string;
  readonly target?: string;
  readonly gateway?: string;
  readonly as?: keyof Commands;
}

/**
 * @param commands with `{gateway}`, `{target}` and `{name}` in place of what an implementation has to know; it finds them in `SALLYPORT_GATEWAY`,
 * `SALLYPORT_TARGET` and `SALLYPORT_NAME` as well, and its key in `SALLYPORT_KEY`. `{program}` is the words that start the program to be served
 */
export async function startStand(
  commands: Commands,
): Promise<Stand & AsyncDisposable & { fresh(): Promise<void> }> {
  await using opening = new AsyncDisposableStack();
  const closing = { after: (close: () => unknown) => void opening.defer(async () => void (await close())) };
  const gateway = await startGateway(closing as never);
  const key = await keyOf(gateway, 'alice@corp.example');
  const tap = opening.use(await startWiretap(new URL(gateway.url)));
  const counterpart = opening.use(await startCounterpart());
  const programs: ProgramLife[] = [];
  const journal = createServer(socket => {
    const over = Promise.withResolvers<string>();
    let said = '';
    socket.setEncoding('utf8').on('data', text => (said += text));
    socket.on('error', () => {}).on('close', () => over.resolve(said.trimEnd().split('\n').at(-1)!));
    programs.push({ over: over.promise });
  }).listen(0, '127.0.0.1');
  await once(journal, 'listening');
  opening.defer(() => void journal.close());
  const program = [process.execPath, PROGRAM, String((journal.address() as AddressInfo).port)];
  const local = await startUpstream();
  opening.defer(() => local.close());
  opening.defer(takeSockets(local));
  const url = `${gateway.url}/u/alice/${NAME}`;
  const headers = { authorization: `Bearer ${key}` };
  const runs = new Set<Run>();
  let current: Run | null = null;

  function start(instead: Instead = {}): Run {
    const { target = local.url, gateway: at = tap.url } = instead;
    const known: Record<string, string> = { gateway: at, target, name: NAME };
    const [command, ...args] = commands[instead.as ?? 'usual']!.flatMap(word =>
      word === '{program}'
        ? program
        : word.replaceAll(/\{(gateway|target|name)\}/g, (_, what: string) => known[what]!),
    );
    const child = spawn(command!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: gateway.directory,
        SALLYPORT_KEY: instead.key ?? key,
        SALLYPORT_GATEWAY: at,
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
    counterpart,
    programs,
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
      programs.length = 0;
      local.intercept = null;
      await until(async () => !(await served()));
    },
  };
  const held = opening.move();
  return Object.assign(stand, { [Symbol.asyncDispose]: () => held.disposeAsync() });
}

/** Echoes WebSockets, with the last of the subprotocols that are offered; refuses those at `/no`. @returns ends them */
function takeSockets({ server }: TestUpstream): () => void {
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ req }, answer) => answer(req.url !== '/no', 418),
    handleProtocols: offered => [...offered].at(-1)!,
  });
  sockets.on('connection', socket =>
    socket.on('message', (data, binary) => socket.send(data, { binary })).on('error', () => {}),
  );
  return () => {
    for (const socket of sockets.clients) socket.terminate();
  };
}

/** Looks again and again. Who calls has a limit of time. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(LOOK);
}
