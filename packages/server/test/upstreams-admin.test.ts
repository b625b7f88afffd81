import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { callerAs, callerWith, keyOf } from './fixtures/admin.ts';
import { createBrowser } from './fixtures/browser.ts';
import { eventually } from './fixtures/data-plane.ts';
import { type GatewayOptions, startGateway } from './fixtures/gateway.ts';
import { freePort } from './fixtures/ports.ts';
import { postgresUrl } from './fixtures/postgres.ts';
import { startUpstream } from './fixtures/upstream.ts';

const CANARY = 'canary-key-of-an-added-upstream-81c2';

async function house(t: TestContext, options: GatewayOptions = {}) {
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const gateway = await startGateway(t, {
    ...options,
    config: {
      upstreams: [
        {
          id: 'of-file',
          name: 'Of the file',
          kind: 'http',
          url: upstream.url,
          credential: { use: 'key', key: 'a-key-of-the-file' },
        },
      ],
      ...options.config,
    },
  });
  const admin = await callerAs(gateway, 'root@corp.example', '--admin');
  const draft = (more: Record<string, unknown> = {}) => ({
    id: 'added',
    name: 'Added',
    kind: 'http',
    url: `${upstream.url}/base`,
    models: [],
    credential: { use: 'key', key: CANARY, header: 'authorization', scheme: 'Bearer' },
    access: { everyone: true, users: [], groups: [] },
    ...more,
  });
  return { upstream, gateway, admin, draft };
}

test('an upstream that is added is there at once, survives a restart, changes, and is gone when it is removed', async t => {
  const { upstream, gateway, admin, draft } = await house(t);
  const user = await callerAs(gateway, 'alice@corp.example');
  const call = () => user('GET', '/u/added/x');
  assert.equal((await call()).status, 404);

  const made = await admin('POST', '/api/v1/upstreams', draft());
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body, {
    id: 'added',
    name: 'Added',
    kind: 'http',
    url: `${upstream.url}/base`,
    models: [],
    credential: { use: 'key', header: 'authorization', scheme: 'Bearer', has_key: true },
    access: { everyone: true, users: [], groups: [] },
    source: 'database',
    problem: null,
  });
  assert.equal((await call()).status, 200);
  assert.equal(upstream.requests.at(-1)!.url, '/base/x');
  assert.equal(upstream.requests.at(-1)!.headers.authorization, `Bearer ${CANARY}`);

  await gateway.stop();
  await gateway.restart();
  assert.equal((await call()).body.headers.authorization, `Bearer ${CANARY}`);

  const changed = draft({
    url: `${upstream.url}/other`,
    credential: { use: 'key', header: 'x-api-key', scheme: '' },
  });
  assert.equal((await admin('PUT', '/api/v1/upstreams/added', changed)).status, 200);
  assert.equal((await call()).status, 200);
  assert.equal(upstream.requests.at(-1)!.url, '/other/x');
  assert.equal(upstream.requests.at(-1)!.headers['x-api-key'], CANARY);

  const limited = { ...changed, access: { everyone: false, users: [], groups: ['finance'] } };
  assert.equal((await admin('PUT', '/api/v1/upstreams/added', limited)).status, 200);
  assert.equal((await call()).status, 403);
  assert.deepEqual((await user('GET', '/api/v1/home')).body.items, []);

  assert.equal((await admin('DELETE', '/api/v1/upstreams/added')).status, 204);
  assert.equal((await call()).status, 404);
  const list = (await admin('GET', '/api/v1/upstreams')).body.items;
  assert.deepEqual(
    list.map((item: { id: string; source: string }) => [item.id, item.source]),
    [['of-file', 'file']],
  );
});

test('models of an added upstream are found behind those of the file', async t => {
  const { gateway, admin, draft, upstream } = await house(t);
  const openai = draft({ kind: 'openai', url: `${upstream.url}/v1`, models: ['corp-*'] });
  assert.equal((await admin('POST', '/api/v1/upstreams', openai)).status, 201);
  const user = await callerAs(gateway, 'alice@corp.example');
  const answer = await user('POST', '/v1/chat/completions', { model: 'corp-large', messages: [] });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(upstream.requests.at(-1)!.headers.authorization, `Bearer ${CANARY}`);
});

