import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { type Query, Refused } from '../answers.ts';
import type { Place } from './path.ts';
import { assertDirectory, entriesBelow, matchingLines, patternOf } from './search.ts';

/** Of one file so many lines are shown. */
const MOST_LINES = 3;
/** A larger file is no text that a person looks for, bytes. */
const MOST_BYTES = 1024 * 1024;
const PAGE = 100;

interface Candidate {
  readonly full: string;
  readonly below: string;
  readonly name: string;
  readonly type: 'file' | 'directory';
  /** How well its name fits, 0 the best. */
  readonly rank: number;
}

/** Files and directories by a part of their name, the best first. @throws Refused */
export async function searchFiles(query: Query, place: Place): Promise<unknown> {
  const path = place.path(query.text('path') ?? '.');
  const wanted = (query.text('query') ?? '').trim().toLowerCase();
  const most = query.number('limit', 1, PAGE) ?? 20;
  const type = query.text('type') ?? 'any';
  const found: Candidate[] = [];
  for await (const candidate of candidatesBelow(path, wanted, query.flag('show_hidden', false)))
    if (candidate.rank <= BY_NAME && (type === 'any' || type === candidate.type)) found.push(candidate);
  const results: Record<string, unknown>[] = [];
  for (const { full, name, type } of found.sort(better).slice(0, most)) {
    const info = await stat(full).catch(() => null);
    if (info !== null)
      results.push({ path: full, name, type, size: info.size, modified: info.mtimeMs / 1_000 });
  }
  return { results };
}

/** Files and directories by a part of their path, and files by what stands in them; a page, the best first. @throws Refused */
export async function matchFiles(query: Query, place: Place): Promise<unknown> {
  const wanted = query.required('query').trim();
  if (wanted === '') throw new Refused(400, 'Query must not be blank');
  const path = place.path(query.text('path') ?? '.');
  const offset = query.number('offset', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const limit = query.number('limit', 1, PAGE) ?? PAGE;
  const pattern = patternOf(wanted, false, true);
  const found: (Candidate & { lines: readonly unknown[] })[] = [];
  for await (const candidate of candidatesBelow(
    path,
    wanted.toLowerCase(),
    query.flag('show_hidden', false),
  )) {
    const lines = candidate.type === 'file' ? await linesIn(candidate.full, pattern) : [];
    if (candidate.rank < NOWHERE || lines.length > 0) found.push({ ...candidate, lines });
  }
  const results = found.sort(better).slice(offset, offset + limit);
  return {
    results: results.map(({ full, below, name, type, rank, lines }) => ({
      path: full,
      relative_path: below,
      name,
      type,
      name_match: rank < NOWHERE,
      content_matches: lines,
    })),
    next_offset: found.length > offset + limit ? offset + limit : null,
  };
}

const BY_NAME = 2;
const NOWHERE = 4;

/** @param wanted in small letters */
async function* candidatesBelow(path: string, wanted: string, hidden: boolean): AsyncGenerator<Candidate> {
  await assertDirectory(path);
  for await (const { entry, full } of entriesBelow(path, hidden)) {
    const below = relative(path, full);
    const name = entry.name.toLowerCase();
    const fits = [
      name === wanted,
      name.startsWith(wanted),
      name.includes(wanted),
      below.toLowerCase().includes(wanted),
      true,
    ];
    const type = entry.isDirectory() ? 'directory' : 'file';
    yield { full, below, name: entry.name, type, rank: fits.indexOf(true) };
  }
}

const better = (a: Candidate, b: Candidate): number =>
  a.rank - b.rank || a.below.length - b.below.length || (a.below < b.below ? -1 : 1);

async function linesIn(file: string, pattern: RegExp): Promise<unknown[]> {
  const info = await stat(file).catch(() => null);
  if (info === null || !info.isFile() || info.size > MOST_BYTES) return [];
  const lines: unknown[] = [];
  for await (const { line, content } of matchingLines(file, pattern)) {
    lines.push({ line, column: content.search(pattern) + 1, text: content });
    if (lines.length === MOST_LINES) break;
  }
  return lines;
}
