import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import Fastify, { type FastifyInstance } from 'fastify';
import { consoleRoutes } from './console.ts';

let dir: string;
let app: FastifyInstance;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'console-'));
  mkdirSync(join(dir, 'assets'));
  writeFileSync(join(dir, 'index.html'), '<!doctype html><p>the console</p>');
  writeFileSync(join(dir, 'assets/index-abc123.js'), 'console.log(1);');
  writeFileSync(join(dir, 'assets/secret.txt'), 'no type, not served');
  app = Fastify();
  await app.register(consoleRoutes({ dir }));
});

after(async () => {
  await app.close();
  rmSync(dir, { recursive: true });
});

test('every page is the same document, never from a cache, under a policy without inline code', async () => {
  for (const url of [
    '/',
    '/account',
    '/tunnels',
    '/tools/alice/wiki',
    '/admin/users',
    '/admin/audit?user=x',
    '/sign-in?return_to=%2F',
    '/invite',
  ]) {
    const response = await app.inject(url);
    assert.equal(response.statusCode, 200, url);
    assert.match(response.body, /the console/);
    assert.equal(response.headers['cache-control'], 'no-store');
    const policy = String(response.headers['content-security-policy']);
    assert.doesNotMatch(policy, /unsafe|\*/);
    for (const part of [
      "script-src 'self'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]) {
      assert.ok(policy.includes(part), part);
    }
  }
});

test('an asset is kept for ever, and compressed for who takes it', async () => {
  const response = await app.inject({
    url: '/assets/index-abc123.js',
    headers: { 'accept-encoding': 'gzip, br' },
  });
  assert.equal(response.headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.equal(response.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal(gunzipSync(response.rawPayload).toString(), 'console.log(1);');
  assert.equal((await app.inject('/assets/index-abc123.js')).body, 'console.log(1);');
});

test('no request reaches a file that is not part of the console', async () => {
  for (const url of [
    '/assets/secret.txt',
    '/assets/../../package.json',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/assets/..%2findex.html',
    '/assets/',
    '/assets/none.js',
  ]) {
    assert.equal((await app.inject(url)).statusCode, 404, url);
  }
});
