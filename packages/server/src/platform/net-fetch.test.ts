import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createGuardedFetch, type GuardedFetchOptions } from './net-fetch.ts';

async function ground(t: TestContext, answer: RequestListener, more: Partial<GuardedFetchOptions> = {}) {
  const seen: string[] = [];
  const server = createServer((req, res) => {
    seen.push(`${req.method} ${req.headers.host} ${req.url} ${req.headers.authorization ?? ''}`.trim());
    answer(req, res);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fetch = createGuardedFetch({ insecureHttp: true, privateAddresses: true, ...more });
  t.after(async () => {
    await fetch[Symbol.asyncDispose]();
    server.close();
    server.closeAllConnections();
  });
  return { seen, port, fetch, url: `http://127.0.0.1:${port}` };
}

/** Names as the test wants them. */
const names = (table: Record<string, string[]>): LookupFunction =>
  ((hostname: string, _options: unknown, done: (error: null, all: unknown) => void) =>
    done(
      null,
      (table[hostname] ?? []).map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as unknown as LookupFunction;

const refusedAddress = { code: 'upstream_unreachable', message: /private address/ };

test('it fetches, and its answer is a Response with the body in it', async t => {
  const { fetch, url } = await ground(t, (_req, res) =>
    res.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}'),
  );
  assert.deepEqual(await (await fetch(url)).json(), { a: 1 });
});

test('private addresses are refused, written in any way, and nothing is sent', async t => {
  const { fetch, port, seen } = await ground(t, (_req, res) => res.end(), { privateAddresses: false });
  for (const host of [
    '127.0.0.1',
    '0x7f.1',
    '2130706433',
    '127.1',
    '[::ffff:127.0.0.1]',
    '[::1]',
    '10.0.0.1',
    '169.254.169.254',
    '0.0.0.0',
  ]) {
    await assert.rejects(fetch(`http://${host}:${port}/`), refusedAddress, host);
  }
  await assert.rejects(fetch(`http://localhost:${port}/`), refusedAddress);
  assert.deepEqual(seen, []);
});

test('a name is refused when any of its addresses is private', async t => {
  const resolve = names({ 'rebind.example': ['1.1.1.1', '127.0.0.1'], 'none.example': [] });
  const { fetch, port, seen } = await ground(t, (_req, res) => res.end(), {
    privateAddresses: false,
    resolve,
  });
  await assert.rejects(fetch(`http://rebind.example:${port}/`), refusedAddress);
  await assert.rejects(fetch(`http://none.example:${port}/`), refusedAddress);
  assert.deepEqual(seen, []);
});

test('the metadata service is refused even where private addresses are allowed', async t => {
  const resolve = names({ 'metadata.example': ['169.254.169.254'] });
  const { fetch } = await ground(t, (_req, res) => res.end(), { resolve });
  await assert.rejects(fetch('http://169.254.169.254/latest/'), refusedAddress);
  await assert.rejects(fetch('http://metadata.example/latest/'), refusedAddress);
});

test('plain http is for this machine only, unless it is allowed', async t => {
  const { fetch, url, port } = await ground(t, (_req, res) => res.end(), {
    insecureHttp: false,
    resolve: names({ 'corp.example': ['127.0.0.1'] }),
  });
  assert.equal((await fetch(url)).status, 200);
  await assert.rejects(fetch(`http://corp.example:${port}/`), { message: /only https/ });
  await assert.rejects(fetch('ftp://127.0.0.1/'), { message: /only https/ });
});

test('redirects are checked anew, lose credentials across origins, and are not followed without end or for a POST', async t => {
  const { fetch, url, port, seen } = await ground(
    t,
    (req, res) => {
      const to = new URL(req.url!, 'http://x').searchParams.get('to');
      if (to === null) res.end('here');
      else res.writeHead(302, { location: to }).end();
    },
    { resolve: names({ 'other.example': ['127.0.0.1'], 'metadata.example': ['169.254.169.254'] }) },
  );
  const headers = { authorization: 'Bearer canary' };
  const to = (target: string) => `${url}/?to=${encodeURIComponent(target)}`;
  assert.equal(await (await fetch(to(`http://other.example:${port}/`), { headers })).text(), 'here');
  assert.deepEqual(
    seen.splice(0).map(line => line.includes('canary')),
    [true, false],
  );
  await assert.rejects(fetch(to('http://metadata.example/')), refusedAddress);
  await assert.rejects(fetch(to('file:///etc/passwd')), { message: /only https/ });
  assert.equal((await fetch(to('/'), { method: 'POST', body: 'x' })).status, 302);
  assert.equal((await fetch(to('/'), { redirect: 'manual' })).status, 302);
  const loop = await ground(t, (_req, res) => res.writeHead(302, { location: '/' }).end());
  await assert.rejects(loop.fetch(loop.url), { message: /redirects too often/ });
  assert.equal(loop.seen.length, 4);
});

test('a body longer than the bound, compressed or not, is refused without being read to its end', async t => {
  const { gzipSync } = await import('node:zlib');
  const bomb = gzipSync(Buffer.alloc(10_000_000));
  const { fetch, url } = await ground(
    t,
    (req, res) => {
      if (req.url === '/bomb') res.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
      else res.end('x'.repeat(2_000));
    },
    { maxBody: 1_000 },
  );
  for (const path of ['/', '/bomb'])
    await assert.rejects(fetch(url + path), { code: 'upstream_failed', message: /longer than 1000 bytes/ });
});

test('silence ends at the time limit, and the caller’s own abort stays its own', async t => {
  const { fetch, url } = await ground(t, () => {}, { timeout: 50 });
  await assert.rejects(fetch(url), { code: 'upstream_unreachable', message: /did not answer/ });
  const abort = new AbortController();
  const gone = new Error('gone');
  const pending = fetch(url, { signal: abort.signal });
  abort.abort(gone);
  await assert.rejects(pending, gone);
});
