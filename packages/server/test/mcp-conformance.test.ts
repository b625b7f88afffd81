import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { startAgent } from './fixtures/agent.ts';
import { type Report, runConformance, type SETS } from './fixtures/conformance.ts';
import { buildV1, V1_PROGRAM } from './fixtures/everything-v1.ts';
import { serveV2 } from './fixtures/everything-v2.ts';
import { startKeyProxy } from './fixtures/key-proxy.ts';
import { startMcpGateway } from './fixtures/mcp.ts';
import { serveSessions } from './fixtures/mcp-servers.ts';
import { startPlainNamesProxy } from './fixtures/plain-names-proxy.ts';

type Scenarios = keyof typeof SETS;

/**
 * One of everything, in both eras, and a gateway before them in every way there is: at the joined endpoint too (`*`), whose names the scenarios do not know. A
 * proxy before it takes the server's name off them, and puts it on; all else of that endpoint is what the scenarios see.
 */
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
  const key = await gateway.keyOf('alice');
  const file = join(gateway.directory, 'agent.yaml');
  const servers = [
    { name: 'v1', http: v1.url },
    { name: 'v2', http: v2.url },
    { name: 'program', command: [process.execPath, V1_PROGRAM] },
    // A program that several share hears that its clients can do everything; one of a session's own hears what its client can do.
    { name: 'own', command: [process.execPath, V1_PROGRAM], isolate: 'session' },
  ];
  writeFileSync(file, stringify({ gateways: [{ url: gateway.url, servers }] }));
  const agent = startAgent(t, ['--config', file], { SALLYPORT_KEY: key });
  await agent.says(/connected {2}own/);
  const front = await startKeyProxy(t, gateway, key);
  const joined: Record<string, string> = {
    '*old': await startPlainNamesProxy(t, gateway, await gateway.keyOf('olga'), 'old'),
    '*new': await startPlainNamesProxy(t, gateway, await gateway.keyOf('nora'), 'new'),
  };
  return { direct: { v1: v1.url, v2: v2.url }, through: (id: string) => joined[id] ?? `${front}/mcp/${id}` };
}

/** What no bridge can do: a legacy server's questions have no names that it could have given them. */
const UNBRIDGEABLE = /^input-required-result-basic-elicitation: .*missing expected key "user_name"$/;

test('what conforms without the gateway conforms through it', { concurrency: 3 }, async t => {
  const { direct, through } = await house(t);
  const alone = new Map<Scenarios, Promise<Report>>();
  const without = (set: Scenarios): Promise<Report> => {
    const url = set === '2026-07-28' ? direct.v2 : direct.v1;
    const report = alone.get(set) ?? runConformance(set, url);
    alone.set(set, report);
    return report;
  };

  /** Failures that are there only through the gateway. Scenarios wait for little more than half a second: what fails gets the machine for itself. */
  async function added(set: Scenarios, url: string): Promise<string[]> {
    const [before, after] = await Promise.all([without(set), runConformance(set, url)]);
    const suspects = new Set<string>();
    for (const [check, { scenario }] of after.failures)
      if (!before.failures.has(check)) suspects.add(scenario);
    const found: string[] = [];
    for (const scenario of suspects)
      for (const [check, { said }] of (await runConformance(set, url, scenario)).failures)
        if (!before.failures.has(check)) found.push(`${check}: ${said}`);
    return found;
  }

  await Promise.all(
    (
      [
        ['HTTP, the stable scenarios', 'v1', 'stable'],
        ['HTTP, legacy', 'v1', '2025-11-25'],
        ['HTTP, modern', 'v2', '2026-07-28'],
        ['a native tunnel, legacy', 'alice/v1', '2025-11-25'],
        ['a native tunnel, modern', 'alice/v2', '2026-07-28'],
        ['a program behind a tunnel, legacy', 'alice/program', '2025-11-25'],
        ['a legacy client at a modern server', 'v2', '2025-11-25'],
        ['all servers at once, legacy', '*old', '2025-11-25'],
        ['all servers at once, modern', '*new', '2026-07-28'],
        ['a legacy client at all servers at once, a modern one', '*new', '2025-11-25'],
      ] as const
    ).map(([what, id, set]) => t.test(what, async () => assert.deepEqual(await added(set, through(id)), []))),
  );
  await Promise.all(
    (
      [
        ['a modern client at a program behind a tunnel', 'alice/own'],
        ['a modern client at a legacy server', 'v1'],
        ['a modern client at all servers at once, a legacy one', '*old'],
      ] as const
    ).map(([what, id]) =>
      t.test(what, async () => {
        const found = await added('2026-07-28', through(id));
        assert.deepEqual(
          found.filter(check => !UNBRIDGEABLE.test(check)),
          [],
        );
      }),
    ),
  );
});
