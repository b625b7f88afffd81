import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readArguments } from './arguments.ts';
import { type Settings, SettingsError } from './settings.ts';

const KEY = { SALLYPORT_KEY: 'sp_from_the_environment' };

async function read(
  argv: string[],
  env: NodeJS.ProcessEnv = KEY,
): Promise<Settings & { warnings: readonly string[] }> {
  const found = await readArguments(argv, env);
  assert.ok(found.text === null && found.login === undefined);
  return { ...found.settings, warnings: found.warnings };
}
const refused = (argv: string[], why: RegExp, env: NodeJS.ProcessEnv = KEY) =>
  assert.rejects(
    readArguments(argv, env),
    (error: Error) => error instanceof SettingsError && why.test(error.message),
  );

test('a program behind -- is served, with its own flags', async () => {
  const { gateways } = await read([
    '--gateway',
    'https://gw.example',
    '--name',
    'files',
    '--isolate',
    'principal',
    '--',
    'npx',
    '-y',
    'x',
    '~/n',
  ]);
  const [server] = gateways[0]!.servers;
  assert.ok(server.kind === 'stdio');
  assert.deepEqual(
    [server.command, server.isolate, server.idle],
    [['npx', '-y', 'x', '~/n'], 'principal', 600_000],
  );
});

test("ContextForge's flags and variables mean the same here", async () => {
  const env = { REVERSE_PROXY_GATEWAY: 'wss://gw.example/reverse-proxy/ws', REVERSE_PROXY_TOKEN: 'secret' };
  const { gateways } = await read(
    ['--local-stdio', 'uvx "mcp-server-git" --repository \'/a b\'', '--keepalive', '30'],
    env,
  );
  assert.equal(gateways[0]!.url.href, 'https://gw.example/');
  assert.equal(await gateways[0]!.key(), 'secret');
  const [server] = gateways[0]!.servers;
  assert.ok(server.kind === 'stdio');
  assert.deepEqual(server.command, ['uvx', 'mcp-server-git', '--repository', '/a b']);
});

test("ContextForge's file means the same here, behind its flags and variables", async t => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-agent-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const yaml = join(folder, 'reverse-proxy.yaml');
  writeFileSync(
    yaml,
    'local_stdio: uvx mcp-server-git --where="/a b" \\"x\ngateway: https://gw.example\ntoken: of_the_file\nreconnect_delay: 2\nlog_level: INFO\n',
  );
  const { gateways, warnings } = await read(['--config', yaml, '--deny-tool', 'push'], {});
  const [server] = gateways[0]!.servers;
  assert.ok(server.kind === 'stdio');
  assert.deepEqual(
    [
      server.name,
      server.command,
      server.allow.deniedTools,
      gateways[0]!.url.href,
      await gateways[0]!.key(),
      warnings,
    ],
    [
      'mcp-server-git',
      ['uvx', 'mcp-server-git', '--where=/a b', '"x'],
      ['push'],
      'https://gw.example/',
      'of_the_file',
      [],
    ],
  );
  const env = { REVERSE_PROXY_GATEWAY: 'https://other.example', REVERSE_PROXY_TOKEN: 'of_the_variable' };
  const other = (await read(['--config', yaml, '--max-retries', '3'], env)).gateways[0]!;
  assert.deepEqual([other.url.host, await other.key()], ['other.example', 'of_the_variable']);

  const json = join(folder, 'reverse-proxy.json');
  writeFileSync(json, JSON.stringify({ local_stdio: 'npx x', gateway: 'https://gw.example', tokn: 'x' }));
  await refused(['--config', json], /tokn: there is no such key/, {});
  await refused(['--gateway', 'https://gw.example', '--local-stdio', 'npx "x'], /has no end/);
  const idle = await read([
    '--gateway',
    'https://gw.example',
    '--local-stdio',
    'npx x',
    '--max-retries',
    '3',
  ]);
  assert.match(idle.warnings.join(), /without effect here: --max-retries/);
  const variable = await read(['--gateway', 'https://gw.example', '--local-stdio', 'npx x'], {
    SALLYPORT_KEY: 'x',
    REVERSE_PROXY_MAX_RETRIES: '3',
  });
  assert.match(variable.warnings.join(), /without effect here: REVERSE_PROXY_MAX_RETRIES/);
  const web = ['--name', 'a', '--web', 'http://localhost:1/reverse-proxy'];
  const [served] = (await read(['--gateway', 'wss://gw.example/sally/reverse-proxy/ws', ...web])).gateways;
  assert.equal(served!.url.href, 'https://gw.example/sally');
  const [behind] = served!.servers;
  assert.ok(behind.kind === 'http');
  assert.equal(behind.url.pathname, '/reverse-proxy', 'only a gateway is called so by its client');
});

