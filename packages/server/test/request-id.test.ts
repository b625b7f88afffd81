import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startDataPlane, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

async function ground(t: TestContext) {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, {
    upstreams: [
      upstream('up', real.url, { kind: 'http' }),
      upstream('llm', `${real.url}/v1`),
      upstream('dead', 'http://127.0.0.1:9', { kind: 'http' }),
    ],
  });
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(plane.url + path, { headers: { authorization: 'Bearer alice', ...headers } });
  const lines = () =>
    plane
      .log()
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Record<string, unknown>);
  return { ...plane, real, get, lines };
}

test('a request keeps the name it came with: for its caller, the upstream and the outcome', async t => {
  const { get, real, outcomes } = await ground(t);
  const answer = await get('/u/up/x', { 'x-request-id': 'job-7.step_2' });
  assert.equal(answer.headers.get('x-request-id'), 'job-7.step_2');
  assert.equal(answer.headers.get('x-sallyport-request-id'), 'job-7.step_2');
  assert.equal(real.requests[0]!.headers['x-request-id'], 'job-7.step_2');
  assert.equal(outcomes[0]!.requestId, 'job-7.step_2');
  await get('/v1/models', { 'x-request-id': 'list-1', traceparent: 'anything' });
  const asked = real.requests.find(request => request.url === '/v1/models')!;
  assert.deepEqual([asked.headers['x-request-id'], asked.headers['traceparent']], ['list-1', 'anything']);
  for (const path of ['/healthz', '/nowhere', '/u/nowhere/x', '/v1/models'])
    assert.equal((await get(path, { 'x-request-id': 'abc' })).headers.get('x-request-id'), 'abc', path);
});

test('one without a name gets one, as does one whose name is no name; the upstream hears the same', async t => {
  const plane = await ground(t);
  const { get, host, real } = plane;
  const first = (await get('/u/up/x')).headers.get('x-request-id')!;
  assert.match(first, /^[\w-]{8}-\w+$/);
  for (const bad of ['a b', 'a"b', 'a,b', 'ä', '{}', 'a'.repeat(129), '%0a']) {
    const answer = await plane.raw(
      'GET /u/up/x HTTP/1.1',
      `Host: ${host}`,
      'Authorization: Bearer alice',
      `X-Request-Id: ${bad}`,
      'Connection: close',
      '',
    );
    const given = /^x-request-id: (.*)\r$/im.exec(answer)![1]!;
    assert.match(given, /^[\w-]{8}-\w+$/, bad);
    assert.equal(real.requests.at(-1)!.headers['x-request-id'], given);
  }
  const twice = await plane.raw(
    'GET /u/up/x HTTP/1.1',
    `Host: ${host}`,
    'Authorization: Bearer alice',
    'X-Request-Id: one',
    'X-Request-Id: two',
    'Connection: close',
    '',
  );
  assert.match(twice, /^x-request-id: [\w-]{8}-\w+\r$/im);
  const rawNames = real.requests.at(-1)!.rawHeaders.filter(name => name.toLowerCase() === 'x-request-id');
  assert.equal(rawNames.length, 1);
});

test('every line that a request logs names it, also on a connection that another request opened', async t => {
  const { get, real, lines, vault, logger } = await ground(t);
  await get('/u/up/x', { 'x-request-id': 'opens-the-connection' });
  real.intercept = (_req, res) => {
    res.writeHead(401).end();
    return true;
  };
  // As the vault says it, in the midst of a renewal.
  vault.renew = async () => {
    await null;
    logger.info('no newer token after a refusal');
    return null;
  };
  assert.equal((await get('/u/up/x', { 'x-request-id': 'is-refused' })).status, 401);
  assert.equal((await get('/u/dead/x', { 'x-request-id': 'finds-nobody' })).status, 502);
  assert.ok(
    lines().every(line => typeof line['time'] === 'number'),
    'one kind of time in the whole log',
  );
  const told = lines().map(line => [line['msg'], line['requestId']]);
  assert.deepEqual(told, [
    ['no newer token after a refusal', 'is-refused'],
    ['The upstream dead cannot be reached.', 'finds-nobody'],
  ]);
});
