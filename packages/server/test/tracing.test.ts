import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createLog } from '../src/platform/log.ts';
import { createMetrics } from '../src/platform/metrics.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import { Secret } from '../src/platform/secret.ts';
import type { SamplerName } from '../src/platform/trace/sampler.ts';
import { openTracing } from '../src/platform/trace/tracing.ts';
import { startDataPlane, token, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;

/** What a collector reads of a span. */
interface Seen {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly failed: boolean;
  readonly attributes: Record<string, string | number>;
}

/** As OTLP writes it. */
interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<Seen, 'attributes'> & {
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly status: { readonly code?: number };
        readonly attributes: readonly KeyValue[];
      })[];
    }[];
  }[];
}

type KeyValue = { key: string; value: { stringValue?: string; intValue?: string } };
const recordOf = (list: readonly KeyValue[]) =>
  Object.fromEntries(
    list.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
  ) as Record<string, string | number>;

/** An OTLP collector over HTTP. */
async function startCollector(t: TestContext) {
  const bodies: string[] = [];
  const requests: { url: string; headers: Record<string, unknown> }[] = [];
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    requests.push({ url: req.url!, headers: req.headers });
    bodies.push(body);
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  const spans = (): Seen[] =>
    bodies.flatMap(body => {
      const { resourceSpans } = JSON.parse(body) as Exported;
      return resourceSpans.flatMap(resource =>
        resource.scopeSpans.flatMap(scope =>
          scope.spans.map(span => ({
            ...span,
            start: BigInt(span.startTimeUnixNano),
            end: BigInt(span.endTimeUnixNano),
            failed: span.status.code === 2,
            attributes: recordOf(span.attributes),
          })),
        ),
      );
    });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  return { url, bodies, requests, spans };
}

async function ground(
  t: TestContext,
  options: { sampler?: SamplerName; collector?: string; away?: boolean } = {},
) {
  const real = await startUpstream();
  t.after(() => real.close());
  const collector = await startCollector(t);
  const tracing = openTracing(
    {
      url: new URL(options.away ? 'http://127.0.0.1:9/v1/traces' : collector.url),
      headers: new Secret('x-team=canary%20of%20the%20collector'),
      serviceName: 'gate',
      version: '1.2.3',
      sampler: options.sampler ?? 'parentbased_always_on',
      ratio: 1,
    },
    { metrics: createMetrics(), runtime: systemRuntime, log: createLog({ level: 'silent' }) },
  );
  let told = false;
  const tell = async () => {
    if (!told) await tracing[Symbol.asyncDispose]();
    told = true;
  };
  t.after(tell);
  const plane = await startDataPlane(t, {
    upstreams: [
      upstream('llm', `${real.url}/v1`),
      upstream('up', real.url, { kind: 'http' }),
      upstream('dead', 'http://127.0.0.1:9', { kind: 'http' }),
      upstream('closed', real.url, { kind: 'http', access: { everyone: false, users: [], groups: [] } }),
    ],
    trace: tracing.start,
  });
  const send = (path: string, headers: Record<string, string> = {}, body?: string) =>
    fetch(plane.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: 'Bearer alice', ...headers },
      ...(body === undefined ? {} : { body }),
    }).then(async answer => ({ status: answer.status, text: await answer.text() }));
  return { ...plane, real, collector, send, tell };
}

test('a call is a span with three within it, child of its caller’s and parent of the upstream’s', async t => {
  const { send, tell, collector, real, outcomes } = await ground(t);
  const began = BigInt(Date.now()) * 1_000_000n;
  const body = '{"model":"m","messages":[]}';
  const headers = { traceparent: PARENT, tracestate: 'corp=7', 'content-type': 'application/json' };
  assert.equal((await send('/v1/chat/completions?secret=canary-q', headers, body)).status, 200);
  await tell();

  const [request] = collector.requests;
  assert.equal(request!.url, '/v1/traces');
  assert.equal(request!.headers['x-team'], 'canary of the collector');
  const resource = JSON.parse(collector.bodies[0]!).resourceSpans[0].resource.attributes;
  assert.deepEqual(recordOf(resource), { 'service.name': 'gate', 'service.version': '1.2.3' });

  const [server, ...steps] = collector.spans();
  assert.equal(server!.name, 'POST /v1/*');
  assert.deepEqual([server!.kind, server!.parentSpanId], [2, SPAN]);
  assert.deepEqual(
    steps.map(({ name, kind, parentSpanId }) => [name, kind, parentSpanId]),
    [
      ['authenticate', 1, server!.spanId],
      ['credential', 1, server!.spanId],
      ['upstream', 3, server!.spanId],
    ],
  );
  const all = [server!, ...steps];
  assert.ok(all.every(span => span.traceId === TRACE && /^[0-9a-f]{16}$/.test(span.spanId) && !span.failed));
  assert.equal(new Set(all.map(span => span.spanId)).size, 4);
  // They follow one another, within the call, at this hour.
  for (const [n, span] of steps.entries()) {
    assert.ok(span.start >= server!.start && span.end <= server!.end && span.start <= span.end, span.name);
    if (n > 0) assert.ok(span.start >= steps[n - 1]!.end);
  }
  assert.ok(server!.start >= began - 50_000_000n && server!.end < began + 60_000_000_000n);

  const upstreamSpan = steps[2]!;
  const { headers: sent } = real.requests[0]!;
  assert.equal(sent['traceparent'], `00-${TRACE}-${upstreamSpan.spanId}-01`);
  assert.equal(sent['tracestate'], 'corp=7');
  assert.equal(outcomes[0]!.traceId, TRACE);
  assert.deepEqual(steps[0]!.attributes, { 'sallyport.proof': 'key' });
  assert.deepEqual(steps[1]!.attributes, { 'sallyport.credential.rule': 'sign-in' });
  assert.deepEqual(upstreamSpan.attributes, {
    'http.request.method': 'POST',
    'server.address': '127.0.0.1',
    'server.port': Number(new URL(real.url).port),
    'sallyport.upstream': 'llm',
    'http.response.status_code': 200,
    'sallyport.result': 'ok',
  });
  assert.deepEqual(server!.attributes, {
    'http.request.method': 'POST',
    'http.route': '/v1/*',
    'http.response.status_code': 200,
    'sallyport.request_id': outcomes[0]!.requestId,
    'sallyport.result': 'ok',
    'sallyport.upstream': 'llm',
  });
});

