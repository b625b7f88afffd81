import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { type Actor, actorOf } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Key } from './key-store.ts';
import type { Keys } from './keys.ts';
import type { UserStore } from './user-store.ts';

/** What a person sees of one of their sign-ins. Times are epoch milliseconds. */
export interface SessionView {
  readonly id: string;
  readonly provider: string | null;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

export interface IdentityRoutesDeps {
  keys: Pick<Keys, 'create' | 'get' | 'list' | 'revoke'>;
  sessions: {
    /** The user's live sessions. */
    list(userId: string): Promise<readonly SessionView[]>;
    /** Ends one, at once in this process; whether there was one. */
    end(id: string, by: Actor): Promise<boolean>;
  };
  /** What programs and pages are told of the gateway itself. */
  gateway: {
    readonly name: string;
    readonly version: string;
    readonly publicUrl: URL;
    /** Whether people may be invited to accounts with a password. */
    readonly localAccounts: boolean;
  };
  users: Pick<UserStore, 'get'>;
  runtime: Pick<Runtime, 'now'>;
}

const time = z.iso.datetime().describe('RFC 3339, UTC');
const id = z.string().min(1).max(100);
const byId = z.object({ id });

/** Whose; oneself unless an admin asks. */
const ofUser = z.object({ user: id.optional() });
const scope = z
  .array(z.string().min(1).max(100))
  .min(1)
  .max(200)
  .nullable()
  .describe('Upstream ids; null for all');

const meBody = z.object({
  user: z.object({
    id,
    email: z.string().nullable(),
    name: z.string().nullable(),
    groups: z.array(z.string()),
    admin: z.boolean(),
    local: z.boolean().describe('Whether they sign in here, and not at a provider'),
  }),
  proof: z.enum(['session', 'key', 'jwt', 'proxy-header', 'anonymous']),
  credential_id: z.string(),
  scope: z.array(z.string()).nullable(),
  gateway: z.object({
    name: z.string(),
    version: z.string(),
    public_url: z.string(),
    local_accounts: z.boolean().describe('Whether people may be invited to accounts with a password'),
  }),
});
const sessionBody = z.object({
  id,
  current: z.boolean(),
  provider: z.string().nullable(),
  address: z.string().nullable(),
  user_agent: z.string().nullable(),
  created_at: time,
  seen_at: time,
  expires_at: time,
});
const keyBody = z.object({
  id,
  name: z.string(),
  admin: z.boolean(),
  scope,
  created_at: time,
  expires_at: time.nullable(),
  used_at: time.nullable(),
  revoked_at: time.nullable(),
});
/** Ten years, seconds. */
const LONGEST = 10 * 365 * 24 * 60 * 60;
/** Strict: a misspelled `scope` must not make a key for everything. */
const newKeyBody = z.strictObject({
  name: z.string().trim().min(1).max(100),
  admin: z.boolean().default(false),
  scope: scope.default(null),
  expires_at: time.nullable().default(null),
  expires_in: z.number().int().positive().max(LONGEST).optional().describe('Seconds; instead of expires_at'),
});
const listOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item) });

