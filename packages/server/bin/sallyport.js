#!/usr/bin/env node
// Plain JavaScript that an old Node understands: it finds the Node that can run the rest. See decisions/0001.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import * as module from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const OLDEST = [24, 12];

const [major, minor] = process.versions.node.split('.').map(Number);

if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) {
  // What was compiled once is not compiled again: it halves the start. Never in a folder that others may write to.
  const cache = nearest('node_modules');
  if (cache !== null) module.enableCompileCache?.(`${cache}/.cache/sallyport`);
  // Loading makes the space for new objects grow to 25 MB, which a quiet process would keep. It may grow when calls come (decisions/0016).
  setFlagsFromString('--semi-space-growth-factor=1');
  setTimeout(() => {
    // Kept soon, not only by a process that ends well; and before the flag changes, with which it would not be good again.
    module.flushCompileCache?.();
    setFlagsFromString('--semi-space-growth-factor=2');
    // What passes lies outside of V8's heap, and would have it collect everything some fifteen times a second (decisions/0024).
    setFlagsFromString('--heap-growing-percent=300');
  }, 3_000).unref();
  await import(newestForm().href);
} else {
  const own = nearest('node_modules/node/bin/node');
  if (own === null) {
    process.stderr.write(
      `Sallyport needs Node ${OLDEST.join('.')} or newer, and this is ${process.versions.node}.\n` +
        'In the repository, npm install brings the right one; elsewhere, install it from nodejs.org.\n',
    );
    process.exitCode = 1;
  } else {
    const child = spawn(
      own,
      [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)],
      {
        stdio: 'inherit',
      },
    );
    // The terminal sends SIGINT to both; SIGTERM comes to this process alone.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('exit', (code, signal) => {
      if (signal === null) process.exitCode = code ?? 1;
      else process.kill(process.pid, signal);
    });
  }
}

/** The bundle that `build.ts` makes, or the source where that is younger or alone. */
function newestForm() {
  const bundle = new URL('../dist/main.js', import.meta.url);
  const source = new URL('../src/main.ts', import.meta.url);
  const made = statSync(bundle, { throwIfNoEntry: false })?.mtimeMs;
  if (made === undefined) return source;
  for (const folder of ['../src/', '../../protocol/src/', '../../../package-lock.json'])
    if (changedAfter(made, new URL(folder, import.meta.url))) return source;
  return bundle;
}

function changedAfter(time, place) {
  const stat = statSync(place, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return stat !== undefined && stat.mtimeMs > time;
  return readdirSync(place, { recursive: true })
    .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .some(name => statSync(new URL(name, place)).mtimeMs > time);
}

/** Something in this folder or one above it: the project's own Node, a devDependency, lies with all others. */
function nearest(path) {
  for (let folder = new URL('../', import.meta.url); ; folder = new URL('../', folder)) {
    const found = fileURLToPath(new URL(path, folder));
    if (existsSync(found)) return found;
    if (folder.pathname === '/' || new URL('../', folder).href === folder.href) return null;
  }
}
