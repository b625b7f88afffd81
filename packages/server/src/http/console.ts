import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../platform/errors.ts';
import { type ConsoleFile, findConsole, readConsole } from './console-files.ts';
import { PAGE_HEADERS } from './guards.ts';

/** The console's own pages; every one is the same document, and its router does the rest. */
const PAGES = ['/', '/account', '/admin', '/admin/*', '/sign-in', '/invite/:token'];

const NOT_BUILT: ConsoleFile = {
  type: 'text/html; charset=utf-8',
  body: Buffer.from(
    '<!doctype html><html lang="en"><title>Sallyport</title><h1>The console was not built</h1>' +
      '<p>The gateway itself runs. Run <code>npm run build -w packages/web</code> and start it again; <code>npm start</code> does both.</p></html>',
  ),
  gzip: null,
};

/**
 * Serves the built console: pages never from a cache, so that a new version is seen at once; assets, whose names are hashes of
 * their content, for ever. Who is signed in is the API's matter: these files are the same for everybody.
 * @param deps.dir the built console; found by itself unless given, null for none
 */
export function consoleRoutes(deps: { dir?: string | null } = {}): FastifyPluginAsync {
  const dir = deps.dir === undefined ? findConsole() : deps.dir;
  const files = dir === null ? new Map<string, ConsoleFile>() : readConsole(dir);
  const index = files.get('/index.html');
  const open = { config: { policy: 'public' }, schema: { hide: true } } as const;

  return async app => {
    for (const url of PAGES) {
      app.get(url, open, (request, reply) => {
        reply.header('cache-control', 'no-store').code(index === undefined ? 503 : 200);
        return send(request, reply, index ?? NOT_BUILT);
      });
    }
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
