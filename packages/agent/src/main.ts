import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import manifest from '../package.json' with { type: 'json' };
import { runAgent } from './agent.ts';
import { readArguments } from './arguments.ts';
import { createLog } from './log.ts';
import { login } from './login.ts';
import { SettingsError } from './settings.ts';

/** What calls under way get to end when the agent is told to stop, milliseconds. */
const DRAIN = 30_000;

const clock: Clock = {
  monotonic: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};

try {
  const read = await readArguments(process.argv.slice(2), process.env);
  if (read.text !== null) process.stdout.write(`${read.text}\n`);
  else if (read.login !== undefined) {
    const say = (text: string) => void process.stdout.write(`${text}\n`);
    await login(read.login, { clock, env: process.env, say });
  } else {
    const { settings } = read;
    const log = createLog({
      json: settings.json,
      write: line => void process.stderr.write(`${line}\n`),
      now: () => new Date(),
    });
    for (const warning of read.warnings) log.warn(warning);
    const agent = await runAgent({
      settings,
      clock,
      log,
      env: process.env,
      version: manifest.version,
      instance: randomBytes(16).toString('base64url'),
      random: Math.random,
    });
    const stop = (signal: NodeJS.Signals) => {
      // A second one ends it at once.
      process.off('SIGTERM', stop).off('SIGINT', stop);
      log.info(`${signal}: ending what is under way`);
      void Promise.race([agent.drain(), delay(DRAIN)]).then(() => process.exit(0));
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
    const ended = await agent.done;
    if (ended !== null) {
      await agent.drain();
      process.exit(3);
    }
  }
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  process.stderr.write(`sallyport-agent: ${error.message}\n`);
  process.exitCode = 2;
}
