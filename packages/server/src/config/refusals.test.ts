// Long because it is a table: a row for each thing that a configuration is refused for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Given, problemsOf } from '../../test/fixtures/config.ts';

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64');
const P = '{ id: p, issuer: https://p.example, clientId: c }';
const U = 'id: u, kind: http, url: https://u.example';

/** What is refused, and the whole text of its problems. */
const REFUSALS: [name: string, given: Given, problems: string[]][] = [
  [
    'an unknown key',
    { file: 'upstrems: []' },
    ['upstrems: unknown key; did you mean "upstreams"? (sallyport.yaml:1:1)'],
  ],
  [
    'an unknown key within',
    { file: `upstreams:\n  - ${'{'} ${U}, acces: {} }` },
    ['upstreams[0].acces: unknown key; did you mean "access"? (sallyport.yaml:2:50)'],
  ],
  [
    'an unknown key in a rule',
    {
      file: `upstreams:\n  - id: u\n    kind: http\n    url: https://u.example\n    credential:\n      use: sign-in\n      tokn: id_token`,
    },
    ['upstreams[0].credential.tokn: unknown key; did you mean "token"? (sallyport.yaml:7:7)'],
  ],
  [
    'a wrong type',
    { file: 'insecureHttp: 7' },
    ['insecureHttp: expected true or false (sallyport.yaml:1:1)'],
  ],
  [
    'a wrong type of a list',
    { file: 'upstreams: {}' },
    ['upstreams: expected a list of upstreams (sallyport.yaml:1:1)'],
  ],
  [
    'a bad URL',
    {
      file: `upstreams:\n  - id: a\n    kind: http\n    url: https://a.example\n  - id: b\n    kind: http\n    url: ftp://b.example`,
    },
    ['upstreams[1].url: expected an http: or https: URL, without query or fragment (sallyport.yaml:7:5)'],
  ],
  [
    'a URL with a password',
    { file: `upstreams: [{ id: u, kind: http, url: "https://me:pw@u.example" }]` },
    [
      'upstreams[0].url: expected an http: or https: URL, without query or fragment, without user name or password (sallyport.yaml:1:34)',
    ],
  ],
  [
    'what is missing',
    { file: 'upstreams: [{ id: u }]' },
    [
      'upstreams[0].kind: missing; expected one of openai, mcp, openapi, terminal, http (sallyport.yaml:1:13)',
      'upstreams[0].url: missing; expected an http: or https: URL, without query or fragment (sallyport.yaml:1:13)',
    ],
  ],
  [
    'shells of the gateway’s own that are told what other servers are, and the other way round',
    {
      file: `upstreams:\n  - { id: u, kind: terminal, embedded: true, url: https://u.example, network: true, account: nobody }\n  - { id: v, kind: terminal, url: https://v.example, isolate: none }`,
    },
    [
      'upstreams[0].url: expected only where embedded is not true (sallyport.yaml:2:46)',
      'upstreams[0].network: expected only where isolate is bubblewrap (sallyport.yaml:2:70)',
      'upstreams[0].homes: missing; expected beside account, which does not reach dataDir (sallyport.yaml:2:5)',
      'upstreams[1].isolate: expected only where embedded is true (sallyport.yaml:3:54)',
    ],
  ],
  [
    'two upstreams with one id',
    { file: `upstreams:\n  - { ${U} }\n  - { ${U} }` },
    ['upstreams[1].id: "u" is the id of upstreams[0] already; expected another (sallyport.yaml:3:7)'],
  ],
  [
    'two providers with one id',
    { file: `providers:\n  - ${P}\n  - ${P}` },
    ['providers[1].id: "p" is the id of providers[0] already; expected another (sallyport.yaml:3:7)'],
  ],
  [
    "the gateway's own upstream id",
    { file: `upstreams:\n  - { id: whoami, kind: http, url: https://u.example }` },
    ['upstreams[0].id: "whoami" is the gateway\'s own; expected another id (sallyport.yaml:2:7)'],
  ],
  [
    'an id that no path can hold',
    { file: `upstreams:\n  - { id: A/b, kind: http, url: https://u.example }` },
    [
      'upstreams[0].id: expected an id of lower-case letters, digits and dashes, 64 at most (sallyport.yaml:2:7)',
    ],
  ],
  [
    'a provider that is none',
    { file: `providers: [${P}]\nupstreams:\n  - { ${U}, credential: { use: sign-in, provider: q } }` },
    ['upstreams[0].credential.provider: expected the id of a provider (p) (sallyport.yaml:3:78)'],
  ],
  [
    'models of no model API',
    { file: `upstreams:\n  - { ${U}, models: [x] }` },
    ['upstreams[0].models: expected only where kind is openai, and it is http (sallyport.yaml:2:50)'],
  ],
  [
    'a credential rule that is none',
    { file: `upstreams:\n  - { ${U}, credential: { use: magic } }` },
    ['upstreams[0].credential.use: expected one of none, key, sign-in (sallyport.yaml:2:64)'],
  ],
  [
    'a secret whose variable is not set',
    { file: `upstreams:\n  - { ${U}, credential: { use: key, key: env:NOPE } }` },
    [
      'upstreams[0].credential.key: expected a secret, but the environment variable NOPE is not set (sallyport.yaml:2:74)',
    ],
  ],
  [
    'a secret whose file is not there',
    { env: { SALLYPORT_JWT_SECRET_FILE: '/nope' } },
    [
      'jwtSecret[0]: expected a secret, but the file /nope cannot be read (ENOENT) (SALLYPORT_JWT_SECRET_FILE)',
    ],
  ],
  [
    'a key that would be two headers',
    { file: `upstreams:\n  - { ${U}, credential: { use: key, key: "a\\r\\nb: c" } }` },
    [
      'upstreams[0].credential.key: expected a key of visible ASCII characters, since it is sent in a header (sallyport.yaml:2:74)',
    ],
  ],
  [
    'a header the gateway needs',
    { file: `upstreams:\n  - { ${U}, credential: { use: key, key: k, header: Host } }` },
    [
      "upstreams[0].credential.header: expected a header's name that the gateway does not need for itself (sallyport.yaml:2:82)",
    ],
  ],
  [
    'a variable of ours that is none',
    { env: { SALLYPORT_PUBLIC_URI: 'x' } },
    ['SALLYPORT_PUBLIC_URI: unknown variable; did you mean "SALLYPORT_PUBLIC_URL"?'],
  ],
  [
    'a variable with a wrong value',
    { env: { SALLYPORT_LISTEN: 'nowhere' } },
    ['listen: expected an address and port such as 127.0.0.1:8080 or [::1]:8080 (SALLYPORT_LISTEN)'],
  ],
  [
    'a part of a variable',
    { env: { SALLYPORT_UPSTREAMS: `[{ ${U}, headersTimeout: 5 }]` } },
    ['upstreams[0].headersTimeout: expected a duration such as 30s, 15m, 12h or 30d (SALLYPORT_UPSTREAMS)'],
  ],
  [
    'a variable that is not YAML',
    { env: { SALLYPORT_UPSTREAMS: '[{' } },
    ['upstreams: expected YAML or JSON (SALLYPORT_UPSTREAMS)'],
  ],
  [
    'a flag with a wrong value',
    { flags: { sessionIdle: '15' } },
    ['sessionIdle: expected a duration such as 30s, 15m, 12h or 30d (--session-idle)'],
  ],
  [
    'an alias that contradicts',
    { env: { AUTH_REQUIRED: 'true', SALLYPORT_AUTH_REQUIRED: 'false' } },
    [
      'authRequired: SALLYPORT_AUTH_REQUIRED and AUTH_REQUIRED are both set, to different values; set one of them',
    ],
  ],
  [
    'a file that is not YAML',
    { file: 'a: [1' },
    [
      'not YAML: Flow sequence in block collection must be sufficiently indented and end with a ] (sallyport.yaml:1:6)',
    ],
  ],
  ['a file that is no mapping', { file: '- a' }, ['expected a mapping of options (sallyport.yaml:1:1)']],
  [
    'a key twice',
    { file: 'listen: 127.0.0.1:1\nlisten: 127.0.0.1:2' },
    ['not YAML: Map keys must be unique (sallyport.yaml:2:1)'],
  ],
  [
    'a file that is not there',
    { flags: { config: 'nope.yaml' } },
    ['nope.yaml: cannot be read (ENOENT); expected a YAML or JSON file (--config)'],
  ],
  [
    'http: beyond loopback',
    {
      file: `publicUrl: http://gate.example\nproviders: [{ id: p, issuer: "http://p.example", clientId: c }]`,
    },
    [
      'publicUrl: expected https:, since http: is accepted on loopback only (insecureHttp: true accepts it everywhere) (sallyport.yaml:1:1)',
      'providers[0].issuer: expected https:, since http: is accepted on loopback only (insecureHttp: true accepts it everywhere) (sallyport.yaml:2:22)',
    ],
  ],
  [
    'a public URL with a path',
    { file: 'publicUrl: https://gate.example/x' },
    ['publicUrl: expected an origin such as https://gateway.example, without a path (sallyport.yaml:1:1)'],
  ],
  [
    'callers without a credential where others reach the listener',
    { env: { AUTH_REQUIRED: 'false', SALLYPORT_LISTEN: '0.0.0.0:8080' } },
    [
      'authRequired: expected true, since others than this machine reach the listener; confirmAnonymous: true confirms that anybody may call (AUTH_REQUIRED)',
    ],
  ],
  [
    'a trusted header from everywhere',
    { env: { TRUST_PROXY_AUTH: 'true' } },
    [
      'trustProxyAuth: expected trustedProxies beside it: the addresses whose header is believed (TRUST_PROXY_AUTH)',
    ],
  ],
  [
    'a trusted range of everybody',
    { file: 'trustProxyAuth: true\ntrustedProxies: [0.0.0.0/0]' },
    [
      'trustedProxies[0]: expected the addresses of your proxies; this range is everybody (sallyport.yaml:2:18)',
    ],
  ],
  [
    'client authentication off with no proxy',
    { env: { MCP_CLIENT_AUTH_ENABLED: 'false' } },
    [
      'mcpClientAuthEnabled: expected true, since without trustProxyAuth nothing would say who is calling (MCP_CLIENT_AUTH_ENABLED)',
    ],
  ],
  [
    'a short JWT secret',
    { env: { JWT_SECRET_KEY: 'my-test-key' } },
    [
      'jwtSecret[0]: expected 32 bytes or more (RFC 7518 §3.2); make one with: openssl rand -base64 32 (JWT_SECRET_KEY)',
    ],
  ],
  [
    'a proxy secret that is short, or no header value',
    { file: `forwardAuthSecret: [${'a1'.repeat(15)}, "${'ü'.repeat(32)}"]` },
    [
      'forwardAuthSecret[0]: expected 32 characters or more; make one with: openssl rand -hex 32 (sallyport.yaml:1:21)',
      'forwardAuthSecret[1]: expected a key of visible ASCII characters, since it is sent in a header (sallyport.yaml:1:53)',
    ],
  ],
  [
    'a provider by the name of a path of the proxies',
    { file: 'providers: [{ id: check, preset: google, clientId: a }]' },
    ['providers[0].id: "check" is the gateway\'s own; expected another id (sallyport.yaml:1:15)'],
  ],
  [
    'a known JWT secret beyond loopback',
    { env: { JWT_SECRET_KEY: 'my-test-key-but-now-longer-than-32-bytes', SALLYPORT_LISTEN: '[::]:80' } },
    [
      'jwtSecret[0]: expected a secret of your own: this one is a known default, and the listener is not loopback (JWT_SECRET_KEY)',
    ],
  ],
  [
    'a known client secret beyond loopback',
    {
      file: 'listen: 10.0.0.1:80\nproviders: [{ id: p, issuer: google, clientId: c, clientSecret: changeme }]',
    },
    [
      'providers[0].clientSecret: expected a secret of your own: this one is a known default, and the listener is not loopback (sallyport.yaml:2:51)',
    ],
  ],
  [
    'a short encryption key',
    { env: { OAUTH_TOKEN_ENCRYPTION_KEY: `${key},c2hvcnQ=` } },
    [
      'encryptionKey[0]: expected a key of exactly 32 bytes in base64 or hex; make one with: openssl rand -base64 32 (OAUTH_TOKEN_ENCRYPTION_KEY)',
    ],
  ],
  [
    'an encryption key of zeros beyond loopback',
    { env: { OAUTH_TOKEN_ENCRYPTION_KEY: '0'.repeat(64), SALLYPORT_LISTEN: '0.0.0.0:80' } },
    [
      'encryptionKey[0]: expected a secret of your own: this one is a known default, and the listener is not loopback (OAUTH_TOKEN_ENCRYPTION_KEY)',
    ],
  ],
  [
    'a provider without issuer',
    { file: 'providers: [{ id: p, clientId: c }]' },
    [
      "providers[0].issuer: missing; expected an issuer's URL, or one of google, microsoft, github (sallyport.yaml:1:13)",
    ],
  ],
  [
    'Entra without its tenant',
    { file: 'providers: [{ id: p, issuer: microsoft, clientId: c }]' },
    [
      'providers[0].tenant: missing; expected the directory (tenant) id, a UUID, for preset microsoft (sallyport.yaml:1:13)',
    ],
  ],
  [
    'OAuth 2 without its endpoints',
    {
      file: 'providers: [{ id: p, protocol: oauth2, clientId: c, endpoints: { token: https://p.example/t } }]',
    },
    [
      'providers[0].endpoints: expected authorization, since protocol oauth2 has no discovery (sallyport.yaml:1:53)',
      'providers[0].endpoints: expected userinfo, since protocol oauth2 has no discovery (sallyport.yaml:1:53)',
    ],
  ],
  [
    'an issuer of JWTs for any audience',
    { file: 'jwt: [{ issuer: "https://i.example", jwksUrl: "https://i.example/keys" }]' },
    ['jwt[0].audience: missing; expected beside jwksUrl (sallyport.yaml:1:7)'],
  ],
  [
    'a JWT issuer without keys',
    { file: 'jwt: [{ issuer: "https://i.example" }]' },
    ['jwt[0]: expected one of jwksUrl and secret (sallyport.yaml:1:7)'],
  ],
];

