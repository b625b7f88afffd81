import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startAgent } from './fixtures/agent.ts';
import { V1_PROGRAM } from './fixtures/everything-v1.ts';
import { startMcpGateway } from './fixtures/mcp.ts';

const INSPECTOR = join(
  fileURLToPath(new URL('../../../scripts/inspector/', import.meta.url)),
  'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);
const required = (process.env['SALLYPORT_TEST_REQUIRE'] ?? '').split(',').includes('inspector');
const skip =
  !existsSync(INSPECTOR) &&
  !required &&
  'the MCP Inspector is not installed: npm install --prefix scripts/inspector';

test("the MCP Inspector's command line lists and calls the tools of a program behind a tunnel", {
  skip,
}, async t => {
  const gateway = await startMcpGateway(t, {});
  const key = await gateway.keyOf('alice');
  const args = ['--gateway', gateway.url, '--name', 'tools', '--', process.execPath, V1_PROGRAM];
  await startAgent(t, args, { SALLYPORT_KEY: key }).says(/connected {2}tools/);

  async function inspect(...asked: string[]): Promise<string> {
    const where = [`${gateway.url}/mcp/alice/tools`, '--transport', 'http'];
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
  assert.match(await inspect('--method', 'tools/list'), /"test_simple_text"/);
  const called = ['--method', 'tools/call', '--tool-name', 'touch_resource', '--tool-arg', 'uri=test://x'];
  assert.match(await inspect(...called), /Touched\./);
  assert.match(await inspect('--method', 'prompts/list'), /"test_simple_prompt"/);
});
