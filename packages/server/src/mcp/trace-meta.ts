import { type Message, metaOf, type Request } from './json-rpc.ts';

/** W3C Trace Context and Baggage, as MCP writes them in `_meta` and HTTP in headers. */
const NAMES = ['traceparent', 'tracestate', 'baggage'];

/**
 * A request that becomes one of ours, with the trace that it came in: what `forward` would have sent on is what its server hears of it.
 * @param headers names (lower case) and values in turn
 */
export function traced(request: Request, headers: readonly string[]): Request {
  const found: Record<string, string> = {};
  for (let at = 0; at < headers.length; at += 2)
    if (NAMES.includes(headers[at]!)) found[headers[at]!] = headers[at + 1]!;
  if (found['traceparent'] === undefined) return request;
  const { params } = request;
  return { ...request, params: { ...params, _meta: { ...metaOf(params), ...found } } };
}

/** The same trace, for a server over HTTP. */
export function traceHeaders(message: Message | null): Record<string, string> {
  if (message === null || !('params' in message)) return {};
  const meta = metaOf(message.params);
  const headers: Record<string, string> = {};
  for (const name of NAMES) {
    const value = meta[name];
    // It goes into a header: visible ASCII and spaces, and no more of it than a header may have.
    if (typeof value === 'string' && /^[\x20-\x7e]{1,2048}$/.test(value)) headers[name] = value;
  }
  return headers;
}
