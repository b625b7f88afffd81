import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createIdentity } from '../../packages/server/src/identity/identity.ts';
import { createJwts } from '../../packages/server/src/identity/jwt.ts';
import { createProxyHeader } from '../../packages/server/src/identity/proxy-header.ts';
import { createAddressOf } from '../../packages/server/src/platform/client-address.ts';
import { Secret } from '../../packages/server/src/platform/secret.ts';
import type { Principal } from '../../packages/server/src/terms/principal.ts';
import type { Upstream } from '../../packages/server/src/terms/upstream.ts';
import { openRooms } from '../rooms.ts';

/** What one act costs. */
export interface ActCost {
  readonly act: string;
  readonly metric: 'cold' | 'warm' | 'allocated, warm';
  readonly unit: 'µs' | 'bytes';
  /** One a round. */
  readonly values: number[];
}

/** Each way to authenticate, and `credentialFor`, on the product's own rooms. Arguments: folder, rounds, how many credentials a round. */
const [folder, rounds, each] = process.argv.slice(2) as [string, string, string];
const COLD = Number(each);
const WARM = COLD * 200;
const PROXY = '127.0.0.1';

const rooms = await openRooms(folder);
const addressOf = createAddressOf([]);
const { users, runtime, bus, audit, keys, sessions, vault } = rooms;
const issuer = 'http://127.0.0.1:9';
const asymmetric = { RS256: await generateKeyPair('RS256'), ES256: await generateKeyPair('ES256') };
const jwks = {
  keys: await Promise.all(
    Object.entries(asymmetric).map(async ([kid, { publicKey }]) => ({
      ...(await exportJWK(publicKey)),
      kid,
      alg: kid,
    })),
  ),
};
const shared = new Secret('a shared secret of the benchmark, long enough');
const jwts = createJwts({
  issuers: [
    { issuer, audience: null, jwksUrl: `${issuer}/jwks`, secret: null, matchEmail: false },
    { issuer: null, audience: null, jwksUrl: null, secret: shared, matchEmail: false },
  ],
  fetch: async () => new Response(JSON.stringify(jwks), { headers: { 'content-type': 'application/json' } }),
  users,
  runtime,
  bus,
  audit,
  addressOf,
});
const proxyHeader = createProxyHeader({
  header: { name: 'x-user', from: [PROXY] },
  users,
  runtime,
  bus,
  audit,
  addressOf,
});
const identity = createIdentity({
  keys,
  jwts,
  sessions,
  proxyHeader,
  auth: { required: true, clientCredentials: true },
});

interface Shown {
  readonly headers: Record<string, string>;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
}
const shown = (name: string, value: string): Shown => ({
  headers: { [name]: value },
  rawHeaders: [name, value],
  remoteAddress: PROXY,
});
const bearer = (value: string) => shown('authorization', `Bearer ${value}`);
let serial = 0;
const next = () => `user-${serial++}`;
const claims = (sub: string) => new SignJWT({ sub, groups: ['engineering'] }).setExpirationTime('1h');

/** A credential that nobody has shown before, each time. */
const ways: Record<string, () => Promise<Shown>> = {
  'session cookie': async () => shown('cookie', (await rooms.signedIn(next())).cookie),
  'gateway key': async () => {
    const { userId } = await rooms.signedIn(next());
    return bearer(
      (await keys.create({ userId, name: 'bench', admin: false, scope: null, expiresAt: null })).key,
    );
  },
  'JWT HS256': async () =>
    bearer(await claims(next()).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(shared.reveal()))),
  'JWT RS256': () => signed('RS256'),
  'JWT ES256': () => signed('ES256'),
  'proxy header': async () => shown('x-user', `${next()}@bench.example`),
};
async function signed(alg: 'RS256' | 'ES256'): Promise<Shown> {
  return bearer(
    await claims(next())
      .setIssuer(issuer)
      .setProtectedHeader({ alg, kid: alg })
      .sign(asymmetric[alg].privateKey),
  );
}

const costs: ActCost[] = [];
for (const [way, make] of Object.entries(ways)) await measure(way, make, one => identity.authenticate(one));

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
await measure(
  'credentialFor',
  // As the cookie's first request leaves it: the user is known, the token is sealed.
  async () => identity.authenticate(await ways['session cookie']!()),
  (principal: Principal) => vault.credentialFor(principal, upstream),
);
process.send!({ ready: costs }, () => process.exit());

async function measure<T>(act: string, make: () => Promise<T>, perform: (one: T) => unknown): Promise<void> {
  const cold: number[] = [];
  const warm: number[] = [];
  const allocated: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const fresh: T[] = [];
    for (let at = 0; at < COLD; at++) fresh.push(await make());
    let begun = performance.now();
    for (const one of fresh) await perform(one);
    cold.push(((performance.now() - begun) * 1_000) / COLD);

    // The last one stays the same, so it is in the processor's caches too, as a busy user's is.
    const one = fresh.at(-1)!;
    await perform(one);
    if (perform(one) instanceof Promise) throw new Error(`${act} is asynchronous when warm`);
    begun = performance.now();
    for (let at = 0; at < WARM; at++) perform(one);
    warm.push(((performance.now() - begun) * 1_000) / WARM);

    globalThis.gc!();
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < COLD * 10; at++) perform(one);
    allocated.push(Math.max(0, process.memoryUsage().heapUsed - before) / (COLD * 10));
  }
  costs.push({ act, metric: 'cold', unit: 'µs', values: cold });
  costs.push({ act, metric: 'warm', unit: 'µs', values: warm });
  costs.push({ act, metric: 'allocated, warm', unit: 'bytes', values: allocated });
}
