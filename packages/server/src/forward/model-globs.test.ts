import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesModel } from './model-globs.ts';

test('a star stands for any run of characters, and everything else for itself', () => {
  const fits: [glob: string, model: string][] = [
    ['*', ''],
    ['*', 'any/thing:latest\n'],
    ['gpt-4', 'gpt-4'],
    ['gpt-*', 'gpt-'],
    ['*-mini', 'gpt-4-mini'],
    ['org/*-v*', 'org/a-v2'],
    ['a.b+c(d)', 'a.b+c(d)'],
    ['**', 'x'],
  ];
  for (const [glob, model] of fits) assert.ok(matchesModel([glob], model), `${glob} ${model}`);
  const not: [glob: string, model: string][] = [
    ['gpt-4', 'gpt-4o'],
    ['gpt-4', 'xgpt-4'],
    ['gpt-*', 'GPT-4'],
    ['a.b', 'axb'],
    ['gpt-?', 'gpt-4'],
    ['gpt-4', 'gpt-4\n'],
  ];
  for (const [glob, model] of not) assert.ok(!matchesModel([glob], model), `${glob} ${model}`);
  assert.ok(!matchesModel([], 'x'));
  assert.ok(matchesModel(['a', 'b*'], 'bc'));
});

test('many stars against a long name cost no time', () => {
  const start = performance.now();
  assert.ok(!matchesModel([`${'*a'.repeat(8)}b`], 'a'.repeat(1_000)));
  assert.ok(performance.now() - start < 500);
});