test('an upstream that a second replica adds, narrows and removes follows here within five seconds, streams too', async t => {
  const store = await postgresUrl(t);
  if (store === null) return;
  const { upstream, gateway, draft } = await house(t, { store });
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    return true;
  };
  const other = await startGateway(t, { store, directory: gateway.directory });
  const admin = await callerAs(other, 'admin@corp.example', '--admin');
  const key = await keyOf(gateway, 'alice@corp.example');
  const stream = async () => {
    const req = get(`${gateway.url}/u/added/events`, {
      headers: { authorization: `Bearer ${key}` },
      agent: false,
    });
    req.on('error', () => {});
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    res.on('error', () => {});
    res.resume();
    return res;
  };
  const until = async (status: number) => {
    const start = performance.now();
    for (;;) {
      const res = await stream();
      if (res.statusCode === status) return res;
      res.destroy();
      assert.ok(performance.now() - start < 5_000, `not ${status} within 5 s`);
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  };
  assert.equal((await admin('POST', '/api/v1/upstreams', draft())).status, 201);
  const first = await until(200);
  const nobody = draft({ access: { everyone: false, users: [], groups: [] } });
  await admin('PUT', '/api/v1/upstreams/added', nobody);
  await eventually(() => first.closed);
  assert.equal((await stream()).statusCode, 403);

  await admin('PUT', '/api/v1/upstreams/added', draft());
  const second = await until(200);
  await admin('DELETE', '/api/v1/upstreams/added');
  await eventually(() => second.closed);
  assert.equal((await stream()).statusCode, 404);
});

test('what stands in the file is neither changed, removed nor shadowed, and the refusal says what to do', async t => {
  const { admin, draft } = await house(t);
  const attempts = [
    await admin('POST', '/api/v1/upstreams', draft({ id: 'of-file' })),
    await admin('PUT', '/api/v1/upstreams/of-file', draft({ id: 'of-file' })),
    await admin('DELETE', '/api/v1/upstreams/of-file'),
  ];
  for (const { status, body } of attempts) {
    assert.equal(status, 409);
    assert.match(body.detail, /change it there and restart the gateway/);
  }
});

test('nobody but an admin sees, changes or tests upstreams; another site makes no admin’s browser do it', async t => {
  const { gateway, draft, admin } = await house(t);
  const acts = [
    ['GET', '/api/v1/upstreams'],
    ['POST', '/api/v1/upstreams', draft()],
    ['PUT', '/api/v1/upstreams/added', draft()],
    ['DELETE', '/api/v1/upstreams/added'],
    ['GET', '/api/v1/upstreams/of-file/consequences'],
    ['POST', '/api/v1/upstreams/test', { draft: draft({ url: 'http://127.0.0.1:1' }) }],
    ['POST', '/api/v1/upstreams/test', { id: 'of-file' }],
  ] as const;
  const user = await callerAs(gateway, 'alice@corp.example');
  const limited = await callerAs(gateway, 'root@corp.example', '--admin', '--upstream', 'of-file');
  const nobody = callerWith(gateway, {});
  for (const [method, path, body] of acts) {
    assert.equal((await user(method, path, body)).status, 403, `${method} ${path}`);
    assert.equal((await nobody(method, path, body)).status, 401, `${method} ${path}`);
    if (method !== 'GET') assert.equal((await limited(method, path, body)).status, 403, `${method} ${path}`);
  }

  const second = await startGateway(t);
  const browser = createBrowser();
  await browser.get(/http:\/\/localhost:\d+\/auth\/first-admin\?\S+/.exec(second.output())![0]);
  const cookie = `oauth_session_id=${browser.cookie(second.url, 'oauth_session_id')}`;
  const elsewhere: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ];
  for (const from of elsewhere) {
    const foreign = callerWith(second, { cookie, ...from });
    for (const [method, path, body] of acts.filter(([method]) => method !== 'GET')) {
      const { status, body: said } = await foreign(method, path, body);
      assert.deepEqual([status, said.code], [403, 'csrf'], `${method} ${path}`);
    }
  }
  // A form of another site cannot send JSON, and what it can send is not taken.
  const form = await fetch(`${second.url}/api/v1/upstreams`, {
    method: 'POST',
    headers: { cookie, 'content-type': 'text/plain' },
    body: JSON.stringify(draft()),
  });
  assert.equal(form.status, 400);
  const own = callerWith(second, { cookie, origin: second.url });
  assert.equal((await own('POST', '/api/v1/upstreams', draft())).status, 201);
  assert.equal((await admin('GET', '/api/v1/upstreams')).body.items.length, 1);
});

