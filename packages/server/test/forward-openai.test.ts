import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI, { type APIError, AuthenticationError, NotFoundError, toFile } from 'openai';
import { eventually, startDataPlane, token, upstream } from './fixtures/data-plane.ts';
import { startUpstream, type TestUpstream } from './fixtures/upstream.ts';

const NOBODY = { everyone: false, users: [], groups: [] };

async function twoEndpoints(t: TestContext, options: { modelsTimeout?: number } = {}) {
  const [corp, other] = await Promise.all([
    startUpstream(),
    startUpstream(['other-model', 'corp-large', 'third']),
  ]);
  t.after(() => Promise.all([corp.close(), other.close()]));
  const plane = await startDataPlane(t, {
    upstreams: [
      upstream('hidden', 'http://127.0.0.1:9/v1', { models: ['*'], access: NOBODY }),
      upstream('corp', `${corp.url}/v1`, { models: ['corp-*'] }),
      upstream('other', `${other.url}/v1`, { models: ['other-*', 'whisper*'] }),
      upstream('web', other.url, { kind: 'http' }),
    ],
    ...options,
  });
  const client = (apiKey = 'alice') => new OpenAI({ baseURL: `${plane.url}/v1`, apiKey, maxRetries: 0 });
  return { ...plane, corp, other, client };
}

const messages = [{ role: 'user' as const, content: 'hello' }];
const paths = (from: TestUpstream) => from.requests.map(seen => seen.url);

test('the official SDK chats, streams, responds and embeds, each model where it lives', async t => {
  const { client, corp, other } = await twoEndpoints(t);
  const openai = client();
  const chat = await openai.chat.completions.create({ model: 'corp-large', messages });
  assert.equal(chat.choices[0]!.message.content, 'Hello there.');

  let text = '';
  for await (const chunk of await openai.chat.completions.create({
    model: 'corp-large',
    messages,
    stream: true,
  }))
    text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, 'Hello there.');

  assert.equal(
    (await openai.responses.create({ model: 'other-model', input: 'hello' })).output_text,
    'Hello there.',
  );
  let streamed = '';
  for await (const event of await openai.responses.create({
    model: 'other-model',
    input: 'hello',
    stream: true,
  }))
    if (event.type === 'response.output_text.delta') streamed += event.delta;
  assert.equal(streamed, 'Hello there.');

  const { data } = await openai.embeddings.create({
    model: 'corp-embed',
    input: 'x',
    encoding_format: 'float',
  });
  assert.deepEqual(data[0]!.embedding, [0.1, 0.2]);

  assert.deepEqual(paths(corp), ['/v1/chat/completions', '/v1/chat/completions', '/v1/embeddings']);
  assert.deepEqual(paths(other), ['/v1/responses', '/v1/responses']);
  for (const seen of [...corp.requests, ...other.requests])
    assert.equal(seen.headers.authorization, `Bearer ${token('alice')}`);
  assert.equal(corp.requests[0]!.body, JSON.stringify({ model: 'corp-large', messages }), 'byte for byte');
});

test('aborting a stream aborts it upstream', async t => {
  const { client, corp } = await twoEndpoints(t);
  corp.intercept = (_req, res) => {
    res
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
    return true;
  };
  const stream = await client().chat.completions.create({ model: 'corp-large', messages, stream: true });
  for await (const _ of stream) break;
  assert.equal(stream.controller.signal.aborted, true);
  await eventually(() => corp.busy === 0);
  assert.equal(corp.aborted, 1);
});

test('the list of models is what the caller may use of each endpoint, once each', async t => {
  const { client, url } = await twoEndpoints(t);
  const models = await client().models.list();
  assert.deepEqual(
    models.data.map(model => model.id),
    ['corp-large', 'corp-embed', 'other-model'],
  );
  const head = await fetch(`${url}/v1/models`, {
    method: 'HEAD',
    headers: { authorization: 'Bearer alice' },
  });
  assert.equal(head.status, 200);
});

