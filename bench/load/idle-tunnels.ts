import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { createAgent, dial } from '../../packages/agent/src/dial.ts';
import { openSession } from '../../packages/agent/src/session.ts';

/** Agents that connect and then do nothing, all in one process. Arguments: the gateway, a key, how many. Says how many stand open. */
const [gateway, key, wanted] = process.argv.slice(2) as [string, string, string];
const clock: Clock = {
  monotonic: () => performance.now(),
  sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
};
const url = new URL(gateway);
const { signal } = new AbortController();
const agent = createAgent(url, null, {});
let open = 0;

async function connect(n: number): Promise<void> {
  const options = {
    gateway: url,
    key,
    agent,
    userAgent: 'bench',
    now: clock.monotonic,
    signal,
    fellBack() {},
  };
  const stream = await dial(options);
  const served = Promise.withResolvers<void>();
  openSession({
    stream,
    clock,
    servers: new Map(),
    hello: {
      protocol: 1,
      agent: { name: 'bench', version: '1', instance: randomUUID() },
      servers: [{ name: `idle-${n}`, kind: 'http', isolate: 'shared', title: null, description: null }],
    },
    noticed: () => served.resolve(),
  });
  await served.promise;
  open += 1;
}

process.on('disconnect', () => process.exit());
for (let n = 0; n < Number(wanted); n += 20)
  await Promise.all(Array.from({ length: Math.min(20, Number(wanted) - n) }, (_, at) => connect(n + at)));
process.send!({ ready: open });
