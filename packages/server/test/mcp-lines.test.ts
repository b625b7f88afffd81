import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import { legacyClient, type McpGateway, modernClient, post, startMcpGateway } from './fixtures/mcp.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
const SERVER = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
const EVERYTHING = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

/** A gateway, and an agent of Alice's that runs a program. */
async function behindTunnel(t: TestContext, isolate: string, command = [SERVER]) {
  const gateway = await startMcpGateway(t, {});
  const key = await gateway.keyOf('alice');
  const args = ['--gateway', gateway.url, '--name', 'files', '--isolate', isolate, '--', process.execPath];
  startAgent(t, [...args, ...command], { SALLYPORT_KEY: key, HOME: process.env['HOME'] ?? '/' });
  const path = '/mcp/alice/files';
  await until(async () => (await tunnels(gateway)).some(({ connected }) => connected));
  return { gateway, path };
}

async function tunnels(gateway: McpGateway): Promise<{ id: string; connected: boolean }[]> {
  const headers = { authorization: `Bearer ${await gateway.keyOf('alice')}` };
  const answer = await fetch(`${gateway.url}/api/v1/tunnels`, { headers });
  return ((await answer.json()) as { items: [] }).items;
}

async function share(gateway: McpGateway): Promise<void> {
  const [tunnel] = await tunnels(gateway);
  const answer = await fetch(`${gateway.url}/api/v1/tunnels/${tunnel!.id}`, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${await gateway.keyOf('alice')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ shared: { everyone: true, users: [], groups: [] } }),
  });
  assert.equal(answer.status, 200);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) if (performance.now() > end) assert.fail(`not within 20 s: ${holds}`);
}

test('clients of both eras use a published server behind NAT', async t => {
  const { gateway, path } = await behindTunnel(t, 'shared', [EVERYTHING]);
  const { client } = await legacyClient(t, gateway, path);
  assert.match(words(await client.callTool({ name: 'echo', arguments: { message: 'old' } })), /old/);
  const modern = await modernClient(t, gateway, path);
  assert.match(words(await modern.callTool({ name: 'echo', arguments: { message: 'new' } })), /new/);
  assert.ok((await modern.listResources()).resources.length > 0);
  const calls = await gateway.audit('tool.call');
  assert.deepEqual(
    calls.map(({ detail }) => detail['outcome']),
    ['ok', 'ok'],
  );
});

test('with a process for each person nobody meets another, and each is asked their own questions', async t => {
  const { gateway, path } = await behindTunnel(t, 'principal');
  await share(gateway);
  const people = await Promise.all(
    ['alice', 'bob'].map(async user => {
      const { client } = await legacyClient(t, gateway, path, {
        user,
        capabilities: { elicitation: {} },
        prepare: client =>
          client.setRequestHandler(ElicitRequestSchema, async () => ({
            action: 'accept',
            content: { name: user },
          })),
      });
      return { user, client };
    }),
  );
  const pids = await Promise.all(
    people.map(async ({ client }) => words(await client.callTool({ name: 'pid', arguments: {} }))),
  );
  assert.notEqual(pids[0], pids[1]);
  for (const { user, answer } of await Promise.all(
    people.map(async ({ user, client }) => ({
      user,
      answer: words(await client.callTool({ name: 'ask', arguments: {} })),
    })),
  ))
    assert.equal(answer, user);
});

test("in a process that several people share, nobody is shown another's question", async t => {
  const { gateway, path } = await behindTunnel(t, 'shared');
  await share(gateway);
  const asked: string[] = [];
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map(async user => {
      const { client } = await legacyClient(t, gateway, path, {
        user,
        capabilities: { elicitation: {} },
        prepare: client =>
          client.setRequestHandler(ElicitRequestSchema, async () => {
            asked.push(user);
            return { action: 'accept', content: { name: user } };
          }),
      });
      return client;
    }),
  );
  assert.equal(
    words(await alice!.callTool({ name: 'ask', arguments: {} })),
    'alice',
    'alone it is clear whose it is',
  );
  const waiting = bob!.callTool({ name: 'hold', arguments: {} });
  await until(async () => words(await alice!.callTool({ name: 'held', arguments: {} })) === '1');
  const refused = await alice!.callTool({ name: 'ask', arguments: {} });
  assert.match(words(refused), /--isolate principal/);
  await alice!.callTool({ name: 'release', arguments: {} });
  assert.equal(words(await waiting), 'released');
  assert.deepEqual(asked, ['alice']);
});

test('the same ids and progress tokens at once in one process are not crossed', async t => {
  const { gateway, path } = await behindTunnel(t, 'shared');
  await share(gateway);
  await Promise.all(
    ['alice', 'bob', 'carol'].map(async user => {
      const { client } = await legacyClient(t, gateway, path, { user });
      for (let n = 0; n < 30; n++) {
        const progress: number[] = [];
        const mark = `${user}-${n}`;
        const said = await client.callTool({ name: 'echo', arguments: { text: mark } }, undefined, {
          onprogress: at => void progress.push(at.progress),
        });
        assert.equal(words(said), mark);
      }
    }),
  );
});

test('a program that dies ends what was in flight with an error, and its sessions go on with a new one', async t => {
  const { gateway, path } = await behindTunnel(t, 'shared');
  const { client } = await legacyClient(t, gateway, path);
  const other = await legacyClient(t, gateway, path);
  await assert.rejects(client.callTool({ name: 'die', arguments: {} }), /program/);
  const echoed = async (one: typeof client) =>
    words(await one.callTool({ name: 'echo', arguments: { text: 'again' } }));
  assert.deepEqual(await Promise.all([client, other.client].map(echoed)), ['again', 'again']);
});

test('where each session has a program of its own, it is over with it, and so is one that its client has ended', async t => {
  const { gateway, path } = await behindTunnel(t, 'session');
  const ping = ({ transport }: Awaited<ReturnType<typeof legacyClient>>, at: string) =>
    post(gateway, at, { jsonrpc: '2.0', id: 5, method: 'ping' }, { 'mcp-session-id': transport.sessionId! });
  const own = await legacyClient(t, gateway, path);
  await assert.rejects(own.client.callTool({ name: 'die', arguments: {} }));
  await until(async () => (await ping(own, path)).status === 404);

  const joined = await legacyClient(t, gateway, '/mcp');
  assert.equal((await ping(joined, '/mcp')).status, 200);
  const headers = {
    authorization: `Bearer ${await gateway.keyOf('alice')}`,
    'mcp-session-id': joined.transport.sessionId!,
  };
  const ended = await fetch(`${gateway.url}/mcp`, { method: 'DELETE', headers });
  assert.equal(ended.status, 200);
  const gone = await ping(joined, '/mcp');
  assert.deepEqual([gone.status, gone.json.error.code], [404, -32001]);
});
