/**
 * `npm test`: every test of the repository by Node's own runner, after starting one PostgreSQL for all of them where its programs are found. Ends with
 * what was skipped and why. `SALLYPORT_TEST_REQUIRE=postgres,chromium,nginx,container` (CI) makes their absence a failure.
 *
 * `npm test -- packages/server/src/vault` runs a part; `--again` runs files with failures once more, one after the other, and says which passed only so.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { buildServer } from '../packages/server/build.ts';
import { postgresPrograms, startCluster } from '../packages/server/test/fixtures/postgres.ts';
import { buildConsole } from '../packages/web/build.ts';

const again = process.argv.includes('--again');
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'));
const files = globSync('packages/*/{src,test}/**/*.test.ts')
  .filter(file => wanted.length === 0 || wanted.some(part => file.includes(part)))
  .sort();

await buildConsole();
// Gateways in processes of their own run what users run.
await buildServer();
const programs = process.env['SALLYPORT_TEST_POSTGRES'] ? null : postgresPrograms();
const cluster = programs === null ? null : await startCluster(programs);
if (cluster !== null) process.env['SALLYPORT_TEST_POSTGRES'] = cluster.url;

interface Outcome {
  passed: number;
  readonly skipped: string[];
  /** What failed in which file. */
  readonly failed: { file: string; name: string; error: unknown }[];
}

async function outcomeOf(files: readonly string[], concurrency: number): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, skipped: [], failed: [] };
  // A file that hangs is a failure, not a wait.
  const stream = run({ files: [...files], concurrency, timeout: 300_000 });
  stream.on('test:pass', ({ skip, details }) => {
    if (details.type === 'suite') return;
    if (skip === undefined) outcome.passed += 1;
    else outcome.skipped.push(String(skip));
  });
  stream.on('test:fail', ({ details, file, name }) => {
    if (details.type !== 'suite') outcome.failed.push({ file: file ?? name, name, error: details.error });
  });
  stream.compose(new spec()).pipe(process.stdout, { end: false });
  await new Promise(resolve => stream.once('end', resolve));
  await new Promise(resolve => setImmediate(resolve));
  return outcome;
}

const outcome = await outcomeOf(files, Math.max(2, availableParallelism()));
let { passed, failed } = outcome;
if (again && failed.length > 0) {
  const alone = [...new Set(failed.map(({ file }) => file))];
  console.log(`== ${alone.length} files with failures once more, one after the other`);
  const second = await outcomeOf(alone, 1);
  // What passed the first time counted then.
  const mended = failed.filter(
    ({ name, file }) => !second.failed.some(one => one.name === name && one.file === file),
  );
  for (const { name, file, error } of mended)
    console.log(`passed only when run alone: ${file}: ${name}\n`, error);
  passed += mended.length;
  failed = second.failed;
}
cluster?.remove();

const skipped = Map.groupBy(outcome.skipped, why => why);
for (const [why, those] of skipped) console.log(`skipped ${those.length}: ${why}`);
for (const { file, name, error } of failed) console.log(`failed: ${file}: ${name}\n`, error);
const skips = outcome.skipped.length;
console.log(`${passed} passed, ${failed.length} failed${skips > 0 ? `, ${skips} skipped` : ''}`);
process.exitCode = failed.length > 0 || passed === 0 ? 1 : 0;
