import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Given, load, problemsOf } from '../../test/fixtures/config.ts';
import { createSchemas, type SchemaContext } from './schema.ts';

const EXAMPLE = `
listen: 127.0.0.1:8080
publicUrl: http://localhost:8080
store: sqlite:./data/sallyport.db
providers:
  - id: corp
    name: Corp SSO
    issuer: https://login.corp.example
    clientId: sallyport
    clientSecret: env:CORP_SECRET
    scope: openid profile email offline_access
    responseMode: form_post
    admins: { claim: groups, has: ai-admins }
upstreams:
  - id: corp-llm
    kind: openai
    url: https://llm.corp.example/v1/
    models: ["corp-*"]
    credential: { use: sign-in, token: access_token, fallback: { key: env:LLM_KEY } }
    access: { groups: [engineering], users: [Ann@Corp.example, usr_AbC] }
`;
const EXAMPLE_ENV = { CORP_SECRET: 'corp-secret-value', LLM_KEY: 'llm-key-value' };

test('nothing at all is a configuration: loopback, SQLite, callers must say who they are', () => {
  const config = load({});
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8080 });
  assert.equal(config.publicUrl.href, 'http://localhost:8080/');
  assert.deepEqual(config.store, { dialect: 'sqlite', path: './data/sallyport.db' });
  assert.equal(config.auth.required, true);
  assert.equal(config.auth.clientCredentials, true);
  assert.deepEqual(config.session, { idle: 12 * 3_600_000, absolute: 7 * 86_400_000 });
});

test('the documented example says what it reads like, and what it leaves out has the documented default', () => {
  const config = load({ file: EXAMPLE, env: EXAMPLE_ENV });
  const [provider] = config.providers;
  assert.equal(provider!.clientSecret!.reveal(), 'corp-secret-value');
  assert.deepEqual(provider!.admins, { claim: 'groups', has: ['ai-admins'] });
  assert.deepEqual(
    [provider!.protocol, provider!.responseMode, provider!.endpoints],
    ['oidc', 'form_post', null],
  );
  const [upstream] = config.upstreams;
  assert.equal(upstream!.url.href, 'https://llm.corp.example/v1');
  assert.ok(
    upstream!.credential.use === 'sign-in' && upstream!.credential.fallback?.key.reveal() === 'llm-key-value',
  );
  assert.deepEqual(upstream!.access, {
    everyone: false,
    users: ['ann@corp.example', 'usr_AbC'],
    groups: ['engineering'],
  });
});

test('JSON is read as well, by --config or SALLYPORT_CONFIG', () => {
  const files = {
    '/etc/gate/a.json': '{"listen":"127.0.0.1:1001"}',
    '/b.json': '{"listen":"127.0.0.1:1002"}',
  };
  assert.equal(load({ files, flags: { config: 'a.json' } }).listen.port, 1001);
  assert.equal(load({ files, env: { SALLYPORT_CONFIG: '/b.json' } }).listen.port, 1002);
  assert.equal(
    load({ files, flags: { config: 'a.json' }, env: { SALLYPORT_CONFIG: '/b.json' } }).listen.port,
    1001,
  );
});

test('a flag beats a variable, a variable beats the file', () => {
  const file = 'listen: 127.0.0.1:1';
  assert.equal(load({ file }).listen.port, 1);
  const env = { SALLYPORT_LISTEN: '127.0.0.1:2' };
  assert.equal(load({ file, env }).listen.port, 2);
  assert.equal(load({ file, env, flags: { listen: '127.0.0.1:3' } }).listen.port, 3);
});

test('the names that other products use are understood', () => {
  const config = load({
    env: {
      ENABLE_OAUTH_TOKEN_FORWARDING: 'False',
      OAUTH_TOKEN_FORWARDING_SERVICES: 'openai, mcp',
      OAUTH_TOKEN_ENCRYPTION_KEY: `${Buffer.alloc(32, 7).toString('base64')},${Buffer.alloc(32, 8).toString('hex')}`,
      OAUTH_RESPONSE_MODE: 'form_post',
      AUTH_REQUIRED: 'false',
      MCP_CLIENT_AUTH_ENABLED: 'false',
      TRUST_PROXY_AUTH: 'true',
      PROXY_USER_HEADER: 'X-Forwarded-User',
      JWT_SECRET_KEY: 'a-shared-secret-of-more-than-32-bytes',
      SALLYPORT_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8',
      SALLYPORT_PROVIDERS: '[{ id: a, issuer: google, clientId: c }]',
    },
  });
  assert.deepEqual(config.forwarding, { enabled: false, services: ['openai', 'mcp'] });
  assert.equal(config.encryptionKeys.length, 2);
  assert.equal(config.providers[0]!.responseMode, 'form_post');
  assert.deepEqual(
    [config.auth.required, config.auth.clientCredentials, config.auth.proxyHeader],
    [false, false, { name: 'x-forwarded-user', from: ['127.0.0.1', '10.0.0.0/8'] }],
  );
  assert.equal(config.auth.jwt[0]!.secret!.reveal(), 'a-shared-secret-of-more-than-32-bytes');
});

