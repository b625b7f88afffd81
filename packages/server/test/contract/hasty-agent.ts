/** Our own agent, whose clock runs HASTE times as fast as the world's: half a minute of silence is over soon. Flags as those of the agent. */
import { setTimeout as delay } from 'node:timers/promises';
import { runAgent } from '../../../agent/src/agent.ts';
import { readArguments } from '../../../agent/src/arguments.ts';
import { createLog } from '../../../agent/src/log.ts';

const HASTE = 10;

const read = await readArguments(process.argv.slice(2), process.env);
if (!('settings' in read) || read.settings === undefined)
  throw new Error('expected flags that serve something');
const log = createLog({
  json: false,
  write: line => void process.stderr.write(`${line}\n`),
  now: () => new Date(),
});
await runAgent({
  settings: read.settings,
  clock: {
    monotonic: () => performance.now() * HASTE,
    sleep: (ms, signal) => delay(ms / HASTE, undefined, { signal }),
  },
  log,
  env: process.env,
  version: '0',
  instance: crypto.randomUUID(),
  random: Math.random,
});
