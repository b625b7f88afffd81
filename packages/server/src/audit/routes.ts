import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { AuditQuery, AuditStore, StoredEvent } from './audit-store.ts';

/** A year of events, read by somebody with a slow line, milliseconds. */
const EXPORT_TIMEOUT = 60 * 60_000;
/** Rows that an export holds in memory at a time. */
const PAGE = 500;

const word = z.string().min(1).max(320).optional();
const time = z.iso.datetime({ offset: true }).optional();
const filter = z.object({
  action: word.describe('`key.create`, or `key.*` for all of that beginning'),
  user: word.describe('Id or email address'),
  credential: word.describe('Which credential was shown: `ses_…`, `key_…`'),
  target: word,
  from: time,
  to: time,
});
const eventBody = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  action: z.string(),
  user_id: z.string().nullable(),
  user_label: z.string().nullable(),
  credential_id: z.string().nullable(),
  address: z.string().nullable(),
  target: z.string().nullable(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** `/api/v1/audit`, for admins: who did what, newest first, by page or all of it as JSON Lines. */
export function auditRoutes(deps: {
  store: Pick<AuditStore, 'list'>;
  /** Resolves when what was recorded so far can be read. */
  settled(): Promise<void>;
}): FastifyPluginAsyncZod {
  const { store, settled } = deps;
  const config = { policy: 'admin' } as const;

  /** Line by line, as fast as the reader takes them; it ends, for what happens meanwhile is newer than where it began. */
  async function* lines(wanted: Omit<AuditQuery, 'limit' | 'after'>): AsyncGenerator<string> {
    let after: StoredEvent | undefined;
    await settled();
    for (;;) {
      const page = await store.list({ ...wanted, after, limit: PAGE });
      if (page.length > 0) yield page.map(event => `${JSON.stringify(onWire(event))}\n`).join('');
      if (page.length < PAGE) return;
      after = page.at(-1);
    }
  }

  return async app => {
    app.get(
      '/api/v1/audit',
      {
        config,
        schema: {
          querystring: filter.extend({
            before: z.string().max(200).optional().describe('`next` of the page before'),
            limit: z.coerce.number().int().min(1).max(500).default(50),
          }),
          response: { 200: z.object({ items: z.array(eventBody), next: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const { before, limit, ...wanted } = query;
        const after = before === undefined ? undefined : placeOf(before);
        await settled();
        // One more than asked for tells whether there is a next page.
        const found = await store.list({ ...queryOf(wanted), after, limit: limit + 1 });
        const items = found.slice(0, limit);
        return { items: items.map(onWire), next: found.length > limit ? cursorOf(items.at(-1)!) : null };
      },
    );

    app.get(
      '/api/v1/audit/export',
      { config, handlerTimeout: EXPORT_TIMEOUT, schema: { querystring: filter } },
      (request, reply) =>
        reply
          .type('application/x-ndjson')
          .header('content-disposition', 'attachment; filename="sallyport-audit.jsonl"')
          .send(Readable.from(lines(queryOf(request.query)))),
    );
  };
}

const queryOf = ({ from, to, ...rest }: z.infer<typeof filter>) => ({
  ...rest,
  from: from === undefined ? undefined : Date.parse(from),
  to: to === undefined ? undefined : Date.parse(to),
});

const cursorOf = ({ at, id }: StoredEvent): string => Buffer.from(`${at} ${id}`).toString('base64url');

function placeOf(cursor: string): { at: number; id: string } {
  const [at, id] = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (id === undefined || !/^\d{1,15}$/.test(at!))
    throw new AppError('bad_request', 'before: not a cursor of this list; take `next` of the page before.');
  return { at: Number(at), id };
}

const onWire = (event: StoredEvent) => ({
  id: event.id,
  at: new Date(event.at).toISOString(),
  action: event.action,
  user_id: event.userId,
  user_label: event.userLabel,
  credential_id: event.credentialId,
  address: event.address,
  target: event.target,
  detail: event.detail,
});
