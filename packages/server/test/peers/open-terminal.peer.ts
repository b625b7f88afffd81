import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { callerWith, keyOf } from '../fixtures/admin.ts';
import { freePort, startGateway } from '../fixtures/gateway.ts';
import { TerminalClient } from '../fixtures/terminal-client.ts';

const PROGRAM = process.env['OPEN_TERMINAL']!;
const KEY = 'key-of-the-server';

/** The published program, in a directory of its own. */
async function startOpenTerminal(t: { after(work: () => void): void }): Promise<string> {
  const port = await freePort();
  const home = mkdtempSync(join(tmpdir(), 'sallyport-peer-'));
  const child = spawn(PROGRAM, ['run', '--host', '127.0.0.1', '--port', String(port), '--cwd', home], {
    env: { PATH: process.env['PATH'], HOME: home, OPEN_TERMINAL_API_KEY: KEY },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += chunk));
  t.after(() => {
    child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  for (let n = 0; n < 300; n++) {
    const answered = await fetch(`${url}/health`).catch(() => null);
    if (answered?.ok) return url;
    if (child.exitCode !== null) break;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  throw new Error(`open-terminal did not start: ${said}`);
}

test('the published open-terminal behind the gateway: made, attached, come back to, resized, kept apart and deleted', async t => {
  const url = await startOpenTerminal(t);
  const gateway = await startGateway(t, {
    config: {
      upstreams: [
        {
          id: 'box',
          kind: 'terminal',
          url,
          credential: { use: 'key', key: 'env:TERMINAL_KEY' },
          access: { everyone: true },
        },
      ],
    },
    env: { TERMINAL_KEY: KEY },
  });
  const bearer = async (email: string) => ({ authorization: `Bearer ${await keyOf(gateway, email)}` });
  const [alice, bob] = [await bearer('alice@corp.example'), await bearer('bob@corp.example')];
  const as = (who: Record<string, string>, more: Record<string, string> = {}) =>
    callerWith(gateway, { ...who, ...more });
  const session = { 'x-session-id': 'chat-1' };
  const made = await as(alice, session)('POST', '/terminals/box/api/terminals');
  assert.equal(made.status, 200, made.text);
  const id = (made.body as { id: string }).id;
  const path = `/terminals/box/api/terminals/${id}`;
  const attach = (who: Record<string, string>, query = '') =>
    new TerminalClient(`${gateway.url}${path}${query}`, {
      headers: who,
      protocols: ['sallyport.terminal.v1'],
    });

  const first = attach(alice);
  await first.told('attached');
  first.say({ type: 'resize', cols: 97, rows: 31 });
  first.type('stty size; echo h""i\r');
  await first.shows('31 97');
  await first.shows('hi\r\n');
  first.drop();
  const again = attach(alice, `?from=${first.bytes}`);
  const { from, lost } = await again.told('attached');
  assert.deepEqual([from, lost], [first.bytes, 0]);
  again.type('echo ba""ck\r');
  await again.shows('back\r\n');

  assert.deepEqual((await as(bob)('GET', '/terminals/box/api/terminals')).body, []);
  assert.equal((await as(bob)('GET', path)).status, 404);
  assert.equal((await attach(bob).end()).code, 4004);
  const mine = (await as(alice, session)('GET', '/terminals/box/api/terminals')).body as {
    id: string;
    attached: boolean;
  }[];
  assert.deepEqual(
    mine.map(one => [one.id, one.attached]),
    [[id, true]],
  );
  assert.equal((await as(alice)('GET', '/terminals/box/health')).status, 200);

  // Of another session, or of none, it is the same terminal.
  assert.equal((await as(alice)('GET', path)).status, 200);
  again.type('exit\r');
  assert.deepEqual(await again.end(), { code: 1000, reason: 'the shell has ended' });
  assert.equal((await attach(alice).end()).code, 4004);

  const other = (await as(alice)('POST', '/terminals/box/api/terminals')).body as { id: string };
  assert.equal((await as(alice)('DELETE', `/terminals/box/api/terminals/${other.id}`)).status, 200);
  assert.deepEqual((await as(alice)('GET', '/terminals/box/api/terminals')).body, []);
});
