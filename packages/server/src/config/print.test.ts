import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { readConfig } from './config.ts';
import { printable, printYaml } from './print.ts';
import { ConfigError } from './problems.ts';

/** 32 characters that nothing else in a print has. */
const canary = (name: string) => `canary-${name}-`.padEnd(32, 'q9Z');
const sealKey = (fill: number) =>
  Buffer.from(Array.from({ length: 32 }, (_, index) => index * 5 + fill)).toString('base64');

const SECRETS = {
  client: canary('client'),
  key: canary('static'),
  fallback: canary('fallback'),
  shared: canary('shared'),
  issuer: canary('issuer'),
  password: canary('password'),
  seal1: sealKey(1),
  seal2: sealKey(2),
};

/** The same secrets by each way that a secret can take. */
function ways(): { name: string; input: Parameters<typeof readConfig>[0] }[] {
  const env: Record<string, string> = Object.fromEntries(
    Object.entries(SECRETS).map(([name, value]) => [`V_${name}`, value]),
  );
  const files: Record<string, string> = Object.fromEntries(
    Object.entries(SECRETS).map(([name, value]) => [`/s/${name}`, `${value}\n`]),
  );
  const fileOf = (refer: (name: keyof typeof SECRETS) => string) =>
    JSON.stringify({
      store: `postgres://me:${SECRETS.password}@db.example/gate?sslpassword=${SECRETS.password}`,
      encryptionKey: [refer('seal1'), refer('seal2')],
      jwtSecret: refer('shared'),
      jwt: [{ secret: refer('issuer') }],
      providers: [{ id: 'p', issuer: 'google', clientId: 'c', clientSecret: refer('client') }],
      upstreams: [
        { id: 'a', kind: 'http', url: 'https://a.example', credential: { use: 'key', key: refer('key') } },
        {
          id: 'b',
          kind: 'http',
          url: 'https://b.example',
          credential: { use: 'sign-in', fallback: { key: refer('fallback') } },
        },
      ],
    });
  const input = (text: string, more: Record<string, string> = {}) => ({
    env: { ...env, ...more },
    cwd: '/',
    readFile: (path: string) => (path === '/sallyport.yaml' ? text : files[path]!),
  });
  return [
    { name: 'written down', input: input(fileOf(name => SECRETS[name])) },
    { name: 'by variable', input: input(fileOf(name => `env:V_${name}`)) },
    { name: 'by file', input: input(fileOf(name => `file:/s/${name}`)) },
    {
      name: 'variables only',
      input: input('{}', {
        SALLYPORT_STORE: `postgres://me:${SECRETS.password}@db.example/gate`,
        SALLYPORT_ENCRYPTION_KEY: `${SECRETS.seal1},${SECRETS.seal2}`,
        JWT_SECRET_KEY: SECRETS.shared,
        SALLYPORT_UPSTREAMS: `[{ id: a, kind: http, url: "https://a.example", credential: { use: key, key: ${SECRETS.key} } }]`,
      }),
    },
  ];
}

for (const { name, input } of ways()) {
  test(`no print holds the value of any secret (${name})`, () => {
    const read = readConfig(input);
    const prints = [
      printYaml(read),
      JSON.stringify(printable(read)),
      JSON.stringify({ ...read.config, store: null }),
    ];
    for (const print of prints) {
      for (const [secret, value] of Object.entries(SECRETS))
        assert.ok(!print.includes(value), `${secret} in ${print}`);
    }
  });

  test(`no refusal holds the value of any secret (${name})`, () => {
    const broken = {
      ...input,
      env: {
        ...input.env,
        SALLYPORT_LISTEN: 'nowhere',
        SALLYPORT_RESPONSE_MODE: SECRETS.client,
        SALLYPORT_PUBLIC_URL: `https://x:${SECRETS.key}@g.example`,
      },
    };
    assert.throws(
      () => readConfig(broken),
      error => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.problems.length, 3);
        for (const value of Object.values(SECRETS)) assert.ok(!error.message.includes(value));
        return true;
      },
    );
  });
}

test('what is printed says where each value comes from, and reads like the file', () => {
  const read = readConfig({
    env: { SALLYPORT_LOG_LEVEL: 'debug', JWT_SECRET_KEY: SECRETS.shared },
    argvFlags: { listen: '127.0.0.1:99' },
    cwd: '/',
    readFile: () => 'sessionIdle: 1h\nupstreams: [{ id: a, kind: http, url: https://a.example }]',
  });
  const text = printYaml(read);
  assert.match(text, /^listen: 127\.0\.0\.1:99 # --listen$/m);
  assert.match(text, /^logLevel: debug # SALLYPORT_LOG_LEVEL$/m);
  assert.match(text, /^sessionIdle: 1h # sallyport\.yaml$/m);
  assert.match(text, /^dataDir: \.\/data # default$/m);
  assert.match(text, /^# sallyport\.yaml\nupstreams:\n {2}- id: a$/m);
  assert.deepEqual(parse(text).jwtSecret, ['env:JWT_SECRET_KEY']);
  assert.deepEqual(parse(text), JSON.parse(JSON.stringify(printable(read))));
});