test('no span holds a token, a user, a path, a query or an address of the caller', async t => {
  const { send, tell, collector } = await ground(t);
  await send('/u/up/people/canary-person?token=canary-token', { cookie: 'a=canary-cookie' });
  await send('/u/canary-nowhere/x');
  await send('/u/dead/canary-path');
  await send('/u/closed/x');
  await send('/u/up/..%2fcanary');
  await send('/v1/chat/completions', { 'content-type': 'application/json' }, '{"model":"canary-model');
  await send('/u/up/x', { authorization: 'Basic canary-basic' });
  await tell();
  const text = collector.bodies.join();
  assert.ok(collector.spans().length > 12);
  for (const never of ['canary', 'alice', token('alice'), 'people', '%2f'])
    assert.ok(!text.includes(never), never);
});

test('a call that fails says where, and what kind of failure it was', async t => {
  const { send, tell, collector } = await ground(t);
  await send('/u/dead/x');
  await send('/u/closed/x');
  await send('/u/up/x', { authorization: 'Basic x' });
  await tell();
  const spans = collector.spans();
  const calls = spans
    .filter(span => span.kind === 2)
    .map(call => {
      const last = spans.filter(span => span.parentSpanId === call.spanId).at(-1)!;
      const { 'sallyport.result': result, 'http.response.status_code': status } = call.attributes;
      return [result, status, call.failed, call.attributes['error.type'], last.name, last.failed];
    });
  assert.deepEqual(calls, [
    ['upstream_error', 502, true, 'upstream_unreachable', 'upstream', true],
    ['refused', 403, false, 'forbidden', 'authenticate', false],
    ['refused', 401, false, 'unauthenticated', 'authenticate', false],
  ]);
});

test('a token that is refused and renewed shows both sendings', async t => {
  const { send, tell, collector, real } = await ground(t);
  let refused = false;
  real.intercept = (_req, res) => {
    if (refused) return false;
    refused = true;
    res.writeHead(401).end();
    return true;
  };
  assert.equal((await send('/u/up/x')).status, 200);
  await tell();
  assert.deepEqual(
    collector
      .spans()
      .slice(1)
      .map(({ name, attributes }) => [
        name,
        attributes['http.response.status_code'],
        attributes['http.request.resend_count'],
      ]),
    [
      ['authenticate', undefined, undefined],
      ['credential', undefined, undefined],
      ['upstream', 401, undefined],
      ['credential', undefined, undefined],
      ['upstream', 200, 1],
    ],
  );
  const sent = real.requests.map(({ headers }) => headers['traceparent']);
  assert.notEqual(sent[0], sent[1], 'each is a span of its own');
});

test('a call without a trace begins one; one whose caller does not record it passes what it came with', async t => {
  const { send, tell, collector, real } = await ground(t);
  await send('/u/up/x', { tracestate: 'stray=1' });
  await send('/u/up/x', { traceparent: 'nonsense', tracestate: 'stray=1' });
  const unsampled = `00-${TRACE}-${SPAN}-00`;
  await send('/u/up/x', { traceparent: unsampled, tracestate: 'corp=7' });
  await tell();
  const [first, second, third] = real.requests.map(({ headers }) => headers);
  assert.match(String(first!['traceparent']), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.notEqual(first!['traceparent'], second!['traceparent']);
  assert.deepEqual([first!['tracestate'], second!['tracestate']], [undefined, undefined]);
  assert.deepEqual([third!['traceparent'], third!['tracestate']], [unsampled, 'corp=7']);
  assert.equal(collector.spans().filter(span => span.kind === 2).length, 2);
});

test('a sampler that takes nothing makes no span and leaves the trace alone', async t => {
  const { send, tell, collector, real } = await ground(t, { sampler: 'always_off' });
  await send('/u/up/x', { traceparent: PARENT });
  await tell();
  assert.equal(real.requests[0]!.headers['traceparent'], PARENT);
  assert.deepEqual(collector.bodies, []);
});

test('where nothing is traced, the caller’s trace passes as it is and is in the log', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const { url, outcomes } = await startDataPlane(t, {
    upstreams: [upstream('up', real.url, { kind: 'http' })],
  });
  const headers = { authorization: 'Bearer alice', traceparent: PARENT, tracestate: 'corp=7' };
  await fetch(`${url}/u/up/x`, { headers });
  assert.equal(real.requests[0]!.headers['traceparent'], PARENT);
  assert.equal(real.requests[0]!.headers['tracestate'], 'corp=7');
  assert.equal(outcomes[0]!.traceId, TRACE);
});

test('a collector that is away changes nothing for a call', async t => {
  const { send } = await ground(t, { away: true });
  for (let n = 0; n < 700; n++) assert.equal((await send('/u/up/x')).status, 200);
});
