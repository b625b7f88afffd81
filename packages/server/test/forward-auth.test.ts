import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type CheckedHouse, PROXY_SECRET, startCheckedHouse } from './fixtures/forward-auth.ts';

type Headers = Record<string, string>;
interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** One request, with any Host and method. */
function send(house: CheckedHouse, path: string, headers: Headers, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port: house.gateway.port, path, method, headers }, res => {
      let body = '';
      res.setEncoding('utf8').on('data', chunk => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode!, headers: res.headers, body }));
    });
    req.on('error', reject).end();
  });
}

/** As a proxy asks for a GET that its client sent. */
const asProxy = (more: Headers = {}): Headers => ({
  'x-sallyport-proxy-secret': PROXY_SECRET,
  'x-forwarded-method': 'GET',
  ...more,
});

const PAGE = { accept: 'text/html,*/*' };
const code = (answer: Answer) => (JSON.parse(answer.body) as { code: string }).code;

async function ground(t: TestContext, config: Record<string, unknown> = {}) {
  const house = await startCheckedHouse(t, { config });
  return {
    ...house,
    ask: (headers: Headers, path = '/auth/check?upstream=tools', method = 'GET') =>
      send(house, path, headers, method),
  };
}

test('a proxy gets the upstream token of the person whose cookie it shows, and who they are', async t => {
  const { ask, signIn, accessTokens } = await ground(t);
  const { cookie } = await signIn('alice');
  const { status, headers, body } = await ask(asProxy({ cookie }));
  assert.equal(status, 200);
  assert.equal(body, '');
  assert.equal(headers['authorization'], `Bearer ${accessTokens[0]}`);
  assert.match(String(headers['x-auth-user-id']), /^usr_/);
  assert.equal(headers['x-auth-email'], 'alice@corp.example');
  assert.equal(decodeURIComponent(String(headers['x-auth-name'])), 'Alice Möller, Dr.');
  assert.deepEqual(String(headers['x-auth-groups']).split(',').map(decodeURIComponent), [
    'engineering',
    'über, 100 %',
  ]);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['set-cookie'], undefined);
});

test('whoever is not the proxy gets no token: not the browser itself, not one that guesses, not one from elsewhere', async t => {
  const { ask, signIn, accessTokens, gateway } = await ground(t);
  const { cookie, browser } = await signIn('alice');
  const wrong = PROXY_SECRET.replace('a', 'b');
  const attacks: Headers[] = [
    {},
    { 'x-sallyport-proxy-secret': '' },
    { 'x-sallyport-proxy-secret': wrong },
    { 'x-sallyport-proxy-secret': PROXY_SECRET.slice(0, -1) },
    { 'x-sallyport-proxy-secret': `${PROXY_SECRET}, ${PROXY_SECRET}` },
    { 'x-sallyport_proxy-secret': PROXY_SECRET },
    { authorization: `Bearer ${PROXY_SECRET}` },
  ];
  for (const attack of attacks) {
    for (const path of ['/auth/check?upstream=tools', '/auth/check/tools/x']) {
      const answer = await ask({ 'x-forwarded-method': 'GET', cookie, ...attack }, path);
      assert.equal(answer.status, 403, JSON.stringify(attack));
      assert.ok(!JSON.stringify(answer).includes(accessTokens[0]!));
      assert.equal(answer.headers['authorization'], undefined);
    }
  }
  const page = await browser.once(`${gateway.url}/auth/check?upstream=tools`);
  assert.equal(page.status, 403);
  assert.ok(!JSON.stringify([...page.headers]).includes(accessTokens[0]!));
  for (const secret of [PROXY_SECRET, wrong]) assert.ok(!gateway.output().includes(secret));
});

test('without forwardAuthSecret nobody may ask', async t => {
  const { ask, signIn } = await ground(t, { forwardAuthSecret: [] });
  const { cookie } = await signIn('alice');
  assert.equal((await ask(asProxy({ cookie }))).status, 404);
});

test('where trustedProxies are named, the secret alone is not enough', async t => {
  const { ask, signIn } = await ground(t, { trustedProxies: ['10.0.0.0/8'] });
  const { cookie } = await signIn('alice');
  assert.equal((await ask(asProxy({ cookie, 'x-forwarded-for': '10.0.0.1' }))).status, 403);
  const near = await ground(t, { trustedProxies: ['127.0.0.0/8'] });
  const alice = await near.signIn('alice');
  assert.equal((await near.ask(asProxy({ cookie: alice.cookie }))).status, 200);
});

test('of several secrets each is one, so that they can be changed without a pause', async t => {
  const next = 'the-next-proxy-secret-of-the-tests-0123';
  const { ask, signIn } = await ground(t, { forwardAuthSecret: [next, PROXY_SECRET] });
  const { cookie } = await signIn('alice');
  for (const secret of [next, PROXY_SECRET])
    assert.equal((await ask({ ...asProxy({ cookie }), 'x-sallyport-proxy-secret': secret })).status, 200);
});

