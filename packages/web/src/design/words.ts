import type { UpstreamKind } from '../api/types.ts';

/** What the console calls each kind of upstream. */
export const KIND_NAMES: Record<UpstreamKind, string> = {
  openai: 'Model API',
  mcp: 'MCP server',
  openapi: 'HTTP API',
  terminal: 'Terminal',
  http: 'HTTP service',
};