test('a draft that does not hold is refused with everything that is wrong, and nothing is stored', async t => {
  const { admin, draft } = await house(t);
  const wrong = draft({
    url: 'http://169.254.169.254/latest',
    credential: { use: 'key', key: 'x\r\ny: z', header: 'host' },
  });
  const { status, body, text } = await admin('POST', '/api/v1/upstreams', wrong);
  assert.equal(status, 400);
  for (const part of [/url: expected https/, /credential\.key: expected/, /credential\.header: expected/])
    assert.match(body.detail, part);
  assert.ok(!text.includes('y: z'));
  const misspelt = await admin('POST', '/api/v1/upstreams', { ...draft(), acces: {} });
  assert.equal(misspelt.status, 400);
  assert.equal((await admin('GET', '/api/v1/upstreams')).body.items.length, 1);
});

test('a stored key is in no answer, log, audit event or file, and keeping it gives it to no other server', async t => {
  const { gateway, admin, draft } = await house(t, { config: { logLevel: 'trace' } });
  const said: string[] = [];
  const act: typeof admin = async (...what) => {
    const answer = await admin(...what);
    said.push(answer.text);
    return answer;
  };
  const kept = draft({ credential: { use: 'key' } });
  await act('POST', '/api/v1/upstreams', draft());
  await act('POST', '/api/v1/upstreams', draft());
  await act('PUT', '/api/v1/upstreams/added', kept);
  await act('GET', '/api/v1/upstreams');
  await act('POST', '/api/v1/upstreams/test', { id: 'added' });
  await act('POST', '/api/v1/upstreams/test', { id: 'added', draft: kept });
  const thief = await startUpstream();
  t.after(() => thief.close());
  const stolen = draft({ url: thief.url, credential: { use: 'key' } });
  const test = await act('POST', '/api/v1/upstreams/test', { id: 'added', draft: stolen });
  assert.equal(test.status, 400);
  assert.equal((await act('PUT', '/api/v1/upstreams/added', stolen)).status, 400);
  assert.equal(thief.requests.length, 0);
  await act('GET', '/api/v1/upstreams/added/consequences');
  await act('DELETE', '/api/v1/upstreams/added');
  const events = await act('GET', '/api/v1/audit?limit=100');
  const acts = events.body.items
    .map((item: { action: string }) => item.action)
    .filter((action: string) => action.startsWith('upstream.'));
  assert.deepEqual(acts.reverse(), [
    'upstream.create',
    'upstream.update',
    'upstream.test',
    'upstream.test',
    'upstream.remove',
  ]);
  const doctor = await gateway.command('doctor');
  for (const text of [...said, gateway.output(), doctor.stdout, doctor.stderr])
    assert.ok(!text.includes(CANARY));
  for (const [name, bytes] of gateway.files()) assert.ok(!bytes.includes(CANARY), name);
});

