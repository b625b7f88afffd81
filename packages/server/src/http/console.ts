import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../platform/errors.ts';
import { type ConsoleFile, readConsole } from './console-files.ts';
import { PAGE_HEADERS } from './guards.ts';

/** The console's own pages; every one is the same document, and its router does the rest. */
const PAGES = [
  '/',
  '/account',
  '/terminal',
  '/recordings',
  '/tunnels',
  '/tools/*',
  '/agent-login',
  '/admin',
  '/admin/*',
  '/sign-in',
  '/invite',
];

/**
 * Serves the built console: pages never from a cache, so that a new version is seen at once; assets, whose names are hashes of
 * their content, for ever. Who is signed in is the API's matter: these files are the same for everybody.
 * @param deps.dir where the built console lies
 */
export function consoleRoutes(deps: { dir: string }): FastifyPluginAsync {
  const files = readConsole(deps.dir);
  const index = files.get('/index.html')!;
  const open = { config: { policy: 'public' }, schema: { hide: true } } as const;

  return async app => {
    for (const url of PAGES) {
      app.get(url, open, (request, reply) => {
        reply.header('cache-control', 'no-store');
        return send(request, reply, index);
      });
    }
    // An address that somebody mistyped: a person gets a page that says so, a program the problem.
    app.get('/*', open, (request, reply) => {
      if (!request.headers.accept?.includes('text/html') || request.url.startsWith('/api/'))
        throw new AppError('not_found', 'There is nothing at this path.');
      return send(request, reply.code(404).header('cache-control', 'no-store'), index);
    });
    for (const url of ['/assets/*', '/theme.js', '/favicon.svg']) {
      const lasting = url === '/assets/*' ? 'public, max-age=31536000, immutable' : 'no-cache';
      app.get(url, open, (request, reply) => {
        const file = files.get(request.url.split('?', 1)[0]!);
        if (file === undefined) throw new AppError('not_found', 'The console has no such file.');
        return send(request, reply.header('cache-control', lasting), file);
      });
    }
  };
}

function send(request: FastifyRequest, reply: FastifyReply, file: ConsoleFile): FastifyReply {
  reply.headers({ ...PAGE_HEADERS, 'content-type': file.type, vary: 'accept-encoding' });
  if (file.gzip !== null && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    return reply.header('content-encoding', 'gzip').send(file.gzip);
  }
  return reply.send(file.body);
}
