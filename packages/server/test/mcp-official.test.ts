import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startAgent, startProgram } from './fixtures/agent.ts';
import { PNG, WAV } from './fixtures/everything.ts';
import { buildV1, V1_PROGRAM } from './fixtures/everything-v1.ts';
import { serveV2, V2_PROGRAM } from './fixtures/everything-v2.ts';
import { type McpGateway, startMcpGateway } from './fixtures/mcp.ts';
import { serveSessions } from './fixtures/mcp-servers.ts';
import { connectV1, connectV2, type OfficialClient } from './fixtures/official-clients.ts';
import { startPlainNamesProxy } from './fixtures/plain-names-proxy.ts';

const FOREIGN = fileURLToPath(new URL('./fixtures/generation-1.ts', import.meta.url));

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
const kinds = (result: unknown) =>
  (result as { content: { type: string }[] }).content.map(({ type }) => type);

/** Looks again until it holds, for some seconds. */
async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 8_000;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`not within 8 s: ${holds}`);
    await new Promise(resolve => setImmediate(resolve));
  }
}

const FEATURES: readonly (readonly [string, (client: OfficialClient) => Promise<unknown>])[] = [
  ['a text', async ({ call }) => assert.equal(words(await call('test_simple_text')), 'A simple text.')],
  [
    'images, audio, resources in an answer',
    async ({ call }) => {
      const [image] = (await call('test_image_content'))['content'] as { data: string }[];
      const [audio] = (await call('test_audio_content'))['content'] as { data: string }[];
      assert.deepEqual([image!.data, audio!.data], [PNG, WAV]);
      assert.deepEqual(kinds(await call('test_multiple_content_types')), ['text', 'image', 'resource']);
    },
  ],
  [
    'structured output',
    async ({ call }) => assert.deepEqual((await call('structured'))['structuredContent'], { n: 7 }),
  ],
  [
    'a tool that fails',
    async ({ call }) => {
      const failed = await call('test_error_handling');
      assert.deepEqual([failed['isError'], words(failed)], [true, 'This tool fails, for a test.']);
    },
  ],
  [
    'an error of the protocol',
    async ({ read }) => {
      await assert.rejects(read('test://nothing'), (error: { code: number; message: string }) => {
        assert.match(error.message, /not found/i);
        return [-32002, -32602].includes(error.code);
      });
    },
  ],
  [
    'progress',
    async ({ call }) => {
      const steps: number[] = [];
      await call('test_tool_with_progress', {}, { onprogress: ({ progress }) => void steps.push(progress) });
      assert.deepEqual(steps, [0, 50, 100]);
    },
  ],
  [
    'log messages, from the level that is wanted',
    async ({ call, listenToLog, logged }) => {
      await listenToLog('info');
      await call('test_tool_with_logging');
      await eventually(() => logged.length >= 3);
      assert.deepEqual(logged.slice(-3), ['started', 'at work', 'done']);
    },
  ],
  [
    'cancellation',
    async ({ call, listenToLog, logged }) => {
      const before = Number(words(await call('cancelled')));
      await listenToLog('info');
      const waiting = logged.filter(said => said === 'waiting').length;
      const leaving = new AbortController();
      const call1 = call('wait', {}, { signal: leaving.signal });
      await eventually(() => logged.filter(said => said === 'waiting').length > waiting);
      leaving.abort();
      await assert.rejects(call1);
      await eventually(async () => Number(words(await call('cancelled'))) > before);
    },
  ],
  [
    'resources, page by page, and templates',
    async ({ resources, read }) => {
      assert.deepEqual(await resources(), [
        'test://static-text',
        'test://static-binary',
        'test://watched-resource',
      ]);
      const [binary] = (await read('test://static-binary'))['contents'] as { blob: string }[];
      assert.equal(binary!.blob, PNG);
      const [made] = (await read('test://template/123/data'))['contents'] as { text: string }[];
      assert.match(made!.text, /"id":"123"/);
    },
  ],
  [
    'subscriptions to resources',
    async ({ watch, call, updated }) => {
      const uri = 'test://watched-resource';
      const from = updated.length;
      const leave = await watch(uri);
      await call('touch_resource', { uri });
      await eventually(() => updated.length > from);
      assert.equal(updated.at(-1), uri);
      await leave();
    },
  ],
  [
    'changes of lists',
    async ({ listenToLists, call, changed }) => {
      const leave = await listenToLists();
      for (const [tool, list] of [
        ['test_trigger_tool_change', 'tools'],
        ['test_trigger_prompt_change', 'prompts'],
      ] as const) {
        const from = changed.length;
        await call(tool);
        await eventually(() => changed.slice(from).includes(list));
      }
      await leave();
    },
  ],
  [
    'prompts and completion',
    async ({ prompts, prompt, complete }) => {
      assert.ok((await prompts()).includes('test_simple_prompt'));
      const { messages } = await prompt('test_prompt_with_arguments', { arg1: 'one', arg2: 'two' });
      assert.match((messages as { content: { text: string } }[])[0]!.content.text, /arg1='one', arg2='two'/);
      assert.deepEqual(await complete('test_prompt_with_arguments', 'arg1', 'park'), ['park']);
    },
  ],
  [
    'sampling',
    async ({ call }) =>
      assert.equal(words(await call('test_sampling', { prompt: 'Well?' })), 'LLM response: sampled'),
  ],
  [
    'elicitation by form, twice in a call',
    async ({ call }) =>
      assert.equal(words(await call('test_input_required_result_multi_round')), 'Ada likes blue'),
  ],
  ['elicitation by URL', async ({ call }) => assert.equal(words(await call('elicit_url')), 'page: accept')],
  [
    'three questions at once, roots among them',
    async ({ call }) =>
      assert.equal(
        words(await call('test_input_required_result_multiple_inputs')),
        'sampled Ada file:///home/ada',
      ),
  ],
  [
    'a question while a prompt is made',
    async ({ prompt }) => {
      const { messages } = await prompt('test_input_required_result_prompt');
      assert.match((messages as { content: { text: string } }[])[0]!.content.text, /context of Ada/);
    },
  ],
];

