import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from './fixtures/gateway.ts';

test('a second server on one SQLite file refuses, says who has it and what to do, and the first goes on', async t => {
  const first = await startGateway(t);
  const store = `sqlite:${join(first.directory, 'sallyport.db')}`;
  const second = startGateway(t, { directory: first.directory, store });
  await assert.rejects(second, (error: Error) => {
    assert.match(error.message, /^the gateway ended with 1 before it was ready/);
    assert.match(
      error.message,
      new RegExp(
        `Another Sallyport \\(process ${first.process.pid} on \\S+, since 2\\S+Z\\) serves the SQLite file`,
      ),
    );
    assert.match(error.message, /Stop that one first[\s\S]*--store[\s\S]*PostgreSQL/);
    assert.doesNotMatch(error.message, /at holdStore/);
    return true;
  });
  assert.equal((await fetch(`${first.url}/readyz`)).status, 200);

  // By another name it is the same file.
  const alias = join(first.directory, 'alias');
  mkdirSync(alias);
  symlinkSync(join(first.directory, 'sallyport.db'), join(alias, 'other.db'));
  await assert.rejects(
    startGateway(t, { directory: first.directory, store: `sqlite:${join(alias, 'other.db')}` }),
    /Another Sallyport/,
  );
});

test('commands work beside a server', async t => {
  const gateway = await startGateway(t);
  const made = await gateway.command('keys', 'create', '--user', 'you@corp.example');
  assert.equal(made.code, 0, made.stderr);
  for (const command of [['keys', 'list'], ['secrets', 'rotate'], ['doctor'], ['migrate'], ['admin-link']]) {
    const { code, stderr, stdout } = await gateway.command(...command);
    assert.equal(code, 0, `${command.join(' ')}: ${stderr}${stdout}`);
  }
  const headers = { authorization: `Bearer ${made.stdout.trim()}` };
  assert.equal((await fetch(`${gateway.url}/api/v1/me`, { headers })).status, 200);
});

test('a server that was killed holds nothing, and one that was stopped neither', async t => {
  const gateway = await startGateway(t);
  await gateway.kill();
  await gateway.restart();
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
  assert.equal(await gateway.stop(), 0);
  await gateway.restart();
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
});

test('of several that start at once on a new file exactly one serves', async t => {
  const first = await startGateway(t);
  const store = `sqlite:${join(first.directory, 'shared.db')}`;
  const started = await Promise.allSettled(
    Array.from({ length: 3 }, () => startGateway(t, { directory: first.directory, store })),
  );
  assert.equal(started.filter(one => one.status === 'fulfilled').length, 1);
  for (const one of started)
    if (one.status === 'rejected') assert.match(String(one.reason), /Another Sallyport|is taken/);
});
