import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startAgent } from './fixtures/agent.ts';
import { buildV1 } from './fixtures/everything-v1.ts';
import { serveV2 } from './fixtures/everything-v2.ts';
import { legacyClient, modernClient, startMcpGateway } from './fixtures/mcp.ts';
import { serveSessions } from './fixtures/mcp-servers.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

/** An agent that lets some tools of an MCP server over HTTP be called. */
async function behind(t: TestContext, server: { readonly url: string }) {
  const gateway = await startMcpGateway(t, {});
  const rules = ['--allow-tool', 'test_*', '--deny-tool', '*_error_handling'];
  const args = ['--gateway', gateway.url, '--name', 'tools', '--http', server.url, ...rules];
  const agent = startAgent(t, args, { SALLYPORT_KEY: await gateway.keyOf('alice') });
  await agent.says(/connected {2}tools/);
  return gateway;
}

for (const era of ['legacy', 'modern'] as const)
  test(`the agent's rules for tools hold for a ${era} server over HTTP, in lists and in calls`, async t => {
    const server = era === 'legacy' ? await serveSessions(t, buildV1) : await serveV2(t);
    const gateway = await behind(t, server);
    for (const client of [
      (await legacyClient(t, gateway, '/mcp/alice/tools')).client,
      await modernClient(t, gateway, '/mcp/alice/tools'),
    ]) {
      const names = (await client.listTools()).tools.map(({ name }) => name);
      assert.ok(names.includes('test_simple_text'));
      assert.ok(
        names.every(name => name.startsWith('test_') && name !== 'test_error_handling'),
        String(names),
      );
      assert.equal(
        words(await client.callTool({ name: 'test_simple_text', arguments: {} })),
        'A simple text.',
      );
      const logs = client.callTool({ name: 'test_tool_with_logging', arguments: {} });
      assert.equal(words(await logs), 'Logged.', 'an answer that is a stream');
      for (const name of ['test_error_handling', 'structured'])
        await assert.rejects(
          client.callTool({ name, arguments: {} }),
          /not allowed by the agent|structured content/,
        );
      assert.ok((await client.listPrompts()).prompts.length > 0, 'all else passes');
    }
    const called = server.seen.filter(({ body }) => /"(test_error_handling|structured)"/.test(body));
    assert.equal(called.length, 0, 'nothing of it reached the server');
  });
