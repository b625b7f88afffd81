import { allowInsecureRequests, Configuration } from 'openid-client';
import { systemRuntime } from '../../packages/server/src/platform/runtime.ts';
import type { Principal } from '../../packages/server/src/terms/principal.ts';
import type { Upstream } from '../../packages/server/src/terms/upstream.ts';
import { createTokenEndpoint } from '../../packages/server/src/vault/token-endpoint.ts';
import { openRooms } from '../rooms.ts';

/**
 * Many users whose grants have all expired call at the same moment. Arguments: folder, port of the token endpoint, how many.
 * The vault and its way to the token endpoint are the product's; only discovery is left out.
 */
export interface RefreshStorm {
  readonly milliseconds: number;
  readonly failures: number;
  /** The first failure, in words. */
  readonly because: string;
}

const [folder, port, count] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const configuration = new Configuration(
  { issuer, token_endpoint: `${issuer}/token` },
  'bench',
  'bench-secret',
);
allowInsecureRequests(configuration);

const rooms = await openRooms(folder!, {
  endpoint: createTokenEndpoint({ configurationFor: async () => configuration, runtime: systemRuntime }),
});
const principals: Principal[] = [];
for (let at = 0; at < Number(count); at++) {
  const { userId, grantId } = await rooms.signedIn(`user-${at}`, 1);
  principals.push({
    userId,
    grantId,
    email: null,
    name: null,
    groups: [],
    admin: false,
    proof: 'session',
    credentialId: `ses_${at}`,
    scope: null,
  });
}
// The last of them expires too.
await new Promise(resolve => setTimeout(resolve, 1_100));

const upstream = {
  id: 'bench',
  kind: 'http',
  credential: {
    use: 'sign-in',
    token: 'access_token',
    strict: false,
    provider: null,
    fallback: null,
    release: false,
  },
} as unknown as Upstream;
const started = performance.now();
const outcomes = await Promise.allSettled(
  principals.map(async principal => rooms.vault.credentialFor(principal, upstream)),
);
const milliseconds = performance.now() - started;
const stale = (outcome: (typeof outcomes)[number]) =>
  outcome.status === 'rejected' || !outcome.value?.value.startsWith('Bearer fresh-');
const failed = outcomes.filter(stale);
const because =
  failed[0] === undefined
    ? ''
    : failed[0].status === 'rejected'
      ? String(failed[0].reason)
      : 'an old token came back';
process.send!({ ready: { milliseconds, failures: failed.length, because } satisfies RefreshStorm }, () =>
  process.exit(),
);
