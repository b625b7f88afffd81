import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from '../../test/fixtures/vault-explorer.ts';
import { RULES, type Rules, type Scenario, Violation } from '../../test/fixtures/vault-model.ts';
import { step } from './refresh-machine.ts';

/** Three callers in three processes, whose access token has expired; two of the processes may crash, anywhere. */
const three: Scenario = {
  refused: [false, false, false],
  lives: 0,
  life: 2,
  reuse: 'revokes',
  crashes: 2,
  faults: 0,
  ticks: 1,
  revocations: 0,
};

const scenarios: Record<string, Scenario> = {
  'two crashes and a pause, a provider that revokes everything at a reuse': three,
  'two crashes and a pause, a provider that only refuses a reuse': { ...three, reuse: 'refused' },
  'two crashes and a pause, a provider with grace': { ...three, reuse: 'grace' },
  'two crashes and a pause, a provider with a short grace': { ...three, reuse: 'grace-for-a-tick' },
  'two crashes and a pause while the token is due and lives': { ...three, lives: 1 },
  'two crashes and a pause after an upstream refused a living token': {
    ...three,
    lives: 1,
    refused: [true, true, false],
  },
  'a crash, a fault of the provider, and a pause': { ...three, crashes: 1, faults: 1 },
  'a crash, a fault, and a pause with a short grace': {
    ...three,
    crashes: 1,
    faults: 1,
    reuse: 'grace-for-a-tick',
  },
  'three faults in a row, among three callers': { ...three, crashes: 0, faults: 3, ticks: 0 },
  'two crashes and a fault': { ...three, faults: 1, ticks: 0 },
  'a crash, a pause, and a user who revokes': { ...three, crashes: 1, revocations: 1 },
  'tokens that live no longer than a claim holds': { ...three, crashes: 1, life: 1 },
  'two callers, a crash and three pauses': { ...three, refused: [false, false], crashes: 1, ticks: 3 },
};

for (const [name, scenario] of Object.entries(scenarios)) {
  test(`in every order of ${name}, nothing is redeemed twice, lost, given up without cause, or handed out expired`, t => {
    const { states, moves, endings } = explore(scenario);
    t.diagnostic(`${states} states, ${moves} moves, ${endings.size} kinds of endings`);
    assert.ok(states > 1_000);
  });
}

test('with nothing in the way, three callers end with the one new version, in every order', () => {
  const { endings } = explore({ ...three, crashes: 0, ticks: 0 });
  assert.deepEqual([...endings.keys()], ['idle: usable, usable, usable']);
});

test('a provider with grace ends nobody, whatever crashes and sleeps', () => {
  for (const lives of [0, 1]) {
    const { endings } = explore({ ...three, lives, reuse: 'grace' });
    for (const ending of endings.keys()) assert.doesNotMatch(ending, /reauth/);
  }
});

/** The exploration is worth what it finds: each of these changes makes the machine, or the store, wrong in one way. */
const mutations: Record<string, { broken: Partial<Rules>; in?: Partial<Scenario>; found: RegExp }> = {
  'a 503 taken for a revocation': {
    broken: {
      step: (state, event) =>
        step(
          state,
          event.type === 'answer' && event.kind === 'transient'
            ? { type: 'answer', kind: 'invalid_grant' }
            : event,
        ),
    },
    in: { crashes: 0, faults: 1 },
    found: /given up/,
  },
  'a commit that compares no version': {
    broken: { commitIf: () => true },
    in: { reuse: 'grace', crashes: 0 },
    found: /overwritten/,
  },
  'a late answer that is not adopted by a grant given up': {
    broken: { commitIf: (row, from) => row.version === from && row.state !== 'reauth_required' },
    found: /lost/,
  },
  'a claim taken over as soon as it is seen': {
    broken: {
      step: (state, event) =>
        step(
          state,
          event.type === 'row' && event.row?.state === 'redeeming'
            ? { type: 'row', row: { ...event.row, attemptDeadline: 0 } }
            : event,
        ),
    },
    found: /for ever|circle/,
  },
  'a request that timed out, forgotten': {
    broken: {
      step: (state, event) =>
        step(
          state,
          event.type === 'answer' && event.kind === 'transient' ? { ...event, underway: false } : event,
        ),
    },
    in: { crashes: 0, faults: 1 },
    found: /two live redemptions/,
  },
  'a send without a last look at the clock': {
    broken: { looksAtClock: false },
    found: /two live redemptions/,
  },
  'an expired token that will do': {
    broken: {
      step: (state, event) =>
        step(
          state,
          event.type === 'row' && event.row
            ? { type: 'row', row: { ...event.row, expiresAt: Number.MAX_SAFE_INTEGER } }
            : event,
        ),
    },
    found: /expired access token/,
  },
};

for (const [name, { broken, in: scenario, found }] of Object.entries(mutations)) {
  test(`the exploration finds ${name}`, () => {
    assert.throws(
      () => explore({ ...three, ...scenario }, { ...RULES, ...broken }),
      (error: unknown) => error instanceof Violation && found.test(error.message),
    );
  });
}
