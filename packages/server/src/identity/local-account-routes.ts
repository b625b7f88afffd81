import type { IncomingMessage } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf } from '../terms/audit.ts';
import type { LocalAccounts } from './local-accounts.ts';
import { visitorOf } from './sign-in-routes.ts';

/** An address is whatever has one @; whether mail reaches it is nobody's matter here. */
export const emailAddress = z
  .string()
  .max(320)
  .transform(text => text.trim().toLowerCase())
  .refine(text => /^[^\s@]+@[^\s@]+$/.test(text), 'expected an email address');
/** As typed: no white space is cut off. What is longer was not made by a person or their password manager. */
export const password = z.string().min(1).max(1_000);

/** `/api/v1/password`, one's own; `POST /auth/local`, the way in by it. */
export function localAccountRoutes(deps: {
  localAccounts: LocalAccounts;
  /** @throws AppError `csrf` for what another site made a browser send */
  refuseCrossSite(request: IncomingMessage): void;
}): FastifyPluginAsyncZod {
  const { localAccounts, refuseCrossSite } = deps;
  const signedIn = { policy: 'signed-in' } as const;
  const done = { 204: z.null().describe('Done') };

  return async app => {
    // What a form of another site can send is not read at all (login CSRF: RFC 6749 section 10.12 tells of its kind).
    app.removeContentTypeParser(['application/x-www-form-urlencoded', 'text/plain']);

    app.get(
      '/api/v1/password',
      {
        config: signedIn,
        schema: {
          response: {
            200: z.object({
              may_have: z.boolean().describe('Whether they sign in here, and not at a provider'),
              email: z
                .string()
                .nullable()
                .describe('What they sign in with; null while there is no password'),
              changed_at: z.iso.datetime().nullable(),
            }),
          },
        },
      },
      async ({ principal }) => {
        const { mayHave, email, changedAt } = await localAccounts.of(principal.userId);
        return {
          may_have: mayHave,
          email,
          changed_at: changedAt === null ? null : new Date(changedAt).toISOString(),
        };
      },
    );

    app.put(
      '/api/v1/password',
      {
        config: { ...signedIn, rate: 'sign-in' },
        schema: {
          body: z.strictObject({
            password,
            current_password: password.optional(),
            email: emailAddress.optional().describe('Only with the first password'),
          }),
          response: done,
        },
      },
      async (request, reply) => {
        const { password, current_password: currentPassword, email } = request.body;
        await localAccounts.setOwn(request.principal, { password, currentPassword, email }, actorOf(request));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/auth/local',
      {
        config: { policy: 'public', rate: 'sign-in' },
        onRequest: async request => refuseCrossSite(request.raw),
        schema: { body: z.strictObject({ email: z.string().max(320), password }), response: done },
      },
      async (request, reply) => {
        const setCookie = await localAccounts.signIn(request.body, visitorOf(request));
        return reply.header('set-cookie', setCookie).code(204).send(null);
      },
    );
  };
}
