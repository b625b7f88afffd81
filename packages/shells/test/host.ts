/** A process that has shells, for tests that end it without warning: `host.ts DIR KEY`; it says when its shell is ready. */
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from '../src/settings.ts';
import { createShells } from '../src/shells.ts';
import { Attached } from './house.ts';

const [homes, isolate] = process.argv.slice(2);
const key = process.env['SALLYPORT_SECRET']!;
const shells = createShells({
  key,
  clock: {
    monotonic: () => performance.now(),
    now: () => Date.now(),
    sleep: (ms, signal) => delay(ms, undefined, { signal }),
  },
  settings: {
    shell: ['/bin/bash', '--norc'],
    homes: homes!,
    env: { PS1: '$ ' },
    account: null,
    privileges: false,
    lingers: false,
    isolate: isolate as 'none',
    network: false,
    limits: LIMITS,
  },
});
const { request } = await import('node:http');
const req = request({
  createConnection: () => shells.connect(),
  method: 'POST',
  path: '/api/terminals',
  headers: { authorization: `Bearer ${key}`, 'x-user-id': 'alice' },
});
req.on('response', res => {
  res.setEncoding('utf8').on('data', (text: string) => {
    const shell = new Attached(shells, JSON.parse(text).id, 'alice', key);
    shell.type('sleep 7301 & (setsid nohup sleep 7302 >/dev/null 2>&1 &); sleep 0.3; echo re""ady\n');
    void shell.says(/ready/).then(() => process.stdout.write('ready\n'));
  });
});
req.end();