test('an empty variable is one that is not set; an empty secret is refused', () => {
  assert.equal(load({ env: { AUTH_REQUIRED: '', SALLYPORT_LISTEN: '' } }).auth.required, true);
  assert.deepEqual(problemsOf({ env: { JWT_SECRET_KEY: '' } }), [
    'jwtSecret[0]: expected a secret, but the environment variable JWT_SECRET_KEY is empty (JWT_SECRET_KEY)',
  ]);
});

test('any secret may come from a variable, a file, or a variable that names a file', () => {
  const secret = 'a-shared-secret-of-more-than-32-bytes';
  const files = { '/etc/gate/s': `${secret}\n` };
  const given: Given[] = [
    { file: `jwtSecret: ${secret}` },
    { file: 'jwtSecret: env:MINE', env: { MINE: secret } },
    { file: 'jwtSecret: env:SALLYPORT_MINE', env: { SALLYPORT_MINE: secret } },
    { file: 'jwtSecret: file:s', files },
    { files, env: { SALLYPORT_JWT_SECRET: 'file:s' } },
    { files, env: { SALLYPORT_JWT_SECRET_FILE: 's' } },
    { files, env: { JWT_SECRET_KEY_FILE: '/etc/gate/s' } },
  ];
  for (const one of given) assert.equal(load(one).auth.jwt[0]!.secret!.reveal(), secret, JSON.stringify(one));
});

test('presets know their endpoints, and a test may point them elsewhere', () => {
  const config = load({
    file: `
providers:
  - { id: g, issuer: google, clientId: c }
  - { id: m, preset: microsoft, tenant: 11111111-2222-3333-4444-555555555555, clientId: c }
  - { id: h, preset: github, clientId: c, endpoints: { token: http://127.0.0.1:9/token } }
  - { id: p, protocol: oauth2, clientId: c, endpoints: { authorization: https://p.example/a, token: https://p.example/t, userinfo: https://p.example/u } }`,
  });
  const [google, microsoft, github, plain] = config.providers;
  assert.deepEqual(
    [google!.issuer, google!.name, google!.authorizationParams['access_type']],
    ['https://accounts.google.com', 'Google', 'offline'],
  );
  assert.equal(
    microsoft!.issuer,
    'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0',
  );
  assert.deepEqual(
    [github!.protocol, github!.endpoints!.token, github!.endpoints!.userinfo],
    ['oauth2', 'http://127.0.0.1:9/token', 'https://api.github.com/user'],
  );
  assert.deepEqual([plain!.protocol, plain!.issuer], ['oauth2', 'https://p.example']);
});

test('a static key goes bare into a header of its own, and with Bearer into Authorization', () => {
  const config = load({
    file: `
upstreams:
  - { id: a, kind: http, url: https://a.example, credential: { use: key, key: k1 } }
  - { id: b, kind: http, url: https://b.example, credential: { use: key, key: k2, header: X-Api-Key } }
  - { id: c, kind: openapi, url: https://c.example, credential: { use: sign-in } }`,
  });
  const rules = config.upstreams.map(upstream => JSON.parse(JSON.stringify(upstream.credential)));
  assert.deepEqual(rules[0], { use: 'key', key: '[secret]', header: 'authorization', scheme: 'Bearer' });
  assert.deepEqual(rules[1], { use: 'key', key: '[secret]', header: 'x-api-key', scheme: '' });
  assert.equal(rules[2].token, 'id_token');
});