test('who is not signed in is 401, with the way to sign in for a person and without for a program', async t => {
  const { ask, gateway } = await ground(t);
  const here = {
    'x-forwarded-proto': 'http',
    'x-forwarded-host': `localhost:${gateway.port}`,
    'x-forwarded-uri': '/tools/a?b=c&d=%20',
  };
  const login = `${gateway.url}/auth/login?return_to=`;
  const person = await ask(asProxy({ ...PAGE, ...here }));
  assert.equal(person.status, 401);
  assert.equal(code(person), 'unauthenticated');
  assert.equal(person.headers.location, `${login}${encodeURIComponent('/tools/a?b=c&d=%20')}`);
  const program = await ask(asProxy(here));
  assert.deepEqual([program.status, program.headers.location], [401, undefined]);
  assert.equal(program.headers['www-authenticate'], 'Bearer');
  const posted = await ask(asProxy({ ...PAGE, ...here, 'x-forwarded-method': 'POST' }));
  assert.deepEqual([posted.status, posted.headers.location], [401, undefined]);
  const withKey = await ask(asProxy({ ...PAGE, ...here, authorization: 'Bearer sp_none' }));
  assert.deepEqual([withKey.status, withKey.headers.location], [401, undefined]);

  const redirected = await ask(asProxy({ ...PAGE, ...here }), '/auth/check?upstream=tools&sign_in=redirect');
  assert.deepEqual([redirected.status, redirected.headers.location], [303, person.headers.location]);
  const refused = await ask(asProxy(here), '/auth/check?upstream=tools&sign_in=redirect');
  assert.equal(refused.status, 401);
});

test('sign-in leads back to this host only, on whatever port', async t => {
  const { ask, gateway } = await ground(t);
  const backTo = async (original: string) => {
    const { headers } = await ask(asProxy({ ...PAGE, 'x-original-url': original }));
    return new URL(String(headers.location)).searchParams.get('return_to');
  };
  const app = 'http://localhost:9443/app?x=1';
  const back = await backTo(app);
  assert.equal(back, `/auth/return?to=${encodeURIComponent(app)}`);
  const last = await send({ gateway } as CheckedHouse, back!, { host: `localhost:${gateway.port}` });
  assert.deepEqual([last.status, last.headers.location], [303, app]);

  for (const elsewhere of [
    'http://evil.example/app',
    'http://localhost.evil.example/',
    'https://localhost/app',
    'http://localhost@evil.example/',
    'javascript:alert(1)',
    'http://',
    `${gateway.url}//evil.example/`,
    `${gateway.url}/${'a'.repeat(3_000)}`,
  ]) {
    assert.equal(await backTo(elsewhere), null, elsewhere);
    const answer = await send(
      { gateway } as CheckedHouse,
      `/auth/return?to=${encodeURIComponent(elsewhere)}`,
      {
        host: `localhost:${gateway.port}`,
      },
    );
    if (!elsewhere.startsWith(gateway.url)) assert.equal(answer.status, 400, elsewhere);
  }
});

test('who may not use the upstream is 403, and so is everyone for an upstream that is not there', async t => {
  const { ask, signIn, accessTokens } = await ground(t);
  const { cookie } = await signIn('mallory');
  for (const path of ['/auth/check?upstream=tools', '/auth/check/tools', '/auth/check?upstream=nothing']) {
    const answer = await ask(asProxy({ cookie, ...PAGE }), path);
    assert.deepEqual([answer.status, code(answer), answer.headers.location], [403, 'forbidden', undefined]);
    assert.ok(!JSON.stringify(answer).includes(accessTokens[0]!));
  }
});

test('a client cannot choose the upstream: one, named by the proxy, or none', async t => {
  const { ask, signIn } = await ground(t);
  const { cookie } = await signIn('alice');
  for (const path of [
    '/auth/check',
    '/auth/check?',
    '/auth/check?upstream=',
    '/auth/check?upstream=tools&upstream=keyed',
    '/auth/check?uri=/x&upstream=keyed&upstream=tools',
    '/auth/check?upstream=tools%2fx',
  ]) {
    assert.equal((await ask(asProxy({ cookie }), path)).status, 400, path);
  }
  // Envoy puts the prefix before the client's own path and query.
  for (const rest of ['', '/', '/a/b?upstream=keyed', '/../keyed/x', '?upstream=keyed']) {
    const answer = await ask(asProxy({ cookie }), `/auth/check/plain${rest}`);
    assert.deepEqual(
      [answer.status, answer.headers['x-api-key'], answer.headers.authorization],
      [200, undefined, ''],
      rest,
    );
  }
  assert.equal((await ask(asProxy({ cookie }), '/auth/check//keyed')).status, 400);
  assert.equal((await ask(asProxy({ cookie }), '/auth/checks?upstream=tools')).status, 404);
});

