import type {} from 'fastify';
import type { Principal } from '../terms/principal.ts';

/**
 * Who may call a route. A route without a policy does not build (rule 8).
 * `public`: anybody; `signed-in`: any principal but the anonymous one; `admin`: admins; `metrics`: admins, and whoever shows a `metricsToken`.
 */
export type Policy = 'public' | 'signed-in' | 'admin' | 'metrics';

/** Routes that make or hand out a credential: how often they may be called is limited, see `throttle.ts`. */
export type Rated = 'sign-in' | 'token' | 'key';

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: Policy;
    rate?: Rated;
  }
  interface FastifyRequest {
    /** Who is calling; set before the handler of every route whose policy is not `public`. */
    principal: Principal;
  }
}
