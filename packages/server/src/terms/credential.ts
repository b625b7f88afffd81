/** What an upstream is to receive for a principal. Its value goes into one outbound header and nowhere else. */
export interface Credential {
  /** Header name, lower case. */
  readonly header: string;
  /** The whole header value, e.g. `Bearer eyJ…`. */
  readonly value: string;
  /** Epoch milliseconds after which it must not be sent; Infinity for static keys. */
  readonly expiresAt: number;
  /** Where it came from, for the audit and for a forced refresh; null for static keys. */
  readonly source: { readonly grantId: string; readonly version: number } | null;
}