test('one endpoint that is silent and one that fails delay the list by no more than the timeout, and are named', async t => {
  const { url, corp, other, log } = await twoEndpoints(t, { modelsTimeout: 500 });
  corp.intercept = () => true;
  const list = () => fetch(`${url}/v1/models`, { headers: { authorization: 'Bearer alice' } });
  const silent = await list();
  assert.equal(silent.headers.get('x-sallyport-incomplete'), 'corp');
  assert.deepEqual(
    ((await silent.json()) as { data: { id: string }[] }).data.map(model => model.id),
    ['other-model'],
  );
  await eventually(() => corp.busy === 0);

  corp.intercept = null;
  other.intercept = (_req, res) => {
    res.writeHead(500).end('broken');
    return true;
  };
  const failing = await list();
  assert.equal(failing.headers.get('x-sallyport-incomplete'), 'other');
  assert.equal(((await failing.json()) as { data: unknown[] }).data.length, 2);
  assert.match(log(), /left out of the list of models/);

  corp.intercept = other.intercept;
  const none = await list();
  assert.equal(none.status, 502);
});

test('one model is asked for where it lives', async t => {
  const { client, corp, other } = await twoEndpoints(t);
  assert.equal((await client().models.retrieve('other-model')).id, 'other-model');
  assert.equal((await client().models.retrieve('corp-large')).id, 'corp-large');
  assert.deepEqual([paths(corp), paths(other)], [['/v1/models/corp-large'], ['/v1/models/other-model']]);
  await assert.rejects(client().models.retrieve('third'), NotFoundError);
});

test('a transcription goes where its model part says, before or after the file', async t => {
  const { client, other, url } = await twoEndpoints(t);
  const file = await toFile(Buffer.alloc(100_000, 'RIFF\r\n\r\n--'), 'name=model.wav');
  await client().audio.transcriptions.create({ file, model: 'whisper-1' });
  await client().audio.transcriptions.create({ model: 'whisper-1', file });
  assert.deepEqual(paths(other), ['/v1/audio/transcriptions', '/v1/audio/transcriptions']);
  const twice = new FormData();
  twice.append('model', 'whisper-1');
  twice.append('model', 'corp-large');
  const res = await fetch(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice' },
    body: twice,
  });
  assert.equal(res.status, 400);
});

test('our refusals are errors that the SDK understands', async t => {
  const { client, url, corp } = await twoEndpoints(t);
  const ask = (who: string, model: string) => client(who).chat.completions.create({ model, messages });
  await assert.rejects(ask('not.a.key', 'corp-large'), AuthenticationError);
  await assert.rejects(ask('alice', 'gpt-nobody-has'), (error: APIError) => {
    assert.ok(error instanceof NotFoundError);
    assert.equal(error.code, 'model_not_found');
    assert.equal(error.type, 'invalid_request_error');
    assert.match(error.requestID!, /^[\w-]{8}-\w+$/);
    return true;
  });
  const post = (body: string | Buffer, more: Record<string, string> = {}) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer alice', 'content-type': 'application/json', ...more },
      body: body as string,
    });
  const codeOf = async (res: Response) => [
    res.status,
    ((await res.json()) as { error: { code: string } }).error.code,
  ];
  assert.deepEqual(await codeOf(await post('["corp-large"]')), [400, 'bad_request']);
  assert.deepEqual(await codeOf(await post('{"model":"corp-large","model":"other-model"}')), [
    400,
    'bad_request',
  ]);
  assert.deepEqual(await codeOf(await post('{"messages":[]}')), [400, 'model_ambiguous']);
  assert.deepEqual(await codeOf(await post('x', { 'content-encoding': 'gzip' })), [400, 'bad_request']);
  assert.equal(corp.requests.length, 0);
  const big = `{"messages":[{"image":"${'A'.repeat(5 * 1024 * 1024)}"}],"model":"corp-large"}`;
  assert.deepEqual(
    await codeOf(await post(big)),
    [400, 'model_ambiguous'],
    'the model stands behind the first MiB',
  );
  const hidden = await fetch(`${url}/u/hidden/models`, { headers: { authorization: 'Bearer alice' } });
  assert.equal(hidden.status, 403);
});

test('a body whose model stands behind the first MiB goes to the only endpoint there is', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const { url } = await startDataPlane(t, { upstreams: [upstream('only', `${real.url}/v1`)] });
  const body = `{"messages":[{"image":"${'A'.repeat(5 * 1024 * 1024)}"}],"model":"corp-large"}`;
  const res = await fetch(`${url}/v1/x`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice', 'content-type': 'application/json' },
    body,
  });
  assert.equal(res.status, 200);
  assert.equal(real.requests[0]!.bodyBytes, body.length);
});

