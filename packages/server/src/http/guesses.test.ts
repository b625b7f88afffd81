import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import { createGuesses } from './guesses.ts';

const ALICE = { userId: 'alice' } as Principal;

/** Bearer `good…` is Alice, found in a database or, when warm, at once; anything else is nobody. */
function begin() {
  const ground = { time: 0, lookups: 0, warm: false };
  const authenticate = createGuesses({
    authenticate(request: ReturnType<typeof from>) {
      const { authorization } = request.headers;
      if (authorization === undefined)
        throw new AppError('unauthenticated', 'Sign in.', { headers: { 'www-authenticate': 'Bearer' } });
      ground.lookups += 1;
      const good = authorization.startsWith('Bearer good');
      if (good && ground.warm) return ALICE;
      return good ? Promise.resolve(ALICE) : Promise.reject(refusal());
    },
    rate: { burst: 3, per: 30_000 },
    addressOf: ({ remoteAddress }) => remoteAddress!,
    now: () => ground.time,
  });
  const outcome = async (remoteAddress: string, bearer?: string) => {
    try {
      return (await authenticate(from(remoteAddress, bearer))).userId;
    } catch (error) {
      return (error as AppError).code;
    }
  };
  return { ground, authenticate, outcome };
}

const from = (remoteAddress: string, bearer?: string) => ({
  remoteAddress,
  headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
});

const refusal = () =>
  new AppError('unauthenticated', 'No.', { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });

test('after so many bad credentials an address is not looked up any more, until it has waited', async () => {
  const { ground, outcome } = begin();
  for (let n = 0; n < 3; n++) assert.equal(await outcome('203.0.113.1', `bad${n}`), 'unauthenticated');
  assert.equal(await outcome('203.0.113.1', 'bad3'), 'rate_limited');
  const before = ground.lookups;
  assert.equal(await outcome('203.0.113.1', 'good-guess'), 'rate_limited', 'a good guess is not found out');
  assert.equal(ground.lookups, before);
  ground.time += 10_000;
  assert.equal(await outcome('203.0.113.1', 'bad4'), 'unauthenticated');
  assert.equal(await outcome('203.0.113.1', 'bad5'), 'rate_limited');
});

test('who proved to be somebody goes on from the address of a guesser, warm or cold', async () => {
  const { ground, outcome } = begin();
  assert.equal(await outcome('203.0.113.1', 'good'), 'alice');
  for (let n = 0; n < 10; n++) await outcome('203.0.113.1', `bad${n}`);
  assert.equal(await outcome('203.0.113.1', 'good'), 'alice');
  ground.warm = true;
  assert.equal(await outcome('203.0.113.1', 'good'), 'alice');
});

test('other addresses, and requests that show nothing, are not stopped', async () => {
  const { outcome } = begin();
  for (let n = 0; n < 10; n++) await outcome('2001:db8::1', `bad${n}`);
  assert.equal(await outcome('2001:db8::2', 'good'), 'rate_limited', 'the same /64');
  assert.equal(await outcome('2001:db8:0:1::1', 'good'), 'alice');
  assert.equal(await outcome('2001:db8::1'), 'unauthenticated');
});

test('a credential that was never shown costs nobody a try', async () => {
  const { outcome } = begin();
  for (let n = 0; n < 10; n++) assert.equal(await outcome('203.0.113.1'), 'unauthenticated');
  assert.equal(await outcome('203.0.113.1', 'good'), 'alice');
});

test('a warm request stays synchronous', async () => {
  const { ground, authenticate, outcome } = begin();
  await outcome('203.0.113.1', 'good');
  ground.warm = true;
  assert.equal(authenticate(from('203.0.113.1', 'good')), ALICE);
});
