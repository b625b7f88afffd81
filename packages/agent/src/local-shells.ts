import { request } from 'node:http';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { homedir } from 'node:os';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { LIMITS } from '@sallyport/shells/settings.ts';
import { createShells } from '@sallyport/shells/shells.ts';
import { answerError } from './answer.ts';
import { createLocalHttp, type LocalServer } from './local-http.ts';
import type { TerminalServed } from './settings.ts';

/** Of the handshake itself, or of the stream that carries it. */
const NOT_PASSED = /^(:|sec-websocket-(key|version|extensions)$|host$|connection$|upgrade$)/;

/** Shells of this account, as this person has them: with their environment, and what they leave running on purpose goes on. */
export function createLocalShells(
  served: TerminalServed,
  deps: { clock: Clock; env: NodeJS.ProcessEnv },
): LocalServer {
  const env = Object.entries(deps.env).filter(
    ([name, value]) => value !== undefined && !/^(SALLYPORT|REVERSE_PROXY)_/.test(name),
  );
  const { monotonic, sleep } = deps.clock;
  const shells = createShells({
    key: null,
    clock: { monotonic, sleep, now: () => Date.now() },
    settings: {
      shell: [deps.env['SHELL'] || '/bin/sh'],
      homes: null,
      env: { HOME: homedir(), ...(Object.fromEntries(env) as Record<string, string>) },
      account: null,
      privileges: true,
      lingers: true,
      isolate: 'none',
      network: true,
      limits: { ...LIMITS, processes: null, memory: null, cpu: null },
    },
  });
  const connect = () => shells.connect();
  const calls = createLocalHttp({ ...served, kind: 'http', url: new URL('http://shells') }, connect);

  return {
    handle(stream, headers, path) {
      if (headers[':protocol'] === 'websocket') openSocket(stream, headers, path);
      else calls.handle(stream, headers, path);
    },
    async [Symbol.asyncDispose]() {
      await shells[Symbol.asyncDispose]();
      await calls[Symbol.asyncDispose]();
    },
  };

  /** RFC 8441 section 5: a WebSocket is the data of a stream, whose head was its handshake. */
  function openSocket(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, path: string): void {
    stream.on('error', () => {});
    const passed: OutgoingHttpHeaders = {};
    for (const name in headers) if (!NOT_PASSED.test(name)) passed[name] = headers[name];
    const req = request({
      createConnection: connect,
      path,
      headers: {
        ...passed,
        host: 'shells',
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      },
    });
    req.on('error', () => answerError(stream, 'failed'));
    req.on('response', answer => {
      answer.resume();
      if (!stream.destroyed) stream.respond({ ':status': answer.statusCode! }, { endStream: true });
    });
    req.on('upgrade', (_answer, socket, head) => {
      if (stream.destroyed) return socket.destroy();
      stream.respond({ ':status': 200 });
      if (head.length > 0) stream.write(head);
      socket.pipe(stream);
      stream.pipe(socket);
      socket.on('error', () => stream.destroy());
      stream.on('close', () => socket.destroy());
    });
    req.end();
  }
}
