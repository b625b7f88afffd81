import { createApp } from './app.ts';
import { run } from './cli/program.ts';
import { systemRuntime } from './platform/runtime.ts';

const stop = new AbortController();
// Once: a second signal ends the process at once.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

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
