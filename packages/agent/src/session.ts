import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { type Clock, startHeartbeat } from '@sallyport/protocol/heartbeat.ts';
import type { Hello } from '@sallyport/protocol/hello.ts';
import { Http2Server } from '@sallyport/protocol/http2/server.ts';
import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';
import {
  ANNOUNCED,
  DEAD_AFTER,
  DOCUMENT_BYTES,
  HELLO_PATH,
  NOTICE_PATH,
} from '@sallyport/protocol/limits.ts';
import { type Notice, parseNotice } from '@sallyport/protocol/notice.ts';
import { shareWindow } from '@sallyport/protocol/share-window.ts';
import { answerError, answerJson } from './answer.ts';
import type { LocalServer } from './local-http.ts';
import { wholeBody } from './whole-body.ts';

/** `/{server}` and what is behind it. */
const TARGET = /^\/([a-z0-9][a-z0-9._-]{0,62})([/?].*)?$/;
const NO_CONTENT = 204;

export interface Session {
  /** Resolves with why, when it is over. */
  readonly ended: Promise<string>;
  /** Takes nothing new; resolves when what is under way has ended. */
  drain(): Promise<void>;
  end(reason: string): void;
}

/** One connection to a gateway: HTTP/2 over its byte stream, with this end as the server. */
export function openSession(deps: {
  stream: ByteStream;
  hello: Hello;
  servers: ReadonlyMap<string, LocalServer>;
  clock: Clock;
  noticed(notice: Notice): void;
}): Session {
  const { stream, hello, servers, noticed } = deps;
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const server = new Http2Server(ANNOUNCED, {
    send: (bytes, done) => void stream.write(bytes, error => error == null && done()),
    asked: answer,
    left: () => share(--calls),
    settled: () => settled(),
    broken: why => end(`the connection failed (${why})`),
  });
  let calls = 0;
  let settled = () => {};
  const share = shareWindow({
    settings: ({ initialWindowSize }) => server.setStreamWindow(initialWindowSize),
    on: (_event, listener) => {
      settled = listener;
    },
    get pendingSettingsAck() {
      return server.unsettled;
    },
    get destroyed() {
      return server.destroyed;
    },
  });
  const stopHeartbeat = startHeartbeat({
    session: server,
    stream,
    clock: deps.clock,
    dead: () => end(`nothing was heard of the gateway for ${DEAD_AFTER / 1000} s`),
  });
  stream.on('data', (bytes: Buffer) => server.received(bytes));
  stream.on('close', () => end('the connection was closed'));
  stream.on('error', error => end(`the connection failed (${error.message})`));

  function end(reason: string): void {
    stopHeartbeat();
    resolve(reason);
    server.destroy(reason);
    stream.destroy();
  }

  function answer(call: ServerStream): void {
    share(++calls);
    const { path } = call.head;
    const match = TARGET.exec(path);
    const local = match === null ? undefined : servers.get(match[1]!);
    if (path === HELLO_PATH) answerJson(call, 200, JSON.stringify(hello));
    else if (path === NOTICE_PATH) void readNotice(call);
    else if (local === undefined) answerError(call, 'no-server');
    else
      try {
        local.handle(call, match![2] ?? '');
      } catch {
        // What no local server can be asked ends no other call.
        answerError(call, 'failed');
      }
  }

  async function readNotice(call: ServerStream): Promise<void> {
    const text = await wholeBody(call, DOCUMENT_BYTES);
    const notice = text === null ? null : parseNotice(text);
    if (notice !== null) noticed(notice);
    if (!call.closed) call.respond(NO_CONTENT, [], true);
  }

  return {
    ended,
    end,
    async drain() {
      server.drain();
      await ended;
    },
  };
}
