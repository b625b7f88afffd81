import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Fields } from '@sallyport/protocol/http2/fields.ts';
import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';
import { HEADER_BYTES, LINE_BYTES } from '@sallyport/protocol/limits.ts';
import { pathAllowed } from './allow.ts';
import { answerError, answerJson } from './answer.ts';
import { asRead } from './filtered-http.ts';
import { LocalCall, outbound } from './local-call.ts';
import { isSocket, openLocalSocket } from './local-socket.ts';
import type { HttpServed } from './settings.ts';
import { createToolFilter, filtersTools, type ToolFilter } from './tool-filter.ts';
import { wholeBody } from './whole-body.ts';

/** Takes calls of one server. */
export interface LocalServer extends AsyncDisposable {
  /** @param path what is behind the server's name, query included */
  handle(call: ServerStream, path: string): void;
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

  const open = (call: ServerStream, path: string, fields: Fields, length: number | null) =>
    send({
      ...at,
      method: call.head.method,
      path: `${base}${path}` || '/',
      headers: outbound(call.head.method, fields, served.url.host, length),
      ...(connect === undefined ? { agent } : { createConnection: connect }),
    });

  function openSocket(call: ServerStream, path: string): void {
    // What is in an MCP server's WebSocket no rule of tools would see.
    if (served.kind === 'mcp') answerError(call, 'not-allowed');
    else
      openLocalSocket(call, served.url.host, headers =>
        send({
          ...at,
          path: `${base}${path}` || '/',
          headers,
          ...(connect === undefined ? { agent: false } : { createConnection: connect }),
        }),
      );
  }

  /** A body is read whole, and only what the rules let through goes on. */
  async function openFiltered(call: ServerStream, path: string, filter: ToolFilter): Promise<void> {
    const text = await wholeBody(call, LINE_BYTES);
    if (text === null) return answerError(call, 'failed');
    if (call.closed) return;
    const { pass, answers } = text === '' ? { pass: '', answers: [] } : filter.down(text);
    // Of several messages in one body (MCP 2025-03-26) none goes on when one may not.
    if (answers.length > 0 || pass === null)
      return answerJson(call, 200, answers.length === 1 ? answers[0]! : `[${answers.join(',')}]`);
    const request = open(call, path, asRead(call.head.fields), Buffer.byteLength(pass));
    new LocalCall(call, request, filter);
    request.end(pass);
  }

  return {
    handle(call, target) {
      // An MCP server is at its own URL and at no other: `/mcp/` is not `/mcp`.
      const path = served.kind === 'mcp' ? target.replace(/^\/(?=\?|$)/, '') : target;
      if (!pathAllowed(served.allow, path)) answerError(call, 'not-allowed');
      else if (isSocket(call)) openSocket(call, path);
      else if (filter !== null) openFiltered(call, path, filter).catch(() => answerError(call, 'failed'));
      else {
        new LocalCall(call, open(call, path, call.head.fields, call.came ? 0 : null), null);
        call.resume();
      }
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
    },
  };
}
