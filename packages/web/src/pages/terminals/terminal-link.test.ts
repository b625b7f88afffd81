import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLink, type LinkSocket, type LinkState } from './terminal-link.ts';

/** A line whose other end is the test, and a clock that the test turns. */
function openLine(look: () => number = () => 200) {
  const sockets: (LinkSocket & { url: string; sent: unknown[] })[] = [];
  const states: LinkState[] = [];
  const gaps: [number, boolean][] = [];
  const sizes: string[] = [];
  const kept: number[] = [];
  let output = '';
  let now = 0;
  let timers: { at: number; work: () => void }[] = [];
  const link = createLink({
    url: 'wss://gate.example/terminals/box/api/terminals/t1',
    open(url) {
      const sent: unknown[] = [];
      const socket = {
        url,
        sent,
        send: (data: unknown) => void sent.push(data),
        close() {},
        bufferedAmount: 0,
      };
      sockets.push(socket as unknown as (typeof sockets)[number]);
      return sockets.at(-1)!;
    },
    look: async () => look(),
    clock: {
      now: () => now,
      setTimeout(work, ms) {
        const timer = { at: now + ms, work };
        timers.push(timer);
        return timer;
      },
      clearTimeout: timer => (timers = timers.filter(other => other !== timer)),
    },
    random: () => 0.5,
    onState: state => states.push(state),
    onOutput: bytes => (output += new TextDecoder().decode(bytes)),
    onGap: (bytes, again) => gaps.push([bytes, again]),
    onAttached: bytes => kept.push(bytes),
    onAnew: () => (output = ''),
    onSize: (cols, rows) => sizes.push(`${cols}x${rows}`),
  });
  const socket = () => sockets.at(-1)!;
  return {
    link,
    gaps,
    kept,
    sizes,
    states,
    sockets,
    output: () => output,
    says: (message: object) =>
      socket().onmessage!.call(socket() as WebSocket, { data: JSON.stringify(message) } as MessageEvent),
    prints: (text: string) =>
      socket().onmessage!.call(
        socket() as WebSocket,
        {
          data: new TextEncoder().encode(text).buffer,
        } as MessageEvent,
      ),
    opens: () => socket().onopen!.call(socket() as WebSocket, {} as Event),
    shuts: (code: number, reason = '') =>
      socket().onclose!.call(socket() as WebSocket, { code, reason } as CloseEvent),
    /** Lets promises settle, then lets time pass. */
    async passes(ms: number) {
      await new Promise(resolve => setImmediate(resolve));
      now += ms;
      const due = timers.filter(timer => timer.at <= now);
      timers = timers.filter(timer => timer.at > now);
      for (const { work } of due) work();
    },
    attaches(mode: 'own' | 'watch', from: number, lost = 0) {
      this.opens();
      this.says({ type: 'attached', mode, from, lost, cols: 80, rows: 24 });
    },
  };
}

const queryOf = ({ url }: { url: string }) => Object.fromEntries(new URL(url).searchParams);

test('a dropped line comes back and asks for the output from the byte it has', async () => {
  const line = openLine();
  line.link.connect('take');
  assert.deepEqual(queryOf(line.sockets[0]!), { mode: 'take' });
  line.attaches('own', 100, 100);
  assert.deepEqual(line.gaps, [[100, false]]);
  line.prints('five5');
  line.shuts(1006);
  assert.deepEqual(line.link.state, { is: 'waiting', why: 'lost', until: 400 });
  await line.passes(400);
  assert.deepEqual(queryOf(line.sockets[1]!), { mode: 'take', from: '105' });
  line.attaches('own', 107, 2);
  assert.deepEqual(line.gaps[1], [2, true]);
  line.prints('more');
  line.shuts(1006);
  await line.passes(1000);
  assert.equal(queryOf(line.sockets[2]!)['from'], '111');
  assert.equal(line.output(), 'five5more');
});