test("whatever the upstream's rule, what the client wrote under our names is replaced", async t => {
  const { ask, signIn, gateway } = await ground(t);
  await signIn('alice');
  const { stdout } = await gateway.command('keys', 'create', '--user', 'alice@corp.example');
  const key = /sp_[\w-]+/.exec(stdout)![0];
  const spoofed = {
    authorization: `Bearer ${key}`,
    'x-auth-email': 'root@corp.example',
    'x-auth-groups': 'ai-admins',
  };
  const expected = { tools: /^Bearer ey/, keyed: /^$/, plain: /^$/ };
  for (const [upstream, authorization] of Object.entries(expected)) {
    const { status, headers } = await ask(asProxy(spoofed), `/auth/check?upstream=${upstream}`);
    assert.equal(status, 200);
    assert.match(String(headers['authorization']), authorization);
    assert.equal(headers['x-auth-email'], 'alice@corp.example');
    assert.equal(headers['x-api-key'], upstream === 'keyed' ? 'a-static-key' : undefined);
  }
});

test('another site cannot act through the proxy with a cookie, and the proxy must say the method', async t => {
  const { ask, signIn } = await ground(t);
  const { cookie } = await signIn('alice');
  const app = 'http://localhost:9443';
  const post = (more: Headers) =>
    ask(asProxy({ cookie, 'x-forwarded-method': 'POST', 'x-original-url': `${app}/act`, ...more }));
  const own = { origin: app, 'sec-fetch-site': 'same-origin' };
  assert.equal((await post(own)).status, 200);
  const foreigners: Headers[] = [
    { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'http://localhost:6666', 'sec-fetch-site': 'same-site' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
  ];
  for (const foreign of foreigners) {
    const answer = await post(foreign);
    assert.deepEqual([answer.status, code(answer)], [403, 'csrf'], JSON.stringify(foreign));
    // A WebSocket handshake is a GET, and no page may begin one for another.
    const handshake = await ask(
      asProxy({
        cookie,
        'x-original-url': `${app}/ws`,
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...foreign,
      }),
    );
    assert.equal(handshake.status, 403);
    const envoy = await ask(asProxy({ cookie, ...foreign }), '/auth/check/tools/act', 'POST');
    assert.equal(envoy.status, 403);
  }
  const { 'x-forwarded-method': _, ...unsaid } = asProxy({ cookie });
  assert.equal((await ask(unsaid)).status, 400);
  assert.equal((await ask({ ...asProxy({ cookie }), 'x-original-method': 'POST' })).status, 400);
  assert.equal((await ask({ ...unsaid, 'x-original-method': 'GET' })).status, 200);
});

test('it may be asked in any method and under any name, and waits for no body', async t => {
  const { ask, signIn, gateway } = await ground(t);
  const { cookie } = await signIn('alice');
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const headers = asProxy({
      cookie,
      host: 'sallyport:8080',
      ...(method === 'GET' ? {} : { 'content-length': '0' }),
    });
    assert.equal((await ask(headers, '/auth/check?upstream=plain', method)).status, 200, method);
  }
  const announced = await new Promise<number>((resolve, reject) => {
    const headers = { ...asProxy({ cookie }), 'content-length': '1000' };
    const req = request(`${gateway.url}/auth/check?upstream=plain`, { method: 'POST', headers }, res => {
      resolve(res.statusCode!);
      req.destroy();
    });
    req.on('error', reject).flushHeaders();
  });
  assert.equal(announced, 200);
  assert.equal(
    (await send({ gateway } as CheckedHouse, '/auth/return?to=x', { host: 'sallyport:8080' })).status,
    421,
  );
});

test('releases are in the audit, counted by the minute, with where the client was', async t => {
  const { ask, signIn, gateway } = await ground(t);
  const { cookie, browser } = await signIn('alice');
  for (let n = 0; n < 5; n++) await ask(asProxy({ cookie, 'x-forwarded-for': '203.0.113.9, 198.51.100.7' }));
  await ask(asProxy({ cookie }), '/auth/check?upstream=plain');
  const { stdout } = await gateway.command('keys', 'create', '--user', 'alice@corp.example', '--admin');
  const authorization = `Bearer ${/sp_[\w-]+/.exec(stdout)![0]}`;
  const read = async () => {
    const page = await browser.once(`${gateway.url}/api/v1/audit?action=token.release`, {
      headers: { authorization },
    });
    return (
      JSON.parse(page.text) as {
        items: { target: string; address: string; detail: Record<string, unknown> }[];
      }
    ).items;
  };
  await gateway.stop();
  await gateway.restart();
  const told = (await read()).map(({ target, address, detail }) => [target, address, detail['count']]);
  assert.deepEqual(told, [['tools', '198.51.100.7', 5]]);
});
