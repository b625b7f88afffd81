import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { type Clock, startHeartbeat } from '@sallyport/protocol/heartbeat.ts';
import type { Hello } from '@sallyport/protocol/hello.ts';
import {
  DEAD_AFTER,
  DOCUMENT_BYTES,
  HELLO_PATH,
  NOTICE_PATH,
  SETTINGS,
  TUNNEL_WINDOW,
} from '@sallyport/protocol/limits.ts';
import { type Notice, parseNotice } from '@sallyport/protocol/notice.ts';
import { shareWindow } from '@sallyport/protocol/share-window.ts';
import { answerError, answerJson } from './answer.ts';
import type { LocalServer } from './local-http.ts';

/** `/{server}` and what is behind it. */
const TARGET = /^\/([a-z0-9][a-z0-9._-]{0,62})([/?].*)?$/;
/** Bytes that node:http2 may hold, MB. */
const SESSION_MEMORY = 64;
/**
 * Calls that may be cancelled at once, and in each second. nghttp2 takes more than 1,000 for an attack (CVE-2023-44487) and ends the connection; behind a gateway they
 * are many people's, and one who breaks off a lot would be the end of everybody's calls.
 */
const RESETS = 1_000_000;

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
  const session = performServerHandshake(stream, {
    settings: { ...SETTINGS, enableConnectProtocol: true },
    maxSessionMemory: SESSION_MEMORY,
    streamResetBurst: RESETS,
    streamResetRate: RESETS,
  });
  session.setLocalWindowSize(TUNNEL_WINDOW);
  const share = shareWindow(session);
  let calls = 0;
  const stopHeartbeat = startHeartbeat({
    session,
    stream,
    clock: deps.clock,
    dead: () => end(`nothing was heard of the gateway for ${DEAD_AFTER / 1000} s`),
  });
  session.on('stream', answer);
  session.on('error', error => end(`the connection failed (${error.message})`));
  session.on('close', () => end('the connection was closed'));
  stream.on('close', () => end('the connection was closed'));
  stream.on('error', error => end(`the connection failed (${error.message})`));

  function end(reason: string): void {
    stopHeartbeat();
    resolve(reason);
    session.destroy();
    stream.destroy();
  }

  function answer(call: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    share(++calls);
    call.on('close', () => share(--calls));
    const path = headers[':path'] ?? '/';
    const match = TARGET.exec(path);
    const server = match === null ? undefined : servers.get(match[1]!);
    if (path === HELLO_PATH) answerJson(call, hello);
    else if (path === NOTICE_PATH) void readNotice(call);
    else if (server === undefined) answerError(call, 'no-server');
    else server.handle(call, headers, match![2] ?? '');
  }

  async function readNotice(call: ServerHttp2Stream): Promise<void> {
    call.setEncoding('utf8');
    let text = '';
    try {
      for await (const piece of call.iterator({ destroyOnReturn: false })) {
        text += piece;
        if (text.length > DOCUMENT_BYTES) break;
      }
    } catch {
      return;
    }
    const notice = parseNotice(text);
    if (notice !== null) noticed(notice);
    if (!call.destroyed) call.respond({ ':status': constants.HTTP_STATUS_NO_CONTENT }, { endStream: true });
  }

  return {
    ended,
    end,
    async drain() {
      if (!session.closed) session.close();
      await ended;
    },
  };
}
