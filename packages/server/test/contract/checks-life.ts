import assert from 'node:assert/strict';
import { DEAD_AFTER, PING_AFTER, UP_BYTES } from '@sallyport/protocol/limits.ts';
import { freePort } from '../fixtures/ports.ts';
import type { Check } from './contract.ts';
import { isAck, TYPE } from './frames.ts';
import { type Stand, until } from './stand.ts';

/** Long enough for any first try again, which comes within half a second. */
const PATIENCE = 1_500;

/** A call that the local server holds until it is told to answer. */
async function held(stand: Stand) {
  let finish = () => {};
  const begun = Promise.withResolvers<void>();
  stand.local.intercept = (_req, res) => {
    finish = () => void res.end('done');
    begun.resolve();
    return true;
  };
  const call = stand.call('/held').then(async res => ({ status: res.status, text: await res.text() }));
  call.catch(() => {});
  await begun.promise;
  stand.local.intercept = null;
  return { call, finish: () => finish() };
}

/** Whether the implementation comes back within a time in which it would. */
async function comesBack({ tap }: Stand, dials: number): Promise<boolean> {
  const came = tap.until(() => tap.dials.length > dials).then(() => true);
  const patience = new Promise<boolean>(resolve => setTimeout(resolve, PATIENCE, false));
  return Promise.race([came, patience]);
}

