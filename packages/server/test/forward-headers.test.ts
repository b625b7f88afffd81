import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDataPlane, token, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

test('of what a client says about itself, an upstream sees nothing, in any spelling; it sees what we say', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  const answer = await plane.raw(
    'POST /u/echo/x HTTP/1.1',
    `Host: ${plane.host}`,
    'Authorization: Bearer alice',
    'Cookie: session=root; a=b',
    'X-User-Id: root',
    'X_User_Id: root',
    'x-user-id: root2',
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-User: root',
    'Forwarded: for=10.0.0.1',
    'X-Real-IP: 10.0.0.1',
    'X-Api-Key: sk-client',
    'Api-Key: sk-client',
    'Proxy-Authorization: Basic cm9vdDpyb290',
    'X-Sallyport-Internal: 1',
    'X-HTTP-Method-Override: DELETE',
    'X-Original-URL: /admin',
    'TE: trailers',
    'Trailer: authorization',
    'Accept: text/plain',
    'Accept: text/html',
    'Content-Type: text/plain',
    'Content-Type: application/json',
    'Accept-Language: de',
    'Connection: close, authorization, accept-language, content-length, host',
    'Content-Length: 2',
    '',
    'hi',
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  const seen = real.requests[0]!.rawHeaders;
  const pairs = seen.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${seen[i + 1]}`] : []));
  assert.deepEqual(
    pairs.toSorted(),
    [
      'accept: text/html',
      'accept: text/plain',
      `authorization: Bearer ${token('alice')}`,
      'connection: keep-alive',
      'content-length: 2',
      'content-type: text/plain',
      `host: ${new URL(real.url).host}`,
      `x-request-id: ${/^x-request-id: (.*)\r$/im.exec(answer)![1]}`,
    ].toSorted(),
  );
});

test('Connection: authorization takes nothing of ours away', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  await plane.raw(
    'GET /u/echo/x HTTP/1.1',
    `Host: ${plane.host}`,
    'Authorization: Bearer alice',
    'Connection: Authorization, close',
    '',
  );
  assert.equal(real.requests[0]!.headers.authorization, `Bearer ${token('alice')}`);
});

test('a TRACE, which an upstream would answer with our credential in it, goes nowhere', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  for (const path of ['/u/echo/x', '/v1/models', '/healthz']) {
    const answer = await plane.raw(
      `TRACE ${path} HTTP/1.1`,
      `Host: ${plane.host}`,
      'Authorization: Bearer alice',
      'Connection: close',
      '',
    );
    assert.match(answer, /^HTTP\/1\.1 405 [\s\S]*allow: GET/i, path);
  }
  assert.equal(real.requests.length, 0);
});

test('a line break cannot be smuggled into a header', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  for (const value of ['a\rX-User-Id: root', 'a\nX-User-Id: root', 'a\0b', 'a\r\n X-User-Id: root']) {
    const answer = await plane.raw(
      'GET /u/echo/x HTTP/1.1',
      `Host: ${plane.host}`,
      'Authorization: Bearer alice',
      `Accept: ${value}`,
      '',
    );
    assert.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(value));
  }
  const encoded = await plane.raw(
    'GET /u/echo/x?a=%0d%0aX-User-Id:%20root HTTP/1.1',
    `Host: ${plane.host}`,
    'Authorization: Bearer alice',
    'Connection: close',
    '',
  );
  assert.match(encoded, /^HTTP\/1\.1 200 /);
  assert.equal(real.requests.length, 1);
  assert.equal(real.requests[0]!.headers['x-user-id'], undefined);
});

test('an upstream cannot speak for our origin, nor for this hop', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  real.intercept = (_req, res) => {
    res.writeHead(
      200,
      [
        ['set-cookie', 'oauth_session_id=evil'],
        ['set-cookie', 'b=c'],
        ['connection', 'keep-alive, x-hop'],
        ['x-hop', '1'],
        ['strict-transport-security', 'max-age=1'],
        ['clear-site-data', '"*"'],
        ['access-control-allow-origin', '*'],
        ['content-security-policy', 'default-src *'],
        ['x-request-id', 'upstream-1'],
        ['vary', 'a'],
        ['vary', 'b'],
        ['content-disposition', Buffer.from('attachment; filename="ü"').toString('latin1')],
        ['content-type', 'text/html'],
      ].flat(),
    );
    res.end('<script>');
    return true;
  };
  const plane = await startDataPlane(t, { upstreams: [upstream('web', real.url, { kind: 'http' })] });
  const answer = await fetch(`${plane.url}/u/web/`, { headers: { authorization: 'Bearer alice' } });
  const names = [...answer.headers.keys()];
  for (const gone of [
    'set-cookie',
    'x-hop',
    'strict-transport-security',
    'clear-site-data',
    'access-control-allow-origin',
  ]) {
    assert.ok(!names.includes(gone), gone);
  }
  assert.equal(answer.headers.get('content-security-policy'), "sandbox; default-src 'none'");
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(answer.headers.get('x-request-id'), 'upstream-1');
  assert.match(answer.headers.get('x-sallyport-request-id')!, /^[\w-]{8}-\w+$/);
  assert.equal(answer.headers.get('vary'), 'a, b');
  assert.equal(
    Buffer.from(answer.headers.get('content-disposition')!, 'latin1').toString(),
    'attachment; filename="ü"',
  );
});

test('a path arrives byte for byte as it was authorized, or is refused', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, {
    upstreams: [
      upstream('echo', `${real.url}/base`, { kind: 'http' }),
      upstream('secret', `${real.url}/secret`, {
        kind: 'http',
        access: { everyone: false, users: [], groups: [] },
      }),
    ],
  });
  const ask = (path: string) =>
    plane.raw(
      `GET ${path} HTTP/1.1`,
      `Host: ${plane.host}`,
      'Authorization: Bearer alice',
      'Connection: close',
      '',
    );
  const refused = [
    '/../secret',
    '/%2e%2e/secret',
    '/%2E./secret',
    '/.%2e/secret',
    '/%252e%252e/secret',
    '/%25252e%25252e/secret',
    '/./a',
    '/a/..',
    '/a/.',
    '/a/..;/secret',
    '/a/..;x=1/secret',
    '/a/..%3b/secret',
    '/a%2fb',
    '/a%2Fb',
    '/a%252fb',
    '/a%5cb',
    '/a\\..\\secret',
    '/a%255c..%255c',
    '//secret',
    '/a//b',
    '/%2f%2fsecret',
    '/a%00b',
    '/a%0d%0ab',
    '/a%3fb',
    '/a%23b',
    '/a#b',
    '/%',
    '/%zz',
    '/%c0%ae%c0%ae/secret',
    '/%ff',
    '/a?b#c',
  ];
  for (const path of refused) {
    assert.match(await ask(`/u/echo${path}`), /^HTTP\/1\.1 400 /, path);
    assert.match(await ask(`/v1${path}`), /^HTTP\/1\.1 400 /, path);
  }
  for (const path of [
    '/u/ec%68o/a',
    '/u/echo%2f..%2fsecret',
    '/u/..',
    '/u/secret;a/b',
    '/u/',
    '/u',
    '/u/nobody/x',
  ]) {
    assert.match(await ask(path), /^HTTP\/1\.1 40[04] /, path);
  }
  for (const target of [`http://${plane.host}/u/echo/a`, '*', 'u/echo']) {
    assert.match(await ask(target), /^HTTP\/1\.1 400 /, target);
  }
  assert.match(await ask('/u/secret/a'), /^HTTP\/1\.1 403 /);
  assert.equal(real.requests.length, 0);

  const sent = [
    '',
    '/',
    '/a',
    '/a/',
    '/a;b=c/d',
    '/a;b',
    "/~a/@b:c,d+e=f&g!$'()*",
    '/a%20b',
    '/%C3%BC',
    '/%2541',
    '/100%25',
    '/a.b/..c/c..',
    '/...',
    '?a=../../x&b=%2f',
    '/a?b=//c&d=\\',
  ];
  for (const path of sent) {
    assert.match(await ask(`/u/echo${path}`), /^HTTP\/1\.1 200 /, path);
    assert.equal(real.requests.at(-1)!.url, `/base${path}`);
  }
});
