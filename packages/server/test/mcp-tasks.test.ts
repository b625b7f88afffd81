import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import {
  legacyClient,
  type McpGateway,
  modernClient,
  modernRequest,
  post,
  startMcpGateway,
} from './fixtures/mcp.ts';
import { serveSessions } from './fixtures/mcp-servers.ts';
import { buildTaskServer, startModernTasks } from './fixtures/task-servers.ts';

const PROGRAM = fileURLToPath(new URL('./fixtures/mcp-stdio-tasks.ts', import.meta.url));
const EXTENSION = 'io.modelcontextprotocol/tasks';
const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
let gateway: McpGateway;
let modern: Awaited<ReturnType<typeof startModernTasks>>;
const ending: (() => unknown)[] = [];
const house: Pick<TestContext, 'after'> = { after: end => void ending.push(end as () => unknown) };

/** Servers with tasks, of each era, and programs of the legacy one that are shared and that are not. */
before(async () => {
  const old = await serveSessions(house, buildTaskServer);
  modern = await startModernTasks(house);
  gateway = await startMcpGateway(house, { old: { url: old.url }, new: { url: modern.url } });
  const key = await gateway.keyOf('alice');
  for (const isolate of ['shared', 'principal'])
    await startAgent(
      house,
      ['--gateway', gateway.url, '--name', isolate, '--isolate', isolate, '--', process.execPath, PROGRAM],
      { SALLYPORT_KEY: key },
    ).says(new RegExp(`connected {2}${isolate}`));
});
after(async () => {
  for (const end of ending.reverse()) await end();
});

async function oldClient(t: TestContext, path: string): Promise<Client> {
  const { client } = await legacyClient(t, gateway, path, {
    capabilities: { elicitation: {} },
    prepare: one =>
      one.setRequestHandler(ElicitRequestSchema, async () => ({
        action: 'accept',
        content: { name: 'Ada' },
      })),
  });
  return client;
}

/** The SDK's two generations take the same by another number of parameters. */
const callTool = (
  client: Client | Awaited<ReturnType<typeof newClient>>,
  call: { name: string; arguments: Record<string, unknown> },
  options: object,
) =>
  'experimental' in client && 'tasks' in (client.experimental as object)
    ? (client as Client).callTool(call, undefined, options)
    : (client as Awaited<ReturnType<typeof newClient>>).callTool(call, options);

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) assert.ok(performance.now() < end, `not within 20 s: ${holds}`);
}

const newClient = (t: TestContext, path: string) =>
  modernClient(t, gateway, path, {
    capabilities: { elicitation: { form: {} } },
    prepare: client =>
      client.setRequestHandler('elicitation/create', async () => ({
        action: 'accept',
        content: { name: 'Ada' },
      })),
  });

for (const path of ['/mcp/old', '/mcp/alice/principal'])
  test(`a legacy client has the tasks of a legacy server at ${path}`, async t => {
    const client = await oldClient(t, path);
    assert.deepEqual(client.getServerCapabilities()?.tasks?.requests, { tools: { call: {} } });
    const { tools } = await client.listTools();
    assert.equal(tools.find(({ name }) => name === 'report')?.execution?.taskSupport, 'required');
    const heard: string[] = [];
    let said = '';
    for await (const message of client.experimental.tasks.callToolStream({
      name: 'report',
      arguments: { ask: true, wait: false },
    })) {
      heard.push(message.type);
      if (message.type === 'result') said = words(message.result);
    }
    assert.equal(said, 'report for Ada', `${heard}`);
    assert.equal(heard[0], 'taskCreated');
    const waiting = client.experimental.tasks.callToolStream({
      name: 'report',
      arguments: { ask: false, wait: true },
    });
    const { value } = await waiting.next();
    assert.ok(value?.type === 'taskCreated');
    const { taskId } = value.task;
    assert.ok((await client.experimental.tasks.listTasks()).tasks.some(one => one.taskId === taskId));
    assert.equal((await client.experimental.tasks.cancelTask(taskId)).status, 'cancelled');
    await waiting.return();
  });

