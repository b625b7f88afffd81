import type { z } from 'zod';
import { AppError } from '../platform/errors.ts';

/** Where in the configuration: `['upstreams', 1, 'url']`. */
export type Path = readonly (string | number)[];

/** Reports one problem at a path. */
export type Report = (path: Path, message: string) => void;

/** What a reader of a value found wrong with it; says what was expected, never what was given (it may be a secret). */
export class Refusal extends Error {}

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends AppError {
  /** One line each: path, what was expected, and where it was read. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    super(
      'config_invalid',
      `The configuration has ${count}:\n${problems.map(problem => `  ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** `upstreams[1].url` */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** What zod found wrong below a path; each unknown key is a problem of its own. */
export function reportIssue(at: Path, issue: z.core.$ZodIssue, report: Report): void {
  const path = [...at, ...(issue.path as (string | number)[])];
  if (issue.code !== 'unrecognized_keys') {
    report(path, issue.message);
    return;
  }
  const lines = issue.message.split('\n');
  issue.keys.forEach((unknown, index) => {
    report([...path, unknown], lines[index]!);
  });
}

/** `; did you mean "upstreams"?`, when one of the known names is near enough to be a slip of the hand. */
export function didYouMean(name: string, known: readonly string[]): string {
  const allowed = name.length < 5 ? 1 : Math.max(2, Math.floor(name.length / 4));
  const near = known
    .map(candidate => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? '' : `; did you mean "${near.candidate}"?`;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
