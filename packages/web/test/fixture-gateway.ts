import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { consoleRoutes } from '../../server/src/http/console.ts';
import { findConsole } from '../../server/src/http/console-files.ts';
import { buildConsole } from '../build.ts';
import { entry, lists, me, PUBLIC_URL, signInOptions } from './fixture-data.ts';

type Item = Record<string, unknown> & { id: string };

/**
 * The console in front of canned data, for developing it and for its screenshots: the API's contract without a gateway.
 * Nothing is checked, nothing is kept. Tests of the product boot a whole gateway instead.
 */
export async function startFixtureGateway(options: { port?: number } = {}): Promise<FixtureGateway> {
  await buildConsole();
  const app = Fastify({ forceCloseConnections: true });
  const data: Data = { lists: lists() as unknown as Data['lists'], signedIn: true };
  const streams = new Set<FastifyReply>();
  const changed = (topic: string) => {
    for (const stream of streams) stream.raw.write(`event: change\ndata: ${JSON.stringify({ topic })}\n\n`);
  };
  await app.register(consoleRoutes({ dir: findConsole()! }));
  app.addHook('preHandler', async (request, reply) => {
    const open =
      /^\/($|account|admin|sign-in|invite|assets|theme|favicon|auth)|sign-in-options|api\/v1\/invitations\/./.test(
        request.url,
      );
    if (!open && !data.signedIn)
      await reply
        .code(401)
        .send({ title: 'Unauthenticated', status: 401, code: 'unauthenticated', detail: 'Sign in first.' });
  });
  publicRoutes(app, data);
  collection(
    app,
    data,
    changed,
    'sessions',
    'keys',
    'grants',
    'users',
    'invitations',
    'upstreams',
    'providers',
  );
  adminRoutes(app, data, changed);
  app.get('/api/v1/events', (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    reply.raw.write(': hello\n\n');
    streams.add(reply);
    request.raw.on('close', () => streams.delete(reply));
  });
  const url = await app.listen({ port: options.port ?? 0, host: '127.0.0.1' });
  const endSession = () => {
    for (const stream of streams) stream.raw.end('event: end\ndata: {}\n\n');
  };
  return { url, data, endSession, close: () => app.close() };
}

export interface FixtureGateway {
  url: string;
  /** What it answers; changed at will. */
  data: Data;
  endSession(): void;
  close(): Promise<void>;
}

export interface Data {
  lists: Record<string, Item[]>;
  signedIn: boolean;
}

function publicRoutes(app: FastifyInstance, data: Data): void {
  app.get('/api/v1/sign-in-options', () => signInOptions);
  app.get('/api/v1/me', () => me);
  app.get('/api/v1/home', () => ({ items: data.lists['home'] }));
  app.get('/api/v1/invitations/:token', () => ({
    email: 'emi@partner.example',
    expires_at: new Date(Date.now() + 3 * 86_400_000).toISOString(),
  }));
  app.post('/api/v1/invitations/:token', (_, reply) => reply.code(204).send());
  app.post('/auth/local', (request, reply) => {
    if ((request.body as { password: string }).password !== 'right') {
      return reply.code(401).send({
        title: 'Unauthenticated',
        status: 401,
        code: 'unauthenticated',
        detail: 'That email and password do not belong together.',
      });
    }
    data.signedIn = true;
    return reply.code(204).send();
  });
  app.post('/auth/logout', () => {
    data.signedIn = false;
    return { redirect: '/sign-in' };
  });
}