/** Servers of both generations, each in every way it can stand behind a gateway. */
async function house(t: TestContext) {
  const v1 = await serveSessions(t, buildV1);
  const v2 = await serveV2(t);
  const gateway = await startMcpGateway(t, {
    v1: { url: v1.url, access: { users: ['alice@corp.example'] } },
    v2: { url: v2.url, access: { users: ['alice@corp.example'] } },
    // Of all servers at once, these people have but one each.
    old: { url: v1.url, access: { users: ['olga@corp.example'] } },
    new: { url: v2.url, access: { users: ['nora@corp.example'] } },
  });
  const file = join(gateway.directory, 'agent.yaml');
  const servers = [
    { name: 'v1', http: v1.url },
    { name: 'v2', http: v2.url },
    { name: 'program-v1', command: [process.execPath, V1_PROGRAM] },
    { name: 'program-v2', command: [process.execPath, V2_PROGRAM] },
  ];
  writeFileSync(file, stringify({ gateways: [{ url: gateway.url, servers }] }));
  const agent = startAgent(t, ['--config', file], { SALLYPORT_KEY: await gateway.keyOf('alice') });
  const socket = `${gateway.url.replace('http', 'ws')}/reverse-proxy/ws`;
  // Both call themselves the same, so each has a person of its own.
  const foreign = await Promise.all(
    (
      [
        ['carl', V1_PROGRAM],
        ['dora', V2_PROGRAM],
      ] as const
    ).map(async ([user, program]) => {
      const key = await gateway.keyOf(user);
      return startProgram(t, FOREIGN, [socket, key, process.execPath, program]);
    }),
  );
  await agent.says(/connected {2}program-v2/);
  for (const one of foreign) await one.says(/"register_ack"/);
  const joined = new Map<string, McpGateway>();
  for (const [user, upstream] of [
    ['olga', 'old'],
    ['nora', 'new'],
  ] as const) {
    const endpoint = await startPlainNamesProxy(t, gateway, await gateway.keyOf(user), upstream);
    joined.set(user, { ...gateway, url: new URL(endpoint).origin });
  }
  return { gateway, joined };
}

test('the official clients use the official servers, each generation each', { timeout: 120_000 }, async t => {
  const { gateway, joined } = await house(t);
  for (const [way, user, paths] of [
    ['HTTP', 'alice', ['v1', 'v2']],
    ['a native tunnel', 'alice', ['alice/v1', 'alice/v2']],
    ['a program behind a tunnel', 'alice', ['alice/program-v1', 'alice/program-v2']],
    ['a ContextForge agent', '', ['carl/corp-tools', 'dora/corp-tools']],
    // `/mcp`, by users that have one server there; see `startPlainNamesProxy`.
    ['all servers at once', '', ['olga', 'nora']],
  ] as const)
    for (const [index, path] of paths.entries())
      for (const [generation, connect] of [
        ['v1', connectV1],
        ['v2', connectV2],
      ] as const)
        await t.test(`a ${generation} client, a v${index + 1} server, by ${way}`, async t => {
          const at = joined.get(path);
          const client =
            at === undefined
              ? await connect(t, gateway, `/mcp/${path}`, user || path.split('/')[0]!)
              : await connect(t, at, '/mcp', path);
          for (const [feature, run] of FEATURES)
            await t.test(feature, { timeout: 10_000 }, async () => void (await run(client)));
        });
});
