import type { IncomingMessage } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { actorOf } from '../terms/audit.ts';
import type { Invitation } from './invitation-store.ts';
import type { Invitations, Minted } from './invitations.ts';
import { emailAddress, password } from './local-account-routes.ts';
import { visitorOf } from './sign-in-routes.ts';
import { groupNames } from './user-routes.ts';

const id = z.string().min(1).max(100);
const byId = z.object({ id });
const time = z.iso.datetime().describe('RFC 3339, UTC');
const name = z.string().trim().min(1).max(200);
const secret = z.string().min(1).max(200).describe("What stands behind the link's #");
const invitationBody = z.object({
  id,
  email: z.string(),
  name: z.string().nullable(),
  groups: z.array(z.string()),
  admin: z.boolean(),
  created_at: time,
  expires_at: time,
});
const mintedBody = z.object({ id, link: z.string().describe('Shown this once'), expires_at: time });

/** `/api/v1/invitations`: made by admins, opened and accepted by whoever has the link. */
export function invitationRoutes(deps: {
  invitations: Invitations;
  /** @throws AppError `csrf` for what another site made a browser send */
  refuseCrossSite(request: IncomingMessage): void;
}): FastifyPluginAsyncZod {
  const { invitations, refuseCrossSite } = deps;
  const admin = { policy: 'admin' } as const;
  const open = {
    config: { policy: 'public', rate: 'sign-in' },
    onRequest: async (request: { raw: IncomingMessage }) => refuseCrossSite(request.raw),
  } as const;

  return async app => {
    app.removeContentTypeParser(['application/x-www-form-urlencoded', 'text/plain']);

    app.get(
      '/api/v1/invitations',
      { config: admin, schema: { response: { 200: z.object({ items: z.array(invitationBody) }) } } },
      async () => ({ items: (await invitations.list()).map(onWire) }),
    );

    app.post(
      '/api/v1/invitations',
      {
        config: { ...admin, rate: 'key' },
        schema: {
          body: z.strictObject({
            email: emailAddress,
            name: name.nullable().default(null),
            groups: groupNames.default([]),
            admin: z.boolean().default(false),
          }),
          response: { 201: mintedBody },
        },
      },
      async (request, reply) => {
        const { body, principal } = request;
        return reply
          .code(201)
          .send(mintedOnWire(await invitations.invite(body, principal, actorOf(request))));
      },
    );

    app.delete(
      '/api/v1/invitations/:id',
      { config: admin, schema: { params: byId, response: { 204: z.null() } } },
      async (request, reply) => {
        if (!(await invitations.revoke(request.params.id, actorOf(request))))
          throw new AppError('not_found', 'There is no such invitation.');
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/api/v1/users/:id/password-link',
      { config: { ...admin, rate: 'key' }, schema: { params: byId, response: { 201: mintedBody } } },
      async (request, reply) => {
        const { params, principal } = request;
        return reply
          .code(201)
          .send(mintedOnWire(await invitations.passwordLink(params.id, principal, actorOf(request))));
      },
    );

    app.post(
      '/api/v1/invitations/open',
      {
        ...open,
        schema: {
          body: z.strictObject({ secret }),
          response: {
            200: z.object({
              email: z.string(),
              name: z.string().nullable(),
              expires_at: time,
              purpose: z.enum(['account', 'password']),
            }),
          },
        },
      },
      async ({ body }) => {
        const { userId, email, name, expiresAt } = await invitations.open(body.secret);
        const purpose = userId === null ? ('account' as const) : ('password' as const);
        return { email, name, expires_at: iso(expiresAt), purpose };
      },
    );

    app.post(
      '/api/v1/invitations/accept',
      {
        ...open,
        schema: {
          body: z.strictObject({ secret, password, name: name.optional() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { secret, password, name } = request.body;
        const setCookie = await invitations.accept(secret, { password, name }, visitorOf(request));
        return reply.header('set-cookie', setCookie).code(204).send(null);
      },
    );
  };
}

const iso = (at: number): string => new Date(at).toISOString();

const mintedOnWire = ({ invitation, link }: Minted) => ({
  id: invitation.id,
  link,
  expires_at: iso(invitation.expiresAt),
});

const onWire = (invitation: Invitation) => ({
  id: invitation.id,
  email: invitation.email,
  name: invitation.name,
  groups: [...invitation.groups],
  admin: invitation.admin,
  created_at: iso(invitation.createdAt),
  expires_at: iso(invitation.expiresAt),
});
