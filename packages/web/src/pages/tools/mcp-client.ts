import { encodeHeader } from './param-headers.ts';
import { readEvents } from './read-events.ts';

/** The modern era: each request says its version and what we can do, so there is no session to keep. */
const VERSION = '2026-07-28';
const META = 'io.modelcontextprotocol/';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** What the server, or the gateway before it, answered instead of a result. */
export class McpError extends Error {
  readonly code: number | null;
  readonly data: Json | undefined;

  constructor(message: string, code: number | null = null, data?: Json) {
    super(message);
    this.name = 'McpError';
    this.code = code;
    this.data = data;
  }
}

/** One message on the wire. */
export interface Exchanged {
  /** In the order in which they went. */
  readonly n: number;
  readonly way: 'sent' | 'received';
  /** Epoch milliseconds. */
  readonly at: number;
  readonly message: JsonObject;
}

export interface McpClient {
  /**
   * @param headers what the tool wants repeated there
   * @throws McpError
   */
  request(
    method: string,
    params: JsonObject,
    options: {
      signal: AbortSignal;
      headers?: Record<string, string>;
      /** Hears each message of this request, either way. */
      exchanged?: (message: Exchanged) => void;
    },
  ): Promise<JsonObject>;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A client of one MCP endpoint of this gateway, with the session of this browser. @param exchanged hears each message, either way */
export function createMcpClient(endpoint: string, exchanged: (message: Exchanged) => void): McpClient {
  let lastId = 0;
  let n = 0;

  return {
    async request(method, params, { signal, headers = {}, ...options }) {
      const tell = (way: Exchanged['way'], message: JsonObject) => {
        const one = { n: ++n, way, at: Date.now(), message };
        exchanged(one);
        options.exchanged?.(one);
      };
      const id = ++lastId;
      const _meta = {
        [`${META}protocolVersion`]: VERSION,
        [`${META}clientInfo`]: { name: 'sallyport-console', version: '1' },
        [`${META}clientCapabilities`]: { elicitation: { form: {} } },
        ...(method === 'tools/call' && { progressToken: id, [`${META}logLevel`]: 'info' }),
      };
      const message = { jsonrpc: '2.0', id, method, params: { ...params, _meta } };
      tell('sent', message);
      const response = await fetch(endpoint, {
        method: 'POST',
        credentials: 'same-origin',
        signal,
        headers: {
          ...headers,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': VERSION,
          'mcp-method': method,
          ...(typeof params['name'] === 'string' && { 'mcp-name': encodeHeader(params['name']) }),
        },
        body: JSON.stringify(message),
      });
      for await (const text of textsOf(response)) {
        const answer = parsed(text);
        if (answer === null) continue;
        tell('received', answer);
        if (isObject(answer['error'])) throw errorOf(answer['error']);
        if (isObject(answer['result'])) return answer['result'];
        if (!response.ok)
          throw new McpError(String(answer['detail'] ?? `The gateway answered ${response.status}.`));
      }
      throw new McpError(
        response.ok ? 'The answer ended before the result came.' : `The gateway answered ${response.status}.`,
      );
    },
  };
}

async function* textsOf(response: Response): AsyncGenerator<string> {
  const streamed = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (streamed && response.body !== null) yield* readEvents(response.body);
  else yield await response.text();
}

function parsed(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function errorOf({ message, code, data }: JsonObject): McpError {
  return new McpError(String(message), typeof code === 'number' ? code : null, data);
}
