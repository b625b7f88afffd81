import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startAgent } from './fixtures/agent.ts';
import { legacyClient, modernClient, startMcpGateway } from './fixtures/mcp.ts';

const path = (url: URL) => fileURLToPath(url);
const FILESYSTEM = path(
  new URL('../../../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', import.meta.url),
);
const MEMORY = path(
  new URL('../../../node_modules/@modelcontextprotocol/server-memory/dist/index.js', import.meta.url),
);
const EVERYTHING = path(
  new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

/** The published servers behind one agent, with a folder of notes for one and a memory for another. */
async function house(t: TestContext) {
  const gateway = await startMcpGateway(t, {});
  const notes = join(gateway.directory, 'notes');
  mkdirSync(notes);
  writeFileSync(join(notes, 'today.md'), 'buy milk');
  const memory = join(gateway.directory, 'memory.jsonl');
  const servers = [
    { name: 'files', command: [process.execPath, FILESYSTEM, notes], denyTools: ['write_*', 'edit_*'] },
    { name: 'memory', command: [process.execPath, MEMORY], env: { MEMORY_FILE_PATH: memory } },
    { name: 'everything', command: [process.execPath, EVERYTHING] },
  ];
  const file = join(gateway.directory, 'agent.yaml');
  writeFileSync(file, stringify({ gateways: [{ url: gateway.url, servers }] }));
  const agent = startAgent(t, ['--config', file], { SALLYPORT_KEY: await gateway.keyOf('alice') });
  await agent.says(/connected {2}everything/);
  const clients = async (name: string) => [
    (await legacyClient(t, gateway, `/mcp/alice/${name}`)).client,
    await modernClient(t, gateway, `/mcp/alice/${name}`),
  ];
  return { notes, memory, clients };
}

test('the published servers are used from elsewhere, by clients of both eras', async t => {
  const { notes, memory, clients } = await house(t);

  for (const client of await clients('files')) {
    const read = await client.callTool({
      name: 'read_text_file',
      arguments: { path: join(notes, 'today.md') },
    });
    assert.equal(words(read), 'buy milk');
    const outside = await client.callTool({ name: 'read_text_file', arguments: { path: '/etc/hostname' } });
    assert.equal(outside.isError, true);
    assert.match(words(outside), /Access denied/);
    const write = { name: 'write_file', arguments: { path: join(notes, 'new.md'), content: 'x' } };
    await assert.rejects(client.callTool(write), /not allowed by the agent/);
    const { tools } = await client.listTools();
    assert.ok(tools.some(({ name }) => name === 'list_directory'));
    assert.ok(!tools.some(({ name }) => /^(write|edit)_/.test(name)));
  }

  for (const [index, client] of (await clients('memory')).entries()) {
    const entities = [{ name: `person ${index}`, entityType: 'person', observations: ['likes tea'] }];
    await client.callTool({ name: 'create_entities', arguments: { entities } });
    assert.match(words(await client.callTool({ name: 'read_graph', arguments: {} })), /likes tea/);
  }
  assert.match(readFileSync(memory, 'utf8'), /person 0[\s\S]*person 1/);

  for (const client of await clients('everything')) {
    const sum = await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 3 } });
    assert.match(words(sum), /5/);
    const image = await client.callTool({ name: 'get-tiny-image', arguments: {} });
    assert.ok((image.content as { type: string }[]).some(({ type }) => type === 'image'));
    const structured = await client.callTool({
      name: 'get-structured-content',
      arguments: { location: 'New York' },
    });
    assert.equal(typeof (structured.structuredContent as { temperature: unknown }).temperature, 'number');
    assert.ok((await client.listPrompts()).prompts.length > 0);
    assert.ok((await client.listResources()).resources.length > 0);
  }
});
