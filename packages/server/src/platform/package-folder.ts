import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** This package's own folder, for the source and for the bundle made of it, which lie at different depths in it. */
export const PACKAGE_FOLDER = above(import.meta.dirname);

function above(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : above(dirname(folder));
}
