import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBrowser } from './fixtures/browser.ts';
import { providerConfig, startGateway } from './fixtures/gateway.ts';
import { parseExposition } from './fixtures/prometheus.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const SCRAPE = 'a-token-for-prometheus-and-nobody-else';
const access = { everyone: true };

async function ground(t: Parameters<typeof startGateway>[0]) {
  const provider = await startProvider();
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const gateway = await startGateway(t, {
    env: { METRICS: SCRAPE },
    config: {
      metricsToken: 'env:METRICS',
      providers: [providerConfig(provider)],
      upstreams: [
        { id: 'llm', kind: 'openai', url: `${upstream.url}/v1`, credential: { use: 'sign-in' }, access },
        { id: 'up', kind: 'http', url: upstream.url, access },
        { id: 'dead', kind: 'http', url: 'http://127.0.0.1:9', access },
      ],
    },
  });
  const browser = createBrowser();
  await provider.signIn(browser, `${gateway.url}/auth/corp/login`);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;
  const scrape = async (headers: Record<string, string> = { authorization: `Bearer ${SCRAPE}` }) => {
    const answer = await fetch(`${gateway.url}/metrics`, { headers });
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  };
  return { gateway, provider, upstream, cookie, scrape };
}

test('what Prometheus reads is in its format, tells what happened, and names nobody and no path', async t => {
  const { gateway, upstream, cookie, scrape } = await ground(t);
  const send = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(gateway.url + path, { ...init, headers: { cookie, ...headers } }).then(answer => answer.text());

  for (let n = 0; n < 3; n++) await send('/u/up/canary-path?token=canary-query');
  await send('/u/dead/canary-path');
  await send('/u/canary-upstream"}\n/x'.replaceAll('\n', '%0a'));
  await send('/u/up/x', { 'x-request-id': 'canary-request', 'user-agent': 'canary-agent"} 1' });
  const body = '{"model":"canary\\"} 9","messages":[]}';
  await send(
    '/v1/chat/completions',
    { 'content-type': 'application/json', origin: gateway.url },
    { method: 'POST', body },
  );
  await send('/u/up/x', { cookie: 'oauth_session_id=canary' });
  // One that is still open.
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
    return true;
  };
  const stream = await fetch(`${gateway.url}/u/up/stream`, { headers: { cookie } });

  const { status, type, text } = await scrape();
  assert.equal(status, 200);
  assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
  const families = parseExposition(text);
  const value = (name: string, labels: Record<string, string> = {}) =>
    families
      .flatMap(family => family.samples)
      .find(
        sample =>
          sample.name === name &&
          JSON.stringify(sample.labels) === JSON.stringify({ ...sample.labels, ...labels }),
      )?.value;

  assert.equal(value('sallyport_calls_total', { upstream: 'up', result: 'ok' }), 4);
  assert.equal(value('sallyport_calls_total', { upstream: 'dead', result: 'upstream_error' }), 1);
  assert.equal(value('sallyport_calls_total', { upstream: 'llm', result: 'ok' }), 1);
  assert.equal(value('sallyport_calls_total', { upstream: '', result: 'refused' }), 2);
  assert.equal(value('sallyport_call_seconds_count', { upstream: 'up' }), 4);
  assert.equal(value('sallyport_open_calls', { upstream: 'up' }), 1);
  assert.equal(value('sallyport_grants', { state: 'ready' }), 1);
  assert.equal(value('sallyport_grants', { state: 'reauth_required' }), 0);
  assert.ok(value('sallyport_cache_lookups_total', { cache: 'session', result: 'hit' })! >= 1);
  assert.ok(value('sallyport_cache_lookups_total', { cache: 'grant', result: 'miss' })! >= 1);
  assert.equal(value('sallyport_audit_events_total', { action: 'session.begin' }), 1);
  assert.equal(value('sallyport_build_info', { version: '0.1.0' }), 1);
  assert.ok(value('process_resident_memory_bytes')! > 10e6);
  assert.ok(value('process_cpu_seconds_total')! > 0.1);
  assert.ok(Math.abs(value('process_start_time_seconds')! - Date.now() / 1e3) < 60);
  assert.ok(value('nodejs_eventloop_lag_p50_seconds')! < 0.5);
  assert.ok(value('nodejs_eventloop_lag_max_seconds')! >= value('nodejs_eventloop_lag_p99_seconds')!);

  const user = (await gateway.command('keys', 'create', '--user', 'alice@corp.example')).code;
  assert.equal(user, 0);
  for (const never of ['canary', 'alice', 'usr_', 'ses_', 'grt_', 'corp.example'])
    assert.ok(!text.includes(never), never);
  // Every value of a label is one of a few that the operator, or we, have chosen.
  const chosen: Record<string, RegExp> = {
    upstream: /^(llm|up|dead|)$/,
    result:
      /^(ok|client_error|upstream_error|refused|broken|abandoned|hit|miss|refreshed|invalid_grant|transient)$/,
    state: /^(ready|reauth_required)$/,
    cache: /^(session|key|jwt|proxy-header|grant)$/,
    action: /^[a-z-]+\.[a-z-]+$/,
    provider: /^corp$/,
    version: /^v?\d+\.\d+\.\d+$/,
    le: /^(\d+(\.\d+)?|\+Inf)$/,
  };
  for (const { name, labels } of families.flatMap(family => family.samples))
    for (const [label, one] of Object.entries(labels)) assert.match(one, chosen[label]!, `${name} ${label}`);
  await stream.body!.cancel();
});

