import type { FastifyPluginAsync } from 'fastify';
import { may } from '../access/access.ts';
import type { Bus, Notice } from '../platform/bus.ts';
import { AppError } from '../platform/errors.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge } from '../platform/metrics.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import { type EventStream, openEventStream, type Topic } from './event-stream.ts';

/** Below the silence that proxies allow (nginx: 60 s), milliseconds; with its jitter never over 15 s. */
const HEARTBEAT = 12_000;
/** A revocation in another process must end a stream within 5 s (rule 7): with its jitter 4.4 s, the rest is the database's. */
const CHECK = 3_500;
/** Windows of one person; a program in a loop is not to hold every socket. */
const MOST = 30;

interface Reader {
  readonly principal: Principal;
  readonly stream: EventStream;
  admin: boolean;
}

/** What other processes did, as they wrote it down. */
interface Elsewhere {
  readonly deeds: readonly { readonly action: string; readonly userId: string | null }[];
  /** Whether the audit has become longer. */
  readonly stored: boolean;
}

export interface Events extends AsyncDisposable {
  readonly routes: FastifyPluginAsync;
}

/**
 * `GET /api/v1/events`: names what changed, so that lists on show are fetched again. It carries no data: what a reader may see is decided
 * when it fetches.
 */
export function createEvents(deps: {
  bus: Pick<Bus, 'subscribe'>;
  /** What a credential is worth now, by the database; null: nothing. */
  standing(principal: Principal): Promise<{ readonly admin: boolean } | null>;
  /** What was done since it was asked last, here or elsewhere. */
  elsewhere(): Promise<Elsewhere>;
  open: Gauge;
  runtime: Runtime;
  log: Logger;
}): Events {
  const { standing, runtime, log } = deps;
  const readers = new Set<Reader>();
  const unsubscribe = deps.bus.subscribe(tell);
  const beating = every(HEARTBEAT, 'the heartbeat of event streams', beat, { runtime, log });
  const checking = every(CHECK, 'looking whether event streams may go on', checkAll, { runtime, log });

  function tell(notice: Notice): void {
    for (const reader of [...readers]) {
      if (ends(notice, reader.principal)) {
        forget(reader);
        reader.stream.end();
        continue;
      }
      for (const topic of topicsOf(notice, reader)) reader.stream.changed(topic);
      if (notice.topic === 'user-changed' && notice.userId === reader.principal.userId)
        check(reader).catch(soon);
    }
  }

  async function check(reader: Reader): Promise<void> {
    const now = await standing(reader.principal);
    if (!readers.has(reader)) return;
    if (now !== null) {
      reader.admin = now.admin;
      return;
    }
    forget(reader);
    reader.stream.end();
  }

  async function checkAll(): Promise<void> {
    if (readers.size === 0) return;
    await Promise.all([...readers].map(check));
    const { deeds, stored } = await deps.elsewhere();
    for (const reader of readers) {
      const topics = new Set(deeds.flatMap(deed => topicsOfDeed(deed, reader)));
      if (stored && reader.admin) topics.add('audit');
      for (const topic of topics) reader.stream.changed(topic);
    }
  }

  async function beat(): Promise<void> {
    for (const { stream } of readers) stream.beat();
  }

  function forget(reader: Reader): void {
    if (readers.delete(reader)) deps.open.add(-1);
  }

  return {
    routes: async app => {
      app.get(
        '/api/v1/events',
        { config: { policy: 'signed-in' }, exposeHeadRoute: false },
        (request, reply) => {
          const { principal } = request;
          const mine = [...readers].filter(reader => reader.principal.userId === principal.userId);
          if (mine.length >= MOST) {
            throw new AppError('rate_limited', `You have ${MOST} event streams open already.`, {
              headers: { 'retry-after': '60' },
            });
          }
          reply.hijack();
          const reader = { principal, stream: openEventStream(reply.raw), admin: principal.admin };
          readers.add(reader);
          deps.open.add(1);
          reply.raw.on('close', () => forget(reader));
          // Between the authentication and this line it may have been revoked.
          check(reader).catch(soon);
        },
      );
    },

    async [Symbol.asyncDispose]() {
      unsubscribe();
      await Promise.all([beating[Symbol.asyncDispose](), checking[Symbol.asyncDispose]()]);
      for (const reader of [...readers]) {
        forget(reader);
        reader.stream.close();
      }
    },
  };
}

/** While the database is away nobody can be found out; the next turn comes by itself. */
const soon = () => {};

const ends = (notice: Notice, { credentialId }: Principal): boolean =>
  (notice.topic === 'session-ended' && notice.sessionId === credentialId) ||
  (notice.topic === 'key-revoked' && notice.keyId === credentialId);

/** With their groups, and by being an admin, changes what somebody may use and see. */
function ofUser(own: boolean, admin: boolean): readonly Topic[] {
  if (own) return ['users', 'upstreams', 'recordings'];
  return admin ? ['users'] : [];
}

/** What of the reader's lists a notice touches. */
function topicsOf(notice: Notice, { principal, admin }: Reader): readonly Topic[] {
  switch (notice.topic) {
    case 'upstream-turned':
    case 'upstream-changed':
      return ['upstreams'];
    case 'provider-changed':
      // With it, whether people have to connect first.
      return admin ? ['providers', 'upstreams'] : ['upstreams'];
    case 'tunnels-used':
      return admin || notice.access.some(access => may(principal, { id: '', access })) ? ['tunnels'] : [];
    case 'audit-stored':
      return admin ? ['audit'] : [];
    case 'invitations-changed':
      return admin ? ['users'] : [];
  }
  const own = notice.userId === principal.userId;
  switch (notice.topic) {
    case 'session-begun':
      // A sign-in makes a user, or changes what is known of one.
      return [...(own ? (['sessions'] as const) : []), ...(admin ? (['users'] as const) : [])];
    case 'session-ended':
      return own ? ['sessions'] : [];
    case 'key-created':
    case 'key-revoked':
      return own ? ['keys'] : [];
    case 'grant-changed':
      return own ? ['grants'] : [];
    case 'user-changed':
      return ofUser(own, admin);
    case 'terminals-changed':
      return own ? ['terminals'] : [];
    case 'recordings-changed':
      return own || admin ? ['recordings'] : [];
  }
}

/** What of the reader's lists something touches that another process did. Upstreams and providers are looked for by themselves. */
function topicsOfDeed(
  { action, userId }: Elsewhere['deeds'][number],
  { principal, admin }: Reader,
): readonly Topic[] {
  const own = userId === principal.userId;
  switch (action.slice(0, action.indexOf('.'))) {
    case 'session':
      return [...(own ? (['sessions'] as const) : []), ...(admin ? (['users'] as const) : [])];
    case 'key':
      return own ? ['keys'] : [];
    case 'grant':
      return own ? ['grants'] : [];
    case 'recording':
      return own || admin ? ['recordings'] : [];
    case 'user':
    case 'password':
      return ofUser(own, admin);
    case 'invitation':
      return admin ? ['users'] : [];
    default:
      return [];
  }
}