test('the waits between attempts grow, to a quarter of a minute at most', async () => {
  const line = openLine(() => 0);
  line.link.connect('take');
  const waits: number[] = [];
  for (let n = 0; n < 8; n++) {
    line.shuts(1006);
    await line.passes(0);
    const state = line.link.state;
    assert.ok(state.is === 'waiting' && state.until !== null);
    const before = waits.reduce((sum, wait) => sum + wait, 0);
    waits.push(state.until - before);
    await line.passes(waits.at(-1)!);
  }
  assert.deepEqual(waits, [400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
});

test('what is typed while the line is away is not sent later', async () => {
  const line = openLine();
  line.link.connect('take');
  line.attaches('own', 0);
  line.shuts(1006);
  assert.equal(line.link.type(new Uint8Array([13])), false);
  await line.passes(400);
  assert.equal(line.link.type(new Uint8Array([13])), false, 'not before it is attached');
  line.attaches('own', 0);
  assert.deepEqual(line.sockets[1]!.sent, []);
});

test('another window takes the keyboard: this one watches, and comes back as a watcher', async () => {
  const line = openLine();
  line.link.connect('take');
  line.attaches('own', 0);
  line.says({ type: 'taken' });
  assert.deepEqual(line.link.state, { is: 'watching', taken: true });
  assert.equal(line.link.type(new Uint8Array([13])), false);
  line.says({ type: 'size', cols: 132, rows: 43 });
  assert.deepEqual(line.sizes, ['132x43']);
  line.shuts(1006);
  await line.passes(400);
  assert.equal(queryOf(line.sockets[1]!)['mode'], 'watch');
  line.attaches('watch', 0);
  line.link.take();
  assert.deepEqual(queryOf(line.sockets[2]!), { mode: 'take', from: '0' });
});

test('an old socket that speaks up late is not heard', () => {
  const line = openLine();
  line.link.connect('take');
  line.attaches('own', 0);
  const old = line.sockets[0]!;
  line.link.take();
  line.attaches('own', 0);
  old.onmessage!.call(old as WebSocket, { data: new TextEncoder().encode('twice').buffer } as MessageEvent);
  old.onclose!.call(old as WebSocket, { code: 1000 } as CloseEvent);
  assert.equal(line.output(), '');
  assert.deepEqual(line.link.state, { is: 'own' });
});

for (const [code, how] of [
  [1000, 'exited'],
  [1011, 'gone'],
  [4004, 'gone'],
  [4003, 'refused'],
  [4008, 'limit'],
  [4009, 'refused'],
] as const) {
  test(`after close code ${code} it is over: ${how}`, async () => {
    const line = openLine();
    line.link.connect('take');
    line.attaches('own', 0);
    line.shuts(code, 'because');
    await line.passes(60_000);
    assert.equal(line.sockets.length, 1);
    assert.ok(line.link.state.is === 'ended');
    assert.equal(line.link.state.how, how);
  });
}

test('a gateway that restarts is waited for', async () => {
  const line = openLine();
  line.link.connect('take');
  line.attaches('own', 0);
  line.shuts(1001);
  assert.deepEqual(line.link.state, { is: 'waiting', why: 'restarting', until: 400 });
});

for (const [status, how] of [
  [401, 'signed-out'],
  [403, 'refused'],
  [404, 'gone'],
] as const) {
  test(`a handshake that fails while a look at the terminal says ${status}: ${how}`, async () => {
    const line = openLine(() => status);
    line.link.connect('take');
    line.shuts(1006);
    await line.passes(0);
    assert.ok(line.link.state.is === 'ended');
    assert.equal(line.link.state.how, how);
  });
}

test('a browser without a network tries again as soon as it has one', () => {
  const line = openLine();
  line.link.connect('take');
  line.attaches('own', 0);
  line.prints('12345');
  line.link.offline();
  assert.deepEqual(line.link.state, { is: 'waiting', why: 'offline', until: null });
  line.link.online();
  assert.equal(queryOf(line.sockets[1]!)['from'], '5');
});

test('a shell that is another under the same name is shown anew', () => {
  const line = openLine();
  line.link.connect('take');
  line.attaches('own', 0);
  line.prints('the old one');
  line.link.offline();
  line.link.online();
  line.opens();
  line.says({ type: 'attached', mode: 'own', from: 0, to: 3, lost: 0, cols: null, rows: null });
  line.prints('new');
  assert.equal(line.output(), 'new');
  assert.deepEqual(line.kept, [0, 3]);
});