test('a modern client has the tasks of a modern server, and its header says which', async () => {
  const _meta = { 'io.modelcontextprotocol/clientCapabilities': { extensions: { [EXTENSION]: {} } } };
  const call = modernRequest('tools/call', { name: 'report', arguments: { ask: false, wait: false }, _meta });
  const made = await post(gateway, '/mcp/new', call.body, call.headers);
  assert.equal(made.json.result['resultType'], 'task');
  const get = modernRequest('tasks/get', { taskId: made.json.result['taskId'], _meta }, 2);
  const named = { ...get.headers, 'mcp-name': String(made.json.result['taskId']) };
  const got = await post(gateway, '/mcp/new', get.body, named);
  assert.equal(words(got.json.result['result']), 'report for nobody');
  assert.equal(modern.asked.at(-1), 'tasks/get routed');
  for (const headers of [get.headers, { ...named, 'mcp-name': 'other' }]) {
    const { status, json } = await post(gateway, '/mcp/new', get.body, headers);
    assert.deepEqual([status, json.error.code], [400, -32020]);
  }
});

test('what a server does as a task alone is a call like any other for clients that could not have the task', async t => {
  const clients = [
    ['a modern client, a legacy server', await newClient(t, '/mcp/old'), 'report'],
    ['a modern client, a shared program', await newClient(t, '/mcp/alice/shared'), 'report'],
    ['a modern client, all servers', await newClient(t, '/mcp'), 'old__report'],
    ['a legacy client, a modern server', await oldClient(t, '/mcp/new'), 'report'],
    ['a legacy client, a shared program', await oldClient(t, '/mcp/alice/shared'), 'report'],
    ['a legacy client, all servers, a legacy one', await oldClient(t, '/mcp'), 'old__report'],
    ['a legacy client, all servers, a modern one', await oldClient(t, '/mcp'), 'new__report'],
  ] as const;
  for (const [who, client, name] of clients) {
    const { tasks, extensions } = (client.getServerCapabilities() ?? {}) as Record<string, object>;
    assert.deepEqual([tasks, extensions], [undefined, undefined], `${who}: nothing is promised`);
    const { tools } = await client.listTools();
    const tool = tools.find(one => one.name === name) as { execution?: unknown };
    assert.ok(tool !== undefined && tool.execution === undefined, who);
    for (const ask of [false, true]) {
      const heard: unknown[] = [];
      const options = { onprogress: ({ message }: { message?: string }) => void heard.push(message) };
      const said = await callTool(client, { name, arguments: { ask, wait: false } }, options);
      assert.equal(words(said), ask ? 'report for Ada' : 'report for nobody', who);
      assert.equal(heard[0], 'half of it', `${who}: its progress comes`);
      assert.deepEqual(
        Object.keys(said['_meta'] ?? {}).filter(key => key.includes('task')),
        [],
        who,
      );
    }
  }
});

test('who leaves such a call cancels the task', async t => {
  const leave = async (
    client: Client | Awaited<ReturnType<typeof newClient>>,
    began: () => Promise<unknown>,
  ) => {
    const leaving = new AbortController();
    const options = { signal: leaving.signal };
    const call = { name: 'report', arguments: { ask: false, wait: true } };
    const called = assert.rejects(callTool(client, call, options));
    await began();
    leaving.abort();
    await called;
  };
  const old = await newClient(t, '/mcp/old');
  const counts = async () =>
    /(\d+) made, (\d+)/.exec(words(await old.callTool({ name: 'counts', arguments: {} })))!.map(Number);
  const [, madeBefore, cancelledBefore] = await counts();
  await leave(old, () => until(async () => (await counts())[1]! > madeBefore!));
  await until(async () => (await counts())[2]! > cancelledBefore!);
  const made = modern.tasks.size;
  await leave(await oldClient(t, '/mcp/new'), () => eventually(() => modern.tasks.size > made));
  await eventually(() => [...modern.tasks.values()].at(-1)!.status === 'cancelled');
});

test('where tasks cannot cross, asking for them is refused in words, and no server hears of it', async t => {
  for (const path of ['/mcp/old', '/mcp/alice/shared', '/mcp']) {
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const { body, headers } = modernRequest(method, { taskId: 'x' });
      const { status, json } = await post(gateway, path, body, { ...headers, 'mcp-name': 'x' });
      assert.deepEqual([path, method, status, json.error.code], [path, method, 404, -32601]);
      assert.match(json.error.message, /no tasks here/);
    }
  }
  const asked = modern.asked.length;
  for (const path of ['/mcp/new', '/mcp/alice/shared', '/mcp']) {
    const client = await oldClient(t, path);
    const { tasks } = client.experimental;
    for (const call of [() => tasks.getTask('x'), () => tasks.listTasks()])
      await assert.rejects(call, (error: { code: number }) => error.code === -32601);
  }
  assert.ok(!modern.asked.slice(asked).some(one => one.startsWith('tasks/')));
});
