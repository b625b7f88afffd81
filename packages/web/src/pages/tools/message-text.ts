import type { Json } from './mcp-client.ts';

/** A picture in base64 says nothing to a reader. */
const LONGEST_STRING = 4_000;
/** A browser lays out so much text at once without a halt. */
const LONGEST_TEXT = 200_000;

/** JSON for people: indented, with strings that nobody reads cut short. */
export function textOf(value: Json): string {
  const text = JSON.stringify(
    value,
    (_name, part: unknown) =>
      typeof part === 'string' && part.length > LONGEST_STRING
        ? `${part.slice(0, 200)}… (${part.length} characters)`
        : part,
    2,
  );
  return beginning(text);
}

/** A text, or as much of it as a page can bear, and how much there is. */
export const beginning = (text: string): string =>
  text.length > LONGEST_TEXT
    ? `${text.slice(0, LONGEST_TEXT)}\n… (${text.length} characters in all; this is the beginning)`
    : text;
