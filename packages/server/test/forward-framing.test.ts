import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDataPlane, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** A second request, that must not be seen by anybody. */
const SMUGGLED = (host: string) =>
  `GET /u/echo/smuggled HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer alice\r\n\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked';

const refused: Record<string, (smuggled: string) => [headers: string, body: string]> = {
  'Content-Length before Transfer-Encoding': s => [`Content-Length: 5\r\n${CHUNKED}`, `0\r\n\r\n${s}`],
  'Transfer-Encoding before Content-Length': s => [`${CHUNKED}\r\nContent-Length: 5`, `0\r\n\r\n${s}`],
  'two lengths': s => ['Content-Length: 0\r\nContent-Length: 5', s],
  'two equal lengths': s => ['Content-Length: 2\r\nContent-Length: 2', `ab${s}`],
  'a list of lengths': s => ['Content-Length: 2, 2', `ab${s}`],
  'a signed length': s => ['Content-Length: +2', `ab${s}`],
  'a hexadecimal length': s => ['Content-Length: 0x2', `ab${s}`],
  'a negative length': s => ['Content-Length: -1', s],
  'a space before the colon': s => ['Content-Length : 2', `ab${s}`],
  'obs-fold with a space': s => ['X: a\r\n b', s],
  'obs-fold with a tab': s => ['X: a\r\n\tb', s],
  'a folded length': s => ['Content-Length:\r\n 2', `ab${s}`],
  'a folded coding': s => ['Transfer-Encoding:\r\n chunked', `0\r\n\r\n${s}`],
  'a coding named twice': s => [`${CHUNKED}\r\n${CHUNKED}`, `0\r\n\r\n${s}`],
  'chunked, chunked': s => ['Transfer-Encoding: chunked, chunked', `0\r\n\r\n${s}`],
  'gzip, chunked': s => ['Transfer-Encoding: gzip, chunked', `0\r\n\r\n${s}`],
  'chunked, identity': s => ['Transfer-Encoding: chunked, identity', `0\r\n\r\n${s}`],
  identity: s => ['Transfer-Encoding: identity', s],
  xchunked: s => ['Transfer-Encoding: xchunked', `0\r\n\r\n${s}`],
  'chunked with a parameter': s => ['Transfer-Encoding: chunked;q=1', `0\r\n\r\n${s}`],
  'a vertical tab before the coding': s => ['Transfer-Encoding: \x0bchunked', `0\r\n\r\n${s}`],
  'a space after the coding’s name': s => ['Transfer-Encoding : chunked', `0\r\n\r\n${s}`],
  'a chunk size with 0x': s => [CHUNKED, `0x2\r\nab\r\n0\r\n\r\n${s}`],
  'a negative chunk size': s => [CHUNKED, `-2\r\nab\r\n0\r\n\r\n${s}`],
  'a chunk size past 64 bits': s => [CHUNKED, `10000000000000002\r\nab\r\n0\r\n\r\n${s}`],
  'a chunk longer than its size': s => [CHUNKED, `2\r\nabc\r\n0\r\n\r\n${s}`],
  'a bare LF behind a chunk size': s => [CHUNKED, `2\nab\r\n0\r\n\r\n${s}`],
  'a bare LF in a chunk extension': s => [CHUNKED, `2;a\nb\r\nab\r\n0\r\n\r\n${s}`],
  'a chunk extension of 20 KB': s => [CHUNKED, `2;${'a'.repeat(20_000)}\r\nab\r\n0\r\n\r\n${s}`],
  'a folded trailer': s => [CHUNKED, `0\r\nX: a\r\n b\r\n\r\n${s}`],
  'a bare LF between headers': s => ['X: a\nY: b', s],
  'a bare CR between headers': s => ['X: a\rY: b', s],
  'two Hosts': s => ['Host: other.example', s],
};

test('ambiguous framing is answered 400 and ends the connection; what stands behind it is no request', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  for (const [name, make] of Object.entries(refused)) {
    const [headers, body] = make(SMUGGLED(plane.host));
    const answer = await plane.raw(
      'POST /u/echo/outer HTTP/1.1',
      `Host: ${plane.host}`,
      'Authorization: Bearer alice',
      headers,
      '',
      body,
    );
    assert.match(answer, /^HTTP\/1\.1 (400|413) /, name);
    assert.equal(answer.match(/HTTP\/1\.1 /g)!.length, 1, `${name}: ${answer}`);
    assert.deepEqual(
      real.requests.filter(seen => seen.url.includes('smuggled')),
      [],
      name,
    );
    assert.equal(real.requests.filter(seen => seen.body !== '' && seen.body !== 'ab').length, 0, name);
  }
  const old = await plane.raw(
    'POST /u/echo/outer HTTP/1.0',
    `Host: ${plane.host}`,
    'Authorization: Bearer alice',
    CHUNKED,
    '',
    `0\r\n\r\n${SMUGGLED(plane.host)}`,
  );
  assert.match(old, /^HTTP\/1\.1 400 /);
  assert.ok(!real.requests.some(seen => seen.url.includes('smuggled')));
});

test('a request without Host, or with bare LF line ends, is refused', async t => {
  const plane = await startDataPlane(t, { upstreams: [] });
  assert.match(await plane.raw('GET /healthz HTTP/1.1', ''), /^HTTP\/1\.1 400 /);
  const client = await plane.dial();
  client.send(`GET /healthz HTTP/1.1\nHost: ${plane.host}\n\n`);
  assert.match(await client.all(), /^HTTP\/1\.1 400 /);
});

test('pipelined requests are answered in order, one at a time', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  let first: (() => void) | null = null;
  real.intercept = (req, res) => {
    if (!req.url!.endsWith('/1')) return false;
    first = () => res.end('one');
    return true;
  };
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  const request = (n: number) =>
    `GET /u/echo/${n} HTTP/1.1\r\nHost: ${plane.host}\r\nAuthorization: Bearer alice\r\n`;
  const client = await plane.dial();
  client.send(`${request(1)}\r\n${request(2)}\r\n${request(3)}Connection: close\r\n\r\n`);
  while (first === null) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(
    real.requests.map(seen => seen.url),
    ['/1'],
  );
  (first as () => void)();
  const all = await client.all();
  assert.equal(all.match(/HTTP\/1\.1 200/g)!.length, 3);
  assert.ok(all.indexOf('one') < all.indexOf('"/2"') && all.indexOf('"/2"') < all.indexOf('"/3"'));
});

test('nonsense behind a request that is being answered ends the connection and does not become part of the answer', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  real.intercept = (_req, res) => {
    res.write('part');
    return true;
  };
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  const client = await plane.dial();
  client.send(`GET /u/echo/1 HTTP/1.1\r\nHost: ${plane.host}\r\nAuthorization: Bearer alice\r\n\r\n`);
  await client.until(/part/);
  client.send('\x16\x03\x01 nonsense\r\n\r\n');
  assert.equal((await client.all()).match(/HTTP\/1\.1/g)!.length, 1);
});

test('a body with a length, or in chunks, arrives as it was, whatever the method', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, { upstreams: [upstream('echo', real.url, { kind: 'http' })] });
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET']) {
    for (const [headers, body] of [
      ['Content-Length: 5', 'hello'],
      [CHUNKED, '2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX-T: 1\r\n\r\n'],
    ] as const) {
      const answer = await plane.raw(
        `${method} /u/echo/x HTTP/1.1`,
        `Host: ${plane.host}`,
        'Authorization: Bearer alice',
        'Connection: close',
        headers,
        '',
        body,
      );
      assert.match(answer, /^HTTP\/1\.1 200 /, `${method} ${headers}`);
      const seen = real.requests.at(-1)!;
      assert.deepEqual([seen.method, seen.body], [method, 'hello'], `${method} ${headers}`);
    }
  }
});
