import type { Isolation } from '@sallyport/protocol/hello.ts';

/** What the person at this end lets through, whatever the gateway asks for. Empty lists allow all; a denial wins. */
export interface AllowRules {
  readonly tools: readonly string[];
  readonly deniedTools: readonly string[];
  /** Paths, and with each everything below it; only of HTTP servers. */
  readonly paths: readonly string[];
}

interface Served {
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly allow: AllowRules;
}

/** A server over HTTP: `mcp` speaks Streamable HTTP, `http` is any other. */
export interface HttpServed extends Served {
  readonly kind: 'mcp' | 'http';
  /** Where it is; requests go behind its path. */
  readonly url: URL;
}

/** A program that speaks MCP on its standard input and output. */
export interface StdioServed extends Served {
  readonly kind: 'stdio';
  readonly command: readonly [string, ...string[]];
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly isolate: Isolation;
  /** Milliseconds without a call after which a process that is not shared is stopped. */
  readonly idle: number;
  /** Processes at once. */
  readonly most: number;
}

/** Shells of this account. */
export interface TerminalServed extends Served {
  readonly kind: 'terminal';
}

export type ServedSettings = HttpServed | StdioServed | TerminalServed;

/** One gateway, and what it gets. */
export interface GatewaySettings {
  readonly url: URL;
  /** Read anew for each connection, so that a file may be renewed. */
  readonly key: () => Promise<string>;
  readonly servers: readonly [ServedSettings, ...ServedSettings[]];
}

export interface Settings {
  readonly gateways: readonly GatewaySettings[];
  /** Certificates of an own authority, PEM; null for the system's. */
  readonly ca: string | null;
  readonly json: boolean;
  /** `host:port` of GET /healthz; null for none. */
  readonly health: { readonly host: string; readonly port: number } | null;
}

/** Something in the settings that a person has to mend. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}
