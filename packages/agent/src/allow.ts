import type { AllowRules } from './settings.ts';

/** What some reader might take for another path than it seems. */
const AMBIGUOUS = /\/\/|\\|%2f|%5c|%2e|(?:^|\/)\.{1,2}(?:[/;]|$)/i;

/** @param target path and query as the gateway asks for them, relative to the server */
export function pathAllowed({ paths }: AllowRules, target: string): boolean {
  if (paths.length === 0) return true;
  const path = target.split('?', 1)[0]! || '/';
  if (AMBIGUOUS.test(path)) return false;
  return paths.some(allowed => {
    const base = allowed.replace(/\/$/, '');
    return path === base || path === `${base}/` || path.startsWith(`${base}/`);
  });
}