test('the test says what came back: well, refused, silent, no TLS, no list of models, a name that leads astray', async t => {
  const { admin, draft, upstream } = await house(t);
  const tls = createTls(selfSigned()).listen(0, '127.0.0.1');
  await once(tls, 'listening');
  t.after(() => tls.close());
  const port = (tls.address() as AddressInfo).port;
  upstream.intercept = (req, res) => {
    if (req.url === '/closed')
      res.writeHead(req.headers.authorization === `Bearer ${CANARY}` ? 200 : 401).end();
    else if (req.url === '/broken') res.writeHead(500).end('secret words of the upstream');
    else if (req.url === '/html/models') res.end('<script>alert(1)</script>');
    else return false;
    return true;
  };
  const key = (text: string) => ({ use: 'key', key: text });
  const cases: [Record<string, unknown>, boolean, RegExp][] = [
    [{ url: upstream.url }, true, /answers 200\./],
    [{ url: `${upstream.url}/closed` }, true, /answers 200\./],
    [{ url: `${upstream.url}/closed`, credential: key('another') }, false, /refuses the credential/],
    [{ url: `${upstream.url}/broken` }, false, /answers 500: it fails/],
    [{ kind: 'openai', url: `${upstream.url}/v1`, models: ['*'] }, true, /lists 3 models/],
    [{ kind: 'openai', url: `${upstream.url}/html`, models: ['*'] }, false, /list of models should be/],
    [{ url: `http://127.0.0.1:${await freePort()}` }, false, /nothing listens there/],
    [{ url: upstream.url.replace('http:', 'https:') }, false, /speaks no TLS/],
    [{ url: `https://127.0.0.1:${port}` }, false, /certificate that is not trusted/],
    [{ url: 'https://no-such-name.invalid' }, false, /DNS/],
  ];
  for (const [more, ok, said] of cases) {
    const { status, body, text } = await admin('POST', '/api/v1/upstreams/test', { draft: draft(more) });
    assert.equal(status, 200, text);
    assert.equal(body.ok, ok, text);
    assert.match(body.said, said);
    assert.equal(typeof body.hint, ok ? 'object' : 'string');
    assert.ok(!text.includes('secret words') && !text.includes('<script'));
  }
  const mine = draft({ credential: { use: 'sign-in' } });
  const { body } = await admin('POST', '/api/v1/upstreams/test', { draft: mine });
  assert.match(body.said, /asked without a credential/);
  assert.equal((await admin('POST', '/api/v1/upstreams/test', { id: 'nobody' })).status, 404);
  assert.equal((await admin('POST', '/api/v1/upstreams/test', {})).status, 400);
});

test('what was added is looked at by doctor and health too, by the command line as well', async t => {
  const { gateway, admin, draft } = await house(t);
  await admin('POST', '/api/v1/upstreams', draft({ url: `http://127.0.0.1:${await freePort()}` }));
  const { checks } = (await admin('GET', '/api/v1/health')).body;
  const found = checks.find(({ name }: { name: string }) => name === 'upstream added');
  assert.match(found.said, /nothing listens there/);
  const doctor = await gateway.command('doctor');
  assert.match(doctor.stdout, /OK {4}upstream of-file: .*answers \(200\)/);
  assert.match(doctor.stdout, /FAIL {2}upstream added: .*nothing listens there/);
  const key = await gateway.command('keys', 'create', '--user', 'alice@corp.example', '--upstream', 'added');
  assert.equal(key.code, 0, key.stderr);
});

test('removing says which keys become useless and how many calls are under way', async t => {
  const { gateway, admin, draft, upstream } = await house(t);
  await admin('POST', '/api/v1/upstreams', draft());
  upstream.intercept = (_req, res) => {
    res.writeHead(200).write('…');
    return true;
  };
  const only = await keyOf(gateway, 'alice@corp.example', '--name', 'ci', '--upstream', 'added');
  await keyOf(gateway, 'alice@corp.example', '--upstream', 'added', '--upstream', 'of-file');
  const stream = await fetch(`${gateway.url}/u/added/`, { headers: { authorization: `Bearer ${only}` } });
  assert.deepEqual((await admin('GET', '/api/v1/upstreams/added/consequences')).body, {
    open_calls: 1,
    terminals: 0,
    keys_limited_to_it: ['ci (alice@corp.example)'],
  });
  await admin('DELETE', '/api/v1/upstreams/added');
  await assert.rejects(stream.text());
  assert.equal((await admin('GET', '/api/v1/upstreams/added/consequences')).status, 404);
});

/** A key and its certificate that nobody has a reason to trust. */
function selfSigned(): { key: string; cert: string } {
  const made = execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=127.0.0.1',
      '-keyout',
      '-',
      '-out',
      '-',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const part = (name: string) =>
    new RegExp(`-----BEGIN ${name}-----[\\s\\S]*?-----END ${name}-----`).exec(made)![0];
  return { key: part('PRIVATE KEY'), cert: part('CERTIFICATE') };
}
