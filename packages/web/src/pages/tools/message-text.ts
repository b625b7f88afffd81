import type { Json } from './mcp-client.ts';

/** A picture in base64 says nothing to a reader. */
const LONGEST_STRING = 4_000;

/** JSON for people: indented, with strings that nobody reads cut short. */
export function textOf(value: Json): string {
  return JSON.stringify(
    value,
    (_name, part: unknown) =>
      typeof part === 'string' && part.length > LONGEST_STRING
        ? `${part.slice(0, 200)}… (${part.length} characters)`
        : part,
    2,
  );
}
