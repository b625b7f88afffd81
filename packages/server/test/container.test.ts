import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from './fixtures/ports.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const required = (process.env['SALLYPORT_TEST_REQUIRE'] ?? '').split(',');

/** The instructions of a Containerfile, continued lines joined, by stage. */
function stagesOf(text: string): { word: string; rest: string }[][] {
  const stages: { word: string; rest: string }[][] = [];
  for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
    const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') stages.push([]);
    else if (word !== undefined && stages.length > 0) stages.at(-1)!.push({ word, rest: rest! });
  }
  return stages;
}

const skipContainer =
  !required.includes('container') &&
  'what the Containerfile does takes a minute and the npm registry: SALLYPORT_TEST_REQUIRE=container does it';

test("what the Containerfile's steps make runs as its entry point says, and has no development in it", {
  skip: skipContainer,
}, async t => {
  const at = mkdtempSync(join(tmpdir(), 'sallyport-container-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  const [build, final] = stagesOf(read('Containerfile')) as [
    { word: string; rest: string }[],
    { word: string; rest: string }[],
  ];
  const inside = (text: string) =>
    text.replaceAll('/opt/sallyport', join(at, 'opt/sallyport')).replaceAll('/data', join(at, 'data'));
  const ignored = globSync(read('.containerignore').trim().split('\n'), {
    cwd: ROOT,
    exclude: path => path.includes('/node_modules/'),
  });
  const left = new Set(ignored.map(path => join(ROOT, path)));
  mkdirSync(join(at, 'data'));
  const source = join(at, 'src');

  mkdirSync(source);
  for (const { word, rest } of build) {
    if (word === 'COPY')
      cpSync(ROOT, source, { recursive: true, filter: path => !left.has(path.replace(/\/$/, '')) });
    // The machine's own packages are not ours to change.
    if (word !== 'RUN' || rest.startsWith('apt-get')) continue;
    const env = { ...process.env, NODE_ENV: 'production' };
    const ran = spawnSync('sh', ['-ec', inside(rest)], {
      cwd: source,
      env,
      encoding: 'utf8',
      timeout: 300_000,
    });
    assert.equal(ran.status, 0, `${rest}\n${ran.error ?? ''}${ran.stderr}${ran.stdout}`);
  }
  const made = join(at, 'opt/sallyport');
  for (const unwanted of [
    'node_modules/vite',
    'node_modules/typescript',
    'node_modules/oidc-provider',
    'packages/server/test',
  ])
    assert.equal(existsSync(join(made, unwanted)), false, unwanted);
  assert.deepEqual(globSync('packages/**/*.test.ts', { cwd: made }), []);

  rmSync(source, { recursive: true });
  const port = await freePort();
  const variables = final.filter(({ word }) => word === 'ENV').flatMap(({ rest }) => rest.split(' '));
  const env = Object.fromEntries(variables.map(pair => inside(pair).split(/=(.*)/s).slice(0, 2)));
  const wordsOf = (word: string) =>
    JSON.parse(inside(final.find(one => one.word === word)!.rest)) as string[];
  const [program, ...args] = [...wordsOf('ENTRYPOINT'), ...wordsOf('CMD')];
  const server = spawn(program!, args, {
    cwd: join(at, 'data'),
    env: { ...env, SALLYPORT_LISTEN: `127.0.0.1:${port}` },
  });
  t.after(() => server.kill('SIGKILL'));
  let said = '';
  server.stderr.on('data', chunk => (said += chunk));
  while (!said.includes('ready') && server.exitCode === null) {
    const ready = await Promise.race([once(server.stdout, 'data'), once(server, 'exit')]);
    said += String(ready[0]);
  }
  assert.match(said, /ready/);
  const page = await fetch(`http://localhost:${port}/sign-in`);
  assert.equal(page.status, 200, said);
  assert.match(await page.text(), /<div id="root">/);
  const [, check] = /CMD (\[.*\])$/.exec(final.find(({ word }) => word === 'HEALTHCHECK')!.rest)!;
  const [healthProgram, ...healthArgs] = JSON.parse(inside(check!).replace('8080', String(port))) as string[];
  assert.equal(spawnSync(healthProgram!, healthArgs, { timeout: 10_000 }).status, 0);
  const exit = once(server, 'exit');
  server.kill('SIGTERM');
  assert.equal((await exit)[0], 0);
  assert.notEqual(spawnSync(healthProgram!, healthArgs, { timeout: 10_000 }).status, 0);
});
