import type {} from 'fastify';
import type { Principal } from '../terms/principal.ts';

/**
 * Who may call a route. A route without a policy does not build (rule 8).
 * `public`: anybody; `signed-in`: any principal but the anonymous one; `admin`: admins.
 */
export type Policy = 'public' | 'signed-in' | 'admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: Policy;
  }
  interface FastifyRequest {
    /** Who is calling; set before the handler of every route whose policy is not `public`. */
    principal: Principal;
  }
}
