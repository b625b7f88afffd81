import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PACKAGE_FOLDER } from '../platform/package-folder.ts';

/** One file of the built console, ready to be sent. */
export interface ConsoleFile {
  readonly type: string;
  readonly body: Buffer;
  /** Null where compression gains nothing. */
  readonly gzip: Buffer | null;
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const COMPRESSED = new Set(['.html', '.js', '.css', '.svg']);

/** Where the built console lies; null when it was not built. */
export function findConsole(): string | null {
  const place = join(PACKAGE_FOLDER, '../web/dist');
  return existsSync(join(place, 'index.html')) ? place : null;
}

/**
 * The whole console in memory (about a megabyte), by URL path. Requests only look up this map: no request ever names a
 * file of the disk. Files of unknown types are left out.
 */
export function readConsole(dir: string): ReadonlyMap<string, ConsoleFile> {
  const files = new Map<string, ConsoleFile>();
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const body = readFileSync(path);
    const gzip = COMPRESSED.has(extname(entry.name)) ? gzipSync(body) : null;
    files.set(`/${relative(dir, path).split(sep).join('/')}`, { type, body, gzip });
  }
  return files;
}
