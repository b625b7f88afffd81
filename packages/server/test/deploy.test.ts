import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import composeSpec from './fixtures/compose-spec.json' with { type: 'json' };
import { adapted, snippet } from './fixtures/docs.ts';
import { startGateway } from './fixtures/gateway.ts';
import { skip as skipNginx, startNginx } from './fixtures/nginx.ts';
import { freePort } from './fixtures/ports.ts';
import { startUpstream } from './fixtures/upstream.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function certificate(t: TestContext): { pem: string; key: string } {
  const at = folder(t);
  const made = spawnSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'].concat([
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      'key',
      '-out',
      'pem',
    ]),
    { cwd: at },
  );
  assert.equal(made.status, 0, String(made.stderr));
  return { pem: readFileSync(join(at, 'pem'), 'utf8'), key: readFileSync(join(at, 'key'), 'utf8') };
}

/** The gateway behind nginx with TLS, by the text of docs/deploy.md, and a key of somebody's. */
async function behindNginx(t: TestContext) {
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const port = await freePort();
  const gateway = await startGateway(t, {
    config: {
      publicUrl: `https://localhost:${port}`,
      trustedProxies: ['127.0.0.1'],
      upstreams: [{ id: 'up', kind: 'http', url: upstream.url, access: { everyone: true } }],
    },
  });
  const { pem, key } = certificate(t);
  const http = adapted(snippet('deploy.md', 'nginx gateway'), {
    'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
    'server_name gateway.example;': 'server_name localhost;',
    '/etc/ssl/gateway.example.pem': 'FOLDER/pem',
    '/etc/ssl/gateway.example.key': 'FOLDER/key',
    '127.0.0.1:8080': `127.0.0.1:${gateway.port}`,
  });
  await startNginx(t, { http, ports: [port], files: { pem, key } });
  const { stdout } = await gateway.command('keys', 'create', '--user', 'alice@corp.example');
  const bearer = { authorization: `Bearer ${/sp_[\w-]+/.exec(stdout)![0]}` };
  async function ask(path: string, headers: Record<string, string> = bearer, body?: Buffer) {
    const req = request(`https://localhost:${port}${path}`, {
      ca: pem,
      agent: false,
      servername: 'localhost',
      signal: AbortSignal.timeout(20_000),
      method: body === undefined ? 'GET' : 'POST',
      headers,
    });
    req.end(body);
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    return res;
  }
  return { upstream, gateway, bearer, ask };
}

async function textOf(res: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of res) text += chunk;
  return text;
}

test('behind nginx as documented, events arrive as they are sent, and a client that goes is gone for the upstream', {
  skip: skipNginx,
}, async t => {
  const { upstream, ask } = await behindNginx(t);
  const sent = Promise.withResolvers<(text: string) => void>();
  const gone = Promise.withResolvers<void>();
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.on('close', () => gone.resolve());
    sent.resolve(text => void res.write(text));
    return true;
  };
  const answer = ask('/u/up/events');
  const write = await sent.promise;
  write('data: 1\n\n');
  const res = await answer;
  for (const n of [1, 2, 3]) {
    if (n > 1) write(`data: ${n}\n\n`);
    assert.equal(String((await once(res, 'data'))[0]), `data: ${n}\n\n`);
  }
  res.destroy();
  await gone.promise;
});

test('behind nginx as documented, large bodies and large headers pass, and the origin is https', {
  skip: skipNginx,
}, async t => {
  const { upstream, bearer, ask } = await behindNginx(t);
  const body = Buffer.alloc(5 * 1024 * 1024, 'x');
  const posted = await ask('/u/up/upload', { ...bearer, 'content-type': 'text/plain' }, body);
  assert.equal(posted.statusCode, 200);
  posted.resume();
  assert.equal(upstream.requests.at(-1)!.bodyBytes, body.length);
  const large = await ask('/u/up/x', { ...bearer, cookie: `other=${'c'.repeat(30_000)}` });
  assert.equal(large.statusCode, 200);
  large.resume();
  const login = await ask('/auth/login', {});
  assert.ok([200, 303].includes(login.statusCode!), String(login.statusCode));
  login.resume();
  // Another name for the gateway is nobody's.
  const misled = await ask('/api/v1/me', { ...bearer, host: 'evil.example' });
  assert.equal(misled.statusCode, 421);
  misled.resume();
});

