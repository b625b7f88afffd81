import assert from 'node:assert/strict';
import { once } from 'node:events';
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { callerWith, keyOf } from './fixtures/admin.ts';
import { startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { TerminalClient } from './fixtures/terminal-client.ts';
import { WsStream } from './fixtures/ws-stream.ts';

test('a laptop’s shell through its agent: typed into, resized, printing, ended; and nobody else’s', async t => {
  const gateway = await startGateway(t);
  const key = await keyOf(gateway, 'alice@corp.example');
  const agent = startAgent(t, ['--gateway', gateway.url, '--terminal'], {
    SALLYPORT_KEY: key,
    SHELL: '/bin/sh',
  });
  await agent.says(/connected {2}shell {2}-> {2}\S+\/terminals\/alice\/shell/);
  const headers = { authorization: `Bearer ${key}` };
  const call = callerWith(gateway, headers);
  const at = '/terminals/alice/shell/api/terminals';
  const made = await call('POST', at);
  assert.equal(made.status, 200, made.text);
  const client = await new TerminalClient(`${gateway.url}${at}/${made.body.id}`, { headers }).open();
  client.say({ type: 'resize', cols: 101, rows: 31 });
  client.type('stty size; env | grep -c SALLYPORT | sed s/^/keys=/\n');
  await client.shows('31 101');
  await client.shows('keys=0');
  client.type('stty -onlcr -echo; yes | head -c 2000000; echo d""one\n');
  await client.shows('done\n');
  assert.ok(client.bytes > 2_000_000);
  const bob = await keyOf(gateway, 'bob@corp.example');
  assert.notEqual((await callerWith(gateway, { authorization: `Bearer ${bob}` })('POST', at)).status, 200);
  client.type('exit\n');
  await eventually(() => client.closed !== null);
  assert.equal(client.closed!.code, 1000);
});

test('an agent whose HTTP/2 opens no WebSockets: who attaches is told whose fault it is and what to do; its files are there', async t => {
  const gateway = await startGateway(t);
  const headers = { authorization: `Bearer ${await keyOf(gateway, 'alice@corp.example')}` };
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/tunnel`, ['sallyport.h2.v1'], {
    headers,
  });
  t.after(() => socket.terminate());
  await once(socket, 'open');
  // By another's hand: no SETTINGS_ENABLE_CONNECT_PROTOCOL.
  const session = performServerHandshake(new WsStream(socket, () => performance.now()));
  const registered = Promise.withResolvers<void>();
  session.on('error', () => {});
  session.on('stream', (stream: ServerHttp2Stream, { ':path': path }) => {
    stream.on('error', () => {});
    const answer =
      path === '/.sallyport/hello' ? HELLO : path === '/shell/api/terminals' ? { id: 'tty' } : {};
    stream.respond({ ':status': path === '/.sallyport/notice' ? 204 : 200 });
    stream.end(JSON.stringify(answer));
    if (path === '/.sallyport/notice') registered.resolve();
  });
  const call = callerWith(gateway, headers);
  const at = '/terminals/alice/shell/api/terminals';
  await registered.promise;
  assert.equal((await call('POST', at)).status, 200);
  const client = new TerminalClient(`${gateway.url}${at}/tty`, { headers });
  assert.deepEqual(await client.end(), {
    code: 1011,
    reason: 'The agent of alice/shell opens no WebSockets (RFC 8441): update it.',
  });
  assert.equal((await call('GET', '/terminals/alice/shell/files/list')).status, 200);
});

const HELLO = {
  protocol: 1,
  agent: { name: 'old', version: '0', instance: 'x' },
  servers: [{ name: 'shell', kind: 'terminal' }],
};
