import { isObject, type Json } from './mcp-client.ts';

/** Visible ASCII, and spaces and tabs within. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const DEEPEST = 20;

/** A value as a header may carry it (Streamable HTTP, "Value Encoding"). */
export function encodeHeader(value: string): string {
  if (PLAIN.test(value) && !value.startsWith('=?base64?')) return value;
  const bytes = String.fromCharCode(...new TextEncoder().encode(value));
  return `=?base64?${btoa(bytes)}?=`;
}

/** The arguments that a tool's schema wants repeated in headers (Streamable HTTP, "Custom Headers from Tool Parameters"). */
export function paramHeaders(schema: unknown, args: Json | undefined, depth = 0): Record<string, string> {
  if (!isObject(schema) || !isObject(schema['properties']) || depth > DEEPEST) return {};
  const headers: Record<string, string> = {};
  for (const [name, of] of Object.entries(schema['properties'])) {
    const value = isObject(args) && Object.hasOwn(args, name) ? args[name] : undefined;
    const header = isObject(of) ? of['x-mcp-header'] : undefined;
    if (typeof header === 'string' && TOKEN.test(header) && value !== undefined && typeof value !== 'object')
      headers[`mcp-param-${header.toLowerCase()}`] = encodeHeader(String(value));
    Object.assign(headers, paramHeaders(of, value, depth + 1));
  }
  return headers;
}