/** `/api/v1/me`, sessions, keys: who I am, and what proves it. */
export function identityRoutes(deps: IdentityRoutesDeps): FastifyPluginAsyncZod {
  const { keys, sessions, gateway, users, runtime } = deps;
  const signedIn = { policy: 'signed-in' } as const;
  const gone = z.null().describe('Done');

  return async app => {
    app.get(
      '/api/v1/me',
      { config: signedIn, schema: { response: { 200: meBody } } },
      async ({ principal }) => ({
        user: {
          id: principal.userId,
          email: principal.email,
          name: principal.name,
          groups: [...principal.groups],
          admin: principal.admin,
          local: (await users.get(principal.userId))?.local ?? false,
        },
        proof: principal.proof,
        credential_id: principal.credentialId,
        scope: principal.scope === null ? null : [...principal.scope],
        gateway: {
          name: gateway.name,
          version: gateway.version,
          public_url: gateway.publicUrl.origin,
          local_accounts: gateway.localAccounts,
        },
      }),
    );

    app.get(
      '/api/v1/sessions',
      { config: signedIn, schema: { querystring: ofUser, response: { 200: listOf(sessionBody) } } },
      async ({ principal, query }) => {
        const live = await sessions.list(whose(principal, query.user));
        return { items: live.map(session => sessionOnWire(session, principal)) };
      },
    );

    app.delete(
      '/api/v1/sessions/:id',
      { config: signedIn, schema: { params: byId, response: { 204: gone } } },
      async (request, reply) => {
        const { principal, params } = request;
        const own = async () =>
          (await sessions.list(principal.userId)).some(session => session.id === params.id);
        const allowed = principal.admin || (await own());
        if (!allowed || !(await sessions.end(params.id, actorOf(request))))
          throw new AppError('not_found', 'There is no such session.');
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/api/v1/keys',
      { config: signedIn, schema: { querystring: ofUser, response: { 200: listOf(keyBody) } } },
      async ({ principal, query }) => ({
        items: (await keys.list(whose(principal, query.user))).map(keyOnWire),
      }),
    );

    app.post(
      '/api/v1/keys',
      {
        config: { ...signedIn, rate: 'key' },
        schema: {
          body: newKeyBody,
          response: { 201: keyBody.extend({ key: z.string().describe('Shown this once') }) },
        },
      },
      async (request, reply) => {
        const { principal, body } = request;
        const wanted = {
          userId: principal.userId,
          name: body.name,
          admin: body.admin,
          scope: body.scope,
          expiresAt: expiryOf(body),
        };
        await refuseStronger(principal, wanted);
        const { id, key } = await keys.create(wanted, actorOf(request));
        reply.code(201).header('cache-control', 'no-store');
        return { ...keyOnWire((await keys.get(id))!), key };
      },
    );

    app.delete(
      '/api/v1/keys/:id',
      { config: signedIn, schema: { params: byId, response: { 204: gone } } },
      async (request, reply) => {
        const { principal, params } = request;
        const key = await keys.get(params.id);
        // Another's key answers as one that does not exist: ids are not to be probed.
        const allowed = key !== null && (principal.admin || key.userId === principal.userId);
        if (!allowed || !(await keys.revoke(params.id, actorOf(request)))) {
          throw new AppError('not_found', 'There is no such key.');
        }
        return reply.code(204).send(null);
      },
    );
  };

  function expiryOf(body: z.infer<typeof newKeyBody>): number | null {
    if (body.expires_in === undefined) return body.expires_at === null ? null : Date.parse(body.expires_at);
    if (body.expires_at === null) return runtime.now() + body.expires_in * 1000;
    throw new AppError('bad_request', 'Give expires_in or expires_at, not both.');
  }

  /**
   * A person makes keys, where they signed in; so may an admin's key, but none that could do more, or live longer, than
   * itself. Any other credential that leaked must not be able to grow a second life.
   */
  async function refuseStronger(
    principal: Principal,
    wanted: Pick<Key, 'admin' | 'scope' | 'expiresAt'>,
  ): Promise<void> {
    if (wanted.admin && !principal.admin)
      throw new AppError('forbidden', 'Only an admin can make an admin key.');
    if (principal.proof === 'session' || principal.proof === 'proxy-header') return;
    const own = principal.proof === 'key' && principal.admin ? await keys.get(principal.credentialId) : null;
    if (own === null) {
      throw new AppError('forbidden', "Keys are made in a signed-in session, or with an admin's key.");
    }
    const { scope: limit, expiresAt } = own;
    if (
      limit !== null &&
      (wanted.scope === null || !wanted.scope.every(upstream => limit.includes(upstream)))
    ) {
      throw new AppError('forbidden', 'A key cannot make one of a wider scope than its own.');
    }
    if (expiresAt !== null && (wanted.expiresAt === null || wanted.expiresAt > expiresAt)) {
      throw new AppError('forbidden', 'A key cannot make one that outlives it.');
    }
  }
}

/** Oneself; another only for an admin. */
function whose(principal: Principal, user: string | undefined): string {
  if (user === undefined || user === principal.userId) return principal.userId;
  if (!principal.admin) throw new AppError('forbidden', "Only admins see other people's sessions and keys.");
  return user;
}

const iso = (at: number): string => new Date(at).toISOString();
const isoOrNull = (at: number | null): string | null => (at === null ? null : iso(at));

const sessionOnWire = (session: SessionView, principal: Principal) => ({
  id: session.id,
  current: session.id === principal.credentialId,
  provider: session.provider,
  address: session.address,
  user_agent: session.userAgent,
  created_at: iso(session.createdAt),
  seen_at: iso(session.seenAt),
  expires_at: iso(session.expiresAt),
});

const keyOnWire = (key: Key) => ({
  id: key.id,
  name: key.name,
  admin: key.admin,
  scope: key.scope === null ? null : [...key.scope],
  created_at: iso(key.createdAt),
  expires_at: isoOrNull(key.expiresAt),
  used_at: isoOrNull(key.usedAt),
  revoked_at: isoOrNull(key.revokedAt),
});
