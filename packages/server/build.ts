/**
 * Makes one file of the server and its libraries, `dist/main.js`: 800 modules that need not be found, read and linked at each start. `bin/sallyport.js` runs it
 * as long as no source is younger; without it, or after a change, it runs the source.
 */
import { hash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const dist = join(here, 'dist');
const stampFile = join(dist, '.stamp');

/** One hash over everything the build reads; libraries by the lock file. */
function sourcesHash(): string {
  const sources = [join(here, 'src'), join(here, '../protocol/src')]
    .flatMap(folder => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map(entry => join(entry.parentPath, entry.name))
    .sort();
  const others = ['build.ts', 'package.json', '../../package-lock.json'].map(name => join(here, name));
  const texts = [...sources, ...others]
    .filter(existsSync)
    .map(file => `${file}\0${readFileSync(file, 'utf8')}`);
  return hash('sha256', texts.join('\0'));
}

/**
 * Bundles the server into `dist` when that is missing or something it is made of has changed.
 * @returns whether it was made now
 */
export async function buildServer(options: { force?: boolean } = {}): Promise<boolean> {
  const wanted = sourcesHash();
  const have = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : null;
  if (have === wanted && options.force !== true) {
    // Files may be younger without having changed, after a checkout.
    const now = new Date();
    utimesSync(join(dist, 'main.js'), now, now);
    return false;
  }
  const { rolldown } = await import('rolldown');
  // Built beside, then put in place at once: a gateway that starts meanwhile never reads half a bundle.
  const beside = join(here, `dist.${process.pid}`);
  const bundle = await rolldown({
    input: join(here, 'src/main.ts'),
    platform: 'node',
    // Shells are rarely wanted, and start programs from their own files; pg asks for its native form, and does without.
    external: [/^node:/, /^@sallyport\/shells/, 'pg-native'],
  });
  await bundle.write({ dir: beside, format: 'esm' });
  writeFileSync(join(beside, '.stamp'), wanted);
  rmSync(dist, { recursive: true, force: true });
  renameSync(beside, dist);
  return true;
}
