import { MAX_SERVERS } from './limits.ts';

/**
 * `mcp`: an MCP server over Streamable HTTP. `http`: any other HTTP server. `stdio`: an MCP server that is a local program.
 * `terminal`: a terminal server over WebSocket.
 */
export type ServerKind = 'mcp' | 'http' | 'stdio' | 'terminal';

/** Who shares a program: everybody, one person's calls, one session's calls. */
export type Isolation = 'shared' | 'principal' | 'session';

export interface ServedServer {
  /** Lower case letters, digits, dot, dash, underscore; 63 characters at most. */
  readonly name: string;
  readonly kind: ServerKind;
  /** Only means something for `stdio`. */
  readonly isolate: Isolation;
  readonly title: string | null;
  readonly description: string | null;
}

/** What an agent says of itself, answering `GET /.sallyport/hello`. */
export interface Hello {
  readonly protocol: 1;
  readonly agent: {
    readonly name: string;
    readonly version: string;
    /** Random for each run: tells a program that came back from another one of the same name. */
    readonly instance: string;
  };
  readonly servers: readonly ServedServer[];
}

export const SERVER_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const KINDS = new Set<unknown>(['mcp', 'http', 'stdio', 'terminal']);
const ISOLATIONS = new Set<unknown>(['shared', 'principal', 'session']);

/** A hello that does not hold; the message is for whoever wrote the agent. */
export class HelloError extends Error {
  override readonly name = 'HelloError';
}

/** Unknown fields are passed over: they are a later version's. @throws HelloError */
export function parseHello(text: string): Hello {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new HelloError('it is no JSON');
  }
  const hello = objectIn(document, 'it');
  if (hello['protocol'] !== 1) throw new HelloError('protocol: expected 1');
  const agent = objectIn(hello['agent'], 'agent');
  const { servers } = hello;
  if (!Array.isArray(servers) || servers.length === 0 || servers.length > MAX_SERVERS)
    throw new HelloError(`servers: expected a list of 1 to ${MAX_SERVERS}`);
  const read = servers.map((server, index) => readServer(server, `servers[${index}]`));
  const names = new Set(read.map(({ name }) => name));
  if (names.size < read.length) throw new HelloError('servers: two have the same name');
  return {
    protocol: 1,
    agent: {
      name: textIn(agent['name'], 'agent.name', 100),
      version: textIn(agent['version'], 'agent.version', 100),
      instance: textIn(agent['instance'], 'agent.instance', 100),
    },
    servers: read,
  };
}

function readServer(value: unknown, where: string): ServedServer {
  const server = objectIn(value, where);
  const { name, kind, isolate = 'shared' } = server;
  if (typeof name !== 'string' || !SERVER_NAME.test(name))
    throw new HelloError(`${where}.name: expected ${SERVER_NAME.source}`);
  if (!KINDS.has(kind)) throw new HelloError(`${where}.kind: expected one of ${[...KINDS].join(', ')}`);
  if (!ISOLATIONS.has(isolate))
    throw new HelloError(`${where}.isolate: expected one of ${[...ISOLATIONS].join(', ')}`);
  return {
    name,
    kind: kind as ServerKind,
    isolate: isolate as Isolation,
    title: optionalText(server['title'], `${where}.title`, 200),
    description: optionalText(server['description'], `${where}.description`, 2_000),
  };
}

function objectIn(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HelloError(`${where}: expected an object`);
  return value as Record<string, unknown>;
}

function textIn(value: unknown, where: string, most: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > most)
    throw new HelloError(`${where}: expected a text of at most ${most} characters`);
  return value;
}

const optionalText = (value: unknown, where: string, most: number): string | null =>
  value === undefined || value === null ? null : textIn(value, where, most);
