import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { frameOf, hpack } from '../../../server/test/fixtures/hostile-agent.ts';
import {
  besides,
  type Call,
  data,
  HELLO,
  number,
  OPEN,
  open,
  reset,
  setting,
  stand,
  turn,
  whole,
  widen,
} from '../../../server/test/fixtures/hostile-client.ts';
import { asker, fetchBy, serverTo } from '../../../server/test/fixtures/http2-peer.ts';
import { drawn, fc } from '../../../server/test/fixtures/made-up.ts';
import { CODE, FLAG } from './codes.ts';

const { PADDED } = FLAG;

/** Whoever is asked does what `acts` says, one after the other, and whatever it is the call is told of once. */
function judged(acts: readonly number[]) {
  const calls: (Call & { dropped: boolean })[] = [];
  // What is thrown where it is told of would be an error of the connection's.
  const faults: string[] = [];
  let next = 0;
  const act = () => acts[next++ % acts.length]!;
  const ours = serverTo(
    (_bytes, done) => setImmediate(done),
    stream => {
      const call = { stream, body: '', told: [] as string[], dropped: false };
      calls.push(call);
      const tell = (what: string) => {
        if (call.dropped || call.told.includes(what) || call.told.includes('broken'))
          faults.push(`${call.dropped ? 'gave up' : call.told}, ${what}`);
        call.told.push(what);
        step();
      };
      stream.accept({
        data() {
          if (call.dropped || call.told.length > 0) faults.push(`${call.told}, data`);
          step();
        },
        end: () => tell('end'),
        broken: () => tell('broken'),
        drained: () => step(),
      });
      const step = () => {
        const what = act();
        if (what === 1 && !stream.answered) stream.respond(200, ['x-a', 'b']);
        else if (what === 2 && !stream.answered) stream.respond(204, [], true);
        else if (what === 3 && stream.answered) stream.write(Buffer.alloc(100_000));
        else if (what === 4 && stream.answered) stream.endWith(['x-sum', '1']);
        else if (what === 5) {
          call.dropped = true;
          stream.reset(CODE.INTERNAL_ERROR);
        } else if (what === 6 && stream.answered) {
          call.dropped = true;
          stream.end();
          stream.dismiss();
        } else if (what === 7) {
          stream.pause();
          setImmediate(() => stream.resume());
        }
      };
      stream.resume();
      step();
    },
  );
  return {
    ...ours,
    async over() {
      for (let n = 0; n < 3; n++) await turn();
      ours.server.destroy('enough');
      await turn();
      await turn();
      for (const { stream, told, dropped } of calls)
        assert.ok(dropped || told.length > 0, `${stream.id} was told nothing`);
      assert.deepEqual(faults, []);
      assert.doesNotMatch(String(ours.heard.broken), /Error/);
      assert.equal(ours.heard.left, calls.length);
      return calls;
    },
  };
}

const acts = fc.array(fc.nat(9), { minLength: 1, maxLength: 12 });

test('whatever frames come, nothing is thrown, and each call that was asked for is told how it ends', async () => {
  const id = fc.constantFrom(0, 1, 2, 3, 5, 7, 9, 65_537, 0x7fff_ffff);
  const flags = fc.constantFrom(0, 1, 4, 5, 8, 13, 0x20, 0x25);
  const blocks = [OPEN, hpack([['x-a', 'b']]), hpack(besides(['content-length', '3'])), Buffer.from([0x80])];
  const payload = fc.oneof(
    fc.constantFrom(...blocks, Buffer.from('abc'), Buffer.from(number(1)), Buffer.from(number(70_000))),
    fc.constantFrom(Buffer.alloc(8), Buffer.alloc(5), Buffer.from([0, 4, 0, 0, 0, 9]), Buffer.alloc(0)),
    fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
  );
  const one = fc.constantFrom(1, 3, 5, 7, 9, 65_537);
  const likely = fc.oneof(
    one.map(open),
    one.map(whole),
    fc.tuple(one, flags).map(([of, f]) => data(of, 'abc', f & ~PADDED)),
    one.map(of => reset(of)),
    fc.tuple(one, fc.constantFrom(0, 5, 100_000)).map(([of, by]) => widen(of, by)),
    fc.constantFrom(0, 1, 70_000).map(window => setting(4, window)),
  );
  const any = fc.tuple(fc.nat(11), flags, id, payload).map(([type, f, of, p]) => frameOf(type, f, of, p));
  const frames = fc.array(drawn(fc.oneof({ weight: 20, arbitrary: likely }, { weight: 1, arbitrary: any })), {
    maxLength: 25,
  });
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(frames, acts, fc.nat(3), async (all, does, turns) => {
      const judge = judged(does);
      judge.server.received(HELLO);
      for (const [n, frame] of all.entries()) {
        judge.server.received(frame);
        if (n % 4 < turns) await turn();
      }
      asked += (await judge.over()).length;
    }),
    { numRuns: 5_000 },
  );
  assert.ok(asked > 2_000, `${asked} were asked for`);
});

/** What Node's own client sent in a session with requests of all kinds. */
async function recorded(t: TestContext): Promise<Buffer> {
  const bytes: Buffer[] = [];
  const { session, server } = asker(
    t,
    stream => {
      const end = () => {
        stream.respond(200, []);
        stream.end(Buffer.alloc(300));
      };
      stream.accept({ data() {}, end, broken() {}, drained() {} });
      stream.resume();
    },
    { paddingStrategy: constants.PADDING_STRATEGY_MAX },
    piece => bytes.push(Buffer.from(piece)),
  );
  const post = { ':method': 'POST', ':path': '/2', 'content-type': 'text/plain' };
  await Promise.all([
    fetchBy(session, { ':path': '/1' }),
    fetchBy(session, post, { body: 'x'.repeat(300), trailers: { 'x-sum': '1' } }),
  ]);
  server.setStreamWindow(100_000);
  await fetchBy(session, { ...post, ':path': '/3', 'content-length': '5' }, { body: 'hello' });
  session.goaway();
  await turn();
  return Buffer.concat(bytes);
}

test('a real session, cut anywhere, is the same; with any bytes changed it ends each call once', async t => {
  const real = await recorded(t);
  const cuts = fc.array(fc.nat(real.length), { maxLength: 30 });
  const changes = fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { maxLength: 4 });
  const push = (one: { received(bytes: Buffer): void }, bytes: Buffer, at: readonly number[]) => {
    let from = 0;
    for (const cut of [...at.toSorted((a, b) => a - b), bytes.length]) {
      one.received(Buffer.from(bytes.subarray(from, cut)));
      from = cut;
    }
  };
  await fc.assert(
    fc.asyncProperty(cuts, async at => {
      const { server, calls, heard } = stand({ hello: Buffer.alloc(0) });
      server.setStreamWindow(100_000);
      push(server, real, at);
      await turn();
      assert.deepEqual(
        calls.map(({ stream, body, told }) => [stream.head.path, body.length, told]),
        [
          ['/1', 0, ['end']],
          ['/2', 300, ['end']],
          ['/3', 5, ['end']],
        ],
      );
      assert.equal(heard.broken, null);
      server.destroy('enough');
      assert.equal(heard.left, 3);
    }),
    { numRuns: 500 },
  );
  await fc.assert(
    fc.asyncProperty(cuts, changes, acts, async (at, changed, does) => {
      const bytes = Buffer.from(real);
      for (const [place, value] of changed) bytes[place] = value;
      const one = judged(does);
      one.server.setStreamWindow(100_000);
      push(one.server, bytes, at);
      await one.over();
    }),
    { numRuns: 3_000 },
  );
});
