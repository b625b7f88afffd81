import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { eventually, startDataPlane, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

const MB = 1024 * 1024;
const headers = { authorization: 'Bearer alice' };

async function planeWith(
  t: TestContext,
  intercept: ((req: IncomingMessage, res: ServerResponse) => void) | null,
  options: { connections?: number } = {},
) {
  const real = await startUpstream();
  t.after(() => real.close());
  if (intercept)
    real.intercept = (req, res) => {
      intercept(req, res);
      return true;
    };
  const plane = await startDataPlane(t, {
    upstreams: [upstream('up', real.url, { kind: 'http' })],
    ...options,
  });
  return { ...plane, real };
}

async function answerOf(req: ClientRequest): Promise<IncomingMessage> {
  req.on('error', () => {});
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return res;
}

async function read(res: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of res) text += chunk;
  return text;
}

test('each event reaches the client before the upstream sends the next', async t => {
  let answer!: ServerResponse;
  const { url } = await planeWith(t, (_req, res) => {
    answer = res;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  const res = await answerOf(get(`${url}/u/up/events`, { headers }));
  assert.equal(res.headers['content-type'], 'text/event-stream', 'the head comes before any event');
  for (let n = 0; n < 20; n++) {
    answer.write(`data: ${n}\n\n`);
    const [chunk] = await once(res, 'data');
    assert.equal(String(chunk), `data: ${n}\n\n`);
  }
  answer.end();
  await once(res, 'end');
});

test('a request streams up while its client still writes it', async t => {
  let seen!: IncomingMessage;
  const { url } = await planeWith(t, (req, res) => {
    seen = req;
    req.on('end', () => res.end('done'));
  });
  const req = request(`${url}/u/up/upload`, { method: 'POST', headers });
  req.write('one');
  await eventually(() => seen !== undefined);
  for (const part of ['one', 'two', 'three']) {
    const [chunk] = await once(seen, 'data');
    assert.equal(String(chunk), part);
    if (part === 'one') req.write('two');
    if (part === 'two') req.write('three');
  }
  req.end();
  assert.equal(await read(await answerOf(req)), 'done');
});

test('a client that leaves takes its upstream request with it, within 100 ms', async t => {
  let closed = 0;
  const { url, outcomes } = await planeWith(t, (_req, res) => {
    res.on('close', () => {
      closed = performance.now();
    });
    res.write('data: 1\n\n');
  });
  const res = await answerOf(get(`${url}/u/up/events`, { headers }));
  await once(res, 'data');
  const left = performance.now();
  res.on('error', () => {});
  res.destroy();
  await eventually(() => closed > 0);
  assert.ok(closed - left < 100, `${closed - left} ms`);
  assert.deepEqual(
    outcomes.map(outcome => [outcome.result, outcome.status]),
    [['abandoned', 200]],
  );
});

test('after 200 clients have left, before and during their answers, no upstream request is left and the pool serves on', async t => {
  const { url, real, outcomes } = await planeWith(
    t,
    (req, res) => {
      if (req.url === '/quick') res.end('ok');
      else if (Number(req.url!.split('=')[1]) % 2) res.write('data: 1\n\n');
    },
    { connections: 150 },
  );
  const clients = Array.from({ length: 200 }, (_, n) => {
    const req = get(`${url}/u/up/hang?n=${n}`, { headers, agent: false });
    req.on('error', () => {});
    return req;
  });
  // 150 have a connection, 50 wait for one.
  await eventually(() => real.busy === 150);
  for (const waiting of clients.slice(150)) waiting.destroy();
  await eventually(() => outcomes.length === 50);
  for (const answered of clients.slice(0, 150)) answered.destroy();
  await eventually(() => real.busy === 0 && outcomes.length === 200);
  assert.equal(real.requests.length, 150, 'who left while waiting was never sent');
  assert.deepEqual(new Set(outcomes.map(outcome => outcome.result)), new Set(['abandoned']));
  const after = await Promise.all(
    Array.from({ length: 160 }, () => fetch(`${url}/u/up/quick`, { headers }).then(res => res.text())),
  );
  assert.ok(after.every(text => text === 'ok'));
  assert.deepEqual([real.busy, real.requests.length], [0, 150 + 160]);
});

test('an upstream that dies midway is an error that the client sees, after everything that came before', async t => {
  const { url, outcomes } = await planeWith(t, (_req, res) => {
    res.write('data: 1\n\n');
    setImmediate(() => res.socket!.destroy());
  });
  const chunked = await answerOf(get(`${url}/u/up/events`, { headers }));
  const [chunk] = await once(chunked, 'data');
  assert.equal(String(chunk), 'data: 1\n\n');
  await assert.rejects(read(chunked), { code: 'ECONNRESET' });
  await eventually(() => outcomes.length === 1);
  assert.equal(outcomes[0]!.result, 'broken');
});

test('an answer shorter than its length is an error; a longer one does not leak into the next', async t => {
  const { url } = await planeWith(t, (req, res) => {
    const body = req.url === '/short' ? 'ab' : 'abcdeHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    res.socket!.write(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${body}`);
    if (req.url === '/short') res.socket!.end();
  });
  await assert.rejects(read(await answerOf(get(`${url}/u/up/short`, { headers }))));
  for (let n = 0; n < 5; n++)
    assert.equal(await read(await answerOf(get(`${url}/u/up/long`, { headers }))), 'abcde');
});

test('an upstream that breaks off, or speaks no HTTP, before it answers is 502', async t => {
  const bytes = [
    '',
    'SSH-2.0-OpenSSH\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    'HTTP/1.1 200 OK\r\nx: a\r\n b\r\nbad header\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
  ];
  const { url } = await planeWith(t, (req, res) => {
    res.socket!.end(bytes[Number(req.url!.slice(1))]!);
  });
  for (const n of bytes.keys()) {
    const res = await fetch(`${url}/u/up/${n}`, { headers });
    assert.equal(res.status, 502, JSON.stringify(bytes[n]));
    assert.equal(((await res.json()) as { code: string }).code, 'upstream_failed');
  }
});

test('early hints and other informational answers stay on their hop', async t => {
  const { dial, host } = await planeWith(t, (_req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' });
    res.writeProcessing();
    res.end('ok');
  });
  const client = await dial();
  client.send(
    `GET /u/up/ HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer alice\r\nConnection: close\r\n\r\n`,
  );
  const all = await client.all();
  assert.match(all, /^HTTP\/1\.1 200 /);
  assert.equal(all.match(/HTTP\/1\.1/g)!.length, 1);
});

test('trailers, HEAD, 204, 304 and close-delimited answers arrive as what they are', async t => {
  const { url, dial, host } = await planeWith(t, (req, res) => {
    switch (req.url) {
      case '/trailers':
        res.writeHead(200, { trailer: 'x-checksum' });
        res.write('body');
        res.addTrailers({ 'x-checksum': 'abc', 'set-cookie': 'a=b' });
        res.end();
        break;
      case '/head':
        res.writeHead(200, { 'content-length': '1234', etag: '"1"' }).end();
        break;
      case '/204':
        res.socket!.end('HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
        break;
      case '/304':
        res.writeHead(304, { etag: '"1"', 'content-length': '99' }).end();
        break;
      default:
        res.socket!.end('HTTP/1.0 200 OK\r\n\r\nuntil the end');
    }
  });
  const trailed = await answerOf(get(`${url}/u/up/trailers`, { headers }));
  assert.equal(await read(trailed), 'body');
  assert.deepEqual({ ...trailed.trailers }, { 'x-checksum': 'abc' });

  const head = await answerOf(request(`${url}/u/up/head`, { method: 'HEAD', headers }).end());
  assert.deepEqual([head.statusCode, head.headers['content-length'], await read(head)], [200, '1234', '']);

  const client = await dial();
  const ask = (path: string, more = '') =>
    client.send(`GET /u/up${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer alice\r\n${more}\r\n`);
  ask('/204');
  await client.until(/ 204 [\s\S]*\r\n\r\n$/);
  assert.doesNotMatch(client.received, /content-length|transfer-encoding/i);
  ask('/304');
  await client.until(/ 304 [\s\S]*\r\n\r\n$/);
  ask('/rest', 'Connection: close\r\n');
  assert.match(await client.all(), /until the end\r\n0\r\n\r\n$/);
});

test('100 Continue is said after authorization, and not to those who are refused', async t => {
  const { dial, host, real } = await planeWith(t, null);
  const head = (who: string) =>
    `POST /u/up/x HTTP/1.1\r\nHost: ${host}\r\n${who}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
  const refused = await dial();
  refused.send(head(''));
  const answer = await refused.all();
  assert.match(answer, /^HTTP\/1\.1 401 /);
  assert.match(answer, /connection: close/i);
  const client = await dial();
  client.send(head('Authorization: Bearer alice\r\n'));
  await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  client.send('hello');
  await client.until(/HTTP\/1\.1 200 [\s\S]*"body_bytes":5/);
  assert.equal(client.received.match(/100 Continue/g)!.length, 1);
  assert.equal(real.requests[0]!.headers.expect, undefined);
});

for (const status of [413, 401]) {
  test(`an upstream's ${status} reaches a client that is still uploading`, async t => {
    const { url } = await planeWith(t, (_req, res) => {
      res.writeHead(status).end('no');
    });
    const req = request(`${url}/u/up/x`, {
      method: 'POST',
      headers: { ...headers, 'content-length': 8 * MB },
    });
    const answered = answerOf(req);
    req.write(Buffer.alloc(MB));
    const res = await answered;
    assert.equal(res.statusCode, status);
    assert.equal(await read(res), 'no');
    for (let n = 1; n < 8; n++) req.write(Buffer.alloc(MB));
    req.end();
    await once(req, 'close');
  });
}

test('a refused client that goes on uploading hears the refusal; past 16 MiB its connection ends', async t => {
  const { dial, host, real } = await planeWith(t, null);
  const client = await dial();
  client.send(`POST /u/up/x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${256 * MB}\r\n\r\n`);
  await client.until(/^HTTP\/1\.1 401 [\s\S]*"code":"unauthenticated"/);
  const { socket } = client;
  let sent = 0;
  const pump = () => {
    while (!socket.destroyed && sent < 256) {
      sent += 1;
      if (!socket.write(Buffer.alloc(MB))) return void socket.once('drain', pump);
    }
  };
  pump();
  await client.all();
  assert.ok(sent < 64, `${sent} MB were taken`);
  assert.equal(real.requests.length, 0);
});

test('a reader that stands still makes the upstream stand still', async t => {
  let written = 0;
  const { url, real } = await planeWith(t, (_req, res) => {
    const chunk = Buffer.alloc(64 * 1024);
    const pump = () => {
      while (!res.destroyed && written < 1024 * MB) {
        written += chunk.length;
        if (!res.write(chunk)) return void res.once('drain', pump);
      }
    };
    pump();
  });
  const before = process.memoryUsage().rss;
  const res = await answerOf(get(`${url}/u/up/endless`, { headers }));
  res.pause();
  let last = -1;
  while (last !== written) {
    last = written;
    for (let n = 0; n < 2_000; n++) await new Promise(resolve => setImmediate(resolve));
  }
  assert.ok(written < 64 * MB, `${written / MB} MB were taken from the upstream`);
  assert.ok(process.memoryUsage().rss - before < 128 * MB);
  res.on('error', () => {});
  res.destroy();
  await eventually(() => real.busy === 0);
});

test('an upstream that stands still makes the uploading client stand still', async t => {
  let seen: IncomingMessage | undefined;
  const { url } = await planeWith(t, req => {
    seen = req.pause();
  });
  let sent = 0;
  const req = request(`${url}/u/up/x`, { method: 'POST', headers });
  req.on('error', () => {});
  const chunk = Buffer.alloc(64 * 1024);
  const pump = () => {
    while (!req.destroyed && sent < 1024 * MB) {
      sent += chunk.length;
      if (!req.write(chunk)) return void req.once('drain', pump);
    }
  };
  pump();
  await eventually(() => seen !== undefined);
  let last = -1;
  while (last !== sent) {
    last = sent;
    for (let n = 0; n < 2_000; n++) await new Promise(resolve => setImmediate(resolve));
  }
  assert.ok(sent < 64 * MB, `${sent / MB} MB were taken from the client`);
  req.destroy();
});

test('1 GB passes in each direction at flat memory', { timeout: 180_000 }, async t => {
  const size = 1024 * MB;
  let received = 0;
  const chunk = Buffer.alloc(256 * 1024, 'x');
  const pour = (to: {
    write(chunk: Buffer): boolean;
    once(event: 'drain', then: () => void): unknown;
    end(): void;
  }) => {
    let left = size;
    const pump = () => {
      while (left > 0) {
        left -= chunk.length;
        if (!to.write(chunk)) return void to.once('drain', pump);
      }
      to.end();
    };
    pump();
  };
  const { url } = await planeWith(t, (req, res) => {
    if (req.method === 'GET') pour(res);
    else req.on('data', (part: Buffer) => (received += part.length)).on('end', () => res.end());
  });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  t.after(() => clearInterval(watch));
  const before = process.memoryUsage().rss;

  const up = request(`${url}/u/up/x`, { method: 'POST', headers });
  pour(up);
  (await answerOf(up)).resume();
  assert.equal(received, size);

  let down = 0;
  const res = await answerOf(get(`${url}/u/up/x`, { headers }));
  res.on('data', (part: Buffer) => {
    down += part.length;
  });
  await once(res, 'end');
  assert.equal(down, size);
  // Client, gateway and upstream share this process.
  assert.ok(peak - before < 256 * MB, `grew by ${Math.round((peak - before) / MB)} MB`);
});