for (const [name, given, problems] of REFUSALS) {
  test(`refused: ${name}`, () => assert.deepEqual(problemsOf(given), problems));
}

test('everything that is wrong is told at once', () => {
  const file = `
listen: nowhere
upstrems: []
providers:
  - { id: p, issuer: ftp://p, clientId: 3, clientSecret: env:NOPE }
upstreams:
  - { id: a, kind: http, url: nope, credential: { use: key, key: env:NADA } }
  - { id: a, kind: http, url: https://a.example, models: [x], credential: { use: sign-in, provider: q } }
`;
  const problems = problemsOf({ file, env: { SALLYPORT_X: '1' }, flags: { sessionIdle: 'soon' } });
  assert.deepEqual(
    problems.map(problem => problem.split(':')[0]).sort(),
    [
      'SALLYPORT_X',
      'listen',
      'providers[0].clientId',
      'providers[0].clientSecret',
      'providers[0].issuer',
      'sessionIdle',
      'upstrems',
      'upstreams[0].credential.key',
      'upstreams[0].url',
      'upstreams[1].credential.provider',
      'upstreams[1].id',
      'upstreams[1].models',
    ].sort(),
  );
});

test('where traces go is a base URL; headers for it are a list, and go over plain http: on loopback only', () => {
  assert.deepEqual(
    problemsOf({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.corp.example:4318' } }),
    [],
  );
  for (const [env, problem] of [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://collector:4317' }, /^otlpEndpoint: expected a base URL/],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://u:p@collector' },
      /^otlpEndpoint: .*without user name or password/,
    ],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'canary-of-a-header' }, /^otlpHeaders: expected headers as name=value/],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz' }, /^otlpHeaders: expected headers/],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=%0d%0ab' }, /^otlpHeaders: expected headers/],
    [{ OTEL_TRACES_SAMPLER: 'xray' }, /^otlpSampler: expected one of always_on/],
    [{ OTEL_TRACES_SAMPLER_ARG: '2' }, /^otlpSamplerArg: expected a number from 0 to 1/],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.corp.example', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' },
      /^otlpEndpoint: expected https:/,
    ],
    [{ SALLYPORT_AUDIT_RETENTION: '0' }, /^auditRetention: expected a duration/],
  ] as const) {
    const [found, ...more] = problemsOf({ env });
    assert.match(found!, problem);
    assert.doesNotMatch(found!, /canary/);
    assert.deepEqual(more, []);
  }
});
