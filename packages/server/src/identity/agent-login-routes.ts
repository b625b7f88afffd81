import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { AgentLogins } from './agent-logins.ts';

const userCode = z.string().min(1).max(40).describe('As the agent shows it');
const pollError = z.object({
  error: z.enum(['authorization_pending', 'slow_down', 'access_denied', 'expired_token']),
});

/** `/api/v1/agent-logins`: how an agent gets a key from its person's browser (RFC 8628). */
export function agentLoginRoutes(deps: { logins: AgentLogins; publicUrl: URL }): FastifyPluginAsyncZod {
  const { logins, publicUrl } = deps;
  const page = `${publicUrl.origin}/agent-login`;
  const signedIn = { policy: 'signed-in', rate: 'key' } as const;

  /** A credential that leaked must not be able to grow a second life. */
  function refusePrograms({ proof }: Principal): void {
    if (proof !== 'session' && proof !== 'proxy-header')
      throw new AppError('forbidden', 'An agent is let in by its person, where they signed in.');
  }

  const unknown = () => new AppError('not_found', 'No agent waits under this code; it may have run out.');

  return async app => {
    app.post(
      '/api/v1/agent-logins',
      {
        config: { policy: 'public', rate: 'sign-in' },
        schema: {
          body: z.strictObject({ name: z.string().trim().min(1).max(100).describe("The key's name") }),
          response: {
            201: z.object({
              device_code: z.string(),
              user_code: z.string(),
              verification_uri: z.string(),
              verification_uri_complete: z.string(),
              expires_in: z.number().int(),
              interval: z.number().int(),
            }),
          },
        },
      },
      async (request, reply) => {
        const begun = await logins.begin(request.body.name, request.ip);
        return reply.code(201).send({
          device_code: begun.deviceCode,
          user_code: begun.userCode,
          verification_uri: page,
          verification_uri_complete: `${page}#${begun.userCode}`,
          expires_in: begun.expiresIn,
          interval: begun.interval,
        });
      },
    );

    app.post(
      '/api/v1/agent-logins/token',
      {
        config: { policy: 'public', rate: 'token' },
        schema: {
          body: z.strictObject({ device_code: z.string().min(1).max(100) }),
          response: { 200: z.object({ key: z.string().describe('Shown this once') }), 400: pollError },
        },
      },
      async (request, reply) => {
        const found = await logins.poll(request.body.device_code, request.ip);
        return 'key' in found ? found : reply.code(400).send(found);
      },
    );

    app.post(
      '/api/v1/agent-logins/open',
      {
        config: signedIn,
        schema: {
          body: z.strictObject({ user_code: userCode }),
          response: {
            200: z.object({ name: z.string(), address: z.string().nullable(), expires_at: z.iso.datetime() }),
          },
        },
      },
      async ({ principal, body }) => {
        refusePrograms(principal);
        const found = await logins.find(body.user_code);
        if (found === null) throw unknown();
        const { name, address, expiresAt } = found;
        return { name, address, expires_at: new Date(expiresAt).toISOString() };
      },
    );

    app.post(
      '/api/v1/agent-logins/answer',
      {
        config: signedIn,
        schema: {
          body: z.strictObject({ user_code: userCode, approve: z.boolean() }),
          response: { 204: z.null() },
        },
      },
      async ({ principal, body }, reply) => {
        refusePrograms(principal);
        if (!(await logins.answer(body.user_code, principal.userId, body.approve))) throw unknown();
        return reply.code(204).send(null);
      },
    );
  };
}