test('behind nginx as documented, the audit sees the client, whatever that one claims, and a session is Secure', {
  skip: skipNginx,
}, async t => {
  const { gateway, ask } = await behindNginx(t);
  const link = /https:\/\/localhost:\d+(\/auth\/first-admin\?\S+)/.exec(gateway.output())![1]!;
  const admitted = await ask(link, { 'x-forwarded-for': '203.0.113.66' });
  admitted.resume();
  const [cookie] = admitted.headers['set-cookie']!;
  assert.match(cookie!, /^__Host-oauth_session_id=[\w-]{43}; .*Secure/);
  const sessions = await ask('/api/v1/sessions', { cookie: cookie!.split(';')[0]! });
  const { items } = JSON.parse(await textOf(sessions)) as { items: { address: string }[] };
  assert.deepEqual(
    items.map(({ address }) => address),
    ['127.0.0.1'],
  );
});

test('the compose file is one, and keeps the database from the world', () => {
  const compose = parse(read('compose.yaml')) as {
    services: Record<string, { networks: string[]; ports?: string[]; read_only?: boolean }>;
    networks: Record<string, { internal?: boolean }>;
  };
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (formats as unknown as typeof formats.default)(ajv);
  // Draft 7 by a name that no validator knows it by.
  const { $schema: _, ...schema } = composeSpec;
  const validate = ajv.compile(schema);
  assert.ok(validate(compose), ajv.errorsText(validate.errors));
  const { gateway, database } = compose.services;
  assert.equal(database!.ports, undefined);
  assert.deepEqual(database!.networks, ['inside']);
  assert.equal(compose.networks['inside']!.internal, true);
  assert.equal(gateway!.read_only, true);
  assert.deepEqual(gateway!.ports, ['127.0.0.1:8080:8080']);
});

test('what the compose file tells the gateway is a configuration that it takes', async t => {
  const { services } = parse(read('compose.yaml')) as {
    services: { gateway: { environment: Record<string, string> } };
  };
  const at = folder(t);
  writeFileSync(join(at, 'store-url'), 'postgres://sallyport:x@database/sallyport\n');
  writeFileSync(join(at, 'encryption-key'), `${Buffer.alloc(32, 'k1j2h3g4').toString('base64')}\n`);
  writeFileSync(join(at, 'sallyport.yaml'), 'publicUrl: https://gateway.example\n');
  const environment = Object.fromEntries(
    Object.entries(services.gateway.environment).map(([name, value]) => [
      name,
      value.replace('/run/secrets', at).replace('/etc/sallyport', at),
    ]),
  );
  const checked = spawnSync(
    process.execPath,
    [join(ROOT, 'packages/server/src/main.ts'), 'config', 'check'],
    {
      cwd: at,
      env: { ...environment, SALLYPORT_LISTEN: '0.0.0.0:8080' },
      encoding: 'utf8',
    },
  );
  assert.equal(checked.status, 0, checked.stderr + checked.stdout);
});

test('the systemd unit is one, and exposes little', {
  skip: !has('systemd-analyze') && 'no systemd-analyze was found',
}, t => {
  const at = folder(t);
  const unit = join(at, 'sallyport.service');
  const text = read('deploy/sallyport.service');
  writeFileSync(unit, text.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));
  const verified = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  const ours = verified.stderr.split('\n').filter(line => line.includes('sallyport'));
  assert.deepEqual(ours, []);
  const rated = spawnSync('systemd-analyze', ['security', '--offline=true', unit], { encoding: 'utf8' });
  const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(rated.stdout)?.[1]);
  assert.ok(exposure <= 2, rated.stdout.slice(-200));
});
