/** What an agent can bring, and the command that brings it. */
export const SERVED = [
  {
    name: 'An MCP program',
    suggestion: 'everything',
    path: 'mcp',
    explained:
      'A server that speaks MCP on standard input and output. The agent starts it; put its command after the two dashes.',
    rest: '-- npx -y @modelcontextprotocol/server-everything',
  },
  {
    name: 'MCP over HTTP',
    suggestion: 'wiki',
    path: 'mcp',
    explained: 'An MCP server that is reached over HTTP from that machine.',
    rest: '--http http://localhost:8931/mcp',
  },
  {
    name: 'A web server',
    suggestion: 'site',
    path: 'u',
    explained: 'Any other HTTP server. --path lets only a part of it through, and may be repeated.',
    rest: '--web http://localhost:8080',
  },
  {
    name: 'A terminal',
    suggestion: 'shell',
    path: 'terminals',
    explained:
      'A shell on that machine, as the user who starts the agent. Whoever you share it with is that user there.',
    rest: '--terminal',
  },
] as const;

export const loginCommand = (gateway: string): string => `sallyport-agent login --gateway ${gateway}`;

export const serveCommand = (gateway: string, name: string, rest: string): string =>
  `sallyport-agent --gateway ${gateway} \\\n  --name ${name} \\\n  ${rest}`;

/** `wiki`, or `wiki-2` where that is taken. */
export function freeName(wish: string, taken: readonly string[]): string {
  for (let n = 2, name = wish; ; n++) {
    if (!taken.includes(name)) return name;
    name = `${wish}-${n}`;
  }
}

/** What was typed, made into a name that the gateway takes; null where nothing of it can be used. */
export function asServerName(typed: string): string | null {
  const name = typed
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63);
  return name === '' ? null : name;
}
