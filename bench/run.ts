import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildServer } from '../packages/server/build.ts';
import type { Bench } from './bench.ts';
import { installRivals } from './candidates/candidates.ts';
import { facts } from './machine.ts';
import { markdown, Report } from './report.ts';
import { forward } from './suites/forward.ts';
import { stream } from './suites/stream.ts';
import { paced } from './yardstick.ts';

/**
 * `npm run bench`: what Sallyport costs, beside what others cost on the same machine in the same run. See bench/README.md.
 *
 *   --only forward,stream,…   some suites
 *   --quick                   three short rounds: a look, not a result; results.md stays as it is
 *   --json                    one JSON object on standard output (npm run --silent leaves out its own lines)
 *   --rounds N                alternating rounds, at least 5 unless quick
 */
const SUITES: Record<string, (bench: Bench) => Promise<void>> = {
  forward,
  stream,
  identity: async bench => (await import('./suites/identity.ts')).identity(bench),
  refresh: async bench => (await import('./suites/refresh.ts')).refresh(bench),
  memory: async bench => (await import('./suites/memory.ts')).memory(bench),
  start: async bench => (await import('./suites/start.ts')).start(bench),
  tunnel: async bench => (await import('./suites/tunnel.ts')).tunnel(bench),
  terminal: async bench => (await import('./suites/terminal.ts')).terminal(bench),
  mcp: async bench => (await import('./suites/mcp.ts')).mcp(bench),
};

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});
const chosen = options.only?.split(',') ?? Object.keys(SUITES);
const unknown = chosen.filter(name => !(name in SUITES));
if (unknown.length > 0) {
  process.stderr.write(`no suite ${unknown.join(', ')}; there are ${Object.keys(SUITES).join(', ')}\n`);
  process.exit(2);
}
if (process.platform !== 'linux') {
  process.stderr.write('the benchmark reads processor time and memory from /proc, so it needs Linux\n');
  process.exit(2);
}

const report = new Report();
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const bench: Bench = {
  report,
  rounds: options.rounds ? Number(options.rounds) : options.quick ? 3 : 5,
  window: options.quick ? 600 : 2_000,
  quick: options.quick,
  folder,
  progress(text) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  },
};

// What users run.
await buildServer();
const machine = facts();
if (chosen.includes('forward') || chosen.includes('mcp')) {
  const why = installRivals();
  if (why !== null) report.absent('what bench/rivals holds', why);
}
for (const name of chosen) {
  try {
    const slowness = await paced(bench, name, () => SUITES[name]!(bench));
    if (slowness !== null) report.slowness.set(name, slowness);
  } catch (error) {
    report.absent(`suite ${name}`, `it failed: ${(error as Error).stack ?? error}`);
    process.exitCode = 1;
  }
}
bench.progress('');

const text = markdown(report, machine);
if (!options.quick && options.only === undefined) {
  writeFileSync(
    join(import.meta.dirname, 'results.md'),
    `# What was measured\n\nWritten by \`npm run bench\`.\n\n${text}`,
  );
}
if (options.json) {
  const { rows, targets, absences } = report;
  const slowness = Object.fromEntries(report.slowness);
  process.stdout.write(`${JSON.stringify({ machine, slowness, rows, targets, absences })}\n`);
} else process.stdout.write(text);
// Children are gone by now; whatever else holds the loop must not hold the terminal.
process.exit();
