import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { holdToContract, lineOf } from './contract/contract.ts';

const OURS = fileURLToPath(new URL('../../agent/src/main.ts', import.meta.url));
const BROKEN = fileURLToPath(new URL('./contract/broken-agent.ts', import.meta.url));

test('our own agent holds the contract of the tunnel', async () => {
  const flags = ['--gateway', '{gateway}', '--name', '{name}', '--web', '{target}'];
  const verdicts = await holdToContract([process.execPath, OURS, ...flags]);
  assert.equal(
    verdicts
      .filter(({ problem }) => problem !== null)
      .map(lineOf)
      .join('\n'),
    '',
  );
});

test('an implementation that breaks it is told where', async () => {
  const only = /SETTINGS|method, path|broke off is reset|newer connection/;
  const verdicts = await holdToContract([process.execPath, BROKEN], { only });
  const report = verdicts.map(lineOf).join('\n');
  assert.match(
    report,
    /^FAIL {2}§2 {2}.*SETTINGS.*\n +SETTINGS_INITIAL_WINDOW_SIZE: expected 524288, and it was undefined$/m,
  );
  assert.match(report, /^ok {4}§5 {2}method, path, query/m);
  assert.match(
    report,
    /^FAIL {2}§5 {2}an answer that broke off is reset.*\n +the caller was shown half an answer/m,
  );
  assert.match(report, /^FAIL {2}§4 {2}it stays away when a newer.*\n +it took the name back/m);
});
