import { createReadStream, type Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, matchesGlob, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { type Query, Refused } from '../answers.ts';
import type { Place } from './path.ts';

/** What is longer is no text that a person wrote, characters. */
const LONGEST_LINE = 10_000;
const MOST_RESULTS = 500;

/** Lines that match, in a directory and all below. @throws Refused */
export async function grepSearch(query: Query, place: Place): Promise<unknown> {
  const wanted = query.required('query');
  const path = place.path(query.text('path') ?? '.');
  const most = query.number('max_results', 1, MOST_RESULTS) ?? 50;
  const include = query.texts('include');
  const perLine = query.flag('match_per_line', true);
  const pattern = patternOf(wanted, query.flag('regex', true), query.flag('case_insensitive', false));
  const found = await stat(path).catch(() => null);
  if (found === null) throw new Refused(404, 'Search path not found');

  const matches: Record<string, unknown>[] = [];
  const files = found.isFile() ? [path] : filesBelow(path, include);
  for await (const file of files) {
    for await (const { line, content } of matchingLines(file, pattern)) {
      matches.push(perLine ? { file, line, content } : { file });
      if (!perLine || matches.length >= most) break;
    }
    if (matches.length >= most) break;
  }
  return { query: wanted, path, matches, truncated: matches.length >= most };
}

/** Files and directories whose name or path matches. @throws Refused */
export async function globSearch(query: Query, place: Place): Promise<unknown> {
  const pattern = query.required('pattern');
  const path = place.path(query.text('path') ?? '.');
  const most = query.number('max_results', 1, MOST_RESULTS) ?? 50;
  const exclude = query.texts('exclude');
  const type = query.text('type') ?? 'any';
  await assertDirectory(path);
  const fits = (glob: string, name: string, below: string) =>
    matchesGlob(name, glob) || matchesGlob(below, glob);
  const matches: Record<string, unknown>[] = [];
  for await (const { entry, full } of entriesBelow(path)) {
    const kind = entry.isDirectory() ? 'directory' : 'file';
    const below = relative(path, full);
    if (type !== 'any' && type !== kind) continue;
    if (!fits(pattern, entry.name, below) || exclude.some(glob => fits(glob, entry.name, below))) continue;
    const found = await stat(full).catch(() => null);
    if (found === null) continue;
    matches.push({ path: below, type: kind, size: found.size, modified: found.mtimeMs / 1_000 });
    if (matches.length >= most) break;
  }
  return { pattern, path, matches, truncated: matches.length >= most };
}

/** @throws Refused */
export async function assertDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) throw new Refused(404, 'Search directory not found');
}

export function patternOf(text: string, isRegex: boolean, ignoreCase: boolean): RegExp {
  try {
    return new RegExp(isRegex ? text : text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'), ignoreCase ? 'i' : '');
  } catch (error) {
    throw new Refused(400, `Invalid regex: ${(error as Error).message}`);
  }
}

export async function* matchingLines(file: string, pattern: RegExp) {
  const stream = createReadStream(file, 'utf8');
  let line = 0;
  try {
    for await (const content of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      if (content.includes('\0')) return;
      if (content.length <= LONGEST_LINE && pattern.test(content)) yield { line, content };
    }
  } catch {
    // Unreadable.
  } finally {
    stream.destroy();
  }
}

async function* filesBelow(dir: string, include: readonly string[]) {
  for await (const { entry, full } of entriesBelow(dir))
    if (entry.isFile() && (include.length === 0 || include.some(glob => matchesGlob(entry.name, glob))))
      yield full;
}

/** Links are not followed: they may lead in a circle. @param hidden whether what begins with a dot is there, too */
export async function* entriesBelow(
  dir: string,
  hidden = true,
): AsyncGenerator<{ entry: Dirent; full: string }> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!hidden && entry.name.startsWith('.')) continue;
    const full = join(dir, entry.name);
    yield { entry, full };
    if (entry.isDirectory()) yield* entriesBelow(full, hidden);
  }
}
