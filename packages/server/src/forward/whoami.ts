import { sha256 } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { joined } from './named.ts';
import { outboundHeaders } from './outbound-headers.ts';
import { checkedPath } from './path.ts';

const PREFIX = '/u/whoami';

/** What an upstream would have received, with everything secret masked. */
export interface WhatItWouldGet {
  readonly upstream: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly credential: {
    readonly grant_id: string;
    readonly version: number;
    readonly expires_at: string;
  } | null;
}

/**
 * `/u/whoami/…?upstream=ID`, for admins: the request as that upstream would have got it from this caller.
 * @throws AppError `forbidden`, `not_found`, `bad_path`, and whatever the credential rule says
 */
export async function whoami(
  call: Call,
  principal: Principal,
  deps: {
    upstreams: { find(id: string): Upstream | undefined };
    may(principal: Principal, upstream: Upstream): boolean;
    vault: {
      credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
    };
  },
): Promise<WhatItWouldGet> {
  if (!principal.admin)
    throw new AppError('forbidden', 'Only admins may ask what an upstream would receive.');
  const id = new URLSearchParams(call.query).get('upstream');
  const upstream = id === null ? undefined : deps.upstreams.find(id);
  if (upstream === undefined) throw new AppError('not_found', 'Name an upstream: /u/whoami/?upstream=ID.');
  const rest = checkedPath(call.path).slice(PREFIX.length);
  // A credential of an admin may be limited to some upstreams.
  if (!deps.may(principal, upstream))
    throw new AppError('forbidden', `You may not use the upstream ${upstream.id}.`);
  const kept = call.query
    .slice(1)
    .split('&')
    .filter(pair => pair !== '' && !pair.startsWith('upstream='));
  const search = kept.length > 0 ? `?${kept.join('&')}` : '';
  const credential = await deps.vault.credentialFor(principal, upstream);
  const raw = outboundHeaders(
    upstream.kind,
    call.rawHeaders,
    call.headers.connection,
    credential,
    call.requestId,
    null,
  );
  const headers: [string, string][] = [['host', upstream.url.host]];
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i]!, raw[i + 1]!];
    headers.push([name, name === credential?.header ? masked(value) : value]);
  }
  return {
    upstream: upstream.id,
    method: call.req.method!,
    url: `${upstream.url.origin}${joined(upstream, rest, search)}`,
    headers,
    credential:
      credential?.source == null
        ? null
        : {
            grant_id: credential.source.grantId,
            version: credential.source.version,
            expires_at: new Date(credential.expiresAt).toISOString(),
          },
  };
}

/** Enough to compare two values by, nothing to use: the scheme, the length and the beginning of the hash. */
function masked(value: string): string {
  const space = value.indexOf(' ');
  const secret = value.slice(space + 1);
  return `${value.slice(0, space + 1)}[${secret.length} characters, sha256 ${sha256(secret).slice(0, 12)}]`;
}
