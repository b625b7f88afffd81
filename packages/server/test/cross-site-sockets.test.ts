import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { createBrowser } from './fixtures/browser.ts';
import { startGateway } from './fixtures/gateway.ts';

/** A gateway with a web server behind it, and the cookie of somebody who is signed in. */
async function house(t: TestContext) {
  const local = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(local, 'listening');
  let dialled = 0;
  local.on('connection', () => void (dialled += 1));
  t.after(() => {
    for (const socket of local.clients) socket.terminate();
    local.close();
  });
  const url = `http://127.0.0.1:${(local.address() as AddressInfo).port}`;
  const gateway = await startGateway(t, {
    config: {
      upstreams: [
        { id: 'site', kind: 'http', url, access: { everyone: true } },
        { id: 'tools', kind: 'mcp', url, access: { everyone: true } },
      ],
    },
  });
  const browser = createBrowser();
  await browser.get(/http:\S+admin\S*/.exec(gateway.output())![0]);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;

  /** What a page gets that opens a WebSocket: the status of a refusal, or 101. */
  async function open(path: string, headers: Record<string, string>, protocols: string[]): Promise<number> {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}${path}`, protocols, {
      headers: { cookie, ...headers },
    });
    t.after(() => socket.terminate());
    socket.on('error', () => {});
    const status = await Promise.race([
      once(socket, 'open').then(() => 101),
      once(socket, 'unexpected-response').then(([, res]) => (res as IncomingMessage).statusCode!),
    ]);
    socket.terminate();
    return status;
  }
  return { gateway, open, dialled: () => dialled };
}

test('a page of another site opens no WebSocket with its visitor’s session, wherever WebSockets are', async t => {
  const { gateway, open, dialled } = await house(t);
  const doors: readonly [path: string, own: number, ...protocols: string[]][] = [
    ['/u/site/live', 101],
    ['/tunnel', 101, 'sallyport.h2.v1'],
    ['/reverse-proxy/ws', 101],
    ['/v1/reverse-proxy/ws', 101],
    ['/reverse-proxy', 101],
    // There are none here, for nobody.
    ['/mcp/tools', 426],
    ['/mcp', 426],
  ];
  for (const [path, own, ...protocols] of doors) {
    const elsewhere: readonly Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: `${gateway.url}.evil.example` },
      { origin: 'null' },
      // A neighbour on the same machine is the same site, and its cookies come along.
      { origin: 'http://localhost:1', 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
    ];
    for (const from of elsewhere)
      assert.equal(
        await open(path, from, protocols),
        own === 426 ? 426 : 403,
        `${path} ${JSON.stringify(from)}`,
      );
    assert.equal(dialled(), 0, path);
    if (path.startsWith('/u/')) continue;
    assert.equal(await open(path, { origin: gateway.url }, protocols), own, path);
  }
  assert.equal(await open('/u/site/live', { origin: gateway.url }, []), 101);
  assert.equal(dialled(), 1);
});
