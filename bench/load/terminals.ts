import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { clockMicros } from './clock.ts';

/**
 * A terminal server that does as little as one can (open-terminal's wire), and clients of it, in one process: what stands between them is what is
 * measured. A keystroke is echoed; `B` prints 64 MB of one letter, `L` of a listing, in colours. Asked and answered over IPC.
 */
export type TerminalJob =
  | {
      readonly kind: 'echo';
      readonly url: string;
      readonly origin: string;
      readonly cookie: string;
      readonly count: number;
    }
  | {
      readonly kind: 'bulk';
      readonly url: string;
      readonly origin: string;
      readonly cookie: string;
      readonly what: 'letter' | 'listing';
    }
  | {
      readonly kind: 'hold';
      readonly urls: readonly string[];
      readonly origin: string;
      readonly cookie: string;
    };

export interface TerminalsSeen {
  /** Microseconds from a keystroke to its echo. */
  readonly p50: number;
  readonly p99: number;
  readonly megabytesPerSecond: number;
  readonly open: number;
}

const NOTHING: TerminalsSeen = { p50: Number.NaN, p99: Number.NaN, megabytesPerSecond: Number.NaN, open: 0 };
const PIECE = 16 * 1024;
const LETTER = [Buffer.alloc(PIECE, 'a')];
const LISTING = listing(64);
const BULK = 64 * 2 ** 20;
let made = 0;

const server = createServer((req, res) => {
  if (req.method !== 'POST') return res.writeHead(404).end();
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ id: `t${++made}`, created_at: new Date().toISOString(), pid: made }));
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', socket => {
  socket.on('message', (data: Buffer, binary) => {
    if (!binary) return;
    if (data[0] === 0x42) void print(socket, LETTER);
    else if (data[0] === 0x4c) void print(socket, LISTING);
    else socket.send(data);
  });
});

async function print(socket: WebSocket, pieces: readonly Buffer[]): Promise<void> {
  for (let n = 0; n * PIECE < BULK && socket.readyState === WebSocket.OPEN; n++) {
    const piece = pieces[n % pieces.length]!;
    if (socket.bufferedAmount > 1024 * 1024) await new Promise(resolve => socket.send(piece, resolve));
    else socket.send(piece);
  }
}

/** Names, sizes and times that are no two the same, as `ls -l` prints them: always the same. */
function listing(count: number): Buffer[] {
  let seed = 1;
  const below = (most: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % most;
  };
  let text = '';
  while (text.length < count * PIECE) {
    const name = `${below(2 ** 31).toString(36)}-${['data', 'report', 'image', 'backup'][below(4)]}.${['txt', 'log', 'png'][below(3)]}`;
    text += `-rw-r--r-- 1 ada staff ${String(below(10 ** 7)).padStart(8)} Nov ${10 + below(20)} ${10 + below(14)}:${10 + below(50)} \x1b[01;3${below(8)}m${name}\x1b[0m\r\n`;
  }
  const whole = Buffer.from(text);
  return Array.from({ length: count }, (_, n) => whole.subarray(n * PIECE, (n + 1) * PIECE));
}

async function open(url: string, { origin, cookie }: { origin: string; cookie: string }): Promise<WebSocket> {
  const socket = new WebSocket(url, { origin, headers: { cookie }, perMessageDeflate: false });
  await once(socket, 'open');
  return socket;
}

async function run(job: TerminalJob): Promise<TerminalsSeen> {
  if (job.kind === 'hold') {
    let count = 0;
    for (const url of job.urls) {
      const socket = await open(url, job);
      socket.send(Buffer.from('k'));
      await once(socket, 'message');
      count += 1;
    }
    return { ...NOTHING, open: count };
  }
  const socket = await open(job.url, job);
  // Servers want this first; ours here does not mind.
  socket.send(JSON.stringify({ type: 'auth', token: 'x' }));
  try {
    if (job.kind === 'echo') {
      const times: number[] = [];
      for (let n = 0; n < job.count; n++) {
        const begun = clockMicros();
        socket.send(Buffer.from('k'));
        await once(socket, 'message');
        times.push(clockMicros() - begun);
      }
      const sorted = Float64Array.from(times.slice(job.count / 4)).sort();
      return { ...NOTHING, p50: sorted[sorted.length >> 1]!, p99: sorted[Math.floor(sorted.length * 0.99)]! };
    }
    const begun = clockMicros();
    let came = 0;
    socket.send(Buffer.from(job.what === 'letter' ? 'B' : 'L'));
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        came += data.length;
        if (came >= BULK) resolve();
      });
      socket.on('close', (code: number) => reject(new Error(`closed with ${code} after ${came} bytes`)));
    });
    return { ...NOTHING, megabytesPerSecond: came / (clockMicros() - begun) };
  } finally {
    socket.removeAllListeners('close').terminate();
  }
}

process.on('message', (job: TerminalJob) => {
  run(job).then(
    seen => process.send!({ seen }),
    (error: Error) => process.send!({ failed: error.message }),
  );
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send!({ ready: (server.address() as { port: number }).port }));
