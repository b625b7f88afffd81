import type { HomeUpstream } from '../../api/types.ts';

export interface Snippet {
  readonly name: string;
  readonly text: string;
}

/** Calls that work as they stand once `SALLYPORT_KEY` holds a gateway key. */
export function snippetsFor(
  upstream: Pick<HomeUpstream, 'id' | 'kind' | 'base_url' | 'models'>,
  publicUrl: string,
): Snippet[] {
  switch (upstream.kind) {
    case 'openai':
      return openai(upstream.base_url, exampleModel(upstream.models));
    case 'mcp':
      return [mcpClient(upstream.id, upstream.base_url), { name: 'curl', text: mcpCurl(upstream.base_url) }];
    case 'terminal':
      return [{ name: 'curl and websocat', text: terminal(upstream.base_url) }];
    default:
      return http(upstream.base_url, publicUrl);
  }
}

/** A model name that the globs match: a `*` becomes something people will know to replace. */
function exampleModel(models: readonly string[]): string {
  const plain = models.find(model => !model.includes('*'));
  return plain ?? models[0]?.replaceAll('*', 'MODEL') ?? 'MODEL';
}

function openai(baseUrl: string, model: string): Snippet[] {
  return [
    {
      name: 'curl',
      text: `curl ${baseUrl}/chat/completions \\
  -H "Authorization: Bearer $SALLYPORT_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`,
    },
    {
      name: 'Python',
      text: `import os
from openai import OpenAI

client = OpenAI(base_url="${baseUrl}", api_key=os.environ["SALLYPORT_KEY"])
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
    },
    {
      name: 'TypeScript',
      text: `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${baseUrl}', apiKey: process.env.SALLYPORT_KEY });
const answer = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'Hello' }],
});
console.log(answer.choices[0]?.message.content);`,
    },
  ];
}

function mcpClient(id: string, url: string): Snippet {
  const config = {
    mcpServers: { [id]: { type: 'http', url, headers: { Authorization: `Bearer \${SALLYPORT_KEY}` } } },
  };
  return { name: 'MCP client JSON', text: JSON.stringify(config, null, 2) };
}

/** Of the version that needs no `initialize` before a call; the gateway speaks another one with a server that wants it. */
function mcpCurl(url: string): string {
  return `curl ${url} \\
  -H "Authorization: Bearer $SALLYPORT_KEY" \\
  -H "Content-Type: application/json" \\
  -H "Accept: application/json, text/event-stream" \\
  -H "MCP-Protocol-Version: 2026-07-28" \\
  -H "Mcp-Method: tools/list" \\
  -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {}}}}'`;
}

/** A new shell, then attached to. */
function terminal(url: string): string {
  return `ID=$(curl -s -X POST ${url}/api/terminals \\
  -H "Authorization: Bearer $SALLYPORT_KEY" | grep -o '"id": *"[^"]*"' | cut -d '"' -f 4)
websocat --binary -H "Authorization: Bearer $SALLYPORT_KEY" \\
  "${url.replace(/^http/, 'ws')}/api/terminals/$ID"`;
}

function http(baseUrl: string, publicUrl: string): Snippet[] {
  const url = baseUrl.startsWith('http') ? baseUrl : new URL(baseUrl, publicUrl).href;
  return [
    { name: 'curl', text: `curl ${url}/ \\\n  -H "Authorization: Bearer $SALLYPORT_KEY"` },
    {
      name: 'Python',
      text: `import os
import httpx

client = httpx.Client(base_url="${url}", headers={"Authorization": f"Bearer {os.environ['SALLYPORT_KEY']}"})
print(client.get("/").text)`,
    },
    {
      name: 'TypeScript',
      text: `const answer = await fetch('${url}/', {
  headers: { Authorization: \`Bearer \${process.env.SALLYPORT_KEY}\` },
});
console.log(await answer.text());`,
    },
  ];
}
