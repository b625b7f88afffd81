import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortDuration, terminalRulesIn } from './terminal-rules-draft.ts';

test('a duration is shown as somebody would write it', () => {
  for (const [written, shown] of [
    ['600000ms', '10m'],
    ['28800000ms', '8h'],
    ['86400000ms', '1d'],
    ['1500ms', '1500ms'],
    ['90m', '90m'],
    ['120s', '2m'],
    ['soon', 'soon'],
    [undefined, undefined],
  ] as const)
    assert.equal(shortDuration(written), shown);
});

test('an empty field says nothing, and takes back what was said', () => {
  const form = new FormData();
  for (const [name, value] of [
    ['attach', 'auto'],
    ['policy', '  '],
    ['reattach', ' 1h '],
    ['idle', ''],
  ])
    form.set(name!, value!);
  const rules = terminalRulesIn(form);
  assert.deepEqual(JSON.parse(JSON.stringify({ policy: 'gpu', idle: '1h', ...rules })), {
    attach: 'auto',
    reattach: '1h',
    record: false,
  });
});
