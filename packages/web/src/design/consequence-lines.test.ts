import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consequenceLines } from './consequence-lines.ts';

test('each thing that goes along is counted, and named where the gateway names it', () => {
  assert.deepEqual(consequenceLines({ sessions: 1, grants: 3, keys_limited_to_it: ['nightly', 'ci'] }), [
    '1 session is signed out',
    '3 connected accounts are forgotten',
    '2 gateway keys are limited to it and become useless: nightly, ci',
  ]);
});

test('nothing is said of what there is none of', () => {
  assert.deepEqual(consequenceLines({ sessions: 0, keys: [], grants: null }), []);
});

test('a consequence this console does not know yet is still said', () => {
  assert.deepEqual(consequenceLines({ open_tunnels: 2 }), ['2 open tunnels']);
});
