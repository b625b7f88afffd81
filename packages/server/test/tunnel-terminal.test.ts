import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerWith, keyOf } from './fixtures/admin.ts';
import { startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { TerminalClient } from './fixtures/terminal-client.ts';

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
