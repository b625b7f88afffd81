import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { holdToContract, lineOf, type Verdict } from './contract/contract.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const served = (agent: string, ...what: string[]) => [
  process.execPath,
  agent,
  ...['--gateway', '{gateway}', '--name', '{name}'],
  ...what,
];
const commandsOf = (agent: string) => ({
  usual: served(agent, '--web', '{target}'),
  limited: served(agent, '--web', '{target}', '--path', '/allowed'),
  programs: served(agent, '--', '{program}'),
});

const OURS = commandsOf(file('../../agent/src/main.ts'));
/** The clock of this one runs ten times as fast. */
const HASTY = commandsOf(file('./contract/hasty-agent.ts'));
const BROKEN = [process.execPath, file('./contract/broken-agent.ts')];
const SILENCE = /hearing nothing/;

/** What did not hold, or was not looked at. */
const problemsOf = (verdicts: readonly Verdict[]) =>
  verdicts
    .filter(({ problem, lacks }) => problem !== null || lacks !== undefined)
    .map(lineOf)
    .join('\n');

test('our own agent holds the contract of the tunnel', async () => {
  assert.equal(problemsOf(await holdToContract(OURS, { only: /^(?!hearing nothing)/ })), '');
});

test('in silence it does as the contract says', async () => {
  const verdicts = await holdToContract(HASTY, { only: SILENCE, pace: 10 });
  assert.equal(verdicts.length, 1);
  assert.equal(problemsOf(verdicts), '');
});

test('an implementation that breaks it is told where', async () => {
  const only =
    /SETTINGS|method, path|broke off is reset|newer connection|own refusals|not-allowed|takes the program/;
  const verdicts = await holdToContract({ usual: BROKEN, programs: BROKEN }, { only, limit: 5_000 });
  const report = verdicts.map(lineOf).join('\n');
  assert.match(
    report,
    /^FAIL {2}§2 {2}.*SETTINGS.*\n +SETTINGS_INITIAL_WINDOW_SIZE: expected 524288, and it was undefined$/m,
  );
  assert.match(report, /^ok {4}§5 {2}method, path, query/m);
  // node:http2 ends such an answer, or resets it without an error, as it comes.
  assert.match(
    report,
    /^FAIL {2}§5 {2}an answer that broke off is reset.*\n +(RST_STREAM with 0: expected|the caller was shown half an answer as a whole)/m,
  );
  assert.match(report, /^FAIL {2}§4 {2}it stays away when a newer.*\n +it took the name back/m);
  assert.match(report, /^FAIL {2}§5 {2}its own refusals say so/m);
  assert.match(report, /^FAIL {2}§6 {2}a second stream of a key takes the program’s place/m);
  assert.match(report, /^-- {4}§5 {2}what its own rules.*\n +not looked at: give --limited/m);
});
