import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SignJWT } from 'jose';
import { callerWith, keyOf } from './fixtures/admin.ts';
import { createBrowser } from './fixtures/browser.ts';
import { eventually } from './fixtures/data-plane.ts';
import { type Gateway, providerConfig, startGateway } from './fixtures/gateway.ts';
import { startProvider } from './fixtures/provider.ts';
import { TerminalClient } from './fixtures/terminal-client.ts';
import { startTerminalServer, type TerminalServer } from './fixtures/terminal-server.ts';

const SECRET = 'a-shared-secret-of-these-tests-0123456789';
const SPEAKS = ['sallyport.terminal.v1'];
const RULES = {
  none: { use: 'none' },
  key: { use: 'key', key: 'env:TERMINAL_KEY' },
  header: { use: 'key', key: 'env:TERMINAL_KEY', header: 'X-API-Key', scheme: '' },
  access: { use: 'sign-in', token: 'access_token' },
  id: { use: 'sign-in', token: 'id_token' },
  fallback: { use: 'sign-in', fallback: { key: 'env:TERMINAL_KEY' } },
};

/** A gateway whose people prove themselves in every way, before a server for each rule of credentials, which takes whatever it is shown. */
async function house(t: TestContext, rules: Record<string, Record<string, unknown>>) {
  const provider = await startProvider({ accessToken: 'jwt' });
  t.after(() => provider.close());
  const servers: Record<string, TerminalServer> = {};
  for (const name of Object.keys(rules)) {
    servers[name] = await startTerminalServer(t, 'open-terminal');
    servers[name].alsoTakes.has = () => true;
  }
  const gateway = await startGateway(t, {
    config: {
      jwtSecret: 'env:JWT_SECRET',
      trustedProxies: ['127.0.0.1'],
      trustProxyAuth: true,
      providers: [providerConfig(provider)],
      upstreams: Object.entries(rules).map(([id, credential]) => ({
        id,
        kind: 'terminal',
        url: servers[id]!.url,
        credential,
        access: { everyone: true },
      })),
    },
    env: { JWT_SECRET: SECRET, TERMINAL_KEY: 'the-static-key' },
  });
  const browser = createBrowser();
  await provider.signIn(browser, `${gateway.url}/auth/corp/login`);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;
  return { gateway, servers, session: { cookie, origin: gateway.url } };
}

async function create(gateway: Gateway, name: string, who: Record<string, string>): Promise<string> {
  const { status, text, body } = await callerWith(gateway, who)('POST', `/terminals/${name}/api/terminals`);
  assert.equal(status, 200, text);
  return `/terminals/${name}/api/terminals/${(body as { id: string }).id}`;
}

test('every rule of credentials shows a WebSocket’s server what it shows it over HTTP, in the handshake and in the first message', async t => {
  const { gateway, servers, session } = await house(t, RULES);
  const seen: Record<string, string | undefined> = {};
  const carol = { authorization: `Bearer ${await keyOf(gateway, 'carol@corp.example')}` };
  for (const [name, server] of Object.entries(servers)) {
    // Of whom nothing is known but a key there is no token to show.
    const who = name === 'fallback' ? carol : session;
    const path = await create(gateway, name, who);
    const client = await new TerminalClient(gateway.url + path, {
      headers: who,
      protocols: SPEAKS,
    }).open();
    await client.told('attached');
    await eventually(() => server.texts.length > 0);
    const [call, handshake] = [server.calls.at(-1)!.headers, server.handshakes.at(-1)!.headers];
    for (const header of ['authorization', 'x-api-key'])
      assert.equal(handshake[header], call[header], `${name}: ${header}`);
    const bare = call['x-api-key'] ?? call.authorization?.replace('Bearer ', '') ?? '';
    assert.equal(JSON.parse(server.texts[0]!).token, bare, name);
    assert.equal(handshake.cookie, undefined);
    assert.ok(!server.handshakes.some(({ url }) => url.includes('token=')));
    seen[name] = bare as string;
    client.drop();
  }
  const claims = (token: string | undefined) =>
    JSON.parse(Buffer.from(token!.split('.')[1]!, 'base64url').toString()) as { sub: string; aud: string };
  assert.deepEqual([seen['none'], seen['key'], seen['header']], ['', 'the-static-key', 'the-static-key']);
  assert.equal(seen['fallback'], 'the-static-key');
  assert.equal(claims(seen['access']).sub, claims(seen['id']).sub);
  assert.equal(claims(seen['id']).aud, 'sallyport');
  assert.notEqual(seen['access'], seen['id']);
  for (const token of Object.values(seen)) assert.ok(!token || !gateway.output().includes(token));
});

test('a person attaches by whatever proves them: a session, a key, a JWT, a trusted proxy', async t => {
  const { gateway, servers, session } = await house(t, { key: RULES.key });
  const jwt = await new SignJWT({ sub: 'dora' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('5m')
    .sign(Buffer.from(SECRET));
  const proofs = {
    session,
    key: { authorization: `Bearer ${await keyOf(gateway, 'carol@corp.example')}` },
    jwt: { authorization: `Bearer ${jwt}` },
    proxy: { 'x-authenticated-user': 'eve' },
  };
  const users = new Set<string>();
  for (const [name, headers] of Object.entries(proofs)) {
    const path = await create(gateway, 'key', headers);
    const client = await new TerminalClient(gateway.url + path, { headers, protocols: SPEAKS }).open();
    client.type('echo h""i\n');
    await client.shows('hi\n');
    users.add(servers['key']!.handshakes.at(-1)!.headers['x-user-id'] as string);
    for (const [other, theirs] of Object.entries(proofs))
      if (other !== name)
        assert.equal((await new TerminalClient(gateway.url + path, { headers: theirs }).end()).code, 4004);
    client.drop();
  }
  assert.equal(users.size, 4);
  // What a browser adds by itself proves nothing to another site.
  const evil = { ...proofs.proxy, origin: 'https://evil.example' };
  const path = await create(gateway, 'key', proofs.proxy);
  assert.equal((await new TerminalClient(gateway.url + path, { headers: evil }).end()).code, 403);
  const first = JSON.stringify({ type: 'auth', token: jwt });
  const byJwt = await create(gateway, 'key', proofs.jwt);
  const client = await new TerminalClient(gateway.url + byJwt, { first }).open();
  client.type('echo by""message\n');
  await client.shows('bymessage');
  client.drop();
});