test('the metrics are for who shows the token for them, or an admin; the token opens nothing else', async t => {
  const { gateway, cookie, scrape } = await ground(t);
  const key = async (...flags: string[]) =>
    (await gateway.command('keys', 'create', '--user', 'root@corp.example', ...flags)).stdout.trim();
  assert.equal((await scrape()).status, 200);
  assert.equal((await scrape({ authorization: `Bearer ${await key('--admin')}` })).status, 200);
  assert.equal((await scrape({ authorization: `Bearer ${await key()}` })).status, 403);
  assert.equal((await scrape({ cookie })).status, 403);
  assert.equal((await scrape({})).status, 401);
  for (const value of [
    `Bearer ${SCRAPE}x`,
    `Bearer ${SCRAPE.slice(1)}`,
    `bearer ${SCRAPE}`,
    SCRAPE,
    'Bearer ',
  ])
    assert.equal((await scrape({ authorization: value })).status, 401, value);
  for (const path of ['/api/v1/me', '/api/v1/audit', '/u/up/x', '/v1/models']) {
    const answer = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${SCRAPE}` } });
    assert.equal(answer.status, 401, path);
  }
  const printed = (await gateway.command('config', 'print')).stdout;
  assert.doesNotMatch(printed + gateway.output(), new RegExp(SCRAPE));
});

test('docs/observability.md has every metric of the source, and no other', () => {
  const src = fileURLToPath(new URL('../src/', import.meta.url));
  const source = globSync('**/*.ts', { cwd: src })
    .filter(file => !file.endsWith('.test.ts'))
    .map(file => readFileSync(join(src, file), 'utf8'))
    .join('\n');
  const made = [...source.matchAll(/['`]((?:sallyport|process|nodejs)_[a-z]\w*(?:\$\{q\}\w*)?)['`]/g)]
    .map(match => match[1]!)
    .filter(name => !['sallyport_sign_in'].includes(name))
    .flatMap(name => (/\$/.test(name) ? ['50', '90', '99'].map(q => name.replace(/\$\{q\}/, q)) : [name]));
  const docs = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
  const documented = [...docs.matchAll(/^\| `((?:sallyport|process|nodejs)_[^|]*)\|/gm)].flatMap(([, cell]) =>
    [...`\`${cell!}`.matchAll(/`(\w+)/g)].map(match => match[1]!),
  );
  assert.deepEqual([...new Set(documented)].sort(), [...new Set(made)].sort());
});