test('a key on the command line is warned about, and shown in no warning', async () => {
  const { warnings } = await read(
    ['--gateway', 'https://gw.example', '--name', 'a', '--web', 'http://localhost:1', '--key', 'sp_x'],
    {},
  );
  assert.equal(warnings.length, 1);
  assert.ok(!warnings[0]!.includes('sp_x'));
});

test('what cannot be is refused with what to do', async () => {
  const gateway = ['--gateway', 'https://gw.example', '--name', 'a'];
  await refused([...gateway], /say what is to be served/);
  await refused([...gateway, '--http', 'http://x', '--', 'y'], /say what is to be served/);
  await refused([...gateway, '--web', 'ftp://x'], /--web/);
  await refused(['--gateway', 'https://gw.example', '--name', 'A', '--web', 'http://x'], /--name/);
  await refused([...gateway, '--web', 'http://x'], /no gateway key/, {});
  await refused(['--gateway', 'http://gw.example', '--name', 'a', '--web', 'http://x'], /use https:/);
  await refused([...gateway, '--isolate', 'all', '--', 'y'], /--isolate/);
  await refused([...gateway, '--most', 'many', '--', 'y'], /--most/);
  // Rules that would be passed over.
  await refused(
    [...gateway, '--deny-tool', 'x', '--web', 'http://x'],
    /--deny-tool: means nothing for a web/,
  );
  await refused([...gateway, '--path', '/x', '--', 'y'], /--path: means nothing for a program/);
  await refused(['--nonsense'], /--help/);
  await refused(['--name', 'a', '--web', 'http://x'], /--gateway is missing/);
  await refused(['login'], /--gateway is missing/);
});

test('a file names several gateways and servers; a key it does not know is refused', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-agent-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'agent.yaml');
  writeFileSync(join(folder, 'key'), 'sp_of_the_file\n');
  const text = (more: string) => `
gateways:
  - url: https://one.example
    keyFile: ${join(folder, 'key')}
    servers:
      - { name: files, command: [npx, x], denyTools: [write_*]${more} }
      - { name: wiki, http: 'http://localhost:1/mcp' }
  - url: https://two.example
    servers: [{ name: site, web: 'http://localhost:2', paths: [/docs] }]
`;
  writeFileSync(file, text(''));
  const { gateways } = await read(['--config', file, '--health', '127.0.0.1:9'], KEY);
  assert.deepEqual(
    gateways.map(({ url, servers }) => [url.host, servers.map(({ name, kind }) => `${name} ${kind}`)]),
    [
      ['one.example', ['files stdio', 'wiki mcp']],
      ['two.example', ['site http']],
    ],
  );
  assert.deepEqual(
    [await gateways[0]!.key(), await gateways[1]!.key()],
    ['sp_of_the_file', KEY.SALLYPORT_KEY],
  );
  writeFileSync(file, text(', denytools: [x]'));
  await refused(['--config', file], /denytools: there is no such key/);
  writeFileSync(file, text(', paths: [/x]'));
  await refused(['--config', file], /servers\[0\]\.paths: means nothing for a program/);
  writeFileSync(file, text(''));
  await refused(['--config', file, '--deny-tool', 'x'], /--deny-tool: the servers are those of/);
});
