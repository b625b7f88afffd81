import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyOf } from '../fixtures/admin.ts';
import { startGateway } from '../fixtures/gateway.ts';
import { freePort } from '../fixtures/ports.ts';
import { agentsWork, terminalsWork } from '../fixtures/terminal-wire.ts';

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

test('the published open-terminal behind the gateway: all that the shells of the gateway’s own do as well', async t => {
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
  const place = {
    gateway,
    name: 'box',
    alice: await bearer('alice@corp.example'),
    bob: await bearer('bob@corp.example'),
  };
  await terminalsWork(place);
  await agentsWork(place);
});
