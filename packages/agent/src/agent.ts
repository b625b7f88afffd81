import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import type { Hello } from '@sallyport/protocol/hello.ts';
import type { ByeCode } from '@sallyport/protocol/notice.ts';
import { createAgent } from './dial.ts';
import { startHealth } from './health.ts';
import { type Link, openLink } from './link.ts';
import { createLocalHttp, type LocalServer } from './local-http.ts';
import { createLocalShells } from './local-shells.ts';
import { createLocalStdio } from './local-stdio.ts';
import type { Log } from './log.ts';
import type { GatewaySettings, ServedSettings, Settings } from './settings.ts';

export interface RunningAgent {
  /** Resolves when no gateway is left to be connected to: with why the last one let go, or null when it was told to stop. */
  readonly done: Promise<ByeCode | null>;
  readonly links: readonly Link[];
  drain(): Promise<void>;
}

/** Serves everything that the settings say to everyone they name, until it is told to stop. */
export async function runAgent(deps: {
  settings: Settings;
  clock: Clock;
  log: Log;
  env: NodeJS.ProcessEnv;
  version: string;
  /** Random for each run. */
  instance: string;
  random(): number;
}): Promise<RunningAgent> {
  const { settings, clock, log, env, random } = deps;
  await using opening = new AsyncDisposableStack();

  let links: readonly Link[] = [];
  if (settings.health !== null) opening.use(await startHealth(settings.health, () => links));
  links = settings.gateways.map(gateway => {
    const servers = new Map(
      gateway.servers.map(served => [served.name, opening.use(localServer(served, deps))]),
    );
    const agent = createAgent(gateway.url, settings.ca, env);
    return openLink({ gateway, agent, hello: helloOf(gateway, deps), servers, clock, random, log });
  });
  const open = opening.move();
  return {
    links,
    done: Promise.all(links.map(({ done }) => done)).then(ends => ends.find(end => end !== null) ?? null),
    async drain() {
      await Promise.all(links.map(link => link.drain()));
      await open.disposeAsync();
    },
  };
}

const localServer = (
  served: ServedSettings,
  deps: { clock: Clock; log: Log; env: NodeJS.ProcessEnv },
): LocalServer =>
  served.kind === 'terminal'
    ? createLocalShells(served, deps)
    : served.kind === 'stdio'
      ? createLocalStdio(served, { ...deps, env: withoutKey(deps.env) })
      : createLocalHttp(served);

/** What a local server has no business to know. */
function withoutKey(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { SALLYPORT_KEY: _key, REVERSE_PROXY_TOKEN: _token, ...rest } = env;
  return rest;
}

const helloOf = (
  { servers }: GatewaySettings,
  { version, instance }: { version: string; instance: string },
): Hello => ({
  protocol: 1,
  agent: { name: 'sallyport-agent', version, instance },
  servers: servers.map(served => ({
    name: served.name,
    kind: served.kind,
    isolate: served.kind === 'stdio' ? served.isolate : 'shared',
    title: served.title,
    description: served.description,
  })),
});
