import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from './fixtures/gateway.ts';
import { startUpstream } from './fixtures/upstream.ts';

interface Event {
  readonly action: string;
  readonly credential_id: string;
  readonly address: string;
  readonly target: string;
  readonly detail: Record<string, unknown>;
}

test('whoever stops the gateway finds each use of a credential in the audit, however many calls it was', async t => {
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const credential = { use: 'key', key: 'canary-upstream-key-0001' };
  const gateway = await startGateway(t, {
    config: {
      upstreams: [
        { id: 'llm', kind: 'openai', url: `${upstream.url}/v1`, credential, access: { everyone: true } },
        { id: 'open', kind: 'http', url: upstream.url, access: { everyone: true } },
      ],
    },
  });
  const key = (
    await gateway.command('keys', 'create', '--user', 'root@corp.example', '--admin')
  ).stdout.trim();
  const get = async (path: string) => {
    const answer = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${key}` } });
    assert.equal(answer.status, 200);
    return answer.text();
  };
  for (let n = 0; n < 20; n++) await get('/u/llm/models');
  await get('/v1/models');
  await get('/u/open/anything');
  assert.equal(await gateway.stop(), 0);
  await gateway.restart();

  const { items } = JSON.parse(await get('/api/v1/audit?action=credential.*')) as { items: Event[] };
  const uses = items.map(({ target, credential_id, address, detail }) => ({
    target,
    by: credential_id.slice(0, 4),
    address,
    ...detail,
  }));
  // A minute that ended meanwhile makes two rows of one.
  assert.ok(uses.length <= 2);
  assert.equal(
    uses.reduce((sum, use) => sum + Number((use as { count?: number }).count), 0),
    21,
  );
  for (const use of uses) {
    const { first, last, count, ...rest } = use as Record<string, unknown>;
    assert.deepEqual(rest, {
      target: 'llm',
      by: 'key_',
      address: '127.0.0.1',
      result: 'ok',
      rule: 'key',
      grant: null,
    });
  }
  assert.doesNotMatch(JSON.stringify(items), /canary/);
});
