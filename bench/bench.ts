import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Candidate, RECIPES } from './candidates/candidates.ts';
import { type Load, startLoad } from './processes.ts';
import type { Report } from './report.ts';

/** What every suite is given. */
export interface Bench {
  readonly report: Report;
  /** Alternating rounds. */
  readonly rounds: number;
  /** Milliseconds that one measurement lasts. */
  readonly window: number;
  readonly quick: boolean;
  /** A directory that is removed at the end. */
  readonly folder: string;
  /** Says on the terminal what goes on. */
  progress(text: string): void;
}

/** Starts load and candidates, runs, and ends them all. Who cannot start is reported as missing. */
export async function withCandidates(
  bench: Bench,
  names: readonly string[],
  run: (load: Load, candidates: Candidate[]) => Promise<void>,
): Promise<void> {
  await using load = await startLoad();
  await using stack = new AsyncDisposableStack();
  const candidates: Candidate[] = [];
  for (const recipe of RECIPES) {
    if (!names.includes(recipe.name)) continue;
    const missing = recipe.missing();
    if (missing !== null) {
      bench.report.absent(recipe.name, missing);
      continue;
    }
    const folder = join(
      bench.folder,
      `${recipe.name.replaceAll(' ', '-')}-${candidates.length}-${Date.now()}`,
    );
    mkdirSync(folder, { recursive: true });
    try {
      candidates.push(stack.use(await recipe.start(load.upstreamPort, folder)));
    } catch (error) {
      bench.report.absent(recipe.name, `it did not start: ${(error as Error).message}`);
    }
  }
  await run(load, candidates);
}

/** Each round begins with another candidate, so that none is always the one after a noisy neighbour. */
export function rotated<T>(all: readonly T[], round: number): T[] {
  const by = round % Math.max(1, all.length);
  return [...all.slice(by), ...all.slice(0, by)];
}

/** A request as a browser's or an SDK's: some fields that cost a proxy its pass over them. */
export function requestTo(
  candidate: Pick<Candidate, 'path' | 'headers' | 'port'>,
  path: string,
  body = '',
): string {
  const method = body === '' ? 'GET' : 'POST';
  const type = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
  return `${method} ${candidate.path(path)} HTTP/1.1\r
host: localhost:${candidate.port}\r
user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36\r
accept: application/json, text/event-stream\r
accept-encoding: gzip, deflate, br\r
accept-language: en-GB,en;q=0.9\r
origin: http://localhost:${candidate.port}\r
sec-fetch-dest: empty\r
sec-fetch-mode: cors\r
sec-fetch-site: same-origin\r
${type}${candidate.headers}\r
${body}`;
}

/** The load generator's way past all candidates: what the wire itself costs. */
export const direct = (upstreamPort: number) => ({
  name: 'direct',
  port: upstreamPort,
  path: (path: string) => path,
  headers: '',
});
