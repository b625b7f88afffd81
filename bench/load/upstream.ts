import { createServer, type Socket } from 'node:net';
import { clockMicros } from './clock.ts';
import { MessageReader } from './http1.ts';

/**
 * What stands behind every candidate: canned answers off raw sockets, so that the candidate's cost is what is seen.
 *
 * - `…/small`, and everything else: 200 bytes of JSON
 * - `…/large`: 10 KB of JSON
 * - `…/events?rate=50`: an event stream; each event carries the time at which it was written (`rate=0`: one event, then silence)
 *
 * Prints its port. Ends with its parent.
 */
const SMALL = answer(json(200));
const LARGE = answer(json(10_240));
const STREAM = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n',
);
/** About what a model writes for one token. */
const EVENT_FILLER = JSON.stringify({
  id: 'chatcmpl-0',
  choices: [{ index: 0, delta: { content: 'token ' } }],
});

/** Streams by the millisecond of their period in which their event is due: the load is even, not in bursts. */
const rings = new Map<number, { slots: Set<Socket>[]; next: number }>();

const server = createServer({ noDelay: true }, socket => {
  let target = '';
  const reader = new MessageReader(
    {
      head(text) {
        target = text.slice(text.indexOf(' ') + 1, text.indexOf(' HTTP/'));
      },
      data() {},
      end() {
        if (target.includes('/events')) openStream(socket, Number(/rate=(\d+)/.exec(target)?.[1] ?? 0));
        else socket.write(target.endsWith('/large') ? LARGE : SMALL);
      },
    },
    'no-body',
  );
  socket.on('data', (bytes: Buffer) => reader.push(bytes));
  socket.on('error', () => socket.destroy());
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ ready: address.port });
});
process.on('disconnect', () => process.exit());

function openStream(socket: Socket, rate: number): void {
  socket.write(STREAM);
  socket.write(event());
  if (rate === 0) return;
  const slots = ringOf(1000 / rate).slots;
  const emptiest = slots.reduce((least, slot) => (slot.size < least.size ? slot : least));
  emptiest.add(socket);
  socket.once('close', () => emptiest.delete(socket));
}

function ringOf(period: number) {
  const known = rings.get(period);
  if (known) return known;
  const ring = {
    slots: Array.from({ length: Math.max(1, Math.round(period)) }, () => new Set<Socket>()),
    next: 0,
  };
  rings.set(period, ring);
  let at = performance.now();
  setInterval(() => {
    // A late timer makes up for the slots it has missed.
    for (; at <= performance.now(); at++) {
      for (const socket of ring.slots[ring.next]!) socket.write(event());
      ring.next = (ring.next + 1) % ring.slots.length;
    }
  }, 1);
  return ring;
}

function event(): string {
  const body = `data: ${clockMicros()} ${EVENT_FILLER}\n\n`;
  return `${body.length.toString(16)}\r\n${body}\r\n`;
}

function json(bytes: number): string {
  const of = (filler: string) =>
    JSON.stringify({
      id: 'chatcmpl-0',
      object: 'chat.completion',
      model: 'bench',
      choices: [{ index: 0, message: { role: 'assistant', content: filler } }],
    });
  return of('a'.repeat(bytes - of('').length));
}

function answer(body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}