test('a client that waits for 100 Continue hears it once, though its body is read in two steps', async t => {
  const { dial, host, corp } = await twoEndpoints(t);
  const body = `{"model":"corp-large","input":"${'A'.repeat(200_000)}"}`;
  const client = await dial();
  client.send(
    `POST /v1/x HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer alice\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await client.until(/100 Continue/);
  client.send(body);
  assert.deepEqual((await client.all()).match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 100', 'HTTP/1.1 200']);
  assert.equal(corp.requests[0]!.bodyBytes, body.length);
});

test('a second model far behind the first breaks the request off, with 400', async t => {
  const { url, corp } = await twoEndpoints(t);
  let ended = false;
  corp.intercept = req => {
    req
      .on('end', () => {
        ended = true;
      })
      .resume();
    return true;
  };
  const body = `{"model":"corp-large","input":"${'A'.repeat(3 * 1024 * 1024)}","model":"other-model"}`;
  const res = await fetch(`${url}/v1/x`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice', 'content-type': 'application/json' },
    body,
  });
  assert.equal(res.status, 400);
  await eventually(() => corp.busy === 0);
  assert.equal(ended, false, 'the upstream never got the whole of it');
});

test('a second model part far behind the first breaks a form off, with 400', async t => {
  const { url, corp } = await twoEndpoints(t);
  let ended = false;
  corp.intercept = req => {
    req
      .on('end', () => {
        ended = true;
      })
      .resume();
    return true;
  };
  const form = new FormData();
  form.append('model', 'corp-large');
  form.append('file', new Blob([Buffer.alloc(3 * 1024 * 1024)]));
  form.append('model', 'other-model');
  const res = await fetch(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice' },
    body: form,
  });
  assert.equal(res.status, 400);
  await eventually(() => corp.busy === 0);
  assert.equal(ended, false, 'the upstream never got the whole of it');
});

test('whoami says, to admins only, what an upstream would receive, with the token masked', async t => {
  const { url, corp, other, outcomes } = await twoEndpoints(t);
  const ask = (who: string) =>
    fetch(`${url}/u/whoami/chat?a=%2f&upstream=corp&b`, {
      headers: { authorization: `Bearer ${who}`, cookie: 'a=b', accept: 'text/plain' },
    });
  assert.equal((await ask('alice')).status, 403);
  const res = await ask('admin');
  assert.equal(res.status, 200);
  const text = await res.text();
  assert.ok(!text.includes(token('admin')));
  const said = JSON.parse(text) as {
    url: string;
    headers: [string, string][];
    credential: { version: number };
  };
  assert.equal(said.url, `${corp.url}/v1/chat?a=%2f&b`);
  const headers = Object.fromEntries(said.headers);
  assert.match(headers['authorization']!, /^Bearer \[\d+ characters, sha256 [\w-]{12}\]$/);
  assert.equal(headers['accept'], 'text/plain');
  assert.equal(headers['cookie'], undefined);
  assert.equal(said.credential.version, 1);
  assert.equal(corp.requests.length + other.requests.length, 0);
  assert.equal((await fetch(`${url}/u/whoami`, { headers: { authorization: 'Bearer admin' } })).status, 404);
  assert.deepEqual(
    outcomes.map(({ result, status, principal }) => [result, status, principal?.userId]),
    [
      ['refused', 403, 'alice'],
      ['ok', 200, 'admin'],
      ['refused', 404, 'admin'],
    ],
  );
});

test('an upstream that does not answer, or is not there, is 504 or 502', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  real.intercept = () => true;
  const { url, outcomes } = await startDataPlane(t, {
    upstreams: [
      upstream('slow', real.url, { kind: 'http', headersTimeout: 50 }),
      upstream('gone', 'http://127.0.0.1:9', { kind: 'http' }),
    ],
  });
  const headers = { authorization: 'Bearer alice' };
  const gone = await fetch(`${url}/u/gone/`, { headers });
  assert.deepEqual(
    [gone.status, ((await gone.json()) as { code: string }).code],
    [502, 'upstream_unreachable'],
  );
  const slow = await fetch(`${url}/u/slow/`, { headers });
  assert.deepEqual([slow.status, ((await slow.json()) as { code: string }).code], [504, 'upstream_timeout']);
  assert.deepEqual(
    outcomes.map(outcome => outcome.result),
    ['upstream_error', 'upstream_error'],
  );
});
