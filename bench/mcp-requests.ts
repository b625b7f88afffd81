import type { Candidate } from './candidates/candidates.ts';

type Asked = Pick<Candidate, 'port' | 'headers'>;

const ACCEPT = 'accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n';

/** A whole HTTP request with a JSON-RPC message. @param fields header fields, each ends with CRLF */
function posted(asked: Asked, path: string, message: object, fields = ''): string {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  return `POST ${path} HTTP/1.1\r\nhost: localhost:${asked.port}\r\norigin: http://localhost:${asked.port}\r\n${ACCEPT}${asked.headers}${fields}content-length: ${body.length}\r\n\r\n${body}`;
}

/** Of 2026-07-28: says everything itself. */
export function modernCall(asked: Asked, path: string, tool = 'echo'): string {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { name: tool, arguments: { text: 'a'.repeat(100) }, _meta: meta };
  const fields = `mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: ${tool}\r\n`;
  return posted(asked, path, { id: 1, method: 'tools/call', params }, fields);
}

/** Of 2025-11-25, within sessions of its own: one for each. */
export async function legacyCalls(asked: Asked, path: string, count: number): Promise<string[]> {
  const sessions: string[] = [];
  for (let n = 0; n < count; n++) sessions.push(await openSession(asked, path));
  return sessions.map((session, n) =>
    posted(
      asked,
      path,
      { id: n + 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 'a'.repeat(100) } } },
      fieldsOf(session),
    ),
  );
}

const fieldsOf = (session: string) => `mcp-protocol-version: 2025-11-25\r\nmcp-session-id: ${session}\r\n`;

async function openSession({ port, headers }: Asked, path: string): Promise<string> {
  const url = `http://127.0.0.1:${port}${path}`;
  const own = Object.fromEntries(
    `host: localhost:${port}\r\n${ACCEPT}${headers}`
      .trim()
      .split('\r\n')
      .map(line => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
  );
  const send = (message: object, more: Record<string, string> = {}) =>
    fetch(url, {
      method: 'POST',
      headers: { ...own, origin: `http://localhost:${port}`, ...more },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
  const clientInfo = { name: 'bench', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const answer = await send({ id: 0, method: 'initialize', params });
  const text = await answer.text();
  const session = answer.headers.get('mcp-session-id');
  if (session === null) throw new Error(`no session: ${answer.status} ${text.slice(0, 200)}`);
  const more = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  await (await send({ method: 'notifications/initialized' }, more)).arrayBuffer();
  return session;
}
