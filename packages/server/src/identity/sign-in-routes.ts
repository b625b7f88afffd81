import formbody from '@fastify/formbody';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { asAppError } from '../platform/errors.ts';
import { isLoopbackHost } from '../platform/net.ts';
import type { Provider } from '../terms/provider.ts';
import type { Departure, Family, SignIn, Visitor } from './sign-in.ts';
import { refusedPage, signInPage } from './sign-in-pages.ts';
import { SignInRefused } from './sign-in-refusal.ts';
import { returnPath } from './sign-in-return.ts';

const FAMILIES: readonly Family[] = ['auth', 'oauth'];
/** An authorization response is a code, a state and little else. */
const MAX_ANSWER = 64 * 1024;

const oneProvider = z.object({ provider: z.string().min(1).max(100) });
const wanted = z.object({ return_to: z.string().optional() });
/** Repeated parameters arrive as lists and are refused by the protocol's checks (RFC 6749 section 3.1). */
const parameters = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/**
 * `/auth/{provider}/login` and `/auth/{provider}/callback`, and the same under `/oauth`; `/auth/login` offers the providers.
 * The callback's POST comes from the provider's page: cross-site by design, it must be let through by any Origin check, and
 * changes nothing by itself.
 */
export function signInRoutes(deps: {
  signIn: Pick<SignIn, 'leave' | 'keep' | 'arrive'>;
  providers: { list(): readonly Provider[] };
  publicUrl: URL;
  /** Whether the console is there, whose page for it is better than the bare one. */
  console: boolean;
}): FastifyPluginAsyncZod {
  const { signIn, providers, publicUrl } = deps;
  // A GET that acts must not be reachable by HEAD, as link checkers send it.
  const open = { config: { policy: 'public' }, exposeHeadRoute: false } as const;
  const acting = { ...open, config: { policy: 'public', rate: 'sign-in' } } as const;

  return async app => {
    if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody);
    app.addHook('onRequest', async (_request, reply) => {
      reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    });
    app.setErrorHandler((error, request, reply) => {
      if (error instanceof SignInRefused) return html(reply.code(error.status), refusedPage(error));
      const known = asAppError(error);
      // A person reads a page; what is not ours to explain goes to the edge, and so into the log.
      if (known.code === 'internal' || !request.headers.accept?.includes('text/html')) throw error;
      return html(reply.code(known.status).headers(known.headers), refusedPage(known));
    });

    app.get('/auth/login', { ...open, schema: { querystring: wanted } }, async (request, reply) => {
      const returnTo = returnPath(request.query.return_to, publicUrl);
      if (!deps.console) return html(reply, signInPage(providers.list(), returnTo));
      return reply.redirect(
        returnTo === '/' ? '/sign-in' : `/sign-in?return_to=${encodeURIComponent(returnTo)}`,
        303,
      );
    });

    for (const family of FAMILIES) {
      app.get(
        `/${family}/:provider/login`,
        { ...acting, schema: { params: oneProvider, querystring: wanted } },
        async (request, reply) => {
          // The provider returns to publicUrl: a cookie set under this machine's other name would not be there.
          if (isOtherLoopbackName(request.host, publicUrl))
            return reply.redirect(publicUrl.origin + request.url, 303);
          const { provider } = request.params;
          const departure = await signIn.leave(provider, family, request.query.return_to, visitorOf(request));
          return depart(reply, departure);
        },
      );

      app.get(
        `/${family}/:provider/callback`,
        { ...acting, schema: { params: oneProvider, querystring: parameters } },
        async (request, reply) =>
          depart(
            reply,
            await signIn.arrive(request.params.provider, pairs(request.query), visitorOf(request)),
          ),
      );

      app.post(
        `/${family}/:provider/callback`,
        { ...acting, bodyLimit: MAX_ANSWER, schema: { params: oneProvider, body: parameters } },
        async (request, reply) =>
          depart(
            reply,
            await signIn.keep(request.params.provider, family, pairs(request.body), visitorOf(request)),
          ),
      );
    }
  };
}

/** Who asks, as far as we may know before they have signed in. */
export const visitorOf = (request: FastifyRequest): Visitor => ({
  cookies: request.headers.cookie,
  address: request.ip,
  userAgent: request.headers['user-agent'] ?? null,
});

/** 303: whatever the method was, the next one is GET (RFC 9110 section 15.4.4). */
export function depart(reply: FastifyReply, { location, setCookies }: Departure): FastifyReply {
  if (setCookies.length > 0) reply.header('set-cookie', [...setCookies]);
  return reply.redirect(location, 303);
}

/** `127.0.0.1:8080` for `http://localhost:8080`. The same port: it is this listener, not a proxy that wrote another Host and would loop. */
function isOtherLoopbackName(host: string, publicUrl: URL): boolean {
  if (host === publicUrl.host || !isLoopbackHost(publicUrl.hostname) || !URL.canParse(`http://${host}`))
    return false;
  const asked = new URL(`http://${host}`);
  return isLoopbackHost(asked.hostname) && asked.port === publicUrl.port;
}

const html = (reply: FastifyReply, text: string): FastifyReply =>
  reply.type('text/html; charset=utf-8').send(text);

function pairs(record: Record<string, string | string[]>): URLSearchParams {
  const all = new URLSearchParams();
  for (const [name, values] of Object.entries(record)) {
    for (const value of [values].flat()) all.append(name, value);
  }
  return all;
}
