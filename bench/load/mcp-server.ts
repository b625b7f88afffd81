import { createServer } from 'node:http';

/**
 * An MCP server over HTTP that does as little as one can: stateless (2026-07-28) with `modern` as its argument, with sessions (2025-11-25) with `legacy`.
 * Any tool answers a word, the tool `big` 1 MiB. Sends its port. Ends with its parent.
 */
const era = process.argv[2] as 'modern' | 'legacy';
const word = JSON.stringify([{ type: 'text', text: 'ok' }]);
const big = JSON.stringify([{ type: 'text', text: 'a'.repeat(2 ** 20) }]);

const server = createServer((req, res) => {
  let body = '';
  req.setEncoding('latin1').on('data', (piece: string) => (body += piece));
  req.on('end', () => {
    const message = JSON.parse(body || '{}') as { id?: unknown; method?: string; params?: { name?: string } };
    if (req.method !== 'POST') return res.writeHead(405).end();
    if (message.id === undefined) return res.writeHead(202).end();
    const answer = answerTo(message.method!, message.params?.name);
    const text = `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},${answer}}`;
    res.writeHead(200, {
      'content-type': 'application/json',
      'content-length': text.length,
      ...(message.method === 'initialize' ? { 'mcp-session-id': 'bench' } : {}),
    });
    res.end(text);
  });
});

function answerTo(method: string, name: string | undefined): string {
  if (method === 'tools/call') {
    const content = name === 'big' ? big : word;
    return era === 'modern'
      ? `"result":{"resultType":"complete","content":${content}}`
      : `"result":{"content":${content}}`;
  }
  const serverInfo = { name: 'bench', version: '1' };
  const capabilities = { tools: {} };
  if (method === 'initialize' && era === 'legacy')
    return `"result":${JSON.stringify({ protocolVersion: '2025-11-25', capabilities, serverInfo })}`;
  if (method === 'server/discover' && era === 'modern')
    return `"result":${JSON.stringify({ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, serverInfo, ttlMs: 60_000, cacheScope: 'public' })}`;
  if (method === 'tools/list') return `"result":${JSON.stringify({ tools: [tool('echo'), tool('big')] })}`;
  return '"error":{"code":-32601,"message":"not known here"}';
}

function tool(name: string) {
  return { name, inputSchema: { type: 'object', properties: { text: { type: 'string' } } } };
}

server.keepAliveTimeout = 0;
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  process.send!({ ready: (server.address() as { port: number }).port });
});
process.on('disconnect', () => process.exit());
