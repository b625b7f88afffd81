import type { StoreUrl } from '../platform/db/db.ts';
import type { Rate } from '../platform/rate-limit.ts';
import type { Secret } from '../platform/secret.ts';
import type { SamplerName } from '../platform/trace/sampler.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';

/** An issuer whose JWTs programs may show. */
export interface JwtIssuer {
  /** `iss`; null for the shared secret without one. */
  readonly issuer: string | null;
  readonly audience: string | null;
  /** Either keys by URL … */
  readonly jwksUrl: string | null;
  /** … or a shared secret (HS256). */
  readonly secret: Secret | null;
  /** Whether an `email` (or a `sub` that is one) names the user who signed in with it. */
  readonly matchEmail: boolean;
}

/** So often from one address, and so often by one user; null for as often as one likes. */
interface Rates {
  readonly address: Rate | null;
  readonly principal: Rate | null;
}

export type Service = 'openai' | 'tools' | 'mcp' | 'terminals';

/** What the gateway was told, checked and complete. Made once at boot, never changed. Secrets are `Secret`s, so it is printable. */
export interface Config {
  readonly listen: { readonly host: string; readonly port: number };
  /** Origin under which people reach the gateway; no path. */
  readonly publicUrl: URL;
  readonly allowedHosts: readonly string[];
  readonly store: StoreUrl;
  /** How long `serve` waits for a database that does not answer yet, milliseconds. */
  readonly storeWait: number;
  readonly dataDir: string;
  /** Newest first; empty means the embedded key in `dataDir`. */
  readonly encryptionKeys: readonly Secret[];
  readonly logLevel: string;
  readonly insecureHttp: boolean;
  readonly privateAddresses: boolean;
  /** What open requests get when the gateway is told to end, milliseconds. */
  readonly drain: number;
  /** Connections from one address; of this machine and of trusted proxies there may be any number. */
  readonly socketsPerAddress: number;
  /** Whether people may sign in with a password kept here. */
  readonly localAccounts: boolean;
  /** Connections of agents that one user may have open. */
  readonly tunnelsPerUser: number;
  /** Whether a foreign agent's token may stand in its URL. */
  readonly tunnelQueryToken: boolean;
  readonly session: { readonly idle: number; readonly absolute: number };
  /** What opens `/metrics` besides an admin's credential. */
  readonly metricsTokens: readonly Secret[];
  /** Where traces go; null: none are made. */
  readonly otlp: {
    /** Takes them by POST. */
    readonly url: URL;
    /** A list, as `readHeaderList` reads it. */
    readonly headers: Secret | null;
    readonly serviceName: string;
    readonly sampler: SamplerName;
    /** From 0 to 1. */
    readonly ratio: number;
  } | null;
  /** Milliseconds that the audit is kept; null for ever. */
  readonly auditRetention: number | null;
  readonly auth: {
    readonly required: boolean;
    readonly anonymousConfirmed: boolean;
    /** False: JWTs and keys are not looked at; only a trusted proxy (or a session) says who is calling. */
    readonly clientCredentials: boolean;
    /** Null unless a trusted proxy may name the user. */
    readonly proxyHeader: { readonly name: string; readonly from: readonly string[] } | null;
    readonly jwt: readonly JwtIssuer[];
    /** Which proxies may ask `/auth/check`: those that show a secret, from these addresses where any are named. No secret: none. */
    readonly forward: { readonly secrets: readonly Secret[]; readonly from: readonly string[] };
  };
  /** Addresses and CIDR ranges of proxies whose `X-Forwarded-For` says where a request comes from. */
  readonly trustedProxies: readonly string[];
  readonly rates: {
    readonly signIn: Rates;
    readonly token: Rates;
    readonly key: Rates;
    /** Passwords: of all accounts from one address, and of one account from one address. */
    readonly password: { readonly address: Rate | null; readonly account: Rate | null };
    /** Credentials that are not valid. */
    readonly proof: { readonly address: Rate | null };
    /** Connections of agents, of one user. */
    readonly tunnel: { readonly principal: Rate | null };
  };
  readonly forwarding: { readonly enabled: boolean; readonly services: readonly Service[] };
  readonly providers: readonly Provider[];
  readonly upstreams: readonly Upstream[];
}
