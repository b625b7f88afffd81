import type { ServerResponse } from 'node:http';

/** What the console fetches again. */
export type Topic =
  | 'sessions'
  | 'keys'
  | 'grants'
  | 'users'
  | 'upstreams'
  | 'providers'
  | 'tunnels'
  | 'terminals'
  | 'recordings'
  | 'audit';

export interface EventStream {
  /** Something under this topic is not what it was. */
  changed(topic: Topic): void;
  /** A comment, so that neither end nor anything between takes the line for dead. */
  beat(): void;
  /** Says that whoever reads this is no longer let in, and hangs up. */
  end(): void;
  /** Hangs up; the reader comes back to whoever answers then. */
  close(): void;
}

/**
 * Server-sent events on a response of node:http (WHATWG HTML, section 9.2). What a slow reader has not taken yet is told once: topics wait
 * as a set, so memory is bounded however long it sleeps.
 */
export function openEventStream(res: ServerResponse): EventStream {
  const waiting = new Set<Topic>();
  let full = false;

  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would gather the stream into buffers.
    'x-accel-buffering': 'no',
  });
  res.on('drain', () => {
    full = false;
    for (const topic of waiting) changed(topic);
  });
  write('retry: 1000\n\n');

  function write(text: string): void {
    if (!res.writableEnded && !res.destroyed) full = !res.write(text);
  }

  function changed(topic: Topic): void {
    if (full) {
      waiting.add(topic);
      return;
    }
    waiting.delete(topic);
    write(`event: change\ndata: {"topic":"${topic}"}\n\n`);
  }

  return {
    changed,
    beat() {
      if (!full) write(':\n\n');
    },
    end() {
      write('event: end\ndata: {}\n\n');
      res.end();
      // One that does not read would hold the line, and with it what was just taken away.
      if (full) res.destroy();
    },
    close: () => void res.end(),
  };
}
