import { readdir, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Refused, readJson } from '../answers.ts';
import type { Place } from './path.ts';
import { type ZipEntry, zip } from './zip.ts';

/** What the plain form of a ZIP archive holds. */
const MOST_FILES = 65_535;
const MOST_BYTES = 4 * 1024 ** 3 - 64 * 1024 ** 2;

/** `POST /files/archive`: files and directories as one ZIP archive, packed while it is sent. @throws Refused */
export async function sendArchive(
  req: IncomingMessage,
  res: ServerResponse,
  place: Place,
): Promise<undefined> {
  const { paths } = await readJson(req);
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every(path => typeof path === 'string'))
    throw new Refused(400, 'paths: expected a list of texts');
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let bytes = 0;
  for (const text of paths as string[]) {
    for await (const entry of entriesAt(text, place)) {
      bytes += entry.size;
      if (entries.length === MOST_FILES || bytes > MOST_BYTES)
        throw new Refused(413, `An archive holds ${MOST_FILES} files and ${MOST_BYTES} bytes at most`);
      const name = freeName(entry.name, names);
      names.add(name);
      entries.push({ ...entry, name });
    }
  }
  const [only] = paths as string[];
  const title = (paths.length === 1 && basename(place.path(only!))) || 'download';
  res.writeHead(200, {
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${title.replaceAll(/[^\w .()+-]/g, '_')}.zip"`,
    'x-content-type-options': 'nosniff',
  });
  await pipeline(zip(entries), res).catch(() => res.destroy());
  return undefined;
}

/** Regular files at a path and below; links are not followed. @throws Refused */
async function* entriesAt(text: string, place: Place): AsyncGenerator<ZipEntry> {
  const path = place.path(text);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (found === null) throw new Refused(404, `Path not found: ${text}`);
  const name = basename(path) || 'files';
  if (found.isFile()) yield { name, path, size: found.size, modified: found.mtime };
  else if (found.isDirectory()) yield* entriesBelow(path, name);
}

async function* entriesBelow(directory: string, name: string): AsyncGenerator<ZipEntry> {
  const below = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of below) {
    const [path, called] = [join(directory, entry.name), `${name}/${entry.name}`];
    if (entry.isDirectory()) yield* entriesBelow(path, called);
    if (!entry.isFile()) continue;
    const found = await stat(path).catch(() => null);
    if (found !== null) yield { name: called, path, size: found.size, modified: found.mtime };
  }
}

/** Two directories may have a file of one name. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let n = 2; taken.has(free); n++) free = name.replace(/(\.[^./]*)?$/, ` (${n})$1`);
  return free;
}
