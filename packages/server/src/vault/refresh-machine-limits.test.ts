import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Effect, type GrantView, type RefreshEvent, type Step, start, step } from './refresh-machine.ts';

/**
 * What bounds one attempt. The exploration beside this file cannot see these rules: without them a replica breaks no claim about tokens, it
 * is only less careful, or asks the provider more often than it should.
 */

const NOW = 1_000_000;
const HOUR = 3_600_000;

const idle: GrantView = {
  version: 1,
  state: 'idle',
  attempt: null,
  attemptDeadline: null,
  obtainedAt: NOW - HOUR,
  expiresAt: NOW - 1,
  retryAt: 0,
  hasRefreshToken: true,
  now: NOW,
};
const living = { obtainedAt: NOW, expiresAt: NOW + HOUR };
/** Somebody's claim, whose deadline has passed. */
const abandoned: GrantView = { ...idle, state: 'redeeming', attempt: 'att_dead', attemptDeadline: NOW };

const begin = (refused = false): Step => start({ attempt: 'att_1', wanting: 1, refused });
const row = (view: GrantView | null): RefreshEvent => ({ type: 'row', row: view });
const won: RefreshEvent = { type: 'swapped', won: true };
const lost: RefreshEvent = { type: 'swapped', won: false };

const after = (first: Step, ...events: RefreshEvent[]): Step =>
  events.reduce((at, event) => step(at.state, event), first);
const effectOf = (...args: Parameters<typeof after>): Effect => after(...args).effect;

test('an abandoned claim is taken over once the access token has expired', () => {
  assert.deepEqual(effectOf(begin(), row(abandoned)), { do: 'claim', version: 1, over: 'att_dead' });
});

test('an abandoned claim is not taken over while the access token lives, though an upstream refused it', () => {
  const until = NOW + HOUR - 10_000;
  assert.deepEqual(effectOf(begin(true), row({ ...abandoned, ...living })), {
    do: 'done',
    outcome: { is: 'unavailable', until },
  });
});

test('while the access token lives, an abandoned claim keeps nobody from using it', () => {
  assert.deepEqual(effectOf(begin(), row({ ...abandoned, ...living })), {
    do: 'done',
    outcome: { is: 'usable', version: 1 },
  });
});

test('a claim is waited for until the very moment of its deadline', () => {
  const held = (deadline: number) => effectOf(begin(), row({ ...abandoned, attemptDeadline: deadline })).do;
  assert.equal(held(NOW + 1), 'wait');
  assert.equal(held(NOW), 'claim');
});

test('one attempt claims twice at most, though every successor comes too late to be of use', () => {
  const tokens: RefreshEvent = { type: 'answer', kind: 'tokens' };
  const expired = (version: number) => row({ ...idle, version });
  const second = after(begin(), row(idle), won, tokens, won, expired(2));
  assert.equal(second.effect.do, 'claim');
  assert.deepEqual(effectOf(second, won, tokens, won, expired(3)), {
    do: 'done',
    outcome: { is: 'unavailable', until: null },
  });
});

test('one attempt takes over once and retries once, and then leaves it to the next caller', () => {
  const unsent: RefreshEvent = { type: 'unsent' };
  const second = after(begin(), row(abandoned), won, unsent, won, row(idle));
  assert.deepEqual(second.effect, { do: 'claim', version: 1, over: null });
  assert.equal(effectOf(second, won, unsent, won, row(idle)).do, 'done');
});

test('a claim that somebody else got first does not count', () => {
  const losing = after(begin(), row(idle), lost, row(idle), lost, row(idle), lost, row(idle));
  assert.equal(losing.effect.do, 'claim');
});

test('a provider that cannot be found is not looked for twice, and a living token goes on being used', () => {
  const unreachable: RefreshEvent = { type: 'unreachable' };
  const again = (view: GrantView) => effectOf(begin(), row(view), unreachable, row(view));
  assert.deepEqual(again(idle), { do: 'done', outcome: { is: 'unavailable', until: null } });
  assert.deepEqual(again({ ...idle, ...living }), { do: 'done', outcome: { is: 'usable', version: 1 } });
});

test('nothing is claimed before the backoff has passed, and who asks is told when that is', () => {
  const until = NOW + 5_000;
  assert.deepEqual(effectOf(begin(), row({ ...idle, retryAt: until })), {
    do: 'done',
    outcome: { is: 'unavailable', until },
  });
  assert.equal(effectOf(begin(), row({ ...idle, retryAt: NOW })).do, 'claim');
});

test('a grant without a refresh token is used while it lives, and then needs its user', () => {
  const single = { ...idle, hasRefreshToken: false };
  assert.deepEqual(effectOf(begin(), row(single)), { do: 'done', outcome: { is: 'reauth-required' } });
  assert.deepEqual(effectOf(begin(), row({ ...single, ...living })), {
    do: 'done',
    outcome: { is: 'usable', version: 1 },
  });
});

test('a grant that was ended meanwhile is gone, whatever the attempt was about to do', () => {
  const gone: Effect = { do: 'done', outcome: { is: 'gone' } };
  assert.deepEqual(effectOf(begin(), row(null)), gone);
  assert.deepEqual(
    effectOf(begin(), row(idle), won, { type: 'answer', kind: 'invalid_grant' }, row(null)),
    gone,
  );
});