test('a size has a unit, and a count is whole', () => {
  const upstream = 'id: up, kind: http, url: https://up.example';
  const config = load({
    file: `socketsPerAddress: 50\nupstreams: [{ ${upstream}, maxBody: 100MiB }]`,
  });
  assert.equal(config.socketsPerAddress, 50);
  assert.equal(config.upstreams[0]!.maxBody, 100 * 2 ** 20);
  assert.deepEqual(problemsOf({ file: `upstreams: [{ ${upstream}, maxBody: 0GiB }]` }), [
    'upstreams[0].maxBody: expected a size such as 64KiB, 100MB or 1GiB (sallyport.yaml:1:60)',
  ]);
  assert.deepEqual(problemsOf({ env: { SALLYPORT_SOCKETS_PER_ADDRESS: '-1' } }), [
    'socketsPerAddress: expected a whole number, 1 or more (SALLYPORT_SOCKETS_PER_ADDRESS)',
  ]);
});

test('a rate overlays its own default and no other, and none is no limit', () => {
  const { rates } = load({ file: 'rateLimits: { signIn: { address: 7/30s }, token: { principal: none } }' });
  assert.deepEqual(rates.signIn, { address: { burst: 7, per: 30_000 }, principal: null });
  assert.equal(rates.token.principal, null);
  assert.deepEqual(rates.token.address, { burst: 600, per: 60_000 });
  const many = load({ file: 'tunnelsPerUser: 500' }).rates.tunnel;
  assert.deepEqual([rates.tunnel.principal?.burst, many.principal?.burst], [200, 2_000]);
  assert.deepEqual(problemsOf({ env: { SALLYPORT_RATE_LIMITS: '{ key: { address: often } }' } }), [
    'rateLimits.key.address: expected a rate such as 60/1m, or none (SALLYPORT_RATE_LIMITS)',
  ]);
});

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64');

test('accepted: what an operator confirmed, what is loopback, and what Kubernetes sets by itself', () => {
  const accepted: Given[] = [
    { env: { AUTH_REQUIRED: 'false' } },
    { env: { AUTH_REQUIRED: 'false', SALLYPORT_CONFIRM_ANONYMOUS: '1', SALLYPORT_LISTEN: '0.0.0.0:80' } },
    { env: { JWT_SECRET_KEY: 'my-test-key-but-now-longer-than-32-bytes' } },
    { env: { OAUTH_TOKEN_ENCRYPTION_KEY: key, SALLYPORT_LISTEN: '0.0.0.0:80' } },
    { file: 'publicUrl: http://gate.example\ninsecureHttp: true' },
    { file: 'providers: [{ id: p, issuer: "http://[::1]:9", clientId: c }]' },
    {
      env: {
        SALLYPORT_TEST_POSTGRES: 'x',
        SALLYPORT_PORT: 'tcp://10.0.0.1:80',
        SALLYPORT_PORT_80_TCP_ADDR: '10.0.0.1',
        SALLYPORT_SERVICE_HOST: 'x',
      },
    },
    { env: { AUTH_REQUIRED: 'true', SALLYPORT_AUTH_REQUIRED: 'true' } },
    { file: 'providers:\nupstreams:\n' },
  ];
  for (const given of accepted) assert.deepEqual(problemsOf(given), [], JSON.stringify(given));
});

test('OpenTelemetry’s own variables say where traces go and which', () => {
  const { otlp } = load({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318/otel/',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-team=a%20b',
      OTEL_SERVICE_NAME: 'gate',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.1',
    },
  });
  assert.equal(otlp!.url.href, 'http://localhost:4318/otel/v1/traces');
  assert.equal(otlp!.headers!.reveal(), 'x-team=a%20b');
  assert.deepEqual(
    [otlp!.serviceName, otlp!.sampler, otlp!.ratio],
    ['gate', 'parentbased_traceidratio', 0.1],
  );
  assert.equal(load({}).otlp, null);
  assert.equal(load({}).auditRetention, 180 * 86_400_000);
  assert.equal(load({ env: { SALLYPORT_AUDIT_RETENTION: 'forever' } }).auditRetention, null);
});

test('the page on configuration names every field of an upstream and of a provider', () => {
  const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');
  const { upstream, provider } = createSchemas({} as SchemaContext);
  const missing = (shape: object) => Object.keys(shape).filter(key => !page.includes(`\`${key}\``));
  assert.deepEqual([...missing(upstream.shape), ...missing(provider.shape)], []);
});
