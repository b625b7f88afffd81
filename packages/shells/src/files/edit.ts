import { Refused } from '../answers.ts';

/** A text with replacements made one after the other, each of a target that stands there exactly once unless it says otherwise. @throws Refused */
export function edited(text: string, replacements: unknown): string {
  if (!Array.isArray(replacements)) throw new Refused(422, 'replacements: expected a list');
  return replacements.reduce((content: string, one: Record<string, unknown>) => replaced(content, one), text);
}

function replaced(content: string, one: Record<string, unknown>): string {
  const { target, replacement, allow_multiple } = one;
  if (typeof target !== 'string' || target === '' || typeof replacement !== 'string')
    throw new Refused(422, 'replacements: expected target and replacement');
  const lines = content.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const start = lineIn(one['start_line']) ?? 1;
  const end = lineIn(one['end_line']) ?? lines.length;
  const region = lines.slice(start - 1, end).join('');
  const count = region.split(target).length - 1;
  if (count === 0) throw new Refused(400, `Target string not found: ${JSON.stringify(target.slice(0, 100))}`);
  if (count > 1 && allow_multiple !== true)
    throw new Refused(400, `Found ${count} occurrences of target string but allow_multiple is false`);
  // Not by `replaceAll` with a text, in which `$&` means something.
  const changed = region.split(target).join(replacement);
  return [...lines.slice(0, start - 1), changed, ...lines.slice(end)].join('');
}

const lineIn = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 ? value : null;
