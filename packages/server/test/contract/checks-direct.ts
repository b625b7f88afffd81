import assert from 'node:assert/strict';
import { once } from 'node:events';
import { AGENT_ERROR } from '@sallyport/protocol/agent-error.ts';
import { parseHello } from '@sallyport/protocol/hello.ts';
import { DOCUMENT_BYTES, HEADER_BYTES, HELLO_WITHIN, NOTICE_PATH } from '@sallyport/protocol/limits.ts';
import { freePort } from '../fixtures/ports.ts';
import type { Check } from './contract.ts';
import { answerOf } from './counterpart.ts';
import { ALLOWED, NAME, type Stand } from './stand.ts';

/** An agent and nothing between: it dials in here, and is asked by bare HTTP/2. */
async function met(stand: Stand, instead: Parameters<Stand['start']>[0] = {}) {
  const run = stand.start({ ...instead, gateway: stand.counterpart.url });
  return { run, tunnel: await stand.counterpart.next() };
}

const get = (path: string) => ({ ':path': path, ':authority': 'tunnel' });

export const DIRECT: readonly Check[] = [
  {
    section: '3',
    claim: 'its hello holds: a status of 200, fields as in the table, 64 KiB at most, in time',
    alone: true,
    async run(stand) {
      const { tunnel } = await met(stand);
      assert.equal(tunnel.hello.status, 200, 'the status');
      assert.ok(Buffer.byteLength(tunnel.hello.text) <= DOCUMENT_BYTES, 'its length');
      assert.ok(tunnel.took < HELLO_WITHIN, `it took ${tunnel.took} ms`);
      const { servers } = parseHello(tunnel.hello.text);
      assert.deepEqual(
        servers.map(({ name }) => name),
        [NAME],
      );
    },
  },
  {
    section: '3',
    claim: 'its instance is new for each run',
    alone: true,
    async run(stand) {
      const first = await met(stand);
      await first.run.end('SIGKILL');
      const second = await met(stand);
      const [one, other] = [first, second].map(({ tunnel }) => parseHello(tunnel.hello.text).agent.instance);
      assert.notEqual(one, other, 'the instance of a second run');
    },
  },
  {
    section: '4',
    claim: 'notices are answered with 204; what it does not know in them is passed over',
    alone: true,
    async run(stand) {
      const { tunnel } = await met(stand);
      const post = { ':method': 'POST', ':path': NOTICE_PATH, 'content-type': 'application/json' };
      for (const notice of [
        { type: 'registered', weather: 'fine', servers: [{ name: NAME, id: null, url: null, problem: 'x' }] },
        { type: 'weather', of: 'tomorrow' },
      ])
        assert.equal((await tunnel.ask(post, JSON.stringify(notice))).status, 204, notice.type);
      assert.equal((await tunnel.ask(get(`/${NAME}/x`))).status, 200, 'a call behind them');
    },
  },
  {
    section: '5',
    claim: 'its own refusals say so by status and header: no-server, unreachable, failed',
    alone: true,
    async run(stand) {
      const refusals: [string, number, string][] = [];
      const { run, tunnel } = await met(stand);
      const note = async (path: string, of = tunnel) => {
        const { status, headers } = await of.ask(get(path));
        refusals.push([path, status, String(headers[AGENT_ERROR])]);
      };
      await note('/nobody/x');
      await note(`/${NAME}-else/x`);
      stand.local.intercept = req => {
        req.socket.resetAndDestroy();
        return true;
      };
      await note(`/${NAME}/gone`);
      await run.end('SIGKILL');
      const away = await met(stand, { target: `http://127.0.0.1:${await freePort()}` });
      await note(`/${NAME}/away`, away.tunnel);
      assert.deepEqual(refusals, [
        ['/nobody/x', 404, 'no-server'],
        [`/${NAME}-else/x`, 404, 'no-server'],
        [`/${NAME}/gone`, 502, 'failed'],
        [`/${NAME}/away`, 502, 'unreachable'],
      ]);
    },
  },
  {
    section: '5',
    claim:
      'what its own rules do not let through is refused as not-allowed, and never reaches the local server',
    needs: 'limited',
    alone: true,
    async run(stand) {
      const { tunnel } = await met(stand, { as: 'limited' });
      const from = stand.local.requests.length;
      assert.equal((await tunnel.ask(get(`/${NAME}${ALLOWED}/1`))).status, 200, 'what they do let through');
      for (const path of ['/', '/other', `${ALLOWED}x`, `${ALLOWED}/../other`, `${ALLOWED}/%2e%2e/other`]) {
        const { status, headers } = await tunnel.ask(get(`/${NAME}${path}`));
        assert.deepEqual([status, headers[AGENT_ERROR]], [403, 'not-allowed'], path);
      }
      assert.equal(stand.local.requests.length, from + 1, 'requests that the local server saw');
    },
  },
  {
    section: '5',
    claim:
      'a WebSocket, where it takes them, is extended CONNECT: frames pass both ways, and a refusal is one',
    alone: true,
    async run(stand) {
      const { tunnel } = await met(stand);
      if (!tunnel.opensSockets) return;
      const socket = (path: string) =>
        tunnel.open(
          {
            ':method': 'CONNECT',
            ':protocol': 'websocket',
            ':scheme': 'http',
            ...get(`/${NAME}${path}`),
            'sec-websocket-version': '13',
            'sec-websocket-protocol': 'one, two',
          },
          false,
        );
      assert.equal((await answerOf(socket('/no'))).status, 418, 'what the local server refused it with');
      const stream = socket('/socket');
      stream.on('error', () => {});
      const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
      assert.deepEqual([head[':status'], head['sec-websocket-protocol']], [200, 'two']);
      // A masked text of a client, and the same unmasked of the server (RFC 6455 section 5.7).
      stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
      assert.deepEqual([...((await once(stream, 'data')) as [Buffer])[0]], [0x81, 2, 0x68, 0x69]);
      stream.end();
      await once(stream, 'close');
    },
  },
  {
    section: '8',
    claim: 'headers of more than 64 KiB, either way, break off their call, and no other',
    alone: true,
    async run(stand) {
      const { tunnel } = await met(stand);
      const from = stand.local.requests.length;
      const long = Object.fromEntries(
        Array.from({ length: 5 }, (_, n) => [`x-long-${n}`, 'v'.repeat(HEADER_BYTES / 4)]),
      );
      const up = await tunnel.ask({ ...get(`/${NAME}/up`), ...long });
      assert.ok(up.code !== 0 || up.status >= 400, `a request was answered with ${up.status}`);
      assert.equal(stand.local.requests.length, from, 'it reached the local server');
      stand.local.intercept = (req, res) => {
        if (!req.url!.startsWith('/down')) return false;
        res.writeHead(200, long).end('with headers');
        return true;
      };
      const down = await tunnel.ask(get(`/${NAME}/down`));
      assert.ok(down.code !== 0 || down.status >= 400, `an answer had the status ${down.status}`);
      const next = await tunnel.ask(get(`/${NAME}/x`));
      assert.deepEqual([next.status, next.code], [200, 0], 'the next call');
    },
  },
  {
    section: '8',
    claim: 'headers of 48 KiB pass, both ways',
    alone: true,
    async run(stand) {
      const { tunnel } = await met(stand);
      const headers = Object.fromEntries(
        Array.from({ length: 4 }, (_, n) => [`x-long-${n}`, 'v'.repeat(12 * 1024)]),
      );
      stand.local.intercept = (req, res) => {
        const long = Object.entries(req.headers).filter(([name]) => name.startsWith('x-long-'));
        res.writeHead(200, Object.fromEntries(long) as Record<string, string>).end();
        return true;
      };
      const answer = await tunnel.ask({ ...get(`/${NAME}/long`), ...headers });
      assert.equal(answer.status, 200, 'the status');
      for (const [name, value] of Object.entries(headers))
        assert.equal(String(answer.headers[name]).length, value.length, `the length of ${name}`);
    },
  },
];
