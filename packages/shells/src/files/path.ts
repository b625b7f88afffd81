import { normalize, resolve } from 'node:path';
import { Refused } from '../answers.ts';

/** Where a caller is, and what they name. */
export class Place {
  readonly home = process.env['HOME'] ?? '/';
  readonly cwd: string;

  /** @param cwd absolute; null: at home */
  constructor(cwd: string | null) {
    this.cwd = cwd ?? this.home;
  }

  /** As the user's own shell would take it. @throws Refused */
  path(text: string): string {
    if (text.includes('\0')) throw new Refused(400, 'A path has no null character.');
    if (text === '~' || text.startsWith('~/')) return normalize(this.home + text.slice(1));
    return resolve(this.cwd, text);
  }
}