export const LIFE: readonly Check[] = [
  {
    section: '7',
    claim: 'it answers a PING, also while a call is under way',
    async run(stand) {
      await stand.connected();
      const { call, finish } = await held(stand);
      await stand.tap.ping();
      finish();
      await call;
    },
  },
  {
    section: '7',
    claim: 'hearing nothing it asks with a PING after 15 s, gives up at 30 s, and comes again',
    alone: true,
    waits: DEAD_AFTER + PING_AFTER,
    async run(stand, pace) {
      await stand.connected();
      const { dials } = stand.tap;
      const [dial, before] = [dials.at(-1)!, dials.length];
      const from = dial.frames.length;
      stand.tap.silence();
      const begun = performance.now();
      const since = () => ((performance.now() - begun) * pace) / 1_000;
      const asked = () => dial.frames.slice(from).some(frame => frame.type === TYPE.PING && !isAck(frame));
      await stand.tap.until(asked);
      const [asks, least, most] = [since(), PING_AFTER / 1_000 - 2, DEAD_AFTER / 1_000];
      assert.ok(asks > least && asks < most, `it asked after ${asks.toFixed(1)} s`);
      await stand.tap.until(() => dials.length > before);
      const gone = since();
      // The last that it heard may be a little older than the silence; and its first try again waits half a second at most.
      assert.ok(
        gone > most - 2 && gone < most + 5 * Math.sqrt(pace),
        `it came again after ${gone.toFixed(1)} s`,
      );
      await stand.connected();
      assert.equal((await stand.call('/x')).status, 200);
    },
  },
  {
    section: '7',
    claim: 'when the connection is lost, calls end, it comes back, and calls work again',
    async run(stand) {
      await stand.connected();
      const { call } = await held(stand);
      const { dials } = stand.tap;
      const before = dials.length;
      stand.tap.cut();
      assert.equal((await call).status, 502, 'the call that was under way');
      await stand.tap.until(() => dials.length > before && dials.at(-1)!.status === 101);
      await stand.connected();
      assert.equal((await stand.call('/x')).status, 200);
    },
  },
  {
    section: '7',
    claim: 'told to stop (SIGTERM), it sends GOAWAY, ends what is under way, and goes',
    async run(stand) {
      const run = await stand.connected();
      const { call, finish } = await held(stand);
      const { frames } = stand.tap.dials.at(-1)!;
      const left = run.end('SIGTERM');
      await stand.tap.until(() => frames.some(({ type }) => type === TYPE.GOAWAY));
      // Whoever calls now finds nobody; who called before is answered.
      await until(async () => (await stand.call('/x')).status === 502);
      finish();
      assert.deepEqual(await call, { status: 200, text: 'done' });
      await left;
    },
  },
  {
    section: '4',
    claim: 'it stays away when a newer connection has taken its name',
    alone: true,
    async run(stand) {
      await stand.connected();
      const { dials } = stand.tap;
      const [older, before] = [dials.at(-1)!, dials.length];
      stand.start();
      await stand.tap.until(() => dials.length > before && older.ended);
      assert.equal(await comesBack(stand, before + 1), false, 'it took the name back');
      assert.equal((await stand.call('/x')).status, 200, 'by the newer one');
    },
  },
  {
    section: '4',
    claim: 'it stays away when its owner has disconnected it',
    alone: true,
    async run(stand) {
      await stand.connected();
      const headers = { authorization: `Bearer ${stand.key}` };
      const list = await fetch(`${stand.gateway.url}/api/v1/tunnels`, { headers });
      const { items } = (await list.json()) as { items: { id: string }[] };
      const before = stand.tap.dials.length;
      await fetch(`${stand.gateway.url}/api/v1/tunnels/${items[0]!.id}`, { method: 'DELETE', headers });
      await stand.tap.until(() => stand.tap.dials.at(-1)!.ended);
      assert.equal(await comesBack(stand, before), false, 'it came back');
    },
  },
  {
    section: '4',
    claim: 'it comes again at once when the gateway was stopping',
    async run(stand) {
      await stand.connected();
      await stand.gateway.stop();
      await stand.gateway.restart();
      await stand.connected();
      assert.equal((await stand.call('/x')).status, 200);
    },
  },
  {
    section: '1',
    claim: 'refused for its credential, it tries again later, and does not go round the refusal',
    alone: true,
    async run(stand) {
      const { dials, asked } = stand.tap;
      const [before, posts] = [dials.length, asked.length];
      stand.start({ key: `sp_${'A'.repeat(43)}` });
      await stand.tap.until(() => dials.length >= before + 2);
      assert.deepEqual(
        dials.slice(before, before + 1).map(({ status }) => status),
        [401],
      );
      assert.equal(asked.length, posts, 'it tried by POST what a WebSocket was refused for');
    },
  },
  {
    section: '2',
    claim:
      'where no WebSocket gets through it goes on with POST and GET, in pieces of at most 1 MiB and in turn',
    alone: true,
    async run(stand) {
      const { asked } = stand.tap;
      const from = asked.length;
      stand.tap.block = true;
      await stand.connected();
      stand.local.intercept = (req, res) => {
        req.pipe(res.writeHead(200));
        return true;
      };
      const body = Buffer.alloc(4 * UP_BYTES, 'x');
      const answer = await stand.call('/echo', { method: 'POST', body });
      assert.ok(body.equals(Buffer.from(await answer.arrayBuffer())), 'the same bytes came back');
      const opened = asked.slice(from).findIndex(({ url }) => url === '/tunnel');
      assert.ok(opened >= 0, 'POST /tunnel');
      const sent = asked.slice(from + opened);
      assert.equal(sent[0]!.headers['sallyport-protocol'], 'sallyport.h2.v1', 'Sallyport-Protocol');
      assert.ok(
        sent.every(({ headers }) => headers.authorization === `Bearer ${stand.key}`),
        'the key goes with each request',
      );
      const pieces = sent.filter(({ url }) => url.includes('/up?'));
      assert.deepEqual(
        pieces.map(({ url }) => url.split('?')[1]),
        pieces.map((_, n) => `n=${n}`),
      );
      assert.ok(
        pieces.every(({ bytes }) => bytes <= UP_BYTES),
        'a piece was too long',
      );
    },
  },
  {
    section: '5',
    claim: 'it says “unreachable” where no local server is',
    alone: true,
    async run(stand) {
      stand.start({ target: `http://127.0.0.1:${await freePort()}` });
      await until(stand.served);
      const answer = await stand.call('/x');
      const { detail } = (await answer.json()) as { detail: string };
      assert.equal(answer.status, 502);
      assert.match(detail, /cannot reach the local server/);
    },
  },
];
