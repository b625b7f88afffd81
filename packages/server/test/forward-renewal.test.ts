import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { startCall } from '../src/forward/call.ts';
import { createForward } from '../src/forward/forward.ts';
import { AppError } from '../src/platform/errors.ts';
import { principal, startDataPlane, token, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

const headers = { authorization: 'Bearer alice' };

/** An upstream that takes only the second token. */
async function planeThatRefuses(t: TestContext, accepted = token('alice', 2)) {
  const real = await startUpstream();
  t.after(() => real.close());
  real.intercept = (req, res) => {
    if (req.headers.authorization === `Bearer ${accepted}`) return false;
    res.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end('the token is too old');
    return true;
  };
  const plane = await startDataPlane(t, { upstreams: [upstream('up', real.url, { kind: 'http' })] });
  const post = (body: string | null, more: Record<string, string> = {}) =>
    fetch(`${plane.url}/u/up/x`, { method: 'POST', headers: { ...headers, ...more }, body });
  return { ...plane, real, post };
}

for (const [what, body] of [
  ['no body', null],
  ['a small body', 'hello'],
  ['a body of 1 MiB', 'x'.repeat(1024 * 1024)],
] as const) {
  test(`a refused token is renewed once, and a request with ${what} sent once more`, async t => {
    const { post, real, renewals, outcomes } = await planeThatRefuses(t);
    const res = await post(body);
    assert.equal(res.status, 200);
    assert.equal(((await res.json()) as { body_bytes: number }).body_bytes, body?.length ?? 0);
    assert.deepEqual(renewals, [`Bearer ${token('alice')}`]);
    assert.equal(real.requests.length, 2);
    assert.deepEqual(
      outcomes.map(outcome => [outcome.result, outcome.status]),
      [['ok', 200]],
    );
  });
}

test('a body that is still coming when its token is refused is sent whole with the next token', async t => {
  const { url, real, renewals } = await planeThatRefuses(t);
  const body = Buffer.alloc(200_000, 'x');
  const req = request(`${url}/u/up/x`, {
    method: 'POST',
    headers: { ...headers, 'content-length': body.length },
  });
  req.write(body.subarray(0, 70_000));
  while (renewals.length === 0) await new Promise(resolve => setImmediate(resolve));
  req.write(body.subarray(70_000, 140_000));
  await new Promise(resolve => setImmediate(resolve));
  req.end(body.subarray(140_000));
  const [res] = await once(req, 'response');
  assert.equal(res.statusCode, 200);
  res.resume();
  assert.deepEqual(real.requests.at(-1)!.bodyBytes, body.length);
});

test('a longer body is not sent again: the refusal is the answer', async t => {
  const { post, real, renewals } = await planeThatRefuses(t);
  const res = await post('x'.repeat(1024 * 1024 + 1));
  assert.equal(res.status, 401);
  assert.equal(await res.text(), 'the token is too old');
  assert.deepEqual([real.requests.length, renewals.length], [1, 0]);
});

test('a second refusal is the answer', async t => {
  const { post, real, renewals } = await planeThatRefuses(t, 'nothing');
  const res = await post('hello');
  assert.equal(res.status, 401);
  assert.equal(res.headers.get('www-authenticate'), 'Bearer error="invalid_token"');
  assert.equal(await res.text(), 'the token is too old');
  assert.deepEqual([real.requests.length, renewals.length], [2, 1]);
});

test('where there is nothing newer the refusal passes through, and nothing is sent twice', async t => {
  const { post, real, vault, outcomes, url } = await planeThatRefuses(t);
  vault.newest = null;
  const res = await post('hello');
  assert.equal(res.status, 401);
  assert.equal(await res.text(), 'the token is too old');
  const head = await fetch(`${url}/u/up/x`, { method: 'HEAD', headers });
  assert.equal(head.status, 401);
  assert.equal(real.requests.length, 2);
  assert.deepEqual(
    outcomes.map(outcome => outcome.result),
    ['client_error', 'client_error'],
  );
});

test('a renewal that says what to do is heard instead of the refusal', async t => {
  const { post, vault, real } = await planeThatRefuses(t);
  vault.renew = async () => {
    throw new AppError('reauth_required', 'Sign in again.', {
      action: 'http://localhost:8080/auth/corp/login',
    });
  };
  const res = await post('hello');
  assert.equal(res.status, 401);
  assert.equal(((await res.json()) as { code: string }).code, 'reauth_required');
  assert.equal(real.requests.length, 1);
});

test('a client that leaves while its token is renewed is sent nowhere again', async t => {
  const { url, vault, real, outcomes } = await planeThatRefuses(t);
  const renewing = Promise.withResolvers<void>();
  const renewed = Promise.withResolvers<void>();
  const renew = vault.renew;
  vault.renew = async (...about) => {
    renewing.resolve();
    await renewed.promise;
    return renew(...about);
  };
  const req = request(`${url}/u/up/x`, { method: 'GET', headers }).end();
  req.on('error', () => {});
  await renewing.promise;
  req.destroy();
  while (outcomes.length === 0) await new Promise(resolve => setImmediate(resolve));
  renewed.resolve();
  for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve));
  assert.equal(real.requests.length, 1);
  assert.deepEqual(
    outcomes.map(outcome => outcome.result),
    ['abandoned'],
  );
});

test('a static key that is refused is not renewed', async t => {
  const { post, vault, renewals } = await planeThatRefuses(t);
  vault.credentialFor = () => ({ header: 'x-api-key', value: 'sk', expiresAt: Infinity, source: null });
  assert.equal((await post('hello')).status, 401);
  assert.equal(renewals.length, 0);
});

test('on the warm path a GET reaches its transport in the same tick', async t => {
  const sent: string[] = [];
  const up = upstream('up', 'http://up.example');
  const forward = createForward({
    identity: { authenticate: () => principal('alice') },
    guard: () => {},
    may: () => true,
    upstreams: { find: () => up },
    vault: { credentialFor: () => null, renew: async () => null },
    addressOf: () => '127.0.0.1',
    transportTo: () => ({ send: out => void sent.push(`${out.method} ${out.path}`) }),
    record: () => {},
    trace: null,
    bus: { subscribe: () => () => {} },
    standing: async () => ({}),
    runtime: { monotonic: () => 0 },
  });
  const server = createServer((req, res) => {
    const call = startCall(req, res, { requestId: 'req_1', startedAt: 0, proceed: () => {} });
    forward.handle(call, () => ({ upstream: up, path: '/x' }), { route: '/x', answer: () => {} });
    assert.deepEqual(sent, ['GET /x']);
    res.end('sent');
  });
  await new Promise<void>(resolve => server.listen(0, resolve));
  t.after(() => server.close().closeAllConnections());
  const address = server.address() as { port: number };
  assert.equal(await (await fetch(`http://127.0.0.1:${address.port}/`)).text(), 'sent');
});
