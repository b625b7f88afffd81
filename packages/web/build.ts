import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const here = import.meta.dirname;
const dist = join(here, 'dist');
const stampFile = join(dist, '.stamp');
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json', 'build.ts'];

/** One hash over everything the build reads, so that `npm start` builds only what changed. */
function sourcesHash(): string {
  const files = SOURCES.flatMap(entry => {
    const path = join(here, entry);
    if (!existsSync(path)) return [];
    const inside = readdirSyncOrNull(path);
    return inside === null ? [path] : inside;
  }).sort();
  return hash(
    'sha256',
    files.map(file => `${relative(here, file)}\0${readFileSync(file, 'utf8')}`).join('\0'),
  );
}

function readdirSyncOrNull(path: string): string[] | null {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name));
  } catch {
    return null;
  }
}

/**
 * Builds the console into `dist` when it is missing or its sources changed since.
 * @returns whether it was built now
 */
export async function buildConsole(options: { force?: boolean } = {}): Promise<boolean> {
  const wanted = sourcesHash();
  const have = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : null;
  if (have === wanted && options.force !== true) return false;
  // Vite is loaded only when there is something to build: a start with a fresh console stays quick.
  const { build } = await import('vite');
  // Built beside, then put in place at once: a gateway that starts meanwhile never reads half a console.
  const beside = join(here, `dist.${process.pid}`);
  // Vite leaves NODE_ENV=production behind, and with it a test's `npm install` would leave out what development needs.
  const { NODE_ENV } = process.env;
  await build({ configFile: join(here, 'vite.config.ts'), mode: 'production', build: { outDir: beside } });
  if (NODE_ENV === undefined) delete process.env['NODE_ENV'];
  writeFileSync(join(beside, '.stamp'), wanted);
  rmSync(dist, { recursive: true, force: true });
  renameSync(beside, dist);
  return true;
}
