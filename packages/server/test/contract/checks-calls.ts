import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import {
  MAX_STREAMS,
  MESSAGE_BYTES,
  SETTINGS,
  SUBPROTOCOL,
  TUNNEL_WINDOW,
} from '@sallyport/protocol/limits.ts';
import type { Check } from './contract.ts';
import { isAck, settingsIn, TYPE } from './frames.ts';
import { type Stand, until } from './stand.ts';

const MIB = 1024 * 1024;

/** Everything that the agent sent in the tunnel that is open now. */
const framesOf = ({ tap }: Stand) => tap.dials.at(-1)?.frames ?? [];
/** Codes of RST_STREAM from now on. */
function resets(stand: Stand): () => number[] {
  const from = framesOf(stand).length;
  return () =>
    framesOf(stand)
      .slice(from)
      .filter(({ type }) => type === TYPE.RST_STREAM)
      .map(({ payload }) => payload.readUInt32BE(0));
}

export const CALLS: readonly Check[] = [
  {
    section: '1',
    claim: 'it opens a WebSocket with the subprotocol, and its key as a bearer',
    async run(stand) {
      await stand.connected();
      const { headers } = stand.tap.dials.at(-1)!;
      const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim());
      assert.ok(offered.includes(SUBPROTOCOL), `it offered ${offered}`);
      assert.equal(headers.authorization, `Bearer ${stand.key}`, 'the Authorization header');
    },
  },
  {
    section: '2',
    claim: 'its first frame is SETTINGS as in the table, and the window of the connection is 16 MiB',
    async run(stand) {
      await stand.connected();
      const frames = framesOf(stand);
      assert.equal(frames[0]?.type, TYPE.SETTINGS, 'the type of the first frame');
      const announced = settingsIn(frames[0]!);
      assert.equal(announced.get(4), SETTINGS.initialWindowSize, 'SETTINGS_INITIAL_WINDOW_SIZE');
      assert.equal(announced.get(3), SETTINGS.maxConcurrentStreams, 'SETTINGS_MAX_CONCURRENT_STREAMS');
      assert.equal(announced.get(6), SETTINGS.maxHeaderListSize, 'SETTINGS_MAX_HEADER_LIST_SIZE');
      assert.equal(announced.get(2) ?? 0, 0, 'SETTINGS_ENABLE_PUSH');
      assert.ok(
        frames.some(frame => frame.type === TYPE.SETTINGS && isAck(frame)),
        'it acknowledged SETTINGS',
      );
      const added = frames
        .filter(({ type, stream }) => type === TYPE.WINDOW_UPDATE && stream === 0)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535);
      assert.ok(added >= TUNNEL_WINDOW, `the window of the connection is ${added}`);
    },
  },
  {
    section: '3',
    claim: 'it says what it serves, and what it is',
    async run(stand) {
      await stand.connected();
      const answer = await fetch(`${stand.gateway.url}/api/v1/tunnels`, {
        headers: { authorization: `Bearer ${stand.key}` },
      });
      const { items } = (await answer.json()) as { items: { kind: string; agent: string | null }[] };
      assert.equal(items[0]?.kind, 'http', 'the kind of the server');
      assert.ok(items[0].agent !== null && items[0].agent.trim() !== '', 'a name and a version');
    },
  },
  {
    section: '5',
    claim: 'method, path, query, headers and body of a call reach the local server, without the name',
    async run(stand) {
      await stand.connected();
      const { requests } = stand.local;
      const from = requests.length;
      const body = 'grüße';
      await stand.call('/pages/1?q=a%20b', { method: 'PUT', body, headers: { 'accept-language': 'oc' } });
      const seen = requests[from];
      assert.ok(seen, 'nothing reached the local server');
      assert.deepEqual([seen.method, seen.url, seen.body], ['PUT', '/pages/1?q=a%20b', body]);
      assert.equal(seen.headers['accept-language'], 'oc');
      assert.equal(seen.headers.host, new URL(stand.local.url).host, 'host names the local server');
    },
  },
  {
    section: '5',
    claim: 'status, headers, body and trailers of an answer come back; what is one hop’s own does not',
    async run(stand) {
      await stand.connected();
      stand.local.intercept = (_req, res) => {
        res.writeHead(207, {
          'content-type': 'text/x-own',
          trailer: 'x-sum',
          connection: 'x-hop',
          'x-hop': '1',
          'sallyport-error': 'busy',
        });
        res.write('body');
        res.addTrailers({ 'x-sum': '7' });
        res.end();
        return true;
      };
      const req = get(`${stand.url}/x`, { headers: { authorization: `Bearer ${stand.key}` } });
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      let text = '';
      for await (const piece of res) text += piece;
      assert.equal(res.statusCode, 207, `the status; a local server's own sallyport-error must be taken off`);
      assert.deepEqual([text, res.headers['content-type']], ['body', 'text/x-own']);
      assert.equal(res.headers['x-hop'], undefined, 'a header that Connection names');
      assert.deepEqual(res.trailers, { 'x-sum': '7' }, 'trailers');
    },
  },
  {
    section: '5',
    claim: 'an answer comes as it is written, not when it is complete',
    async run(stand) {
      await stand.connected();
      let finish = () => {};
      stand.local.intercept = (_req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
        finish = () => void res.end('data: 2\n\n');
        return true;
      };
      const req = get(`${stand.url}/x`, { headers: { authorization: `Bearer ${stand.key}` } });
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      assert.equal(String((await once(res, 'data'))[0]), 'data: 1\n\n');
      finish();
      await once(res, 'end');
    },
  },
  {
    section: '2',
    claim: '16 MiB go up and down at once, in binary messages of at most 256 KiB',
    async run(stand) {
      await stand.connected();
      stand.local.intercept = (req, res) => {
        req.pipe(res.writeHead(200));
        return true;
      };
      const body = Buffer.alloc(16 * MIB);
      for (let at = 0; at < body.length; at += 4) body.writeUInt32LE(at, at);
      const answer = await stand.call('/echo', { method: 'POST', body });
      assert.ok(body.equals(Buffer.from(await answer.arrayBuffer())), 'the same bytes came back');
      const { longest, text } = stand.tap.dials.at(-1)!;
      assert.ok(longest <= MESSAGE_BYTES, `a message had ${longest} bytes`);
      assert.equal(text, false, 'a text message was sent');
    },
  },
  {
    section: '2',
    claim: `${MAX_STREAMS - 6} calls are under way at once`,
    async run(stand) {
      await stand.connected();
      const waiting: (() => void)[] = [];
      stand.local.intercept = (_req, res) => {
        waiting.push(() => void res.end('done'));
        return true;
      };
      const calls = Array.from({ length: MAX_STREAMS - 6 }, () => stand.call('/x').then(res => res.text()));
      await until(() => waiting.length === calls.length);
      for (const finish of waiting) finish();
      assert.ok((await Promise.all(calls)).every(text => text === 'done'));
    },
  },
  {
    section: '2',
    claim:
      'a reader who takes nothing holds up nobody else, and the local server only as far as the windows go',
    async run(stand) {
      await stand.connected();
      let sent = 0;
      stand.local.intercept = (req, res) => {
        if (req.url !== '/flood') return false;
        res.writeHead(200);
        const more = () => {
          while (!res.destroyed && sent < 64 * MIB) {
            sent += 65_536;
            if (!res.write(Buffer.alloc(65_536))) return void res.once('drain', more);
          }
          res.end();
        };
        more();
        return true;
      };
      const slow = get(`${stand.url}/flood`, { headers: { authorization: `Bearer ${stand.key}` } });
      slow.on('error', () => {});
      const [res] = (await once(slow, 'response')) as [IncomingMessage];
      res.pause();
      for (let round = 0; round < 10; round++)
        for (const answer of await Promise.all(Array.from({ length: 8 }, () => stand.call('/x'))))
          await answer.arrayBuffer();
      slow.destroy();
      assert.ok(sent < 32 * MIB, `${sent} bytes were taken from the local server`);
    },
  },
  {
    section: '5',
    claim: 'a caller who leaves cancels the call: the local request is stopped',
    async run(stand) {
      await stand.connected();
      const left = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      stand.local.intercept = (_req, res) => {
        res.on('close', () => left.resolve());
        begun.resolve();
        return true;
      };
      const leaving = new AbortController();
      const call = stand.call('/x', { signal: leaving.signal }).catch(() => {});
      await begun.promise;
      leaving.abort();
      await call;
      await left.promise;
    },
  },
  {
    section: '5',
    claim: 'an upload that was cut off never looks whole to the local server',
    async run(stand) {
      await stand.connected();
      const over = Promise.withResolvers<string>();
      const begun = Promise.withResolvers<void>();
      stand.local.intercept = req => {
        req.once('data', () => begun.resolve());
        req.on('end', () => over.resolve('it ended')).on('error', () => over.resolve('it was cut off'));
        return true;
      };
      const req = request(`${stand.url}/up`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stand.key}` },
      });
      req.on('error', () => {});
      req.write('half');
      await begun.promise;
      req.destroy();
      assert.equal(await over.promise, 'it was cut off');
    },
  },
  {
    section: '5',
    claim: 'an answer that broke off is reset with an error code, not ended',
    async run(stand) {
      await stand.connected();
      const codes = resets(stand);
      stand.local.intercept = (_req, res) => {
        res.writeHead(200).write('half');
        setImmediate(() => res.socket!.resetAndDestroy());
        return true;
      };
      const whole = await stand
        .call('/x')
        .then(res => res.text())
        .catch(() => null);
      assert.equal(whole, null, 'the caller was shown half an answer as a whole one');
      await stand.tap.until(() => codes().length > 0);
      assert.ok(
        codes().every(code => [2, 8].includes(code)),
        `RST_STREAM with ${codes()}: expected INTERNAL_ERROR (2) or CANCEL (8)`,
      );
    },
  },
  {
    section: '5',
    claim: 'it says “failed” where the local server hangs up before it answers',
    async run(stand) {
      await stand.connected();
      stand.local.intercept = req => {
        req.socket.resetAndDestroy();
        return true;
      };
      // On a connection that was used before it cannot be told whether the server took the call.
      const answer = await stand.call('/x', { method: 'POST', body: 'x' });
      const { detail } = (await answer.json()) as { detail: string };
      assert.equal(answer.status, 502, detail);
      assert.match(detail, /broke off|cannot reach/);
    },
  },
];
