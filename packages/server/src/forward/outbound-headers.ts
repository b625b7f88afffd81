import type { TraceHeaders } from '../platform/trace/tracer.ts';
import type { Credential } from '../terms/credential.ts';
import type { UpstreamKind } from '../terms/upstream.ts';

/** What any upstream may be told by the client. Everything else stays here (rule 2). */
const COMMON = [
  'accept',
  'accept-encoding',
  'accept-language',
  'baggage',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'prefer',
  'range',
  'traceparent',
  'tracestate',
  'user-agent',
];
const OPENAI = [
  'openai-beta',
  'openai-organization',
  'openai-project',
  'anthropic-beta',
  'anthropic-version',
  'http-referer',
  'x-title',
];
/** Messages and answers are read on their way, so they come as they are. */
const MCP = ['last-event-id', 'mcp-method', 'mcp-name', 'mcp-protocol-version', 'mcp-session-id'];
const WEB = ['content-disposition', 'content-md5', 'digest', 'last-event-id', 'pragma', 'x-requested-with'];

const ALLOWED: Record<UpstreamKind, ReadonlySet<string>> = {
  openai: new Set([...COMMON, ...OPENAI]),
  openapi: new Set([...COMMON, ...WEB]),
  http: new Set([...COMMON, ...WEB]),
  mcp: new Set([...COMMON, ...MCP].filter(name => !name.endsWith('-encoding'))),
  terminal: new Set([...COMMON, ...WEB, 'x-session-id', 'x-terminal-context-id']),
};

/** Headers of which a second one is no addition but a contradiction; the first counts, as it did when the request was authorized. */
const SINGLE = new Set([
  'content-type',
  'content-encoding',
  'idempotency-key',
  'range',
  'traceparent',
  'user-agent',
]);

/** The official SDKs' telemetry. */
const STAINLESS = 'x-stainless-';
/** Parameters that a tool's schema wants repeated (MCP, Streamable HTTP, "Custom Headers from Tool Parameters"). */
const MCP_PARAM = 'mcp-param-';

const PREFIXED: Partial<Record<UpstreamKind, string>> = { openai: STAINLESS, mcp: MCP_PARAM };

/**
 * The headers an upstream gets: of the client's an allowlist by kind, less what `Connection` names (RFC 9110 section 7.6.1), then ours.
 * @param rawHeaders names and values in turn, as received
 * @param connection the client's `Connection` header
 * @param requestId by which the upstream's log can be compared with ours
 * @param trace where the call is recorded, in place of what the client says of its trace; else that passes as it is
 */
export function outboundHeaders(
  kind: UpstreamKind,
  rawHeaders: readonly string[],
  connection: string | undefined,
  credential: Credential | null,
  requestId: string,
  trace: TraceHeaders | null,
): string[] {
  const allowed = ALLOWED[kind];
  const prefix = PREFIXED[kind];
  const hop = hopHeaders(connection);
  const ours = credential?.header;
  const out: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!allowed.has(name) && (prefix === undefined || !name.startsWith(prefix))) continue;
    if (name === ours || hop?.has(name)) continue;
    if (trace !== null && (name === 'traceparent' || (name === 'tracestate' && !trace.continued))) continue;
    if (SINGLE.has(name) && has(out, name)) continue;
    const value = rawHeaders[i + 1]!;
    // What was read as UTF-8 (RFC 8259 section 8.1) is not to be read as anything else.
    out.push(name, kind === 'mcp' && name === 'content-type' ? value.split(';', 1)[0]! : value);
  }
  if (trace !== null) out.push('traceparent', trace.traceparent);
  out.push('x-request-id', requestId);
  if (credential !== null) out.push(credential.header, credential.value);
  return out;
}

function hopHeaders(connection: string | undefined): Set<string> | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  return new Set(connection.split(',').map(name => name.trim().toLowerCase()));
}

function has(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
}
