import type { Agent as HttpAgent } from 'node:http';
import { fullJitter } from '@sallyport/protocol/backoff.ts';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import type { Hello } from '@sallyport/protocol/hello.ts';
import type { ByeCode, Notice } from '@sallyport/protocol/notice.ts';
import { dial } from './dial.ts';
import type { LocalServer } from './local-http.ts';
import type { Log } from './log.ts';
import { openSession, type Session } from './session.ts';
import type { GatewaySettings } from './settings.ts';

/** After these there is nothing to come back for: somebody else serves the names, or a person ended it. */
const FINAL = new Set<ByeCode>(['replaced', 'disconnected']);

export interface Link {
  /** Resolves when it will not try again: with what a person ended it for, or null when it was told to stop. */
  readonly done: Promise<ByeCode | null>;
  readonly connected: boolean;
  readonly gateway: URL;
  /** Takes nothing new, ends what is under way, and hangs up. */
  drain(): Promise<void>;
}

/** Keeps one gateway connected, for ever: when a connection is lost, or none is to be had, it is tried again. */
export function openLink(deps: {
  gateway: GatewaySettings;
  agent: HttpAgent;
  hello: Hello;
  servers: ReadonlyMap<string, LocalServer>;
  clock: Clock;
  random(): number;
  log: Log;
}): Link {
  const { gateway, agent, hello, servers, clock, random, log } = deps;
  const over = new AbortController();
  let session: Session | null = null;
  let connected = false;
  let failures = 0;
  let bye: Extract<Notice, { type: 'bye' }> | null = null;

  function noticed(notice: Notice): void {
    if (notice.type === 'bye') {
      bye = notice;
      return;
    }
    failures = 0;
    connected = true;
    for (const { name, url, problem } of notice.servers) {
      if (url !== null) log.info(`connected  ${name}  ->  ${url}`);
      else log.warn(`${name} is not served: ${problem}`);
    }
  }

  /** One connection, from its dialling to its end. @returns why it ended */
  async function connect(): Promise<string> {
    bye = null;
    const stream = await dial({
      gateway: gateway.url,
      key: await gateway.key(),
      agent,
      userAgent: `${hello.agent.name}/${hello.agent.version}`,
      now: () => clock.monotonic(),
      signal: over.signal,
      fellBack: why =>
        log.warn(`no WebSocket gets through to ${gateway.url.origin} (${why}); going on without`),
    });
    session = openSession({ stream, hello, servers, clock, noticed });
    if (over.signal.aborted) session.end('told to stop');
    try {
      return await session.ended;
    } finally {
      session = null;
      connected = false;
    }
  }

  async function run(): Promise<ByeCode | null> {
    while (!over.signal.aborted) {
      const reason = await connect().catch((error: Error) => saidOf(error));
      if (over.signal.aborted) break;
      const said = bye as Extract<Notice, { type: 'bye' }> | null;
      if (said !== null && FINAL.has(said.code)) {
        log.warn(`${gateway.url.origin} ended the tunnel: ${said.detail}`);
        return said.code;
      }
      failures += 1;
      const wait = fullJitter(failures, random());
      log.warn(
        `not connected to ${gateway.url.origin}: ${said?.detail ?? reason}; next try in ${(wait / 1000).toFixed(1)} s`,
      );
      await clock.sleep(wait, over.signal).catch(() => {});
    }
    return null;
  }

  const done = run();
  return {
    done,
    gateway: gateway.url,
    get connected() {
      return connected;
    },
    async drain() {
      over.abort();
      await session?.drain();
      await done;
    },
  };
}

/** Several addresses of one name fail together, with no words of their own. */
function saidOf(error: Error): string {
  const status = (error as { status?: number }).status;
  if (status !== undefined) return `it answered ${status} (${error.message})`;
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  return first.message;
}
