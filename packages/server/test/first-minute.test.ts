import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { createBrowser } from './fixtures/browser.ts';
import { providerConfig, startGateway } from './fixtures/gateway.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

test('a fresh gateway prints one link, and the link makes the first admin, once', async t => {
  const gateway = await startGateway(t);
  const link = /http:\/\/localhost:\d+\/auth\/first-admin\?\S+/.exec(gateway.output())?.[0];
  assert.ok(link, gateway.output());

  const uses = await Promise.all(Array.from({ length: 50 }, () => createBrowser().once(link)));
  const admitted = uses.filter(page =>
    page.headers.getSetCookie().some(line => line.startsWith('oauth_session_id=')),
  );
  assert.equal(admitted.length, 1);

  const cookie = admitted[0]!.headers
    .getSetCookie()
    .find(line => line.startsWith('oauth_session_id='))!
    .split(';')[0]!;
  assert.ok(cookie.length < 100);
  const me = await fetch(`${gateway.url}/api/v1/me`, { headers: { cookie } });
  assert.equal(me.status, 200);
  assert.equal(((await me.json()) as { admin?: boolean; user?: { admin: boolean } }).user?.admin, true);

  const late = await createBrowser().once(link);
  assert.ok(late.status >= 400);
  await gateway.stop();
  await gateway.restart();
  assert.equal(gateway.output().match(/first-admin/g)?.length, 1, 'an admin exists: no second link');
});

test("a person signs in, and the official SDK streams an answer that the upstream sees asked for with that person's own token", async t => {
  const provider = await startProvider({ groups: 0 });
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const gateway = await startGateway(t, {
    config: {
      providers: [providerConfig(provider)],
      upstreams: [
        {
          id: 'corp-llm',
          kind: 'openai',
          url: `${upstream.url}/v1`,
          models: ['corp-*'],
          credential: { use: 'sign-in', token: 'access_token' },
          access: { groups: ['engineering'] },
        },
      ],
    },
  });

  const browser = createBrowser();
  const options = (await (await fetch(`${gateway.url}/api/v1/sign-in-options`)).json()) as {
    providers: object[];
  };
  assert.deepEqual(options.providers, [{ id: 'corp', name: 'Corp SSO', login_url: '/auth/corp/login' }]);
  await provider.signIn(browser, `${gateway.url}/auth/corp/login`, 'alice');
  const home = await browser.get(`${gateway.url}/api/v1/home`);
  assert.deepEqual(
    JSON.parse(home.text).items.map((item: { id: string; state: string; base_url: string }) => [
      item.id,
      item.state,
      item.base_url,
    ]),
    [['corp-llm', 'ready', `${gateway.url}/v1`]],
  );
  const cookie = browser.cookie(gateway.url, 'oauth_session_id');
  assert.ok(cookie);

  const client = new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: 'unused',
    defaultHeaders: { authorization: null, cookie: `oauth_session_id=${cookie}` },
  });
  const stream = await client.chat.completions.create({
    model: 'corp-large',
    messages: [{ role: 'user', content: 'hello' }],
    stream: true,
  });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  assert.ok(text.length > 0);

  const { code, stdout, stderr } = await gateway.command('keys', 'create', '--user', 'alice@corp.example');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^sp_[\w-]{43}\n$/);
  const program = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: stdout.trim() });
  await program.embeddings.create({ model: 'corp-embed', input: 'x', encoding_format: 'float' });

  const tokens = upstream.requests.map(request => request.headers['authorization']);
  assert.equal(tokens.length, 2);
  assert.equal(tokens[0], tokens[1], "the session and the key act with one person's one token");
  const introspection = await fetch(`${provider.issuer}/token/introspection`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${provider.clientId}:${provider.clientSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams({ token: tokens[0]!.replace('Bearer ', '') }),
  });
  const said = (await introspection.json()) as { active: boolean; sub: string };
  assert.deepEqual([said.active, said.sub], [true, 'alice']);
});
