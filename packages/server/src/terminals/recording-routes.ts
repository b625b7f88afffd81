import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { type Audit, actorOf } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { castLines } from './recording-form.ts';
import type { Recording, RecordingStore } from './recording-store.ts';

/** A day of output, read by somebody with a slow line, milliseconds. */
const READ_TIMEOUT = 60 * 60_000;

const recordingBody = z.object({
  id: z.string(),
  upstream: z.string(),
  terminal: z.string(),
  user: z.object({ id: z.string(), email: z.string().nullable() }),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable().describe('Null while it goes on'),
  bytes: z.number().int().describe('Of output'),
});
const byId = z.object({ id: z.string().min(1).max(100) });

/** `/api/v1/recordings`: what was printed in recorded terminals, for whose they are and for admins. */
export function recordingRoutes(deps: {
  store: Pick<RecordingStore, 'list' | 'find' | 'pieces' | 'remove'>;
  audit: Audit;
  /** Told that somebody's list of recordings is not what it was. */
  changed(userId: string): void;
}): FastifyPluginAsyncZod {
  const { store, audit } = deps;
  const config = { policy: 'signed-in' } as const;

  /** Another's answers as one that there is not: ids are not to be probed. */
  async function own(principal: Principal, id: string): Promise<Recording> {
    const recording = await store.find(id);
    if (recording === null || !mayHave(principal, recording))
      throw new AppError('not_found', 'There is no such recording.');
    return recording;
  }

  return async app => {
    app.get(
      '/api/v1/recordings',
      {
        config,
        schema: {
          querystring: z.object({ upstream: z.string().max(300).optional() }),
          response: { 200: z.object({ recordings: z.array(recordingBody) }) },
        },
      },
      async ({ principal, query }) => {
        const found = await store.list({
          userId: principal.admin ? null : principal.userId,
          upstreamId: query.upstream ?? null,
        });
        return { recordings: found.filter(recording => mayHave(principal, recording)).map(onWire) };
      },
    );

    app.get(
      '/api/v1/recordings/:id',
      { config, handlerTimeout: READ_TIMEOUT, schema: { params: byId } },
      async (request, reply) => {
        const recording = await own(request.principal, request.params.id);
        const detail = { upstream: recording.upstreamId, user: recording.userId };
        audit.record({ action: 'recording.read', ...actorOf(request), target: recording.id, detail });
        return reply
          .type('application/x-asciicast')
          .header('content-disposition', `attachment; filename="${recording.id}.cast"`)
          .send(Readable.from(asciicast(recording, store.pieces(recording.id))));
      },
    );

    app.delete(
      '/api/v1/recordings/:id',
      { config, schema: { params: byId, response: { 204: z.null().describe('Done') } } },
      async (request, reply) => {
        const recording = await own(request.principal, request.params.id);
        await store.remove(recording.id);
        const detail = { upstream: recording.upstreamId, user: recording.userId };
        audit.record({ action: 'recording.remove', ...actorOf(request), target: recording.id, detail });
        deps.changed(recording.userId);
        return reply.code(204).send(null);
      },
    );
  };
}

function mayHave({ admin, userId, scope }: Principal, recording: Recording): boolean {
  if (scope !== null && !scope.includes(recording.upstreamId)) return false;
  return admin || recording.userId === userId;
}

/** Its header, then its events, a line each. */
async function* asciicast(recording: Recording, pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const { cols, rows, startedAt } = recording;
  const header = { version: 2, width: cols, height: rows, timestamp: Math.floor(startedAt / 1_000) };
  yield `${JSON.stringify(header)}\n`;
  yield* castLines(pieces);
}

const iso = (at: number): string => new Date(at).toISOString();

const onWire = (recording: Recording): z.infer<typeof recordingBody> => ({
  id: recording.id,
  upstream: recording.upstreamId,
  terminal: recording.terminalId,
  user: { id: recording.userId, email: recording.email },
  startedAt: iso(recording.startedAt),
  endedAt: recording.endedAt === null ? null : iso(recording.endedAt),
  bytes: recording.bytes,
});
