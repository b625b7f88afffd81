/**
 * `npm test`: every test of the repository by Node's own runner, after starting one PostgreSQL for all of them where its programs are found. Ends with
 * what was skipped and why. `SALLYPORT_TEST_REQUIRE=postgres,chromium,nginx,container` (CI) makes their absence a failure.
 *
 * `npm test -- packages/server/src/vault` runs a part.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { postgresPrograms, startCluster } from '../packages/server/test/fixtures/postgres.ts';
import { buildConsole } from '../packages/web/build.ts';

const wanted = process.argv.slice(2);
const files = globSync('packages/*/{src,test}/**/*.test.ts')
  .filter(file => wanted.length === 0 || wanted.some(part => file.includes(part)))
  .sort();

await buildConsole();
const programs = process.env['SALLYPORT_TEST_POSTGRES'] ? null : postgresPrograms();
const cluster = programs === null ? null : await startCluster(programs);
if (cluster !== null) process.env['SALLYPORT_TEST_POSTGRES'] = cluster.url;

const skipped = new Map<string, number>();
let passed = 0;
let failed = 0;
// A file that hangs is a failure, not a wait.
const stream = run({ files, concurrency: Math.max(2, availableParallelism()), timeout: 300_000 });
stream.on('test:pass', ({ skip, details }) => {
  if (details.type === 'suite') return;
  if (skip === undefined) passed += 1;
  else skipped.set(String(skip), (skipped.get(String(skip)) ?? 0) + 1);
});
stream.on('test:fail', ({ details }) => {
  if (details.type !== 'suite') failed += 1;
});
stream.compose(new spec()).pipe(process.stdout);
await new Promise(resolve => stream.once('end', resolve));
cluster?.remove();

await new Promise(resolve => setImmediate(resolve));
const skips = [...skipped.values()].reduce((sum, count) => sum + count, 0);
for (const [why, count] of skipped) console.log(`skipped ${count}: ${why}`);
console.log(`${passed} passed, ${failed} failed${skips > 0 ? `, ${skips} skipped` : ''}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
