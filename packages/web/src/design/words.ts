import type { TunnelKind, UpstreamKind } from '../api/types.ts';

/** What the console calls each kind of upstream. */
export const KIND_NAMES: Record<UpstreamKind, string> = {
  openai: 'Model API',
  mcp: 'MCP server',
  openapi: 'HTTP API',
  terminal: 'Terminal',
  http: 'HTTP service',
};

/** And what an agent brings. */
export const TUNNEL_KIND_NAMES: Record<TunnelKind, string> = {
  mcp: 'MCP server',
  stdio: 'MCP program',
  http: 'Web server',
  terminal: 'Terminal',
};
