import { encodeHeader } from './header-value.ts';
import { isObject, type Params } from './json-rpc.ts';

/** Which arguments of a tool are repeated in which header, by the path of `properties` that leads to each. */
export type ToolHeaders = readonly { readonly name: string; readonly path: readonly string[] }[];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Of a tool's schema (Streamable HTTP, "Custom Headers from Tool Parameters"). @returns null for one that breaks the rules: such a tool is left out */
export function toolHeaders(inputSchema: unknown): ToolHeaders | null {
  const found: { name: string; path: string[] }[] = [];
  const names = new Set<string>();
  const walk = (schema: unknown, path: string[]): boolean => {
    if (!isObject(schema)) return true;
    const name = schema['x-mcp-header'];
    if (name !== undefined) {
      const plain = ['string', 'integer', 'boolean'].includes(schema['type'] as string);
      if (typeof name !== 'string' || !TOKEN.test(name) || !plain || path.length === 0) return false;
      if (names.has(name.toLowerCase())) return false;
      names.add(name.toLowerCase());
      found.push({ name, path });
    }
    const { properties } = schema;
    return (
      !isObject(properties) ||
      (path.length < 20 && Object.entries(properties).every(([key, of]) => walk(of, [...path, key])))
    );
  };
  return walk(inputSchema, []) ? found : null;
}

export function paramHeaders(headers: ToolHeaders, args: unknown): Record<string, string> {
  const out: Params & Record<string, string> = {};
  for (const { name, path } of headers) {
    const value = path.reduce<unknown>((of, key) => (isObject(of) ? of[key] : undefined), args);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      out[`mcp-param-${name.toLowerCase()}`] = encodeHeader(String(value));
  }
  return out;
}
