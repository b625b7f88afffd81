#!/usr/bin/env node
// Plain JavaScript that an old Node understands: it finds the Node that can run the rest. See decisions/0001.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const OLDEST = [24, 12];

const main = new URL('../src/main.ts', import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) {
  // What passes lies outside of V8's heap, which is small: V8 would collect everything after each 10 MB of it (decisions/0023).
  setFlagsFromString('--heap-growing-percent=300');
  await import(main.href);
} else {
  const own = ownNode();
  if (own === null) {
    process.stderr.write(
      `The Sallyport agent needs Node ${OLDEST.join('.')} or newer, and this is ${process.versions.node}.\n` +
        'In the repository, npm install brings the right one; elsewhere, install it from nodejs.org.\n',
    );
    process.exitCode = 1;
  } else {
    const child = spawn(own, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
    // The terminal sends SIGINT to both; SIGTERM comes to this process alone.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('exit', (code, signal) => {
      if (signal === null) process.exitCode = code ?? 1;
      else process.kill(process.pid, signal);
    });
  }
}

/** The project's own Node, a devDependency, from this folder upwards. */
function ownNode() {
  for (let folder = new URL('../', import.meta.url); ; folder = new URL('../', folder)) {
    const node = fileURLToPath(new URL('node_modules/node/bin/node', folder));
    if (existsSync(node)) return node;
    if (folder.pathname === '/' || new URL('../', folder).href === folder.href) return null;
  }
}
