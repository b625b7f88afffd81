import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { invitationRoutes } from './invitation-routes.ts';
import { localAccountRoutes } from './local-account-routes.ts';

/** All that there is only where people may sign in without a provider. */
export const localRoutes = (
  deps: Parameters<typeof invitationRoutes>[0] & Parameters<typeof localAccountRoutes>[0],
): FastifyPluginAsyncZod[] => [localAccountRoutes(deps), invitationRoutes(deps)];