function collection(
  app: FastifyInstance,
  data: Data,
  changed: (topic: string) => void,
  ...names: string[]
): void {
  let made = 100;
  for (const name of names) {
    const path = `/api/v1/${name}`;
    const topic = name === 'invitations' ? 'users' : name;
    app.get(path, () => ({ items: data.lists[name]! }));
    app.delete(`${path}/:id`, (request, reply) => {
      const { id } = request.params as { id: string };
      if (name === 'keys')
        data.lists[name]! = data.lists[name]!.map(item =>
          item.id === id ? { ...item, revoked_at: new Date().toISOString() } : item,
        );
      else data.lists[name]! = data.lists[name]!.filter(item => item.id !== id);
      changed(topic);
      return reply.code(204).send();
    });
    const change = (id: string, patch: object) => {
      data.lists[name]! = data.lists[name]!.map(item => (item.id === id ? { ...item, ...patch } : item));
      changed(topic);
    };
    for (const method of ['PUT', 'PATCH'] as const) {
      app.route({
        method,
        url: `${path}/:id`,
        handler: (request, reply) => {
          const body = request.body as { disabled?: boolean };
          const patch =
            body.disabled === undefined
              ? body
              : { disabled_at: body.disabled ? new Date().toISOString() : null };
          change((request.params as { id: string }).id, patch);
          return reply.code(204).send();
        },
      });
    }
    app.post(path, (request, reply) => {
      const body = request.body as Record<string, unknown> & { expires_in?: number; credential?: object };
      const item = fresh(name, `${name.slice(0, 3)}_${++made}`, body);
      data.lists[name]! = [...data.lists[name]!, item];
      changed(topic);
      if (name === 'keys')
        return reply.code(201).send({ ...item, key: 'sp_Zm9yLWRldmVsb3BtZW50LW9ubHktbm90LWEta2V5' });
      if (name === 'invitations')
        return reply
          .code(201)
          .send({ url: `${PUBLIC_URL}/invite/Zm9yLWRldmVsb3BtZW50LW9ubHk`, expires_at: item['expires_at'] });
      return reply.code(201).send(item);
    });
  }
}

function fresh(
  name: string,
  id: string,
  body: Record<string, unknown> & { expires_in?: number; credential?: object },
): Item {
  const created_at = new Date().toISOString();
  const later = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
  switch (name) {
    case 'keys':
      return {
        admin: false,
        scope: null,
        used_at: null,
        revoked_at: null,
        ...body,
        id,
        created_at,
        expires_at: body.expires_in ? later(body.expires_in) : null,
      };
    case 'invitations':
      return { ...body, id, created_at, expires_at: later(3 * 86_400) };
    default:
      return {
        id,
        ...body,
        source: 'database',
        has_secret: true,
        credential: { ...body.credential, has_key: true },
      } as Item;
  }
}

function adminRoutes(app: FastifyInstance, data: Data, changed: (topic: string) => void): void {
  app.get('/api/v1/users/:id/consequences', () => ({ sessions: 2, keys: 1, grants: 1 }));
  app.get('/api/v1/upstreams/:id/consequences', () => ({ keys_limited_to_it: ['nightly evaluation'] }));
  app.get('/api/v1/providers/:id/consequences', () => ({ users: 3, grants: 3, sessions: 4 }));
  app.post('/api/v1/upstreams/test', () => ({
    ok: true,
    status: 200,
    took_ms: 83,
    said: 'It lists 14 models; your token was taken.',
    hint: null,
  }));
  app.post('/api/v1/providers/test', () => ({
    ok: false,
    said: 'No discovery document at https://login.corp.example/.well-known/openid-configuration (404).',
    hint: 'Compare the issuer with what the provider shows, letter by letter, with or without a slash at the end.',
  }));
  app.get('/api/v1/audit', request => {
    const { action, user, target } = request.query as Record<string, string | undefined>;
    const items = data.lists['audit']!.filter(
      item =>
        (action === undefined || item['action'] === action) &&
        (user === undefined || item['user_id'] === user) &&
        (target === undefined || item['target'] === target),
    );
    return { items, next: null };
  });
  app.get('/api/v1/health', () => ({ checks: data.lists['checks'] }));
  // Development only: something happens, so that following live can be watched.
  app.post('/api/v1/happen', (_, reply) => {
    data.lists['audit'] = [
      entry(
        data.lists['audit']!.length + 100,
        0,
        'key.create',
        'usr_bo',
        'Bo Lindqvist',
        'ses_9',
        'key_77',
        null,
      ),
      ...data.lists['audit']!,
    ];
    changed('audit');
    return reply.code(204).send();
  });
}

if (import.meta.main) {
  const { url } = await startFixtureGateway({ port: 4173 });
  console.log(`the console with canned data: ${url}`);
}
