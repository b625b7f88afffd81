/** Why a gateway ends a tunnel. */
export const BYE_CODES = [
  /** A newer connection serves the same names. */
  'replaced',
  /** The owner, or an admin, ended it. */
  'disconnected',
  /** The credential is no longer valid, or no longer enough. */
  'revoked',
  /** The hello does not hold, or none of its servers may be served. */
  'refused',
  /** The gateway is being stopped; another one may answer in a moment. */
  'stopping',
] as const;

export type ByeCode = (typeof BYE_CODES)[number];

/** What became of one server of the hello. */
export interface RegisteredServer {
  readonly name: string;
  /** `{user}/{name}`; null when it is not served. */
  readonly id: string | null;
  /** Where its users point their clients. */
  readonly url: string | null;
  /** Why it is not served, for people. */
  readonly problem: string | null;
}

/** What a gateway tells an agent, as the JSON body of `POST /.sallyport/notice`. */
export type Notice =
  | { readonly type: 'registered'; readonly servers: readonly RegisteredServer[] }
  | { readonly type: 'bye'; readonly code: ByeCode; readonly detail: string };

/** Null for a notice of a later version, which is passed over. */
export function parseNotice(text: string): Notice | null {
  let notice: Partial<Record<string, unknown>> | null;
  try {
    notice = JSON.parse(text) as typeof notice;
  } catch {
    return null;
  }
  if (typeof notice !== 'object' || notice === null) return null;
  if (notice['type'] === 'bye') {
    const code = BYE_CODES.find(known => known === notice['code']);
    return code === undefined ? null : { type: 'bye', code, detail: String(notice['detail'] ?? '') };
  }
  if (notice['type'] !== 'registered' || !Array.isArray(notice['servers'])) return null;
  const textOf = (value: unknown) => (typeof value === 'string' ? value : null);
  return {
    type: 'registered',
    servers: notice['servers'].map((server: Record<string, unknown>) => ({
      name: textOf(server?.['name']) ?? '',
      id: textOf(server?.['id']),
      url: textOf(server?.['url']),
      problem: textOf(server?.['problem']),
    })),
  };
}
