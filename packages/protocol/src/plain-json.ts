/** `JSON` with access to the source text of numbers (ECMAScript 2026), which its types do not have yet. */
const { parse, rawJSON } = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};

/** A number that may be more than JavaScript's can hold (RFC 8259 section 6). */
const LONG = /\d[\d.]{14}|\d[eE]/;

/**
 * A JSON text written anew from what we read in it, so that whoever reads it next reads the same: of members of one name the last (RFC 8259 section 4 leaves open
 * which counts), in UTF-8. Numbers stay as they are written.
 * @throws SyntaxError
 */
export function plainJson(text: string): string {
  if (!LONG.test(text)) return JSON.stringify(JSON.parse(text));
  return JSON.stringify(
    parse(text, (_key, value, { source }) => (typeof value === 'number' ? rawJSON(source) : value)),
  );
}

const MEMBERS = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);
const NAMED = new Set(['name', 'arguments']);

/**
 * Whether a JSON-RPC message has a member that readers who pass over the case of letters (Go's encoding/json does, and folds beyond ASCII) take for one that
 * decides what is called: `Method` beside `method`. No honest client sends one; what was looked at here would not be what is done there.
 */
export function isTwoFaced(message: object): boolean {
  const { method, params } = message as { readonly method?: unknown; readonly params?: unknown };
  const calls = method === 'tools/call' && typeof params === 'object' && params !== null;
  return hasAlike(message, MEMBERS) || (calls && hasAlike(params, NAMED));
}

function hasAlike(holder: object, names: ReadonlySet<string>): boolean {
  for (const key in holder) if (!names.has(key) && names.has(key.toUpperCase().toLowerCase())) return true;
  return false;
}
