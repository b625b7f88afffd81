import { createApp } from './app.ts';
import { run } from './cli/program.ts';
import { systemRuntime } from './platform/runtime.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const stop = new AbortController();
for (const signal of SIGNALS) process.on(signal, heed);

/** The first signal lets open work end. After it the system's own rule holds again: a second one ends the process at once. */
function heed(): void {
  for (const signal of SIGNALS) process.off(signal, heed);
  stop.abort();
}

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  runtime: systemRuntime,
  signal: stop.signal,
  createGateway: createApp,
});
// Everything is disposed of by now; what still holds the loop must not hold the process.
setTimeout(() => process.exit(), 1_000).unref();
