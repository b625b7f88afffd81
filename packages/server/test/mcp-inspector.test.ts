import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startAgent } from './fixtures/agent.ts';
import { buildV1, V1_PROGRAM } from './fixtures/everything-v1.ts';
import { serveV2 } from './fixtures/everything-v2.ts';
import { startMcpGateway } from './fixtures/mcp.ts';
import { serveSessions } from './fixtures/mcp-servers.ts';

const INSPECTOR = join(
  fileURLToPath(new URL('../../../scripts/inspector/', import.meta.url)),
  'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);
const required = (process.env['SALLYPORT_TEST_REQUIRE'] ?? '').split(',').includes('inspector');
const skip =
  !existsSync(INSPECTOR) &&
  !required &&
  'the MCP Inspector is not installed: npm install --prefix scripts/inspector';

test("the MCP Inspector's command line lists and calls tools of all kinds of servers, one by one and at once", {
  skip,
}, async t => {
  const v1 = await serveSessions(t, buildV1);
  const v2 = await serveV2(t);
  const gateway = await startMcpGateway(t, { old: { url: v1.url }, new: { url: v2.url } });
  const key = await gateway.keyOf('alice');
  const args = ['--gateway', gateway.url, '--name', 'tools', '--', process.execPath, V1_PROGRAM];
  await startAgent(t, args, { SALLYPORT_KEY: key }).says(/connected {2}tools/);

  async function inspect(path: string, ...asked: string[]): Promise<string> {
    const where = [gateway.url + path, '--transport', path.endsWith('/sse') ? 'sse' : 'http'];
    const child = spawn(
      process.execPath,
      [INSPECTOR, '--cli', ...where, '--header', `Authorization: Bearer ${key}`, ...asked],
      { env: { PATH: process.env['PATH'] ?? '', HOME: gateway.directory } },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        said += text;
      });
    const [code] = await once(child, 'close');
    assert.equal(code, 0, said);
    return said;
  }
  const call = (name: string) => [
    '--method',
    'tools/call',
    '--tool-name',
    name,
    '--tool-arg',
    'uri=test://x',
  ];
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ...['/mcp/alice/tools', '/mcp/old', '/mcp/new', '/mcp/old/sse', '/mcp/new/sse'].map(
      path => [path, call('touch_resource'), /Touched\./] as const,
    ),
    ...['old', 'new', 'alice_-tools'].map(
      server => ['/mcp', call(`${server}__touch_resource`), /Touched\./] as const,
    ),
    ['/mcp/sse', call('new__touch_resource'), /Touched\./],
    ['/mcp/alice/tools', ['--method', 'tools/list'], /"test_simple_text"/],
    ['/mcp', ['--method', 'tools/list'], /"new__test_simple_text"[\s\S]*"old__test_simple_text"/],
    ['/mcp/new', ['--method', 'prompts/list'], /"test_simple_prompt"/],
    ['/mcp', ['--method', 'resources/list'], /"sallyport:new\/test:\/\/static-text"/],
    ['/mcp/new', ['--method', 'resources/read', '--uri', 'test://static-text'], /The content of a text\./],
    ['/mcp/old', ['--method', 'resources/templates/list'], /"test:\/\/template\/\{id\}\/data"/],
    ['/mcp/new', ['--method', 'logging/setLevel', '--log-level', 'info'], /\{/],
  ];
  // Each is a process that takes its time to begin: a few at once.
  const waiting = [...cases];
  const some = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const [path, asked, said] = one;
      assert.match(await inspect(path, ...asked), said, `${path} ${asked.join(' ')}`);
    }
  };
  await Promise.all([some(), some()]);
});
