import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import { legacyClient, type McpGateway, modernClient, startMcpGateway } from './fixtures/mcp.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
const file = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const PROGRAMS = {
  modern: ['shared', file('mcp-stdio-modern.ts')],
  alone: ['session', file('mcp-stdio-modern.ts')],
  both: ['shared', file('mcp-stdio-modern.ts'), 'serve'],
  strict: ['shared', file('mcp-stdio-strict.ts')],
} as const;

let gateway: McpGateway;
const ending: (() => unknown)[] = [];
const t: Pick<TestContext, 'after'> = { after: end => void ending.push(end as () => unknown) };

/** Alice's agent runs programs of all kinds, and everybody may use them. */
before(async () => {
  gateway = await startMcpGateway(t, {});
  const key = await gateway.keyOf('alice');
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  for (const [name, [isolate, ...command]] of Object.entries(PROGRAMS))
    startAgent(
      t,
      ['--gateway', gateway.url, '--name', name, '--isolate', isolate, '--', process.execPath, ...command],
      { SALLYPORT_KEY: key, HOME: process.env['HOME'] ?? '/' },
    );
  const tunnels = async () => {
    const answer = await fetch(`${gateway.url}/api/v1/tunnels`, { headers });
    return ((await answer.json()) as { items: { id: string; connected: boolean }[] }).items;
  };
  await until(async () => (await tunnels()).filter(({ connected }) => connected).length === 4);
  for (const { id } of await tunnels())
    await fetch(`${gateway.url}/api/v1/tunnels/${id}`, {
      method: 'PATCH',
      headers,
      body: JSON.stringify({ shared: { everyone: true, users: [], groups: [] } }),
    });
});
after(async () => {
  for (const end of ending.reverse()) await end();
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`not within 20 s: ${holds}`);
    await setImmediate();
  }
}

test('a modern client uses a modern program in lines: questions, progress, changes, cancellation', async t => {
  const client = await modernClient(t, gateway, '/mcp/alice/modern', {
    capabilities: { elicitation: { form: {} } },
    prepare: client =>
      client.setRequestHandler('elicitation/create', async () => ({
        action: 'accept',
        content: { name: 'Ada' },
      })),
  });
  assert.equal(client.getServerVersion()?.name, 'modern-stdio');
  assert.equal(words(await client.callTool({ name: 'era', arguments: {} })), 'modern');
  assert.equal(words(await client.callTool({ name: 'ask', arguments: {} })), 'Ada');
  const progress: number[] = [];
  await client.callTool(
    { name: 'count', arguments: { to: 3 } },
    { onprogress: at => void progress.push(at.progress) },
  );
  assert.deepEqual(progress, [1, 2, 3]);
  assert.deepEqual((await client.readResource({ uri: 'note://one' })).contents[0]?.uri, 'note://one');

  let changes = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => void changes++);
  const listening = await client.listen({ toolsListChanged: true });
  await client.callTool({ name: 'more', arguments: {} });
  await until(() => changes > 0);
  await listening.close();

  const stop = new AbortController();
  const waiting = assert.rejects(
    client.callTool({ name: 'wait', arguments: { tag: 'mine' } }, { signal: stop.signal }),
  );
  await client.callTool({ name: 'echo', arguments: { text: 'meanwhile' } });
  stop.abort();
  await waiting;
  await until(async () => words(await client.callTool({ name: 'cancelled', arguments: {} })) === 'mine');
});

test('a legacy client uses a modern program in lines', async t => {
  let changes = 0;
  const { client } = await legacyClient(t, gateway, '/mcp/alice/modern', {
    capabilities: { elicitation: {} },
    prepare: client => {
      client.setRequestHandler(ElicitRequestSchema, async () => ({
        action: 'accept',
        content: { name: 'Grace' },
      }));
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
    },
  });
  assert.equal(words(await client.callTool({ name: 'era', arguments: {} })), 'modern');
  assert.equal(words(await client.callTool({ name: 'ask', arguments: {} })), 'Grace');
  const progress: number[] = [];
  await client.callTool({ name: 'count', arguments: { to: 2 } }, undefined, {
    onprogress: at => void progress.push(at.progress),
  });
  assert.deepEqual(progress, [1, 2]);
  await client.callTool({ name: 'more', arguments: {} });
  await until(() => changes > 0);
});

test('of a shared modern program each is asked their own questions, and nothing is crossed', async t => {
  await Promise.all(
    ['alice', 'bob'].flatMap(user => [
      (async () => {
        const client = await modernClient(t, gateway, '/mcp/alice/modern', {
          user,
          capabilities: { elicitation: { form: {} } },
          prepare: client =>
            client.setRequestHandler('elicitation/create', async () => ({
              action: 'accept',
              content: { name: user },
            })),
        });
        for (let n = 0; n < 20; n++) {
          assert.equal(words(await client.callTool({ name: 'ask', arguments: {} })), user);
          const mark = `${user} ${n}`;
          assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: mark } })), mark);
        }
      })(),
      (async () => {
        const { client } = await legacyClient(t, gateway, '/mcp/alice/modern', {
          user,
          capabilities: { elicitation: {} },
          prepare: client =>
            client.setRequestHandler(ElicitRequestSchema, async () => ({
              action: 'accept',
              content: { name: `old ${user}` },
            })),
        });
        for (let n = 0; n < 20; n++)
          assert.equal(words(await client.callTool({ name: 'ask', arguments: {} })), `old ${user}`);
      })(),
    ]),
  );
});

test('a program for each session, where the agent isolates them', async t => {
  const pids = await Promise.all(
    [1, 2].map(async () => {
      const { client } = await legacyClient(t, gateway, '/mcp/alice/alone');
      return words(await client.callTool({ name: 'pid', arguments: {} }));
    }),
  );
  assert.notEqual(pids[0], pids[1]);
});

test('a program that speaks both eras is one program for clients of either', async t => {
  const modern = await modernClient(t, gateway, '/mcp/alice/both');
  const { client: legacy } = await legacyClient(t, gateway, '/mcp/alice/both');
  const pid = words(await modern.callTool({ name: 'pid', arguments: {} }));
  assert.equal(words(await legacy.callTool({ name: 'pid', arguments: {} })), pid);
  assert.equal(words(await legacy.callTool({ name: 'era', arguments: {} })), 'modern');
});

test('a legacy program that would not survive the question is served, to clients of either era', async t => {
  const { client } = await legacyClient(t, gateway, '/mcp/alice/strict');
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'old' } })), 'old');
  const modern = await modernClient(t, gateway, '/mcp/alice/strict');
  assert.equal(words(await modern.callTool({ name: 'echo', arguments: { text: 'new' } })), 'new');
});

test('a modern program that dies ends what was in flight with an error, and is there again', async t => {
  const client = await modernClient(t, gateway, '/mcp/alice/modern');
  const before = words(await client.callTool({ name: 'pid', arguments: {} }));
  await assert.rejects(
    client.callTool({ name: 'die', arguments: {} }),
    /whether it took effect is not known/,
  );
  await until(async () => {
    const said = await client.callTool({ name: 'pid', arguments: {} }).then(words, () => before);
    return said !== before;
  });
});
