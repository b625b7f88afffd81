import type { Notification, Params, Request, Response, RpcError } from './json-rpc.ts';
import type { Visit } from './mcp.ts';

/** What a call made in a held session hears. */
export interface HeldCall {
  notification(message: Notification): void;
  /** Puts a question to the client; resolves with what it answers. */
  ask(method: string, params: Params | undefined): Promise<{ result: Params } | { error: RpcError }>;
  /** Once. */
  response(message: Pick<Response, 'result' | 'error'>): void;
}

/** What stands behind a session that the gateway keeps for a legacy client. */
export interface HeldBack {
  readonly introduction: {
    readonly capabilities: Params;
    readonly serverInfo: unknown;
    readonly instructions: unknown;
  };
  /**
   * @param visit the request that brought it, where one did
   * @returns how to cancel it
   */
  call(request: Request, call: HeldCall, visit?: Visit): (reason: string) => void;
  setLevel(level: string): void;
  subscribe(uri: string, wanted: boolean, visit?: Visit): Promise<Pick<Response, 'result' | 'error'>>;
  /** A notification of the client's that is none of the session's own. */
  notify(message: Notification): void;
  close(): void;
}

/** What a back tells the session besides. */
export interface HeldListener {
  /** What belongs to no call. */
  stray(message: Notification): void;
  closed(): void;
}
