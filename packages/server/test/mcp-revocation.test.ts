import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './fixtures/data-plane.ts';
import { modernRequest, post, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

test('with a key go all streams that were opened by it, and the calls under way, in either era', {
  timeout: 120_000,
}, async t => {
  const legacy = await startLegacyServer(t);
  const modern = await startModernServer(t);
  const gateway = await startMcpGateway(t, { old: { url: legacy.url }, new: { url: modern.url } });
  const key = await gateway.keyOf('alice');
  const headers = (more: Record<string, string>) => ({
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...more,
  });

  /** A stream that has begun. @returns a promise of its end, whichever way */
  const opened = async (path: string, init: RequestInit): Promise<() => Promise<string>> => {
    const answer = await fetch(gateway.url + path, init);
    assert.deepEqual([path, answer.status], [path, 200]);
    const ended = answer.text().then(
      () => path,
      () => path,
    );
    return () => ended;
  };
  const listened = (path: string) => {
    const asked = modernRequest('subscriptions/listen', { notifications: { toolsListChanged: true } });
    return opened(path, {
      method: 'POST',
      headers: headers(asked.headers),
      body: JSON.stringify(asked.body),
    });
  };
  const followed = async (path: string) => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    };
    const begun = await post(gateway, path, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const session = begun.headers.get('mcp-session-id')!;
    return opened(path, {
      headers: headers({ 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
    });
  };
  const open = [
    await listened('/mcp/old'),
    await listened('/mcp/new'),
    await listened('/mcp'),
    await followed('/mcp/old'),
    await followed('/mcp/new'),
    await followed('/mcp'),
    await opened('/mcp/old/sse', { headers: headers({ accept: 'text/event-stream' }) }),
  ];
  const asked = modernRequest('tools/call', { name: 'wait', arguments: { tag: 'under way' } });
  const call = post(gateway, '/mcp/old', asked.body, asked.headers).then(
    ({ status }) => status,
    () => null,
  );
  await eventually(() => legacy.ran.get('wait') === 1);

  const keys = await fetch(`${gateway.url}/api/v1/keys`, { headers: headers({}) });
  const [{ id }] = ((await keys.json()) as { items: [{ id: string }] }).items;
  assert.equal((await gateway.command('keys', 'revoke', id)).code, 0);
  const ended = await Promise.all(open.map(stream => stream()));
  assert.equal(ended.length, 7);
  assert.notEqual(await call, 200);
  await eventually(() => legacy.cancelled.includes('under way'));
});
