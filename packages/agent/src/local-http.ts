import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import { AGENT_ERROR } from '@sallyport/protocol/agent-error.ts';
import { HEADER_BYTES } from '@sallyport/protocol/limits.ts';
import { pathAllowed } from './allow.ts';
import { answerError } from './answer.ts';
import { asRead, passFiltered, wholeBody, withoutLength } from './filtered-http.ts';
import { isSocket, openLocalSocket } from './local-socket.ts';
import type { HttpServed } from './settings.ts';
import { createToolFilter, filtersTools, type ToolFilter } from './tool-filter.ts';

/** This hop's own (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2), and what only an agent may say. */
const NEVER = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  AGENT_ERROR,
]);
/** They have no body, whatever is said of its length. */
const BODILESS = new Set([204, 205, 304]);

/** Takes calls of one server. */
export interface LocalServer extends AsyncDisposable {
  /** @param path what is behind the server's name, query included */
  handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, path: string): void;
}

/**
 * A server over HTTP on this machine or beside it: requests pass as they are, both ways at the other's pace.
 * @param connect opens connections, where not over the network
 */
export function createLocalHttp(served: HttpServed, connect?: () => Duplex): LocalServer {
  const secure = served.url.protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const send = secure ? requestHttps : requestHttp;
  const filter = served.kind === 'mcp' && filtersTools(served.allow) ? createToolFilter(served.allow) : null;
  const base = served.url.pathname.replace(/\/$/, '');

  const at = {
    protocol: served.url.protocol,
    hostname: served.url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: served.url.port,
    maxHeaderSize: HEADER_BYTES,
  };

  function openSocket(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, path: string): void {
    // What is in an MCP server's WebSocket no rule of tools would see.
    if (served.kind === 'mcp') answerError(stream, 'not-allowed');
    else
      openLocalSocket(stream, headers, served.url.host, own =>
        send({
          ...at,
          path: `${base}${path}` || '/',
          headers: own,
          ...(connect === undefined ? { agent: false } : { createConnection: connect }),
        }),
      );
  }

  return {
    handle(stream, headers, target) {
      stream.on('error', () => {});
      // An MCP server is at its own URL and at no other: `/mcp/` is not `/mcp`.
      const path = served.kind === 'mcp' ? target.replace(/^\/(?=\?|$)/, '') : target;
      if (!pathAllowed(served.allow, path)) return answerError(stream, 'not-allowed');
      if (isSocket(headers)) return openSocket(stream, headers, path);
      const method = headers[':method'] ?? 'GET';
      if (filter !== null) headers = asRead(headers);
      const request = send({
        ...at,
        method,
        path: `${base}${path}` || '/',
        headers: outbound(headers, served.url.host),
        ...(connect === undefined ? { agent } : { createConnection: connect }),
      });
      if (filter === null) {
        stream.pipe(request);
        relay(stream, request, method, pump);
      } else void sendFiltered(stream, request, method, filter);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
    },
  };
}

/** A body is read whole, and only what the rules let through goes on. */
async function sendFiltered(
  stream: ServerHttp2Stream,
  request: ClientRequest,
  method: string,
  filter: ToolFilter,
): Promise<void> {
  relay(stream, request, method, (response, to) => void passFiltered(response, to, filter), withoutLength);
  const text = await wholeBody(stream);
  if (text === null) {
    request.destroy();
    if (!stream.destroyed) answerError(stream, 'failed');
    return;
  }
  const { pass, answers } = text === '' ? { pass: '', answers: [] } : filter.down(text);
  if (answers.length === 0 && pass !== null) {
    request.end(pass);
    return;
  }
  // Of several messages in one body (MCP 2025-03-26) none goes on when one may not.
  request.removeAllListeners('error').on('error', () => {});
  request.destroy();
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/json' });
  stream.end(answers.length === 1 ? answers[0] : `[${answers.join(',')}]`);
}

function relay(
  stream: ServerHttp2Stream,
  request: ClientRequest,
  method: string,
  pass: (response: IncomingMessage, stream: ServerHttp2Stream) => void,
  headersOf: (headers: IncomingHttpHeaders) => IncomingHttpHeaders = asTheyAre,
): void {
  // A stream that was reset ends as well as it closes: first of all it is `aborted`, and then nothing of it may look whole.
  stream.on('aborted', () => request.destroy());
  stream.on('close', () => request.destroy());
  let reached = false;
  request.on('socket', socket => {
    if (!socket.connecting) reached = true;
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => (reached = true));
  });
  // Whoever hears that a server cannot be reached may ask again: what got as far as a connection may have been acted upon.
  request.on('error', () => answerError(stream, reached ? 'failed' : 'unreachable'));
  request.on('response', response => {
    if (stream.destroyed) return response.destroy();
    const status = response.statusCode!;
    const endStream = method === 'HEAD' || BODILESS.has(status);
    const trailing = response.headers.trailer !== undefined;
    try {
      stream.respond(
        { ':status': status, ...inbound(headersOf(response.headers)) },
        { endStream, waitForTrailers: trailing },
      );
    } catch {
      // A head that HTTP/2 cannot carry.
      response.destroy();
      return answerError(stream, 'failed');
    }
    if (trailing) stream.on('wantTrailers', () => stream.sendTrailers(inbound(response.trailers)));
    if (endStream) response.resume();
    else pass(response, stream);
  });
}

/** Not by `pipe` alone: what broke off must not look whole. */
function pump(response: IncomingMessage, stream: ServerHttp2Stream): void {
  response.pipe(stream, { end: false });
  response.on('end', () => {
    if (response.complete) stream.end();
    else stream.destroy(new Error('broken off'));
  });
  response.on('error', () => stream.destroy(new Error('broken off')));
}

const asTheyAre = (headers: IncomingHttpHeaders): IncomingHttpHeaders => headers;

function outbound(headers: IncomingHttpHeaders, host: string): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = { host };
  for (const name in headers)
    if (!name.startsWith(':') && name !== 'host' && !NEVER.has(name)) out[name] = headers[name];
  return out;
}

function inbound(headers: NodeJS.Dict<string | string[]>): OutgoingHttpHeaders {
  const hop = String(headers['connection'] ?? '')
    .split(',')
    .map(name => name.trim().toLowerCase());
  const out: OutgoingHttpHeaders = {};
  for (const name in headers) if (!NEVER.has(name) && !hop.includes(name)) out[name] = headers[name];
  return out;
}
