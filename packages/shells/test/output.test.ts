import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from '../src/settings.ts';
import { house } from './house.ts';
import { running } from './sleepers.ts';

/** What `yes | head -c` prints here: 100 MB where there is time for it (`SALLYPORT_TEST_FULL=1`). */
const PRINTED = process.env['SALLYPORT_TEST_FULL'] ? 100_000_000 : 10_000_000;
/** Shells at once: 500 where there is time for it. */
const CROWD = process.env['SALLYPORT_TEST_FULL'] ? 500 : 60;

test(`${PRINTED / 1e6} MB printed at full speed arrive whole`, async t => {
  const { open } = house(t);
  const shell = await open();
  shell.type(`stty -onlcr -echo; echo be""gin; yes | head -c ${PRINTED}; echo e""nd; exit\n`);
  await shell.says(/begin\n/);
  const began = performance.now();
  assert.equal((await shell.closed).code, 1000);
  const took = (performance.now() - began) / 1_000;
  t.diagnostic(`${(shell.bytes / 1e6 / took).toFixed(1)} MB/s`);
  const rest = shell.bytes - shell.output.indexOf('begin\n') - 'begin\n'.length;
  assert.ok(rest >= PRINTED + 'end\n'.length && rest < PRINTED + 200, `${rest}`);
});

test('a shell that prints for ever to a reader that does not read waits; and what it printed last comes after it ended', async t => {
  const { open, call } = house(t);
  const shell = await open();
  shell.type('stty -onlcr -echo; echo be""gin; yes | head -c 3000000; echo e""nd; exit\n');
  await shell.says(/begin\n/);
  shell.socket.pause();
  await delay(700);
  const before = process.memoryUsage().arrayBuffers;
  await delay(300);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2_000_000);
  assert.equal((await call('GET', '/api/terminals')).json.length, 1, 'it waits');
  const came = shell.bytes;
  assert.ok(came < 2_000_000, `${came}`);
  shell.socket.resume();
  assert.equal((await shell.closed).code, 1000);
  assert.ok(shell.bytes > 3_000_000, `${shell.bytes}`);
});

test('what is typed faster than it is read waits at its sender, and all of it arrives', async t => {
  const { open } = house(t);
  const shell = await open();
  shell.type('stty -echo -icanon; echo re""ady; sleep 1; head -c 1000000 | md5sum; echo d""one\n');
  await shell.says(/ready/);
  const line = `${'x'.repeat(99)}\n`;
  shell.type(line.repeat(10_000));
  await shell.says(/done/);
  const { createHash } = await import('node:crypto');
  assert.ok(shell.output.includes(createHash('md5').update(line.repeat(10_000)).digest('hex')));
});

test(`${CROWD} shells at once, 2 of them printing at full speed: the others answer`, async t => {
  const { open } = house(t, { limits: { ...LIMITS, perUser: 1_000, total: 1_000 } });
  const shells = await Promise.all(Array.from({ length: CROWD }, (_, i) => open(`user${i % 20}`)));
  await Promise.all(shells.map(shell => shell.says(/\$ /)));
  for (const loud of shells.slice(0, 2)) loud.type('yes\n');
  await delay(200);
  const times: number[] = [];
  for (const [index, shell] of shells.slice(2).entries()) {
    const began = performance.now();
    shell.type(`#${index}-`);
    await shell.says(new RegExp(`#${index}-`));
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor((times.length - 1) * share)]!.toFixed(1);
  const { rss } = process.memoryUsage();
  t.diagnostic(
    `echo p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; both ends in one process of ${(rss / 1e6).toFixed(0)} MB`,
  );
  for (const shell of shells) shell.socket.terminate();
  assert.equal(times.length, CROWD - 2);
});

test('nothing of a shell is left when it ends, not even what left its terminal', async t => {
  const { open } = house(t);
  const shell = await open();
  shell.type(
    '(setsid nohup sleep 4321 >/dev/null 2>&1 &) ; sleep 4322 & sleep 0.2; pgrep -f "sleep 432[12]" | wc -l | sed s/^/n=/\n',
  );
  await shell.says(/n=2/);
  const pids = shell.output;
  assert.ok(pids);
  shell.socket.close();
  await shell.closed;
  for (let round = 0; running('4321') + running('4322') > 0; round++) {
    assert.ok(round < 100, 'they run still');
    await delay(50);
  }
});
