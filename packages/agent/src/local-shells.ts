import { homedir } from 'node:os';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { LIMITS } from '@sallyport/shells/settings.ts';
import { createShells } from '@sallyport/shells/shells.ts';
import { createLocalHttp, type LocalServer } from './local-http.ts';
import type { TerminalServed } from './settings.ts';

/** Shells of this account, as this person has them: with their environment, and what they leave running on purpose goes on. */
export function createLocalShells(
  served: TerminalServed,
  deps: { clock: Clock; env: NodeJS.ProcessEnv },
): LocalServer {
  const env = Object.entries(deps.env).filter(
    ([name, value]) => value !== undefined && !/^(SALLYPORT|REVERSE_PROXY)_/.test(name),
  );
  const { monotonic, sleep } = deps.clock;
  const shells = createShells({
    key: null,
    clock: { monotonic, sleep, now: () => Date.now() },
    settings: {
      shell: [deps.env['SHELL'] || '/bin/sh'],
      homes: null,
      env: { HOME: homedir(), ...(Object.fromEntries(env) as Record<string, string>) },
      account: null,
      privileges: true,
      lingers: true,
      isolate: 'none',
      network: true,
      limits: { ...LIMITS, processes: null, memory: null, cpu: null },
    },
  });
  const connect = () => shells.connect();
  const calls = createLocalHttp({ ...served, kind: 'http', url: new URL('http://shells') }, connect);

  return {
    handle: calls.handle,
    async [Symbol.asyncDispose]() {
      await shells[Symbol.asyncDispose]();
      await calls[Symbol.asyncDispose]();
    },
  };
}
