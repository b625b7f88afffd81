import { connect, type Socket } from 'node:net';
import { clockMicros } from './clock.ts';
import { MessageReader } from './http1.ts';
import type { Job, Seen } from './job.ts';
import { Window } from './window.ts';

/** Opening thousands at once would measure the accept queue. */
const OPENING_AT_ONCE = 100;
/** Milliseconds without a first event, after which the candidate is taken to be full and no more are opened. */
const PATIENCE = 5_000;

/** Many event streams whose events say when they were written. */
export async function streamEvents(job: Job): Promise<Seen> {
  const window = new Window(job);
  const streams = await openStreams(
    job,
    micros => window.count(micros),
    () => window.fail(),
  );
  const seen = await window.measure();
  streams.close();
  return seen;
}

/** @returns the open streams, each of which has shown its first event */
export async function openStreams(job: Job, event: (micros: number) => void, failed: () => void) {
  const sockets: Socket[] = [];
  let closing = false;
  let next = 0;
  let full = false;
  let opened = 0;

  async function openSome(): Promise<void> {
    while (next < job.connections && !full) {
      next++;
      await openOne();
    }
  }

  function openOne(): Promise<void> {
    return new Promise(resolve => {
      const socket = connect({ host: '127.0.0.1', port: job.port, noDelay: true });
      sockets.push(socket);
      let line = '';
      let first = true;
      const patience = setTimeout(() => {
        full = true;
        failed();
        resolve();
      }, PATIENCE);
      const reader = new MessageReader(
        {
          head(text) {
            if (!text.startsWith('200', 9)) failed();
          },
          data(bytes) {
            const now = clockMicros();
            const lines = (line + bytes.toString('latin1')).split('\n');
            line = lines.pop()!;
            for (const one of lines) {
              if (one.startsWith('data: ')) event(now - Number.parseInt(one.slice(6), 10));
            }
            if (!first) return;
            first = false;
            opened++;
            clearTimeout(patience);
            resolve();
          },
          end: failed,
        },
        'until-close',
      );
      socket.on('data', (bytes: Buffer) => reader.push(bytes));
      socket.on('error', () => {});
      socket.on('close', () => {
        clearTimeout(patience);
        if (!closing) failed();
        resolve();
      });
      socket.write(job.request as string);
    });
  }

  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, openSome));
  return {
    opened: () => opened,
    close() {
      closing = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
