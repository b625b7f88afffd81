import { createInterface } from 'node:readline';

/** An MCP server on standard input and output (2025-11-25) that does as little as one can: what bridges it to HTTP is what is measured. */
const lines = createInterface({ input: process.stdin });
lines.on('line', line => {
  const { id, method } = JSON.parse(line) as { id?: unknown; method?: string };
  if (id === undefined || method === undefined) return;
  process.stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answerTo(method)}}\n`);
});
lines.on('close', () => process.exit());

function answerTo(method: string): string {
  if (method === 'initialize')
    return '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}';
  if (method === 'tools/list')
    return '"result":{"tools":[{"name":"echo","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}';
  if (method === 'tools/call') return '"result":{"content":[{"type":"text","text":"ok"}]}';
  if (method === 'ping') return '"result":{}';
  return '"error":{"code":-32601,"message":"not known here"}';
}
