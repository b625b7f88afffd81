import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { type Audit, actorOf } from '../../terms/audit.ts';
import type { Principal } from '../../terms/principal.ts';
import type { ForeignAgents, OwnedSession } from './foreign-agents.ts';
import type { Json } from './frames.ts';

/** Below the silence that proxies allow, milliseconds. */
const KEEPALIVE = 30_000;
/** A subscriber that reads slower than its session speaks is cut off; it comes back with what it saw last. */
const MOST_UNREAD = 4 * 1024 * 1024;
/** RFC 7240 section 4.3, seconds. */
const LONGEST_WAIT = 300;

const byId = z.object({ id: z.string().min(1).max(100) });
const time = z.iso.datetime();
const sessionBody = z.object({
  session_id: z.string(),
  server_info: z.object({
    name: z.string().nullable(),
    description: z.string().nullable(),
    protocol: z.string().nullable(),
  }),
  connected_at: time,
  last_activity: time,
  message_count: z.number().int(),
  bytes_transferred: z.number().int(),
  user: z.string(),
});
const sent = z.object({ status: z.literal('sent'), session_id: z.string() });

/** ContextForge's own calls about its agents' sessions, at its paths and in its words. */
export function foreignRoutes(deps: {
  agents: Pick<ForeignAgents, 'find' | 'list'>;
  audit: Audit;
  runtime: Runtime;
}): FastifyPluginAsyncZod {
  const { agents, audit, runtime } = deps;
  const signedIn = { policy: 'signed-in' } as const;

  const owns = (principal: Principal, { ownerId }: OwnedSession): boolean =>
    principal.admin || ownerId === principal.userId;

  /** Another's answers as one that does not exist: ids are not to be probed. */
  function own(principal: Principal, id: string): OwnedSession {
    if (principal.scope !== null)
      throw new AppError('forbidden', 'A credential that is limited to a scope reaches no sessions.');
    const found = agents.find(id);
    if (found === undefined || !owns(principal, found)) throw new AppError('not_found', 'Session not found');
    return found;
  }

  return async app => {
    app.get(
      '/reverse-proxy/sessions',
      {
        config: signedIn,
        schema: { response: { 200: z.object({ sessions: z.array(sessionBody), total: z.number().int() }) } },
      },
      async ({ principal }) => {
        const mine = agents.list().filter(one => owns(principal, one));
        return { sessions: mine.map(onWire), total: mine.length };
      },
    );

    app.delete(
      '/reverse-proxy/sessions/:id',
      {
        config: signedIn,
        schema: {
          params: byId,
          response: { 200: z.object({ status: z.literal('disconnected'), session_id: z.string() }) },
        },
      },
      async request => {
        const { session } = own(request.principal, request.params.id);
        audit.record({ action: 'tunnel.remove', ...actorOf(request), target: session.id });
        await session.bye('disconnected', 'its owner or an admin disconnected it');
        return { status: 'disconnected' as const, session_id: session.id };
      },
    );

    app.post(
      '/reverse-proxy/sessions/:id/request',
      {
        config: signedIn,
        bodyLimit: 1024 * 1024,
        schema: {
          params: byId,
          body: z.record(z.string(), z.unknown()).describe('One JSON-RPC message'),
          response: { 200: z.union([sent, z.record(z.string(), z.unknown())]), 202: sent },
        },
      },
      async (request, reply) => {
        const { session } = own(request.principal, request.params.id);
        const { body } = request;
        if (body['jsonrpc'] !== '2.0') throw new AppError('bad_request', 'The body is no JSON-RPC message.');
        const answering = session.ask(body as Json);
        const accepted = { status: 'sent' as const, session_id: session.id };
        const seconds = waitIn(request.headers.prefer);
        if (seconds === null || answering === null) return accepted;
        reply.header('preference-applied', `wait=${seconds}`);
        const enough = new AbortController();
        const late = runtime.sleep(seconds * 1_000, enough.signal).then(
          () => null,
          () => null,
        );
        const answer = await Promise.race([answering, late]);
        enough.abort();
        return answer === null ? reply.code(202).send(accepted) : answer;
      },
    );

    app.get(
      '/reverse-proxy/sse/:id',
      { config: signedIn, schema: { params: byId }, exposeHeadRoute: false },
      (request, reply) => {
        const { session } = own(request.principal, request.params.id);
        reply.hijack();
        const res = reply.raw;
        const over = new AbortController();
        res.writeHead(200, {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        });
        const write = (text: string) => {
          if (res.writableLength > MOST_UNREAD) res.destroy();
          else if (!res.destroyed) res.write(text);
        };
        const message = ({ id, text }: { id: number; text: string }) =>
          write(`id: ${id}\nevent: message\ndata: ${text}\n\n`);
        write(
          `event: connected\ndata: ${JSON.stringify({ sessionId: session.id, serverInfo: session.info })}\n\n`,
        );
        const { gap, messages } = session.log.since(lastSeen(request.headers['last-event-id']));
        if (gap) write('event: gap\ndata: {}\n\n');
        messages.forEach(message);
        const unsubscribe = session.log.subscribe(message);
        void session.ended.then(() => res.end());
        res.on('close', () => {
          unsubscribe();
          over.abort();
        });
        void keepAlive();

        async function keepAlive(): Promise<void> {
          while (!over.signal.aborted) {
            await runtime.sleep(KEEPALIVE, over.signal).catch(() => {});
            if (!over.signal.aborted) write('event: keepalive\ndata: {}\n\n');
          }
        }
      },
    );
  };
}

const iso = (at: number): string => new Date(at).toISOString();

const onWire = ({ session, owner }: OwnedSession): z.infer<typeof sessionBody> => ({
  session_id: session.id,
  server_info:
    session.info === null ? { name: null, description: null, protocol: null } : { ...session.info },
  connected_at: iso(session.connectedAt),
  last_activity: iso(session.lastActivity),
  message_count: session.messages,
  bytes_transferred: session.bytes,
  user: owner,
});

/** Seconds of `Prefer: wait=N` (RFC 7240 section 4.3). */
function waitIn(prefer: string | string[] | undefined): number | null {
  const match = /(?:^|[,;\s])wait=(\d{1,6})/.exec(String(prefer ?? ''));
  return match === null ? null : Math.min(LONGEST_WAIT, Number(match[1]));
}

const lastSeen = (header: string | string[] | undefined): number | null =>
  /^\d{1,15}$/.test(String(header)) ? Number(header) : null;
