import type { Secret } from '../platform/secret.ts';

export type UpstreamKind = 'openai' | 'mcp' | 'openapi' | 'terminal' | 'http';

/** Where a static key goes: `Authorization: Bearer …` unless another header is named. */
export interface StaticKey {
  readonly key: Secret;
  /** Header name, lower case. */
  readonly header: string;
  /** Put before the key with one space; empty for a bare value. */
  readonly scheme: string;
}

/** How an upstream's credential is made from a principal. */
export type CredentialRule =
  | { readonly use: 'none' }
  | ({ readonly use: 'key' } & StaticKey)
  | {
      readonly use: 'sign-in';
      readonly token: 'access_token' | 'id_token';
      /** Without it, each of the two tokens stands in for a missing other. */
      readonly strict: boolean;
      /** Only grants of this provider; null means the one the user signed in with. */
      readonly provider: string | null;
      /** Sent when the user has no usable grant; null denies. */
      readonly fallback: StaticKey | null;
      /** Whether `POST /api/v1/token` hands the token to its own user's programs. */
      readonly release: boolean;
    };

/** Who may use an upstream. All empty and `everyone` false: admins only. */
export interface AccessRule {
  readonly everyone: boolean;
  /** User ids or email addresses (lower case). */
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** Which of an MCP server's tools may be used; `*` in a glob stands for any run of characters. */
export interface ToolRule {
  /** Null: all of them. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

export interface ToolRules extends ToolRule {
  /** What holds for members of a group besides. */
  readonly groups: readonly (ToolRule & { readonly group: string })[];
}

/** How a terminal server is attached to, and how long a terminal outlives its client. Durations in milliseconds. */
export interface TerminalRules {
  /** How it wants to be shown the credential of a WebSocket; `auto` finds out, and puts it into the URL only where nothing else works. */
  readonly attach: 'auto' | 'message' | 'query';
  /** Of an orchestrator: the policy that its containers are made by; null for its default, and for other servers. */
  readonly policy: string | null;
  /** So long a terminal is kept open for a client that went. */
  readonly reattach: number;
  /** So long after nobody is attached to it any more it is deleted. */
  readonly orphanAfter: number;
  /** An attachment in which nothing is typed or printed for so long is closed. */
  readonly idle: number;
  /** An attachment is closed after so long, whatever happens in it. */
  readonly lifetime: number;
  /** Whether what happens in it is kept. */
  readonly record: boolean;
  /** Whether it runs on the gateway's own machine. */
  readonly embedded: boolean;
  /** How, where it does. */
  readonly shells?: ShellRules;
}

/** Shells on the gateway's own machine; null where nothing was said. */
export interface ShellRules {
  readonly isolate: 'none' | 'bubblewrap';
  readonly network: boolean;
  /** An account's name, or `uid:gid`. */
  readonly account: string | null;
  /** A directory that holds a home for each user. */
  readonly homes: string | null;
  readonly shell: readonly string[] | null;
  readonly limits: {
    readonly perUser?: number | undefined;
    readonly total?: number | undefined;
    /** Milliseconds. */
    readonly idle?: number | undefined;
    readonly processes?: number | undefined;
    /** Bytes. */
    readonly memory?: number | undefined;
    /** Milliseconds of processor time. */
    readonly cpu?: number | undefined;
  };
}

/** What holds where nothing else is said: a night between two working days ends what was forgotten. */
export const TERMINAL_RULES: TerminalRules = {
  attach: 'auto',
  policy: null,
  reattach: 10 * 60_000,
  orphanAfter: 10 * 60_000,
  idle: 8 * 60 * 60_000,
  lifetime: 24 * 60 * 60_000,
  record: false,
  embedded: false,
};

/** A destination. */
export interface Upstream {
  readonly id: string;
  readonly name: string;
  readonly kind: UpstreamKind;
  /** Base URL, without a trailing slash. */
  readonly url: URL;
  /** Globs over model names (`*` matches any run of characters); only for `openai`. */
  readonly models: readonly string[];
  readonly credential: CredentialRule;
  readonly access: AccessRule;
  /** Milliseconds until the response's head must have come. */
  readonly headersTimeout: number;
  /** Only for `mcp`. */
  readonly mcp?: {
    readonly tools: ToolRules;
    /** Whether the audit keeps what tools are called with. */
    readonly recordArguments: boolean;
  };
  /** Only for `terminal`. */
  readonly terminal?: TerminalRules;
  /** Bytes of a request's body, at most. */
  readonly maxBody: number;
}
