import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildServer } from '../build.ts';
import { freePort } from './fixtures/ports.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PACKAGE = 'packages/server';

function folder(t: TestContext): string {
  const at = mkdtempSync(join(tmpdir(), 'sallyport-bundle-'));
  t.after(() => rmSync(at, { recursive: true, force: true }));
  mkdirSync(join(at, PACKAGE), { recursive: true });
  writeFileSync(join(at, PACKAGE, 'package.json'), '{ "type": "module" }');
  return at;
}

const copy = (at: string, path: string) =>
  cpSync(join(ROOT, PACKAGE, path), join(at, PACKAGE, path), { recursive: true });

test('the bundle is a gateway without its source and without a library, but for the shells', async t => {
  await buildServer();
  const at = folder(t);
  for (const path of ['bin', 'dist', 'migrations']) copy(at, path);
  mkdirSync(join(at, 'node_modules/@sallyport'), { recursive: true });
  symlinkSync(join(ROOT, 'packages/shells'), join(at, 'node_modules/@sallyport/shells'));
  const port = await freePort();
  const program = join(at, PACKAGE, 'bin/sallyport.js');
  const server = spawn(process.execPath, [program, 'serve', '--listen', `127.0.0.1:${port}`], { cwd: at });
  t.after(() => server.kill('SIGKILL'));
  const exit = once(server, 'exit');
  let said = '';
  for (const output of [server.stdout, server.stderr]) output.on('data', chunk => (said += chunk));
  while (!said.includes('sallyport ready')) {
    assert.equal(server.exitCode, null, said);
    await Promise.race([once(server.stdout, 'data'), exit]);
  }
  const options = await fetch(`http://localhost:${port}/api/v1/sign-in-options`);
  assert.equal(options.status, 200, said);
  server.kill('SIGTERM');
  assert.equal((await exit)[0], 0, said);
});

test('what runs is the bundle, unless a source is younger than it, or it is not there', t => {
  const at = folder(t);
  copy(at, 'bin');
  const place = (path: string) => join(at, PACKAGE, path);
  for (const dir of ['src/deep', 'dist']) mkdirSync(place(dir), { recursive: true });
  writeFileSync(place('src/main.ts'), "console.log('source')");
  writeFileSync(place('src/deep/other.ts'), '');
  writeFileSync(place('dist/main.js'), "console.log('bundle')");
  const runs = () =>
    spawnSync(process.execPath, [place('bin/sallyport.js')], { encoding: 'utf8' }).stdout.trim();
  const changed = (path: string, hour: number) => utimesSync(place(path), 0, hour * 3_600);

  for (const path of ['src/main.ts', 'src/deep/other.ts']) changed(path, 1);
  changed('dist/main.js', 2);
  assert.equal(runs(), 'bundle');
  changed('src/deep/other.ts', 3);
  assert.equal(runs(), 'source');
  changed('dist/main.js', 4);
  assert.equal(runs(), 'bundle');
  rmSync(place('dist'), { recursive: true });
  assert.equal(runs(), 'source');
});
