/** The protocol's own words and numbers, as the two eras have them. */

/** Stateless since then: each request says its version and what its client can do. */
export const MODERN = '2026-07-28';
/** With `initialize` and sessions; newest first. */
export const LEGACY = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
export const isLegacyVersion = (version: unknown): version is string =>
  LEGACY.some(known => known === version);

export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  client: 'io.modelcontextprotocol/clientInfo',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  level: 'io.modelcontextprotocol/logLevel',
  subscription: 'io.modelcontextprotocol/subscriptionId',
  server: 'io.modelcontextprotocol/serverInfo',
} as const;

export const CODE = {
  parse: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** What implementations may use as they like; ours, for everything that has no code of its own. */
  refused: -32000,
  /** The official SDKs' for a session that is not there. */
  noSession: -32001,
  /** Legacy: a resource that is not there. Modern says `invalidParams`. */
  noResource: -32002,
  /** Legacy: URLs have to be visited before the server acts. The modern era asks for it (`input_required`). */
  urlsRequired: -32042,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** What only a server of the modern era says (Streamable HTTP, "Backward Compatibility"). */
export const MODERN_ERRORS: ReadonlySet<number> = new Set([
  CODE.headerMismatch,
  CODE.missingCapability,
  CODE.unsupportedVersion,
]);

/** A message of more bytes is refused, in either direction. */
export const MAX_MESSAGE = 16 * 1024 * 1024;

/** Which parameter `Mcp-Name` repeats; of tasks, SEP-2663, "Streamable HTTP: Routing Headers". */
export const NAMED_BY: Readonly<Record<string, 'name' | 'uri' | 'taskId'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};
