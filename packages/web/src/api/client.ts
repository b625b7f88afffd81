/** What the gateway answered instead of what we asked for: RFC 9457 problem details, or no answer at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Where the person can mend it, when the gateway names a place. */
  readonly action: string | null;

  constructor(status: number, code: string, message: string, action: string | null = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.action = action;
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One call of the gateway's API. Same origin, with the session cookie; a body is JSON. */
async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(
      0,
      'offline',
      'The gateway did not answer. Check that it is running and that you are online.',
    );
  }
  if (!response.ok) throw await asError(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

async function asError(response: Response): Promise<ApiError> {
  const problem: { title?: string; detail?: string; code?: string; action?: string } = await response
    .json()
    .catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `The gateway answered ${response.status}.`;
  return new ApiError(response.status, problem.code ?? 'unknown', message, problem.action ?? null);
}

export const api = {
  get: <T>(path: string) => call<T>('GET', path),
  post: <T = void>(path: string, body?: unknown) => call<T>('POST', path, body),
  put: <T = void>(path: string, body: unknown) => call<T>('PUT', path, body),
  patch: <T = void>(path: string, body: unknown) => call<T>('PATCH', path, body),
  delete: (path: string) => call<void>('DELETE', path),
};

/** Any thrown thing as an ApiError, so that pages show one kind. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, 'console', error instanceof Error ? error.message : String(error));
}
