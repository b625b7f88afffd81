import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Bus } from '../platform/bus.ts';
import { AppError } from '../platform/errors.ts';
import { type Actor, type Audit, actorOf } from '../terms/audit.ts';
import type { Sessions } from './sessions.ts';
import type { UserRemoval } from './user-removal.ts';
import type { User, UserStore } from './user-store.ts';

const time = z.iso.datetime().describe('RFC 3339, UTC');
const id = z.string().min(1).max(100);
const byId = z.object({ id });
const userBody = z.object({
  id,
  email: z.string().nullable(),
  name: z.string().nullable(),
  groups: z.array(z.string()),
  admin: z.boolean(),
  local: z.boolean().describe('Whether they sign in here, and not at a provider'),
  created_at: time,
  seen_at: time.nullable(),
  disabled_at: time.nullable(),
});
/** Groups that are given here, each once. */
export const groupNames = z
  .array(z.string().trim().min(1).max(100))
  .max(100)
  .transform(names => [...new Set(names)]);
const count = z.number().int();

/** `/api/v1/users`, for admins: who is known here, who may still come in, and who may do everything. */
export function userRoutes(deps: {
  users: Pick<UserStore, 'get' | 'list' | 'setDisabled' | 'setAdmin' | 'setGroups'>;
  sessions: Pick<Sessions, 'endAllOf'>;
  removal: UserRemoval;
  bus: Pick<Bus, 'publish'>;
  audit: Audit;
}): FastifyPluginAsyncZod {
  const { users, sessions, removal, bus, audit } = deps;
  const config = { policy: 'admin' } as const;

  async function known(userId: string): Promise<User> {
    const user = await users.get(userId);
    if (user === null) throw new AppError('not_found', 'There is no such user.');
    return user;
  }

  async function setDisabled(userId: string, disabled: boolean, by: Actor): Promise<User> {
    if (disabled && userId === by.userId) throw new AppError('conflict', 'You cannot disable yourself.');
    if (!(await users.setDisabled(userId, disabled)))
      throw new AppError('not_found', 'There is no such user.');
    // First the caches, so that nothing that follows, or fails, leaves a disabled user at work.
    bus.publish({ topic: 'user-changed', userId });
    audit.record({ action: disabled ? 'user.disable' : 'user.enable', ...by, target: userId });
    if (disabled) await sessions.endAllOf(userId, by, 'user-disabled');
    return known(userId);
  }

  async function setAdmin(userId: string, admin: boolean, by: Actor): Promise<User> {
    if (!admin && userId === by.userId) throw new AppError('conflict', 'You cannot stop being an admin.');
    await users.setAdmin(userId, admin);
    const user = await known(userId);
    bus.publish({ topic: 'user-changed', userId });
    audit.record({ action: admin ? 'user.make-admin' : 'user.unmake-admin', ...by, target: userId });
    if (user.admin && !admin)
      throw new AppError('conflict', 'Their provider says that they are an admin: that is changed there.');
    return user;
  }

  async function setGroups(user: User, groups: readonly string[], by: Actor): Promise<User> {
    if (!user.local)
      throw new AppError('conflict', 'Their groups come from their provider: they are changed there.');
    await users.setGroups(user.id, groups);
    bus.publish({ topic: 'user-changed', userId: user.id });
    const detail = { groups: groups.join(', ') };
    audit.record({ action: 'user.set-groups', ...by, target: user.id, detail });
    return known(user.id);
  }

  return async app => {
    app.get(
      '/api/v1/users',
      { config, schema: { response: { 200: z.object({ items: z.array(userBody) }) } } },
      async () => ({ items: (await users.list()).map(userOnWire) }),
    );

    app.patch(
      '/api/v1/users/:id',
      {
        config,
        schema: {
          params: byId,
          body: z.strictObject({
            disabled: z.boolean().optional(),
            admin: z.boolean().optional(),
            groups: groupNames.optional().describe('Only of local accounts'),
          }),
          response: { 200: userBody },
        },
      },
      async request => {
        const { params, body } = request;
        const by = actorOf(request);
        let user = await known(params.id);
        if (body.admin !== undefined && body.admin !== user.admin)
          user = await setAdmin(params.id, body.admin, by);
        if (body.groups !== undefined) user = await setGroups(user, body.groups, by);
        if (body.disabled !== undefined) user = await setDisabled(params.id, body.disabled, by);
        return userOnWire(user);
      },
    );

    app.get(
      '/api/v1/users/:id/consequences',
      {
        config,
        schema: {
          params: byId,
          response: {
            200: z.object({
              sessions: count,
              keys: count,
              grants: count,
              invitations: count.describe('Open links that they gave to others'),
              terminals: count.describe('Shells that run for them'),
              tunnels: count.describe('What their agents bring, connected now or not'),
            }),
          },
        },
      },
      ({ params }) => removal.consequences(params.id),
    );

    app.delete(
      '/api/v1/users/:id',
      { config, schema: { params: byId, response: { 204: z.null() } } },
      async (request, reply) => {
        await removal.remove(request.params.id, actorOf(request));
        return reply.code(204).send(null);
      },
    );
  };
}

const isoOrNull = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

const userOnWire = (user: User) => ({
  id: user.id,
  email: user.email,
  name: user.name,
  groups: [...user.groups],
  admin: user.admin,
  local: user.local,
  created_at: new Date(user.createdAt).toISOString(),
  seen_at: isoOrNull(user.seenAt),
  disabled_at: isoOrNull(user.disabledAt),
});
