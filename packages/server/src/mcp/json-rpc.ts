/** JSON-RPC 2.0 as MCP uses it: one message, no batches since 2025-06-18. */
export type Id = string | number;

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type Params = Readonly<Record<string, unknown>>;

export interface Request {
  readonly jsonrpc: '2.0';
  readonly id: Id;
  readonly method: string;
  readonly params?: Params;
}

export interface Notification {
  readonly jsonrpc: '2.0';
  readonly method: string;
  readonly params?: Params;
}

export interface Response {
  readonly jsonrpc: '2.0';
  readonly id: Id | null;
  readonly result?: Params;
  readonly error?: RpcError;
}

export type Message = Request | Notification | Response;

export const isRequest = (message: Message): message is Request => 'method' in message && 'id' in message;
export const isResponse = (message: Message): message is Response => !('method' in message);

/** An object that may be a message of JSON-RPC 2.0 (sections 4 and 5); null for anything else. */
export function asMessage(value: unknown): Message | null {
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return null;
  const { id, method, params } = value;
  if (params !== undefined && !isObject(params)) return null;
  if (method !== undefined) {
    if (typeof method !== 'string') return null;
    return id === undefined || isId(id) ? (value as unknown as Message) : null;
  }
  const answered = isObject(value['result']) !== isRpcError(value['error']);
  return answered && (isId(id) || (id === null && 'error' in value)) ? (value as unknown as Message) : null;
}

/** @returns undefined for what is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (id: unknown): id is Id =>
  typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id));

const isRpcError = (error: unknown): boolean =>
  isObject(error) && Number.isInteger(error['code']) && typeof error['message'] === 'string';

/** `_meta` of a request's parameters or of a result; empty where there is none. */
export function metaOf(holder: Params | undefined): Params {
  const meta = holder?.['_meta'];
  return isObject(meta) ? meta : {};
}

export const request = (id: Id, method: string, params?: Params): Request =>
  params === undefined ? { jsonrpc: '2.0', id, method } : { jsonrpc: '2.0', id, method, params };
export const notification = (method: string, params?: Params): Notification =>
  params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params };
export const result = (id: Id, value: Params): Response => ({ jsonrpc: '2.0', id, result: value });
export const failure = (id: Id | null, error: RpcError): Response => ({ jsonrpc: '2.0', id, error });
