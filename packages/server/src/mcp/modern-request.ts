import type { IncomingHttpHeaders } from 'node:http';
import { decodeHeader } from './header-value.ts';
import { type Id, isObject, isRequest, type Message, metaOf } from './json-rpc.ts';
import { META, MODERN, NAMED_BY } from './protocol.ts';
import { headerMismatch, missingMeta, notOneMessage, unsupportedVersion } from './refusal.ts';

/**
 * Checks a modern message against its headers (Streamable HTTP, "Server Validation"; Overview, "Per-request protocol fields").
 * @throws Refusal
 */
export function checkModern(headers: IncomingHttpHeaders, message: Message): void {
  // The modern client never answers: there are no requests to it (Streamable HTTP, "Sending Messages" 4).
  if (!('method' in message)) throw notOneMessage();
  const id: Id | null = isRequest(message) ? message.id : null;
  const said = one(headers['mcp-protocol-version']);
  if (said === undefined) throw headerMismatch(id, 'MCP-Protocol-Version is missing');
  // Of notifications this revision requires no headers beyond the version's.
  if (!isRequest(message)) {
    if (said !== MODERN) throw unsupportedVersion(id, said);
    return;
  }
  const meta = metaOf(message.params);
  const version = meta[META.version];
  if (typeof version !== 'string') throw missingMeta(id, META.version);
  if (said !== version) throw headerMismatch(id, 'MCP-Protocol-Version is not what _meta says');
  if (version !== MODERN) throw unsupportedVersion(id, version);
  if (!isObject(meta[META.capabilities])) throw missingMeta(id, META.capabilities);
  const method = one(headers['mcp-method']);
  if (method === undefined) throw headerMismatch(id, 'Mcp-Method is missing');
  if (method !== message.method) throw headerMismatch(id, 'Mcp-Method is not what the body says');
  checkName(headers, message.id, message.method, message.params);
}

function checkName(
  headers: IncomingHttpHeaders,
  id: Id,
  method: string,
  params: Readonly<Record<string, unknown>> | undefined,
): void {
  const key = NAMED_BY[method];
  const name = one(headers['mcp-name']);
  if (key === undefined) return;
  if (name === undefined) throw headerMismatch(id, 'Mcp-Name is missing');
  if (decodeHeader(name) !== params?.[key])
    throw headerMismatch(id, `Mcp-Name is not what params.${key} says`);
}

/** node:http joins what came twice with a comma, which then equals nothing. */
const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;

/** Whether a message wants to be served statelessly: it says so in its header, or in `_meta`. */
export function isModern(
  headers: IncomingHttpHeaders,
  message: Message,
  isLegacy: (version: unknown) => boolean,
): boolean {
  const said = one(headers['mcp-protocol-version']);
  if (said !== undefined && !isLegacy(said)) return true;
  return 'method' in message && META.version in metaOf(message.params);
}
